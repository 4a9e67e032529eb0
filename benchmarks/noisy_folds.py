"""Chronological folds of a series of trading days: what a student, a teacher and a GARCH model are given of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tskd import datasets

LOOKBACK, HORIZON = 22, 5
SPAN = LOOKBACK + HORIZON
FOLDS, STRETCH = 30, 130
"""Folds, and days of the test stretch of each."""


@dataclass(frozen=True)
class Days:
    """Labels and ranges [T] of one index, day by day."""

    labels: np.ndarray
    ranges: np.ndarray


@dataclass(frozen=True)
class Windows:
    """Windows, by what is in them.

    Attributes:
        past: labels `[n, L]` of the lookback.
        labels: `[n, H]` of the days to be forecast.
        past_ranges, ranges: `[n, L]` and `[n, H]`, the ranges of the same days.
    """

    past: np.ndarray
    labels: np.ndarray
    past_ranges: np.ndarray
    ranges: np.ndarray

    @classmethod
    def of(cls, days: Days) -> Windows:
        """All windows of some days."""
        both = [np.lib.stride_tricks.sliding_window_view(values, SPAN) for values in (days.labels, days.ranges)]
        (past, labels), (past_ranges, ranges) = ((w[:, :LOOKBACK], w[:, LOOKBACK:]) for w in both)
        return cls(past, labels, past_ranges, ranges)


@dataclass(frozen=True)
class Fold:
    """One fold and training size.

    Attributes:
        train: the days `[n + L + H - 1]` that n training windows lie in; the test stretch begins after them.
        test: the days of the test stretch `[STRETCH]`, after the `[L]` days that its first window looks back to.
    """

    train: Days
    test: Days


def load(index: str, label: str) -> Days:
    """All days of a data set; squares of labels and ranges if `label` is "squared"."""
    data = datasets.load(index)
    power = {"absolute": 1, "squared": 2}[label]
    series = (data.series, data.privileged["range"])
    return Days(*(one.values().ravel().astype("float64") ** power for one in series))


def test_start(days: int, number: int) -> int:
    """First day of the test stretch of fold `number`, from 0, the earliest, of a series of some days."""
    return days - (FOLDS - number) * STRETCH


def fold(days: Days, number: int, windows: int) -> Fold:
    """Fold `number`, from 0, with this many training windows."""
    start = test_start(len(days.labels), number)
    return Fold(
        train=cut(days, start - (windows + SPAN - 1), start),
        test=cut(days, start - LOOKBACK, start + STRETCH),
    )


def cut(days: Days, first: int, end: int) -> Days:
    """The days from `first` to before `end`. Raises ValueError where there are none."""
    if first < 0 or end > len(days.labels):
        raise ValueError(f"days {first} to {end} are wanted, of {len(days.labels)}")
    return Days(days.labels[first:end], days.ranges[first:end])
