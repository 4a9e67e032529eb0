"""The weights of a step: those of the forecasts, and of what is weighed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from tskd.aspects import Aspect
from tskd.history import over_steps
from tskd.losses import Comparison, DistillationLoss
from tskd.weighting import Hint, Step, Weighting


class Weigher:
    """Asks a weighting, once a step, for each aspect that there is and that has weights of its own.

    Args:
        weights: those of the forecasts `[K, B, …]`.
        hint: what a loss, by its number, compares of hidden layers.
    """

    def __init__(self, weighting: Weighting, step: Step, weights: Tensor, hint: Callable[[int], Hint]) -> None:
        self._weighting, self._step = weighting, step
        self._weights, self._hint = weights, hint
        self._aspects = weighting.aspects
        self._found: dict[tuple[Aspect, int], Tensor] = {}

    def parts(self, loss: DistillationLoss, pair: Comparison, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights and values of what adds up to a loss.

        Args:
            number: of the loss: each has weights of its own for features.
        """
        if self._aspects.isdisjoint(loss.aspects):
            yield self._weights, loss(pair)
            return
        for aspect, values in loss.parts(pair).items():
            yield self._of(aspect, number), values

    def _of(self, aspect: Aspect, number: int) -> Tensor:
        if aspect not in self._aspects:
            return self._weights
        inside = aspect == "features"
        key = (aspect, number if inside else 0)
        if key not in self._found:
            with torch.no_grad():
                step = replace(self._step, hint=self._hint(number)) if inside else self._step
            self._found[key] = self._weighting.weights_of(step, aspect)
        return self._found[key]

    def means(self, known: Tensor) -> dict[Aspect, Tensor]:
        """Mean weight of each teacher `[K]`, by aspect; of features, over all losses.

        Args:
            known: windows that have a teacher `[B]`.
        """
        found: dict[Aspect, list[Tensor]] = {}
        for (aspect, _), weights in self._found.items():
            found.setdefault(aspect, []).append(over_steps(weights).sum(1) / known.sum().clamp(min=1))
        return {aspect: torch.stack(means).mean(0) for aspect, means in found.items()}
