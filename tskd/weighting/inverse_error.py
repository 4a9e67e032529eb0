"""Weights by the teachers' own errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd._core.checks import check_real
from tskd.weighting._calibration_errors import WINDOWS, calibration_errors, over_largest, shrunk
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step_inputs import Step


def inverse(squares: Tensor) -> Tensor:
    """Weights `[K, …]` in proportion to 1 / mean squared error; equal where it is NaN, or 0, for all teachers."""
    weights = 1 / over_largest(squares)
    return weights / weights.sum(0)


class InverseError(Weighting):
    """Weights w_k ∝ 1 / MSE_k on the calibration set, at each step and for each component.

    It is the combination of least variance if the teachers' errors do not correlate (Bates and Granger, Operational
    Research Quarterly, 1969; `BatesGranger` is the form with correlations), and with an MSE loss the target that the
    student learns. It was made for regression; added is shrinkage, without which such weights lose to the mean of all
    forecasts when windows are few: log MSE_k is drawn towards the teachers' mean by the factor n_k / (n_k + shrinkage),
    n_k counting windows that do not overlap, as horizons of consecutive origins share all labels but one. The logarithm
    of the mean of n squared errors has a variance of about 2/n: 8 suits teachers whose errors differ by a factor of
    about e^½.

    A teacher without valid windows counts as an average one; uncalibrated, all count alike. Errors are taken at face
    value: a privileged teacher that knows what the student cannot explain gets a large weight. Weights `[K, 1, H, C]`.

    Args:
        shrinkage: number of windows that weigh as much as the prior that all teachers are equally good.

    Raises:
        ValueError: shrinkage is negative or not a finite number.
    """

    weights: Tensor

    def __init__(self, shrinkage: float = 8.0) -> None:
        super().__init__()
        check_real(shrinkage, 0, math.inf, "shrinkage", WINDOWS)
        self.shrinkage = shrinkage
        self.register_buffer("weights", torch.empty(0))

    @property
    def varies(self) -> Variation:
        return "never"

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def calibrate(self, calibration: CalibrationSet) -> None:
        errors = calibration_errors(calibration.chunks())
        squares = shrunk(errors.squares, errors.windows, self.shrinkage)
        self.weights = inverse(squares)[:, None].to(errors.dtype)

    def scores(self, step: Step) -> Tensor:
        if not len(self.weights):
            return step.valid.to(step.forecasts.dtype)
        return self.weights
