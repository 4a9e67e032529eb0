"""The weighted sum of a training step: weights of forecasts and of aspects, weighted values, and label weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import get_args

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd.distillation.history import over_steps
from tskd.distillation.paired_loss import PairedLoss
from tskd.losses import DistillationLoss, LabelWeighting, LossTerm, StudentTeacherPair
from tskd.weighting import Step, StepContext, StepFeatures, Weighting

INSIDE: frozenset[Aspect] = frozenset({"features"})
# aspects that may have weights of their own, and which losses have them
OPTIONS: tuple[tuple[frozenset[Aspect], str], ...] = (
    (INSIDE, "FeatureKD (not of relations)"),
    (frozenset(get_args(Aspect)) - INSIDE, "LevelShapeKD, or LikelihoodKD between Gaussians"),
)


def separate_aspects(weighting: Weighting, losses: Iterable[LossTerm]) -> list[Aspect]:
    """The aspects of losses for which a weighting has weights of their own, in an order that is always the same."""
    had = _aspects(losses)
    return [aspect for aspect in get_args(Aspect) if aspect in had and aspect in weighting.aspects]


def check_aspects_used(weighting: Weighting, losses: Iterable[LossTerm]) -> None:
    """Raise a ValueError for a weighting with weights for aspects of which no loss has one: they would do nothing."""
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


class AspectWeights:
    """The weights of each aspect of the losses in a step, computed once.

    Args:
        weights: those of the forecasts `[K, B, …]`, of every aspect that has none of its own.
        features: what a loss, by its number, compares of hidden layers.
    """

    def __init__(
        self, weighting: Weighting, step: Step, weights: Tensor, features: Callable[[int], StepFeatures]
    ) -> None:
        # ranks without valid windows skip this, so no collective may run
        self._weighting, self._step = weighting, replace(step, context=StepContext())
        self._weights, self._features = weights, features
        self._aspects = weighting.aspects
        self._found: dict[tuple[Aspect, int], Tensor] = {}

    def parts(self, loss: DistillationLoss, pair: StudentTeacherPair, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights and values of the parts that add up to a loss.

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
                step = replace(self._step, features=self._features(number)) if inside else self._step
            self._found[key] = self._weighting.weights_of(step, aspect)
        return self._found[key]

    def separate(self) -> dict[Aspect, Tensor]:
        """Weights `[K, B]` of aspects with weights of their own, averaged over steps, components, losses."""
        found: dict[Aspect, list[Tensor]] = {}
        for (aspect, _), weights in self._found.items():
            found.setdefault(aspect, []).append(over_steps(weights))
        return {aspect: torch.stack(each).mean(0) for aspect, each in found.items()}


@dataclass(frozen=True)
class DistillationTerm:
    """The term of a step, and what is worth logging of it.

    Attributes:
        term: scalar, of which the mean over all processes counts; None where no teacher has a forecast of any window of
            the batch, or there is no loss.
        weights: `[K, B]` or up to `[K, B, H, C]`, 0 in windows without a valid teacher.
        labels: how much each label counts in the student's own loss `[B, H, C]`; None for all alike.
        aspects: weights `[K, B]` of aspects with weights of their own, averaged over steps and components.
    """

    term: Tensor | None
    weights: Tensor
    labels: Tensor | None = None
    aspects: Mapping[Aspect, Tensor] = field(default_factory=dict)


def reduced(values: Tensor, weights: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weighted values as one number a window `[B]`; what is given per step and component is averaged over them."""
    if values.dim() == 1:
        per_window = values * _per_window(weights)
        return per_window if sample_weight is None else per_window * _per_window(sample_weight)
    product = values * _by_step(weights)
    product = product if sample_weight is None else product * sample_weight
    return product.flatten(1).mean(1)


def label_weights(pairs: Sequence[PairedLoss], weights: Tensor, step: Step) -> Tensor | None:
    """How much each label counts `[B, H, C]`, by the label weightings among the losses; None for all alike.

    Args:
        pairs: of losses and teachers, teachers first.
        weights: of the teachers.
    """
    found: Tensor | None = None
    for _, group in groupby((pair for pair in pairs if isinstance(pair.loss, LabelWeighting)), lambda one: one.number):
        # in windows without a teacher the weights are 0, and the labels count in full
        less = torch.zeros_like(step.target)
        for pair in group:
            k, span = pair.teacher, pair.span
            doubt = 1 - pair.loss(step.forecasts[k][:, span], step.target[:, span])
            less[:, span] += _by_step(of_steps(weights[k], span)) * doubt.where(_by_step(step.valid[k]), 0)
        found = (1 - less) if found is None else found * (1 - less)
    return found


def of_steps(weights: Tensor, span: slice) -> Tensor:
    """Those of some steps, of weights `[B]` or `[B, H, …]`."""
    return weights if weights.dim() == 1 else weights[:, span]


def _by_step(values: Tensor) -> Tensor:
    """`[B]`, `[B, H]` or `[B, H, C]` in a shape that goes with `[B, H, C]`."""
    return values.reshape(values.shape + (1,) * (3 - values.dim()))


def _per_window(values: Tensor) -> Tensor:
    return values if values.dim() == 1 else values.flatten(1).mean(1)
