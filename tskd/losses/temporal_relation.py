"""Matching the relations between time steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from tskd.losses._numerics import full_precision, standardised
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


def unit_steps(values: Tensor) -> Tensor:
    """Z/√C of values `[B, H, C]`, Z with mean 0 and root mean square 1 over time."""
    return standardised(values, 1) / math.sqrt(values.shape[2])


def similarity_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of the H × H matrices aaᵀ and bbᵀ, of `[B, H, C]` and `[B, H, D]`: `[B]`.

    With d = a − b and s = a + b, aaᵀ − bbᵀ = (dsᵀ + sdᵀ)/2, whose squares sum to (⟨dᵀd, sᵀs⟩ + ⟨sᵀd, dᵀs⟩)/2: products
    of components in place of steps, which do not cancel where a is near b.
    """
    steps, components = a.shape[1], max(a.shape[2], b.shape[2])
    # columns of zeros change no product of steps
    a, b = (functional.pad(values, (0, components - values.shape[2])) for values in (a, b))
    with full_precision(a):
        less, more = a - b, a + b
        if components > steps:
            half = less @ more.transpose(1, 2)
            squares = (half + half.transpose(1, 2)).square().sum((1, 2)) / 4
        else:
            both = torch.cat([less, more], 2)
            products = both.transpose(1, 2) @ both
            dd, ds, sd, ss = (half for row in products.chunk(2, 1) for half in row.chunk(2, 2))
            squares = (dd * ss + ds * sd).sum((1, 2)) / 2
    return squares / steps**2


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
        return similarity_distance(pair.of_student(unit_steps), unit_steps(pair.teacher))
