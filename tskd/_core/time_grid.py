"""Time stamps, and steps between series on one time grid."""

from __future__ import annotations

import datetime
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
        stamp = pd.Timestamp(value)
    except (ValueError, OverflowError):
        stamp = pd.NaT
    if not isinstance(stamp, pd.Timestamp):
        raise ValueError(f"{name}={value!r} is no time stamp")
    if stamp.tz is not None:
        raise ValueError(f"{name}={value!r} has a time zone, and series have none")
    return stamp
