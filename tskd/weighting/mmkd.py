"""Weights learned so that the student improves on windows that it is not trained on."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from tskd._core.checks import check_real, check_whole, is_choice
from tskd._core.distributed import average_over_ranks
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.step_inputs import MetaStep, Step

Outer = Literal["validation", "training"]
STATES = 4
HIDDEN = 16
# step over the parameters' norm, in roots of their precision: rounding is then a thousandth in float32; a larger step
# misses the slope of a normalising layer of few units
RELATIVE_STEP = 0.3


def teacher_states(step: Step) -> Tensor:
    """State of each teacher in each window, free of units `[K, B, 4]`.

    Its error, its distances from the student and from the mean of the teachers, and its spread, on a logarithmic scale;
    0 where it is not valid, and in windows in which one of them is not finite. In a window without a label its error is
    the teachers' mean one.
    """
    valid = step.present[..., None]
    forecasts = step.forecasts.to(torch.promote_types(step.forecasts.dtype, torch.float32))

    def squared(other: Tensor) -> Tensor:
        return _mean((forecasts - other).square(), valid)

    count = valid.sum(0).clamp(min=1)
    mean = forecasts.where(valid, 0).sum(0) / count
    found = [squared(step.target), squared(step.student), squared(mean)]
    if step.labelled is not None:
        found[0] = _labelled_errors((forecasts - step.target).square(), step)
    finite = torch.stack(found).isfinite().all(0).all(0)
    known = step.valid & finite
    scale = torch.stack([values.where(known, 0).sum() for values in found[:2]]).sum() / known.sum().clamp(min=1)
    spread = torch.zeros_like(found[0])
    if step.spread is not None:
        spread = _mean(step.spread.square().nan_to_num(0).to(forecasts.dtype), valid)
    found.append(spread)
    states = torch.stack([torch.log1p(values / scale.where(scale > 0, 1)) for values in found], -1)
    # a window that overflows must not affect the others, nor the scorer
    return states.where(states.isfinite().all(-1).all(0)[:, None], 0)


def _labelled_errors(squares: Tensor, step: Step) -> Tensor:
    """Mean squared errors `[K, B]` over the labels that exist; their mean in windows that have none."""
    errors, scored = _mean(squares, step.comparable), step.comparable.flatten(2).any(2)
    usual = errors.where(scored & errors.isfinite(), 0).sum() / scored.sum().clamp(min=1)
    return errors.where(scored, usual)


def directional(losses: Any, parameters: list[nn.Parameter], direction: list[Tensor]) -> Tensor:
    """Derivative of losses `[K, B]` along a direction of a network's parameters, by central differences.

    The step along the direction is 1e-4 of the parameters' norm in float32. The parameters are restored bit for bit.
    """
    length = torch.stack([d.square().sum() for d in direction]).sum().sqrt()
    size = torch.stack([p.detach().square().sum() for p in parameters]).sum().sqrt()
    if not bool(length > 0) or not bool(length.isfinite()):
        return torch.zeros_like(losses())
    step = RELATIVE_STEP * torch.finfo(size.dtype).eps ** 0.5 * size.where(size > 0, 1) / length
    before = [p.detach().clone() for p in parameters]
    found = []
    try:
        for sign in (1, -1):
            for p, old, d in zip(parameters, before, direction, strict=True):
                # through `data`, unseen by autograd: the graph of the student's step holds these parameters
                p.data.copy_(old + sign * step * d)
            # in the parameters' precision: a lower one does not resolve so small a step
            with torch.autocast(size.device.type, enabled=False):
                found.append(losses())
    finally:
        for p, old in zip(parameters, before, strict=True):
            p.data.copy_(old)
    return (found[0] - found[1]) / (2 * step)


class MMKD(Weighting):
    """A small network scores the teachers, trained by what the student's held-out loss would become.

    Meta-learned multi-teacher distillation (Zhang et al. 2023, ICME, arXiv:2306.06634): weights w = softmax(f(state)),
    f trained to lower an outer loss after the student's next step, ∂L_outer(θ − η·∇Σw·ℓ)/∂w_k = −η·∇L_outerᵀ∇ℓ_k.
    Changed here: the state is of forecasts (error, distances from the student and from the mean of the teachers,
    spread), not of logits and features; ℓ_k is the squared distance of the forecasts, whatever the losses are; one
    scorer serves every teacher, so that their number and order do not matter; the outer loss is the label loss on the
    validation part, since on training data (as published) it prefers teachers that know the labels' noise; the product
    of gradients is one directional derivative, two forward passes, in evaluation mode. It starts as `Uniform`. Weights
    `[K, B]`.

    The student is untouched by a meta step. A window whose state is not finite has a state of 0, and a meta step whose
    gradient is not finite is left out, in all processes alike.

    Args:
        every: number of training steps from one meta step to the next.
        lr: learning rate of the scorer's Adam.
        outer: `"validation"`, or `"training"` as published.

    Raises:
        ValueError: (at the start of fit) no `val_series` for `outer="validation"`.
    """

    def __init__(self, every: int = 5, lr: float = 1e-2, outer: Outer = "validation") -> None:
        super().__init__()
        check_whole(every, 1, "every", "a number of steps")
        check_real(lr, 0, math.inf, "lr", "a finite number, 0 or more")
        if not is_choice(outer, get_args(Outer)):
            raise ValueError(f"outer={outer!r}: give one of {', '.join(get_args(Outer))}")
        self.every = every
        self.lr = lr
        self.outer = outer
        last = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.scorer = nn.Sequential(nn.Linear(STATES, HIDDEN), nn.Tanh(), last)
        # the distillation must not train it with the projectors
        self.scorer.requires_grad_(False)
        self._optimizer = torch.optim.Adam(self.scorer.parameters(), lr=lr)

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(spread=True, meta_step_every=self.every, validation=self.outer == "validation")

    def scores(self, step: Step) -> Tensor:
        return self._weights(step)

    def meta_update(self, meta_step: MetaStep) -> None:
        outer = torch.autograd.grad(meta_step.outer(), meta_step.parameters, allow_unused=True)
        direction = [torch.zeros_like(p) if g is None else g for p, g in zip(meta_step.parameters, outer, strict=True)]
        gain = directional(meta_step.losses, meta_step.parameters, direction)
        gain = gain.where(meta_step.step.valid & gain.isfinite(), 0)
        size = gain.square().mean().sqrt()
        with torch.enable_grad():
            self.scorer.requires_grad_(True)
            loss = -(self._weights(meta_step.step) * gain / size.where(size > 0, 1)).sum(0).mean()
            loss.backward()
        # also with a gain of 0: the other processes wait
        average_over_ranks(self.scorer.parameters(), meta_step.step.context.mean_over_ranks)
        gradients = [p.grad for p in self.scorer.parameters() if p.grad is not None]
        # averaged, and so the same in all processes; Adam's state would never lose what is not finite
        if all(bool(g.isfinite().all()) for g in gradients) and any(bool(g.any()) for g in gradients):
            self._optimizer.step()
        self._optimizer.zero_grad()
        self.scorer.requires_grad_(False)

    def get_extra_state(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        # the optimizer would keep these very tensors as its state
        self._optimizer.load_state_dict(copy.deepcopy(state))

    def _weights(self, step: Step) -> Tensor:
        states = teacher_states(step).to(next(self.scorer.parameters()).dtype)
        logits = self.scorer(states)[..., 0].masked_fill(~step.valid, -math.inf)
        # a window without a valid teacher has none
        return torch.softmax(logits, 0).where(step.valid, 0)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    """Means `[K, B]` over what is valid of `[K, B, H, C]`."""
    whole = valid.expand_as(values)
    return values.where(whole, 0).flatten(2).sum(2) / whole.flatten(2).sum(2).clamp(min=1)
