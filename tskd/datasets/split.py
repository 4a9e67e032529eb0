"""Where the parts of a series begin, as its user says it: by a date, or by the share of the rows that come before."""

from __future__ import annotations

import re
from datetime import date
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ISO = re.compile(r"\d{4}(-\d{1,2}(-\d{1,2}.*)?)?")
"""Texts that are read alike everywhere; 01/02/2018 is not."""


def split_stamp(value: Any, times: pd.Index, what: str) -> Any:
    """The time stamp that a user means; what is neither a share nor a date is returned as it is.

    Args:
        value: a time stamp, a date, a text such as "2018-08-01", or, as a float, the share of the rows of `times` that
            lie before the stamp, rounded down.
        times: stamps of the series.
        what: the argument's name, for messages.

    Raises:
        ValueError: a share is not between 0 and 1, a text is no date, or a date has a time zone.
    """
    import pandas as pd

    if isinstance(value, Real) and not isinstance(value, Integral):
        share = float(value)
        if not 0 < share < 1:
            raise ValueError(f"{what}={share:g}: give a share of the rows above 0 and below 1, or a time stamp.")
        # 0.29 * 100 is 28.999999999999996
        return times[int(len(times) * share + 1e-6)]
    if not isinstance(times, pd.DatetimeIndex):
        return value
    if getattr(value, "tzinfo", None) is not None:
        raise ValueError(_zoned(value, what))
    if isinstance(value, str):
        if not ISO.fullmatch(value.strip()):
            raise ValueError(f"{what}={value!r}: give a date such as 2018-08-01, or a share of the rows such as 0.7.")
        try:
            stamp = pd.Timestamp(value)
        except ValueError as error:
            raise ValueError(f"{what}={value!r} is no date: {error}.") from error
        if stamp.tz is not None:
            raise ValueError(_zoned(value, what))
        return stamp
    return pd.Timestamp(value) if isinstance(value, date) else value


def _zoned(value: Any, what: str) -> str:
    return f"{what}={value!r} has a time zone, and series have none: convert to UTC, and leave the zone out."
