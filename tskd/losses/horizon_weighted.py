"""Weighting another loss over the horizon."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd.losses.base import DistillationLoss, Needs, StudentTeacherPair, check_loss
from tskd.losses.output_kd import OutputKD


def horizon_weights(steps: int, rate: float, like: Tensor) -> Tensor:
    """exp(rate·h/(H − 1)) for h = 0 … H − 1, with mean 1 `[H]`."""
    exponents = torch.arange(steps, dtype=like.dtype, device=like.device) * (rate / max(steps - 1, 1))
    return torch.softmax(exponents, 0) * steps


class HorizonWeighted(DistillationLoss):
    """Another loss, with weights over the steps that grow (or fall) exponentially.

    DistilTS (2026, arXiv:2601.12785): w_h ∝ exp(rate·h/(H − 1)), so that late steps, where errors are large and
    learning is slow, are not dominated by early ones. The published weights sum to one, these have mean one: with
    `rate=0` the loss is what it was.

    The term is `[B, H, C]`.

    Args:
        loss: one that gives a term for every step; `OutputKD()` if None.
        rate: how much later steps count; 0 for all alike, negative for early ones.
        weight: coefficient of the term, times that of `loss`.

    Raises:
        ValueError: (at the start of fit) `loss` gives one term for a whole window.
    """

    def __init__(self, loss: DistillationLoss | None = None, rate: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_real(rate, -math.inf, math.inf, "rate", "a finite number")
        self.loss = check_loss(OutputKD() if loss is None else loss)
        self.rate = rate
        self.least = self.loss.least
        self.labelled = self.loss.labelled

    @property
    def needs(self) -> Needs:
        return self.loss.needs

    def set_up(self, probe: StudentTeacherPair) -> None:
        self.loss.set_up(probe)
        with torch.no_grad():
            shape = self.loss(probe).shape
        if len(shape) < 2 or shape[1] != probe.target.shape[1]:
            raise ValueError(f"{self.loss} gives one term for a window, not one for every step of the horizon")

    def fit_statistics(self, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        self.loss.fit_statistics(known)

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        return self.loss.aspects

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return self._weighted(self.loss(pair), pair)

    def parts(self, pair: StudentTeacherPair) -> dict[Aspect, Tensor]:
        return {aspect: self._weighted(values, pair) for aspect, values in self.loss.parts(pair).items()}

    def _weighted(self, values: Tensor, pair: StudentTeacherPair) -> Tensor:
        first, horizon = (0, values.shape[1]) if pair.within is None else pair.within
        weights = horizon_weights(horizon, self.rate, values)[first : first + values.shape[1]]
        return self.loss.weight * weights[:, None] * values
