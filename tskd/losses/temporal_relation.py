"""Matching the relations between time steps."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tskd.losses._numerics import full_precision, standardised, steps_last
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


def unit_steps(values: Tensor) -> Tensor:
    """Zᵀ/√C `[B, C, H]` of values `[B, H, C]`, Z with mean 0 and root mean square 1 over time."""
    return standardised(steps_last(values), 1 / math.sqrt(values.shape[2]))


def similarity_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of the H × H matrices aᵀa and bᵀb, of `[B, C, H]` and `[B, D, H]`: `[B]`.

    It can be differentiated once, by a. With d = a − b and s = a + b, aᵀa − bᵀb = (dᵀs + sᵀd)/2, which does not cancel
    where a is near b.
    """
    steps, components = a.shape[2], max(a.shape[1], b.shape[1])
    if a.shape[1] != b.shape[1]:
        # rows of zeros change no product of steps
        a, b = (functional.pad(values, (0, 0, 0, components - values.shape[1])) for values in (a, b))
    with full_precision(a):
        if components > steps:
            half = (a - b).transpose(1, 2) @ (a + b)
            squares = (half + half.transpose(1, 2)).square().sum((1, 2)) / 4
        else:
            squares = _SquaredDifference.apply(a, b)
    return squares / steps**2


class _SquaredDifference(torch.autograd.Function):
    """‖aᵀa − bᵀb‖² by products of components in place of steps: (⟨ddᵀ, ssᵀ⟩ + ⟨sdᵀ, dsᵀ⟩)/2.

    Its gradient by a is 4a(aᵀa − bᵀb) = (dsᵀ + ssᵀ)d + (ddᵀ + sdᵀ)s, of the same products.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([a - b, a + b], 1)
        products = both @ both.transpose(1, 2)
        ctx.save_for_backward(both, products)
        dd, ds, sd, ss = (half for row in products.chunk(2, 1) for half in row.chunk(2, 2))
        return (dd * ss + ds * sd).sum((1, 2)) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        both, products = ctx.saved_tensors
        of_less, of_more = sum(products.chunk(2, 1)).chunk(2, 2)
        return (torch.cat([of_more, of_less], 2) * gradient[:, None, None]) @ both, None


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
