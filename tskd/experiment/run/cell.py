"""What is measured of one fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["student", "teacher", "bound"]
"""A student of an arm, a teacher, or a student that no arm can have: a bound."""


@dataclass(frozen=True)
class Cell:
    """One fit and its errors on the z-scored scale.

    Attributes:
        key: of the planned cell; so are `kind`, `name` and `candidate`.
        seconds: of the fit, without those of its teachers.
        validation_mse: over the validation windows.
        mse: of the test windows `[W]`, NaN where nothing is scored; so is `mae`.
        step_mse: of the steps `[H]`; so is `step_mae`.
        forecasts: `[E, H]` of the first component, of the example windows.
        warnings: those of tskd while it was fitted and scored.
        weights: `DistilledModel.history`: one entry an epoch, none for other models.
        expected: change of the squared error that an automatic balance expected before the training, and its interval;
            None for other balances.
        distribution: of the test windows `[3, W]`, see `tskd.experiment.run.distribution_scoring.SCORES`; None of point
            forecasts. So is `step_distribution`, of the steps `[3, H]`.
        inference_seconds: of the forecasts of all test windows; None in cells from before it was measured.
    """

    key: str
    kind: Kind
    name: str
    fold: int
    size: int | None
    seed: int
    candidate: int
    seconds: float
    validation_mse: float
    mse: np.ndarray
    mae: np.ndarray
    step_mse: np.ndarray
    step_mae: np.ndarray
    forecasts: np.ndarray
    warnings: tuple[str, ...] = ()
    weights: tuple[dict[str, Any], ...] = ()
    expected: tuple[float, float, float] | None = None
    distribution: np.ndarray | None = None
    step_distribution: np.ndarray | None = None
    inference_seconds: float | None = None


DISTRIBUTION = ("distribution", "step_distribution")
"""Arrays that only the cells of forecast distributions have."""
