"""Cross-fitting: folds in time, such that no teacher forecasts windows that it was trained on, or their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import CustomBusinessDay
from torch import Tensor

from tskd._core.checks import check_whole
from tskd._core.object_spec import Described
from tskd._core.time_grid import steps_between
from tskd._core.window_keys import unique

# maps keys of windows [N, 2] to those to train on [N]
Keep = Callable[[Tensor], Tensor]


@dataclass(frozen=True, repr=False)
class CrossFit(Described):
    """Cross-fitting in interleaved blocks: block b of the time axis belongs to fold b mod `folds`, in all series alike.

    Contiguous folds would each hold a season that the others lack: teachers would extrapolate, and in measurements
    students got worse (1.43 × the error of plain training).

    Args:
        folds: number of models, each fitted on the blocks of the other folds; at least 2.
        block: steps in a block; None for five days, or the span of a window (lookback and horizon) if that is more.

    Raises:
        ValueError: an argument out of its range.
    """

    folds: int
    block: int | None = None

    def __post_init__(self) -> None:
        check_whole(self.folds, 2, "cross_fit", "a number of folds")
        if self.block is not None:
            check_whole(self.block, 1, "block", "a number of steps")


class Calendar(TypedDict):
    """What the text of a frequency leaves out if its steps are the business days of a calendar."""

    weekmask: str
    holidays: list[str]


class FoldsDescription(TypedDict):
    """Folds in a form that JSON can hold: `reach` is their span, `start` and `freq` are those of their axis."""

    count: int
    block: int
    reach: int
    last: int
    start: Any
    freq: Any
    calendar: NotRequired[Calendar]


@dataclass(frozen=True)
class Folds:
    """The folds of one fit, on a time axis that all series share.

    Attributes:
        count: number of folds.
        block: steps in a block.
        span: steps of a window, from its lookback to the last that it reads or forecasts; windows with closer origins
            share data.
        axis: a series whose first step is step 0 of the axis.
        last: step of the last training origin.
    """

    count: int
    block: int
    span: int
    axis: TimeSeries
    last: int

    @classmethod
    def of(cls, plan: CrossFit, series: Sequence[TimeSeries], keys: Tensor, span: int) -> Folds:
        """The folds for the training windows `keys [N, 2]` of some series.

        Raises:
            ValueError: the blocks are so short that a purge on both sides leaves nothing to train on.
        """
        windows = len(unique(keys))
        if plan.folds > windows:
            raise ValueError(f"cross_fit with {plan.folds} folds, and there are {windows} training windows: give fewer")
        axis = min(series, key=lambda s: s.start_time())[:1]
        block = plan.block or max(span, five_days(axis))
        if block * (plan.folds - 1) < 2 * span:
            raise ValueError(
                f"cross_fit with {plan.folds} folds in blocks of {block} steps leaves nothing between two purges of "
                f"{span} steps (lookback and horizon): give a block of {-(-2 * span // (plan.folds - 1))} or more"
            )
        return cls(plan.folds, block, span, axis, int(_steps(axis, series, keys).max()))

    def fingerprint(self) -> str:
        """Text that identifies the folds in the names of cached outputs."""
        return (
            f"Folds(count={self.count!r}, block={self.block!r}, reach={self.span!r}, axis={self.axis!r}, "
            f"last={self.last!r})"
        )

    def description(self) -> FoldsDescription:
        """The folds in a form that JSON can hold."""
        start, freq = self.axis.start_time(), self.axis.freq
        found: FoldsDescription = {
            "count": self.count,
            "block": self.block,
            "reach": self.span,
            "last": self.last,
            "start": stamp_text(start),
            "freq": self.axis.freq_str if isinstance(start, pd.Timestamp) else int(freq),
        }
        if isinstance(freq, CustomBusinessDay):
            found["calendar"] = {"weekmask": freq.weekmask, "holidays": [str(day) for day in freq.holidays]}
        return found

    @classmethod
    def described(cls, description: FoldsDescription) -> Folds:
        """The folds that `description` was called on."""
        start, freq = description["start"], description["freq"]
        if "calendar" in description:
            freq = CustomBusinessDay(to_offset(freq).n, **description["calendar"])
        if isinstance(start, str):
            index: pd.Index = pd.date_range(start, periods=1, freq=freq)
        else:
            index = pd.RangeIndex(start, start + freq, freq)
        axis = TimeSeries.from_times_and_values(index, np.zeros((1, 1)), freq=freq)
        return cls(description["count"], description["block"], description["reach"], axis, description["last"])

    def of_windows(self, series: Sequence[TimeSeries], keys: Tensor) -> Tensor:
        """Fold of each window `[N]`; -1 for those after all training windows that share no step with them."""
        steps = _steps(self.axis, series, keys)
        return (steps.div(self.block, rounding_mode="floor") % self.count).where(steps < self.last + self.span, -1)

    def trains(self, series: Sequence[TimeSeries], keys: Tensor, fold: int) -> Tensor:
        """`[N]`, true for the windows to train on, which share no step with a window whose origin is in the fold."""
        cycle = self.block * self.count
        steps = _steps(self.axis, series, keys) % cycle
        first, end = fold * self.block, (fold + 1) * self.block
        ahead, behind = (first - steps) % cycle, (steps - end + 1) % cycle
        inside = (steps >= first) & (steps < end)
        return ~inside & (ahead >= self.span) & (behind >= self.span)


def stamp_text(stamp: Any) -> str | int | None:
    """A time stamp in a form that JSON can hold."""
    return stamp.isoformat() if isinstance(stamp, pd.Timestamp) else None if stamp is None else int(stamp)


def stamp(text: str | int | None) -> Any:
    """The time stamp that `stamp_text` was called with."""
    return pd.Timestamp(text) if isinstance(text, str) else text


def _steps(axis: TimeSeries, series: Sequence[TimeSeries], keys: Tensor) -> Tensor:
    offsets = torch.tensor([steps_between(axis, s) for s in series])
    return offsets[keys[:, 0]] + keys[:, 1]


def five_days(axis: TimeSeries) -> int:
    """Number of steps in five days; 1 for a whole-number index."""
    if not isinstance(axis.time_index, pd.DatetimeIndex):
        return 1
    step = (axis.start_time() + axis.freq) - axis.start_time()
    return max(1, round(pd.Timedelta(days=5) / step))
