"""The weights of a step: those of the forecasts, and of what is weighed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from tskd.aspects import Aspect
from tskd.history import over_steps
from tskd.losses import Comparison, DistillationLoss, LossTerm
from tskd.ranks import alone
from tskd.weighting import Hint, Step, Weighting

INSIDE: frozenset[Aspect] = frozenset({"features"})
# what may be weighed apart, and which losses have it
OPTIONS: tuple[tuple[frozenset[Aspect], str], ...] = (
    (INSIDE, "FeatureKD (not of relations)"),
    (frozenset(get_args(Aspect)) - INSIDE, "LevelShapeKD, or LikelihoodKD between Gaussians"),
)


def weighed_apart(weighting: Weighting, losses: Iterable[LossTerm]) -> list[Aspect]:
    """The aspects of losses for which a weighting has weights of their own, in an order that is always the same."""
    had = _aspects(losses)
    return [aspect for aspect in get_args(Aspect) if aspect in had and aspect in weighting.aspects]


def refuse_idle(weighting: Weighting, losses: Iterable[LossTerm]) -> None:
    """Raise a ValueError for a weighting that is to weigh apart what no loss has: it would do nothing, in silence."""
    had = _aspects(losses)
    for option, cure in OPTIONS:
        meant = weighting.aspects & option
        if meant and meant.isdisjoint(had):
            raise ValueError(
                f"{weighting!r} weighs teachers apart for {', '.join(sorted(meant))}, and no loss has such a part: add "
                f"{cure}, or leave that option of the weighting out"
            )


def _aspects(losses: Iterable[LossTerm]) -> set[Aspect]:
    return {aspect for loss in losses if isinstance(loss, DistillationLoss) for aspect in loss.aspects}


class Weigher:
    """Asks a weighting, once a step, for each aspect that there is and that has weights of its own.

    Args:
        weights: those of the forecasts `[K, B, …]`.
        hint: what a loss, by its number, compares of hidden layers.
    """

    def __init__(self, weighting: Weighting, step: Step, weights: Tensor, hint: Callable[[int], Hint]) -> None:
        # who has no window with a teacher does not come here: nothing may wait for the other processes
        self._weighting, self._step = weighting, replace(step, over_ranks=alone, gram=None)
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

    def apart(self) -> dict[Aspect, Tensor]:
        """Weights `[K, B]` of what was weighed apart, means over steps and components; of features, over all losses."""
        found: dict[Aspect, list[Tensor]] = {}
        for (aspect, _), weights in self._found.items():
            found.setdefault(aspect, []).append(over_steps(weights))
        return {aspect: torch.stack(each).mean(0) for aspect, each in found.items()}
