"""The weighted sum of loss values in a training step: weights of aspects, averages per window, and label weights."""

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
    """The aspects of losses for which a weighting has weights of their own, in a fixed order."""
    present = _aspects(losses)
    return [aspect for aspect in get_args(Aspect) if aspect in present and aspect in weighting.aspects]


def check_aspects_used(weighting: Weighting, losses: Iterable[LossTerm]) -> None:
    """Raise a ValueError if a weighting has weights for aspects that no loss has: they would have no effect."""
    present = _aspects(losses)
    for option, cure in OPTIONS:
        weighted = weighting.aspects & option
        if weighted and weighted.isdisjoint(present):
            raise ValueError(
                f"{weighting!r} weighs teachers apart for {', '.join(sorted(weighted))}, and no loss has such a part: "
                f"add {cure}, or leave that option of the weighting out"
            )


def _aspects(losses: Iterable[LossTerm]) -> set[Aspect]:
    return {aspect for loss in losses if isinstance(loss, DistillationLoss) for aspect in loss.aspects}


class StepWeights:
    """The weights of the teachers in each step `[K, B, …]`, computed once where they are the same in all windows.

    Args:
        weighting: calibrated before the first step.
    """

    def __init__(self, weighting: Weighting) -> None:
        self._weighting = weighting
        self._same: Tensor | None = None

    def __call__(self, step: Step) -> Tensor:
        if not (step.whole and step.labelled is None and self._weighting.varies == "never"):
            return self._weighting(step)
        if self._same is None:
            self._same = self._weighting(step)[:, :1].detach().clone()
        return self._same.expand(-1, len(step.keys), *self._same.shape[2:])


class AspectWeights:
    """The weights of each aspect of the losses in a step, computed once.

    Args:
        weighting: gives the weights.
        step: of the training.
        weights: of the forecasts `[K, B, …]`, and of every aspect without weights of its own.
        features: gives the representations that a loss, by its number, compares.
    """

    def __init__(
        self, weighting: Weighting, step: Step, weights: Tensor, features: Callable[[int], StepFeatures]
    ) -> None:
        self._weighting, self._step = weighting, step
        self._weights, self._features = weights, features
        self._aspects = weighting.aspects
        self._cached: dict[tuple[Aspect, int], Tensor] = {}

    def parts(self, loss: DistillationLoss, pair: StudentTeacherPair, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights and values of the parts whose sum is a loss.

        Args:
            number: of the loss, since every loss has weights of its own for features.
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
        if key not in self._cached:
            with torch.no_grad():
                features = self._features(number) if inside else None
            # ranks without valid windows skip this, so no collective may run
            step = replace(self._step, context=StepContext(), features=features)
            self._cached[key] = self._weighting.weights_of(step, aspect)
        return self._cached[key]

    def separate(self) -> dict[Aspect, Tensor]:
        """Weights `[K, B]` of aspects with weights of their own, averaged over steps, components and losses."""
        by_aspect: dict[Aspect, list[Tensor]] = {}
        for (aspect, _), weights in self._cached.items():
            by_aspect.setdefault(aspect, []).append(over_steps(weights))
        return {aspect: torch.stack(each).mean(0) for aspect, each in by_aspect.items()}


@dataclass(frozen=True)
class DistillationTerm:
    """The distillation term of a step, with the weights it was computed with.

    Attributes:
        term: scalar, to be averaged over all processes; None if no teacher has a valid forecast for a window of the
            batch, or there is no loss.
        weights: `[K, B]` up to `[K, B, H, C]`, 0 in windows without a valid teacher.
        labels: weights of the labels in the student's own loss `[B, H, C]`; None if all are 1.
        aspects: weights `[K, B]` of aspects with weights of their own, averaged over steps and components.
        label_share: number of labels over that of the steps and components with a label or a teacher, a scalar; None
            if every step has a label.
    """

    term: Tensor | None
    weights: Tensor
    labels: Tensor | None = None
    aspects: Mapping[Aspect, Tensor] = field(default_factory=dict)
    label_share: Tensor | None = None

    def with_labels(self, labels: Tensor, alpha: float, compares: bool) -> Tensor:
        """The whole loss of a step, (1 − α)·labels + α·term.

        Args:
            labels: the student's own loss, averaged over the labels that exist.
            alpha: share of the teachers.
            compares: whether there is a distillation loss; with label weightings alone, labels keep their full share.
        """
        if not compares:
            return labels
        own = labels if self.label_share is None else self.label_share * labels
        return (1 - alpha) * own if self.term is None else mixed(own, self.term, alpha)


def mixed(labels: Tensor, teachers: Tensor, alpha: float) -> Tensor:
    """(1 − α)·labels + α·teachers, of two scalars."""
    return torch.add((1 - alpha) * labels, teachers, alpha=alpha)


def label_share(step: Step) -> Tensor | None:
    """Share by which a mean over the labels of a batch becomes a mean over everything that has a label or a teacher.

    So a label counts as much in a batch with few labels as in one with many. None if every step has a label.
    """
    if step.labelled is None:
        return None
    known = step.labelled | step.present.any(0)[..., None]
    return step.labelled.sum() / step.context.mean_over_ranks(known.sum().to(step.target.dtype)).clamp(min=1)


def reduced(values: Tensor, weights: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weighted loss values as one number per window `[B]`, averaged over steps and components.

    Args:
        values: `[B]` or `[B, H, C]`.
        weights: `[B]` up to `[B, H, C]`.
        sample_weight: of the labels `[B, H, 1 or C]`, or None.
    """
    if values.dim() == 1:
        per_window = values * _per_window(weights)
        return per_window if sample_weight is None else per_window * _per_window(sample_weight)
    product = values * _by_step(weights)
    product = product if sample_weight is None else product * sample_weight
    return product.flatten(1).mean(1)


def by_label(weights: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Weights of teachers `[K, B]` up to `[K, B, H, C]`, times those of labels `[B, H, 1 or C]`."""
    if sample_weight is None:
        return weights
    return weights.reshape(weights.shape + (1,) * (4 - weights.dim())) * sample_weight


def label_weights(pairs: Sequence[PairedLoss], weights: Tensor, step: Step) -> Tensor | None:
    """Weights `[B, H, C]` of the labels by the label weightings among the losses; None if there are none.

    Args:
        pairs: of losses and teachers, those of one loss in sequence.
        weights: of the teachers.
    """
    factor: Tensor | None = None
    for _, group in groupby((pair for pair in pairs if isinstance(pair.loss, LabelWeighting)), lambda one: one.number):
        # in windows without a teacher the weights of teachers are 0, and those of labels 1
        less = torch.zeros_like(step.target)
        for pair in group:
            k, span = pair.teacher, pair.span
            doubt = 1 - pair.loss(step.forecasts[k][:, span], step.target[:, span])
            less[:, span] += _by_step(of_steps(weights[k], span)) * doubt.where(_by_step(step.valid[k]), 0)
        factor = (1 - less) if factor is None else factor * (1 - less)
    return factor


def of_steps(weights: Tensor, span: slice) -> Tensor:
    """Weights `[B]` or `[B, H, …]` of some steps."""
    return weights if weights.dim() == 1 else weights[:, span]


def _by_step(values: Tensor) -> Tensor:
    """`[B]`, `[B, H]` or `[B, H, C]` in a shape that broadcasts with `[B, H, C]`."""
    return values.reshape(values.shape + (1,) * (3 - values.dim()))


def _per_window(values: Tensor) -> Tensor:
    return values if values.dim() == 1 else values.flatten(1).mean(1)
