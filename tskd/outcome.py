"""What a step of distillation comes to: weighted values as one number a window, and labels that count less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tskd.aspects import Aspect
from tskd.losses import LabelWeighting
from tskd.weighting import Step


@dataclass(frozen=True)
class Outcome:
    """The term of a step, and what is worth logging of it.

    Attributes:
        term: scalar, of which the mean over all processes counts; None where no teacher has a forecast of any window of
            the batch, or there is no loss.
        weights: `[K, B]` or up to `[K, B, H, C]`, 0 in windows without a valid teacher.
        labels: how much each label counts in the student's own loss `[B, H, C]`; None for all alike.
        aspects: weights `[K, B]` of what was weighed apart, means over steps and components; none where nothing was.
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


def label_weights(
    terms: Iterable[Sequence[LabelWeighting]], spans: Sequence[slice], weights: Tensor, step: Step
) -> Tensor | None:
    """How much each label counts `[B, H, C]`; None for all alike.

    Args:
        terms: each as its copies, one a teacher.
        spans: the part of the horizon that each teacher forecasts.
        weights: of the teachers.
    """
    found: Tensor | None = None
    for copies in terms:
        # in windows without a teacher the weights are 0, and the labels count in full
        less = torch.zeros_like(step.target)
        for k, (copy, span) in enumerate(zip(copies, spans, strict=True)):
            doubt = 1 - copy(step.forecasts[k][:, span], step.target[:, span])
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
