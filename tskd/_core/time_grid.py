"""Time stamps, and steps between series on one time grid."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.utils.utils import n_steps_between


def steps_between(earlier: TimeSeries, later: TimeSeries) -> int:
    """Steps from the start of one series to that of another on the same time grid; negative if the second is earlier.

    Raises:
        ValueError: the frequencies differ, or the stamps do not lie on one grid.
    """
    if earlier.freq != later.freq:
        raise ValueError(
            f"frequencies differ: {earlier.freq_str!r} (components {list(earlier.components)}) and "
            f"{later.freq_str!r} (components {list(later.components)})"
        )
    start, stop = earlier.start_time(), later.start_time()
    steps = n_steps_between(end=stop, start=start, freq=earlier.freq)
    if start + steps * earlier.freq != stop:
        raise ValueError(f"the time stamps {start} and {stop} do not lie on one grid of {earlier.freq_str!r}")
    return steps


def check_same_grid(items: Sequence[TimeSeries] | None, targets: Sequence[TimeSeries], what: str) -> None:
    """Raise a ValueError for covariates that are not on the time grid of their targets."""
    for index, (item, target) in enumerate(zip(items or [], targets, strict=False)):
        check_on_grid(item, target, what if len(targets) == 1 else f"{what}[{index}]")


def check_on_grid(item: TimeSeries, target: TimeSeries, what: str) -> None:
    """Raise a ValueError for a series that is not on the time grid of the target."""
    try:
        steps_between(item, target)
    except ValueError as error:
        raise ValueError(f"{what} does not fit the target: {error}") from None


def check_same_index(items: Sequence[TimeSeries], targets: Sequence[TimeSeries], what: str) -> None:
    """Raise a ValueError for series of whole numbers beside targets of time stamps, or the other way round."""
    for item, target in zip(items, targets, strict=True):
        if item.has_datetime_index != target.has_datetime_index:
            own, theirs = ("time stamps" if one.has_datetime_index else "whole numbers" for one in (item, target))
            raise ValueError(f"{what} is indexed by {own}, its target by {theirs}: give the same")


def as_stamp(value: Any, name: str, like: TimeSeries | None = None) -> pd.Timestamp | int:
    """A time stamp, or a whole number for series that are indexed so.

    Args:
        name: of the argument, for messages.
        like: a series that has stamps of the same kind; None if it is not known.

    Raises:
        TypeError: the value is of another kind.
        ValueError: it is no time stamp, or has a time zone, which series do not have.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    written = isinstance(value, str | datetime.date | np.datetime64 | pd.Timestamp)
    if not (whole or written) or (like is not None and whole == like.has_datetime_index):
        kind = "" if like is None else f", as in the series, such as {like.start_time()!r}"
        raise TypeError(f"{name}={value!r}: give a time stamp{kind}")
    if whole:
        return int(value)
    try:
        stamp: Any = pd.Timestamp(value)
    except (ValueError, OverflowError):
        stamp = pd.NaT
    if not isinstance(stamp, pd.Timestamp):
        raise ValueError(f"{name}={value!r} is no time stamp")
    if stamp.tz is not None:
        raise ValueError(
            f"{name}={value!r} has a time zone, and series have none: convert it and the series to UTC, and leave the "
            "zone out (.tz_convert('UTC').tz_localize(None))"
        )
    return stamp
