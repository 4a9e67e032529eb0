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
        # the point forecast, and quantiles if there are any
        numbers = values[..., None] if values.ndim == 3 else values
        size = max(1, AT_ONCE // (horizon * components * numbers.shape[-1]))
        for begin in range(0, len(positions), size):
            rows = positions[begin : begin + size]
            some = _over_horizon(numbers[begin : begin + size], start, horizon)
            complete = part.complete[rows]
            finite += int((np.isfinite(some[:, first - 1 :]).reshape(len(rows), -1).all(axis=1) & complete).sum())
            chosen, where = np.nonzero(rows[:, None] == examples)
            kept[where] = some[chosen, :, 0, 0]
            truth = part.truth[rows]
            error = some[..., 0].astype(float, order="C")
            error -= truth
            counted = part.scored[rows] & complete[:, None]
            if not counted.all():
                error[~counted] = np.nan
            measured = [np.square(error), np.abs(error)]
            if distribution is not None and numbers.shape[-1] > 1:
                has_quantiles = True
                known, quantiles = np.where(np.isnan(error), np.nan, truth), some[..., 1:].astype(float)
                measured += [*distribution_scores(quantiles, known, distribution.levels, distribution.interval)]
            summed = [_summed(each) for each in measured]
            for number, (means, totals, _) in enumerate(summed):
                of_windows[number, rows] = means
                sums[number] += totals
            counts += summed[0][2]
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


def _over_horizon(values: np.ndarray, start: int, horizon: int) -> np.ndarray:
    """Values `[N, …]` of steps from `start` on as `[N, H, …]`, NaN where there are none."""
    if start == 1 and values.shape[1] == horizon:
        return values
    found = np.full((len(values), horizon, *values.shape[2:]), np.nan)
    steps = slice(start - 1, min(start - 1 + values.shape[1], horizon))
    found[:, steps] = values[:, : steps.stop - steps.start]
    return found


def _summed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of those of the values `[N, H, C]` that are not NaN: means of the windows `[N]`, sums of the steps `[H]`, and how
    many they are sums of `[H]`."""
    size, horizon, components = values.shape
    flat = values.reshape(size, -1)
    totals = flat.sum(axis=0)
    # NaN if one of them is
    if not np.isnan(totals).any():
        return flat.mean(axis=1), totals.reshape(horizon, components).sum(axis=1), np.full(horizon, size * components)
    known = ~np.isnan(values)
    return mean(values, axis=(1, 2)), np.nansum(values, axis=(0, 2)), known.sum(axis=(0, 2))


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
