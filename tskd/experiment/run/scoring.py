"""Errors of forecasts: every window of a part that has all inputs of the student counts, and every target in it that is
there and was not filled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tskd.experiment.config.distribution import ForecastDistribution
from tskd.experiment.data.preparation import DataPart
from tskd.experiment.run.distribution_scoring import SCORES, distribution_scores

if TYPE_CHECKING:
    from tskd.experiment.run.forecast import Forecasts

AT_ONCE = 2**21
"""Forecasts, of steps, components and quantiles, whose errors are held in memory at a time."""


@dataclass(frozen=True)
class Score:
    """Mean errors on the z-scored scale; NaN where there is no forecast, or nothing that is scored.

    Attributes:
        mse: of the windows `[W]`; so is `mae`.
        step_mse: of the steps `[H]`; so is `step_mae`.
        forecasts: `[E, H]` of the first component, of the example windows.
        whole: whether there is a finite forecast of every complete window and step, from the first step that is scored.
        distribution: of the windows `[3, W]`, see `tskd.experiment.run.distribution_scoring.SCORES`; None of points. So
            is `step_distribution`, of the steps `[3, H]`.
        targets: number of targets that the errors of the steps `[H]` are means of.
        seconds: that the forecasts took, without their errors.
    """

    mse: np.ndarray
    mae: np.ndarray
    step_mse: np.ndarray
    step_mae: np.ndarray
    forecasts: np.ndarray
    whole: bool
    distribution: np.ndarray | None = None
    step_distribution: np.ndarray | None = None
    targets: np.ndarray = field(default_factory=lambda: np.ones(0))
    seconds: float = 0.0


def score(forecasts: Forecasts, part: DataPart, first: int, distribution: ForecastDistribution | None = None) -> Score:
    """The errors of all forecasts of a part.

    Args:
        forecasts: of windows of the part, some at a time.
        part: with the true values.
        first: the first step that is scored.
        distribution: of which quantiles may be among the forecasts.
    """
    windows, horizon, components = part.truth.shape
    measures = 2 + len(SCORES)
    of_windows = np.full((measures, windows), np.nan)
    sums, counts = np.zeros((measures, horizon)), np.zeros(horizon)
    examples = part.examples
    kept = np.full((len(examples), horizon), np.nan)
    finite, has_quantiles = 0, False
    timed = _Timed(forecasts)
    for positions, values, start in timed:
        steps = slice(start - 1, min(start - 1 + values.shape[1], horizon))
        # the point forecast, and quantiles if there are any
        numbers = values[..., None] if values.ndim == 3 else values
        size = max(1, AT_ONCE // (horizon * components * numbers.shape[-1]))
        for begin in range(0, len(positions), size):
            rows = positions[begin : begin + size]
            some = np.full((len(rows), horizon, *numbers.shape[2:]), np.nan)
            some[:, steps] = numbers[begin : begin + size, : steps.stop - steps.start]
            complete = part.complete[rows]
            finite += int((np.isfinite(some[:, first - 1 :]).all(axis=(1, 2, 3)) & complete).sum())
            chosen, where = np.nonzero(rows[:, None] == examples)
            kept[where] = some[chosen, :, 0, 0]
            error = some[..., 0] - part.truth[rows]
            counted = part.scored[rows] & complete[:, None]
            if not counted.all():
                error[~counted] = np.nan
            # a sum is quicker than a look at every value, and NaN if one of them is
            known = None if not np.isnan(error.sum()) else ~np.isnan(error)
            measured = [np.square(error), np.abs(error)]
            if distribution is not None and numbers.shape[-1] > 1:
                has_quantiles = True
                truth = part.truth[rows] if known is None else np.where(known, part.truth[rows], np.nan)
                measured += [*distribution_scores(some[..., 1:], truth, distribution.levels, distribution.interval)]
            for number, each in enumerate(measured):
                of_windows[number, rows] = each.mean(axis=(1, 2)) if known is None else mean(each, axis=(1, 2))
                sums[number] += each.sum(axis=(0, 2)) if known is None else np.nansum(each, axis=(0, 2))
            counts += len(rows) * components if known is None else known.sum(axis=(0, 2))
    of_steps = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    whole = finite == part.complete.sum()
    return Score(
        mse=of_windows[0],
        mae=of_windows[1],
        step_mse=of_steps[0],
        step_mae=of_steps[1],
        forecasts=kept,
        whole=whole,
        distribution=of_windows[2:] if has_quantiles else None,
        step_distribution=of_steps[2:] if has_quantiles else None,
        targets=counts,
        seconds=timed.seconds,
    )


def pooled(scores: Sequence[Score]) -> Score:
    """The scores of several series as one: their windows one after the other, and of steps means over all targets."""
    if len(scores) == 1:
        return scores[0]
    targets = np.stack([one.targets for one in scores])

    def of_steps(values: Sequence[np.ndarray]) -> np.ndarray:
        # [S, ..., H], NaN for a series without a target at the step
        sums = np.nansum([each * count for each, count in zip(values, targets, strict=True)], axis=0)
        return np.where(targets.sum(axis=0) > 0, sums / np.maximum(targets.sum(axis=0), 1), np.nan)

    found: dict[str, Any] = {
        "mse": np.concatenate([one.mse for one in scores]),
        "mae": np.concatenate([one.mae for one in scores]),
        "step_mse": of_steps([one.step_mse for one in scores]),
        "step_mae": of_steps([one.step_mae for one in scores]),
        "forecasts": np.concatenate([one.forecasts for one in scores]),
    }
    windows = [one.distribution for one in scores if one.distribution is not None]
    steps = [one.step_distribution for one in scores if one.step_distribution is not None]
    if len(windows) == len(scores):
        found |= {"distribution": np.concatenate(windows, axis=1), "step_distribution": of_steps(steps)}
    whole, seconds = all(one.whole for one in scores), sum(one.seconds for one in scores)
    return Score(**found, whole=whole, targets=targets.sum(axis=0), seconds=seconds)


class _Timed:
    """Forecasts as they come, and how many seconds one has waited for them."""

    def __init__(self, forecasts: Forecasts) -> None:
        self._forecasts = forecasts
        self.seconds = 0.0

    def __iter__(self) -> Forecasts:
        while True:
            began = time.perf_counter()
            found = next(self._forecasts, None)
            self.seconds += time.perf_counter() - began
            if found is None:
                return
            yield found


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean over what is not NaN, NaN where nothing is left."""
    count = (~np.isnan(values)).sum(axis=axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
