"""Matching the positions at which a network's activations are strong."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from tskd._core.checks import check_real
from tskd.losses._numerics import at_least_single
from tskd.losses.base import AUTO, DistillationLoss, Needs, StudentTeacherPair
from tskd.losses.feature_kd import as_sequence, check_path


def activation_map(features: Tensor, power: float, positions: int) -> Tensor:
    """Mean of |activation|^power over the units, pooled to `positions`, of unit norm `[B, positions]`."""
    strength = at_least_single(as_sequence(features)).abs().pow(power).mean(2)
    return functional.normalize(functional.adaptive_avg_pool1d(strength, positions), dim=1)


class AttentionTransfer(DistillationLoss):
    """Distance between activation maps over the positions of two layers.

    Zagoruyko and Komodakis (2017, arXiv:1612.03928, eq. 2): ‖Q_s/‖Q_s‖ − Q_t/‖Q_t‖‖, Q = Σ|A|^p over channels. Here
    positions are time steps (or patches) in place of pixels, the distance is squared, and of two layers with different
    numbers of positions the finer one is pooled. Nothing is projected, and the scale of the features does not matter. A
    layer that outputs attention weights (such as a TFT's `multihead_attn.attention.softmax`) can be named as well.

    The term is `[B]`.

    Args:
        student_layer, teacher_layer: see `FeatureKD`.
        power: p, at least 1.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) as `FeatureKD`, or a layer without positions.
    """

    def __init__(
        self, student_layer: str = AUTO, teacher_layer: str = AUTO, power: float = 2.0, weight: float = 1.0
    ) -> None:
        super().__init__(weight)
        check_real(power, 1, math.inf, "power", "a finite number, 1 or more")
        self.student_layer, self.teacher_layer = check_path(student_layer, teacher_layer)
        self.power = power

    @property
    def needs(self) -> Needs:
        return Needs(layers=(self.student_layer, self.teacher_layer))

    def set_up(self, probe: StudentTeacherPair) -> None:
        assert probe.features is not None
        for whose, features in zip(("student's", "teacher's"), probe.features, strict=True):
            if as_sequence(features).shape[1] < 2:
                raise ValueError(
                    f"AttentionTransfer needs a layer with positions; the {whose} gives {tuple(features.shape[1:])} "
                    "for a window, units alone"
                )

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        assert pair.features is not None
        positions = min(as_sequence(features).shape[1] for features in pair.features)
        student, teacher = (activation_map(features, self.power, positions) for features in pair.features)
        return (student - teacher).square().sum(1)
