"""The distillation term of a step: losses × teachers, weighted, averaged over what is valid."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tskd.losses import Comparison, DistillationLoss
from tskd.weighting import Step, Weighting


@dataclass(frozen=True)
class Outcome:
    """The term of a step, and what is worth logging of it.

    Attributes:
        term: scalar; None where no teacher has a forecast of any window of the batch.
        weights: mean weight of each teacher over the windows that have one `[K]`.
    """

    term: Tensor | None
    weights: Tensor


class Objective(nn.Module):
    """Σ_l c_l · Σ_k w_k · ℓ_lk of a batch.

    Args:
        losses: every teacher gets a copy of each.
        names: the teachers, in order.
        weighting: combines them.
    """

    def __init__(self, losses: Sequence[DistillationLoss], names: Sequence[str], weighting: Weighting) -> None:
        super().__init__()
        self._copies = nn.ModuleList(copy.deepcopy(loss) for loss in losses for _ in names)
        self._teachers = len(names)
        self.weighting = copy.deepcopy(weighting)
        self.weighting.set_up(list(names))

    def set_up(self, probe: Comparison) -> None:
        for loss, _ in self._pairs():
            loss.set_up(probe)

    def _pairs(self) -> Iterator[tuple[DistillationLoss, int]]:
        """Every loss with the number of the teacher that it compares with."""
        for index, loss in enumerate(self._copies):
            assert isinstance(loss, DistillationLoss)
            yield loss, index % self._teachers

    def forward(self, student: Tensor, step: Step, sample_weight: Tensor | None) -> Outcome:
        """The term for the student's forecasts `[B, H, C]`, labels' sample weights `[B, H, 1 or C]` applied."""
        weights = self.weighting(step)
        known = step.valid.any(0)
        flat = weights.flatten(2).mean(2) if weights.dim() > 2 else weights
        mean_weights = flat.sum(1) / known.sum().clamp(min=1)
        if not bool(known.any()):
            return Outcome(None, mean_weights)
        total: Tensor | None = None
        for loss, k in self._pairs():
            if loss.weight == 0 or not bool(step.valid[k].any()):
                continue
            values = loss(Comparison(student, step.forecasts[k], step.target))
            # 0 · NaN is NaN: what is not valid must not enter at all
            values = values.where(_like(step.valid[k], values), 0)
            part = loss.weight * _reduce(values, weights[k], sample_weight)
            total = part if total is None else total + part
        if total is None:
            return Outcome(None, mean_weights)
        return Outcome(total[known].mean(), mean_weights)


def _like(mask: Tensor, values: Tensor) -> Tensor:
    return mask.reshape(-1, *(1,) * (values.dim() - 1))


def _reduce(values: Tensor, weights: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weighted values as one number a window `[B]`; what is given per step and component is averaged over them."""
    if values.dim() == 1:
        per_window = values * _per_window(weights)
        return per_window if sample_weight is None else per_window * _per_window(sample_weight)
    weights = weights.reshape(weights.shape + (1,) * (3 - weights.dim()))
    product = values * weights if sample_weight is None else values * weights * sample_weight
    return product.flatten(1).mean(1)


def _per_window(values: Tensor) -> Tensor:
    return values if values.dim() == 1 else values.flatten(1).mean(1)


def effective_number(weights: Tensor) -> Tensor:
    """1/Σw² of weights `[K]`: how many teachers are really followed."""
    return 1 / weights.square().sum().clamp(min=torch.finfo(weights.dtype).tiny)
