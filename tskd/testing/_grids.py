"""Time grids to test parts on: hours, quarters, business days, whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

GRIDS = ("hours", "quarters", "business days", "whole numbers", "every third number")
FIXED_STEPS = ("hours", "whole numbers")
"""Those whose steps can be divided into finer ones."""
FREQUENCIES = {"hours": "h", "quarters": "QS", "business days": "B"}
NUMBERS = {"whole numbers": 1, "every third number": 3}


def times(grid: str, count: int, finer: int = 1) -> pd.Index:
    """The first stamps of a grid, each step divided into `finer` ones."""
    if grid in NUMBERS:
        # a finer grid of whole numbers is a coarser one of the steps
        return pd.RangeIndex(0, count * finer * NUMBERS[grid], NUMBERS[grid])
    if finer > 1:
        return pd.date_range("2021-03-01", periods=count * finer, freq=pd.Timedelta("1h") / finer)
    return pd.date_range("2021-03-01", periods=count, freq=FREQUENCIES[grid])


def walk(index: pd.Index, name: str, components: int = 2, seed: int = 0) -> TimeSeries:
    """A random walk; its components are named name0, name1, …"""
    values = np.random.default_rng(seed).normal(size=(len(index), components)).cumsum(0) / 3
    return TimeSeries.from_times_and_values(index, values, columns=[f"{name}{i}" for i in range(components)])


def shifted(series: TimeSeries, places: Any, seed: int = 99) -> TimeSeries:
    """The series with other values at some places."""
    values = series.values()
    values[places] = 50 + np.random.default_rng(seed).normal(scale=9, size=values[places].shape)
    return series.with_values(values)


def missing_from(series: TimeSeries, first: int) -> TimeSeries:
    """The series without values from a position on."""
    values = series.values()
    values[first:] = np.nan
    return series.with_values(values)


def same_series(one: Sequence[TimeSeries], other: Sequence[TimeSeries]) -> bool:
    """Whether they have the same stamps, names and values."""
    return len(one) == len(other) and all(
        a.time_index.equals(b.time_index)
        and list(a.components) == list(b.components)
        and np.array_equal(a.all_values(copy=False), b.all_values(copy=False), equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )
