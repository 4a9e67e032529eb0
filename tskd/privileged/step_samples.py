"""Which samples of a fine series belong to each step of a coarse one.

The samples of a step are either those up to its stamp (the coarse value is the point sample at the stamp) or those
from its stamp on (the coarse value is the mean or sum over the step that starts at the stamp). Months, quarters, years
and business days differ in length: their steps may have unequal numbers of samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from pandas import DateOffset

# steps of a calendar that are looked at to see whether they are alike
SEVERAL = 13


@dataclass(frozen=True)
class StepSamples:
    """The fine samples of those coarse steps that have all of theirs; they lie one after the other.

    Attributes:
        first: position of the first of these steps in the coarse series.
        starts: position of the first sample of each step `[n]`.
        counts: number of samples of each step `[n]`.
        equal: whether the two frequencies make these numbers equal, whatever the span of the series.
    """

    first: int
    starts: np.ndarray
    counts: np.ndarray
    equal: bool

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def rows(self) -> np.ndarray:
        """Positions of the samples `[n, k]` of steps that have k each."""
        return self.starts[:, None] + np.arange(self.counts[0])

    def between(self, first: int, last: int) -> StepSamples:
        """The samples of the steps from one position in the coarse series to before another."""
        part = slice(first - self.first, last - self.first)
        return StepSamples(first, self.starts[part], self.counts[part], self.equal)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean of `values [T, C]` over each step: `[n, C]`."""
        if self.equal:
            return np.asarray(values[self.rows].mean(1))
        return np.asarray(self.reduced(np.add, values) / self.counts[:, None])

    def reduced(self, reduction: np.ufunc, values: np.ndarray) -> np.ndarray:
        """`values [T, C]` reduced over each step: `[n, C]`."""
        taken = values[self.starts[0] : self.starts[-1] + self.counts[-1]]
        return np.asarray(reduction.reduceat(taken, self.starts - self.starts[0], axis=0))


def step_samples(fine: TimeSeries, coarse: TimeSeries, *, whole_step: bool) -> StepSamples:
    """The samples of each coarse step that has them all; nothing later than the step at the last stamp is read.

    Args:
        whole_step: whether the samples of a step are those from its stamp on, rather than those up to its stamp.

    Raises:
        ValueError: steps of fixed length do not divide, the coarse stamps are then not among the fine ones, the series
            do not overlap, a step has no sample, or none has more than one.
    """
    fixed = _length(fine) is not None and _length(coarse) is not None
    if fixed:
        _check_divides(fine, coarse)
    before, after = coarse.start_time() - coarse.freq, coarse.end_time() + coarse.freq
    stamps = coarse.time_index.append(pd.Index([after])) if whole_step else pd.Index([before]).append(coarse.time_index)
    ends = fine.time_index.searchsorted(stamps, side="left" if whole_step else "right")
    lower, upper = _bounds(fine, stamps, whole_step)
    complete = np.flatnonzero(lower & upper)
    if not len(complete):
        raise ValueError(
            f"the fine series ({fine.start_time()} to {fine.end_time()}) and the target ({coarse.start_time()} to "
            f"{coarse.end_time()}) do not overlap" + ("" if fixed else f" in a whole step of {coarse.freq_str!r}")
        )
    starts, counts = ends[:-1][complete], np.diff(ends)[complete]
    if not counts.all():
        stamp = coarse.time_index[complete[counts == 0][0]]
        raise ValueError(
            f"the fine series, of frequency {fine.freq_str!r}, has no sample in the target's step at {stamp} "
            f"({coarse.freq_str!r}): each step needs one or more; resample the fine series"
        )
    if counts.max() < 2:
        raise ValueError(
            f"the fine series, of frequency {fine.freq_str!r}, has one sample in each step of the target "
            f"({coarse.freq_str!r}): it is no finer; read it by another source"
        )
    return StepSamples(int(complete[0]), starts, counts, fixed or _equal_by_calendar(fine, coarse, whole_step))


def _bounds(fine: TimeSeries, stamps: pd.Index, whole_step: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whether the fine series has all samples from the begin, and up to the end, of each step between two stamps."""
    earlier, later = fine.start_time() - fine.freq, fine.end_time() + fine.freq
    if whole_step:
        return np.asarray(earlier < stamps[:-1]), np.asarray(later >= stamps[1:])
    return np.asarray(earlier <= stamps[:-1]), np.asarray(later > stamps[1:])


def _check_divides(fine: TimeSeries, coarse: TimeSeries) -> None:
    """Raise a ValueError if steps of fixed length do not divide, or the coarse stamps are not among the fine ones."""
    fine_step, coarse_step = _length(fine), _length(coarse)
    ratio = coarse_step / fine_step
    if ratio != int(ratio) or ratio < 2:
        raise ValueError(
            f"the step of the fine series is {fine_step}, that of the target {coarse_step}: the first must divide the "
            "second at least twice; resample the fine series"
        )
    if (coarse.start_time() - fine.start_time()) % fine_step != 0 * fine_step:
        raise ValueError(
            f"the target's stamps (first {coarse.start_time()}) are not among those of the fine series "
            f"(first {fine.start_time()}, step {fine_step}); shift or resample the fine series"
        )


def _length(series: TimeSeries) -> Any:
    """Length of one step, a number or a time span; None if steps differ, as months do."""
    if not isinstance(series.time_index, pd.DatetimeIndex):
        return series.freq
    if _has_holidays(series.freq):
        return None
    steps = pd.date_range(series.time_index[0], periods=SEVERAL, freq=series.freq).diff()[1:].unique()
    return steps[0] if len(steps) == 1 else None


def _equal_by_calendar(fine: TimeSeries, coarse: TimeSeries, whole_step: bool) -> bool:
    """Whether every step has as many samples although not all are equally long, as quarters have three months."""
    if _length(fine) is not None or _has_holidays(fine.freq) or _has_holidays(coarse.freq):
        return False
    stamps = pd.date_range(coarse.start_time(), periods=SEVERAL, freq=coarse.freq)
    samples = pd.date_range(stamps[0], stamps[-1], freq=fine.freq)
    counts = np.diff(samples.searchsorted(stamps, side="left" if whole_step else "right"))
    return len(set(counts.tolist())) == 1


def _has_holidays(frequency: DateOffset) -> bool:
    return len(getattr(frequency, "holidays", None) or ()) > 0
