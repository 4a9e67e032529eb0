"""Squared errors to several teachers at the cost of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tskd.distillation.paired_loss import PairedLoss
from tskd.losses import DistillationLoss, OutputKD
from tskd.weighting import Weighting


def squares_only(pairs: Sequence[PairedLoss], weighting: Weighting) -> float | None:
    """The coefficient of (s − t)², if the distillation losses among `pairs` are nothing else, under the weights of the
    forecasts; else None."""
    losses = {pair.number: pair.loss for pair in pairs if isinstance(pair.loss, DistillationLoss)}
    if not losses or not all(type(loss) is OutputKD and loss.metric == "mse" for loss in losses.values()):
        return None
    if any(weighting.aspects.intersection(loss.aspects) for loss in losses.values()):
        return None
    return sum(loss.weight for loss in losses.values())


def weighted_squares(student: Tensor, teachers: Tensor, weights: Tensor) -> Tensor:
    """Σ_k w_k (s − t_k)², summed over windows and averaged over steps and components.

    Its gradient is 2·Σ_k w_k (s − t_k): one term, however many teachers there are.

    Args:
        student: forecasts `[B, H, C]`, with gradient.
        teachers: forecasts `[K, B, H, C]`, finite.
        weights: `[K, B]` up to `[K, B, H, C]`, 0 where a teacher has no forecast.

    Returns:
        A scalar. It can be differentiated once, by the student's forecasts.
    """
    return _WeightedSquares.apply(student, teachers, weights)


class _WeightedSquares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, student: Tensor, teachers: Tensor, weights: Tensor) -> Tensor:
        away = student - teachers
        shares = away * weights.reshape(weights.shape + (1,) * (4 - weights.dim()))
        weighted = shares.sum(0)
        ctx.save_for_backward(weighted)
        return shares.mul_(away).sum() / student[0].numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weighted,) = ctx.saved_tensors
        return weighted * (2 * gradient / weighted[0].numel()), None, None
