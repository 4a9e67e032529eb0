"""Weights by the teachers' own errors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd._core.checks import check_real
from tskd.weighting._calibration_errors import WINDOWS, believed, judged_errors, over_largest
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step import Step


def inverse(squares: Tensor) -> Tensor:
    """Weights `[K, …]` in proportion to 1 / mean squared error; alike where it is known of nobody, or 0 of all."""
    weights = 1 / over_largest(squares)
    return weights / weights.sum(0)


class InverseError(Weighting):
    """Every teacher's weight falls with its mean squared error on the windows it is judged by, at each step of the
    horizon and for each component: w_k ∝ 1 / MSE_k.

    This is the combination of smallest variance if the teachers' errors do not correlate (Bates and Granger, "The
    Combination of Forecasts", Operational Research Quarterly, 1969; `BatesGranger` is the form with correlations). With
    an MSE loss it is the target that the student learns. It was made for regression: nothing is changed but the
    shrinkage, without which such weights lose to the mean of all forecasts when little is known.

    Shrinkage: log MSE_k is drawn towards the teachers' mean by the factor n_k / (n_k + shrinkage), so that weights are
    1 / MSE_k^(n / (n + shrinkage)) if all are judged by the same windows. n_k counts windows that do not overlap, as
    horizons of consecutive origins share all labels but one: the blocks of H steps in which a window begins. A teacher
    that was never judged counts as an average one; without any evidence all count alike. The logarithm of the mean
    square of n independent errors has a variance of about 2/n: 8 is right for teachers whose errors differ by a factor
    of about e^½.

    Judges teachers once, before the training. It takes their errors at face value: a privileged teacher that sees what
    the student cannot explain is followed all the more. Weights per step and component `[K, 1, H, C]`.

    Args:
        shrinkage: as many windows weigh as much as the belief that all are equally good.

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
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def calibrate(self, calibration: CalibrationSet) -> None:
        errors = judged_errors(calibration.chunks())
        squares = believed(errors.squares, errors.windows, self.shrinkage)
        self.weights = inverse(squares)[:, None].to(errors.dtype)

    def scores(self, step: Step) -> Tensor:
        if not len(self.weights):
            return step.valid.to(step.forecasts.dtype)
        return self.weights
