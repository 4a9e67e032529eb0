"""Matching the relations between time steps."""

from __future__ import annotations

from torch import Tensor

from tskd.losses._numerics import full_precision, per_window, standardised
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


def step_similarity(values: Tensor) -> Tensor:
    """Products of steps, over components, of values `[B, H, C]` that are standardised over time: `[B, H, H]`."""
    scaled = standardised(values, 1)
    with full_precision(scaled):
        return scaled @ scaled.transpose(1, 2) / scaled.shape[2]


class TemporalRelation(DistillationLoss):
    """Distance between the H × H similarities of time steps, in the two forecasts.

    Similarity-preserving distillation (Tung and Mori 2019, arXiv:1907.09682) between steps in place of samples: the
    mean squared difference of the two matrices, ZZᵀ/C, Z the forecast with mean 0 and variance 1 over the horizon, by
    component. Units, level and sign of a component do not matter; a constant one has no similarities.

    On features: `FeatureKD(loss=TemporalRelation(), projector=None)`, for layers with equally many positions.

    The term is `[B]`.

    Args:
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) a horizon of fewer than 3 steps, whose similarities are always the same.
    """

    relates = True

    def set_up(self, probe: StudentTeacherPair) -> None:
        check_steps(probe.student.shape[1], 3, type(self).__name__)

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return per_window((step_similarity(pair.student) - step_similarity(pair.teacher)).square())
