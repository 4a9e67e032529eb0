"""Errors of forecasts: every window of a part that has all inputs of the student counts, and every target in it that is
there and was not filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tskd.experiment.data.preparation import DataPart

if TYPE_CHECKING:
    from tskd.experiment.run.forecast import Forecasts

AT_ONCE = 2**21
"""Forecasts, of steps and components, whose errors are held in memory at a time."""


@dataclass(frozen=True)
class Score:
    """Mean errors on the z-scored scale; NaN where there is no forecast, or nothing that is scored.

    Attributes:
        mse: of the windows `[W]`; so is `mae`.
        step_mse: of the steps `[H]`; so is `step_mae`.
        forecasts: `[E, H]` of the first component, of the example windows.
        whole: whether there is a finite forecast of every complete window and step, from the first step that is scored.
    """

    mse: np.ndarray
    mae: np.ndarray
    step_mse: np.ndarray
    step_mae: np.ndarray
    forecasts: np.ndarray
    whole: bool


def score(forecasts: Forecasts, part: DataPart, first: int) -> Score:
    """The errors of all forecasts of a part.

    Args:
        forecasts: of windows of the part, some at a time.
        part: with the true values.
        first: the first step that is scored.
    """
    windows, horizon, components = part.truth.shape
    of_windows = np.full((2, windows), np.nan)
    sums, counts = np.zeros((2, horizon)), np.zeros(horizon)
    examples = part.examples
    kept = np.full((len(examples), horizon), np.nan)
    finite = 0
    for positions, values, start in forecasts:
        steps = slice(start - 1, min(start - 1 + values.shape[1], horizon))
        size = max(1, AT_ONCE // (horizon * components))
        for begin in range(0, len(positions), size):
            rows = positions[begin : begin + size]
            some = np.full((len(rows), horizon, components), np.nan)
            some[:, steps] = values[begin : begin + size, : steps.stop - steps.start]
            complete = part.complete[rows]
            finite += int((np.isfinite(some[:, first - 1 :]).all(axis=(1, 2)) & complete).sum())
            chosen, where = np.nonzero(rows[:, None] == examples)
            kept[where] = some[chosen, :, 0]
            some -= part.truth[rows]
            counted = part.scored[rows] & complete[:, None]
            if not counted.all():
                some[~counted] = np.nan
            # a sum is quicker than a look at every value, and NaN if one of them is
            known = None if not np.isnan(some.sum()) else ~np.isnan(some)
            for number, distance in enumerate((np.square, np.abs)):
                error = distance(some)
                of_windows[number, rows] = error.mean(axis=(1, 2)) if known is None else mean(error, axis=(1, 2))
                sums[number] += error.sum(axis=(0, 2)) if known is None else np.nansum(error, axis=(0, 2))
            counts += len(rows) * components if known is None else known.sum(axis=(0, 2))
    of_steps = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return Score(of_windows[0], of_windows[1], of_steps[0], of_steps[1], kept, finite == part.complete.sum())


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean over what is not NaN, NaN where nothing is left."""
    count = (~np.isnan(values)).sum(axis=axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
