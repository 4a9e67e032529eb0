"""Matching the relations between components."""

from __future__ import annotations

import math

from torch import Tensor

from tskd.losses._numerics import full_precision, standardised, steps_last
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


def correlations(values: Tensor) -> Tensor:
    """Correlations over time between the components of values `[B, H, C]`: `[B, C, C]`; 0 with a constant one."""
    scaled = standardised(steps_last(values), 1 / math.sqrt(values.shape[1]))
    with full_precision(scaled):
        return scaled @ scaled.transpose(1, 2)


class ChannelRelation(DistillationLoss):
    """Distance between the C × C correlations of components over the horizon, in the two forecasts.

    Correlation distillation as in TimeKD (Liu et al. 2025, arXiv:2505.02138), which matches attention maps between
    variates; darts' models have none, so here it is the correlations themselves: the mean squared difference over all
    pairs of components. Units and levels do not matter; a constant component correlates with nothing.

    On features: `FeatureKD(loss=ChannelRelation(), projector=None)`, for layers with equally many units.

    The term is `[B]`.

    Args:
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) one component, or fewer than 3 steps, over which correlations are always ±1.
    """

    relates = True

    def set_up(self, probe: StudentTeacherPair) -> None:
        components = probe.student.shape[2]
        if components < 2:
            raise ValueError("ChannelRelation relates components, and there is one")
        for values in (probe.student, probe.teacher):
            check_steps(values.shape[1], 3, type(self).__name__)

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        difference = pair.of_student(correlations) - correlations(pair.teacher)
        components = difference.shape[1]
        # the diagonal is 1 in both, or 0 where a component is constant
        return difference.tril(-1).square().sum((1, 2)) * 2 / (components * (components - 1))
