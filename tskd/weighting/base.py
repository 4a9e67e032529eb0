"""What a multi-teacher weighting is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from tskd._core.aspects import Aspect
from tskd._core.distributed import OverRanks, alone
from tskd._core.object_spec import Described


@dataclass(frozen=True)
class Hint:
    """What a loss compares of hidden layers in a step: of each teacher, in its own space.

    Attributes:
        student: the student's representation, as the loss projects it, `[B, T, D]` each, detached.
        teachers: the teachers' own `[B, T, D]`, 0 where not valid.
        forecasts: what the teachers' last layers make of the student's `[K, B, H, C]`, 0 where not valid; None unless
            the weighting asks for it and it is known of all.
    """

    student: Sequence[Tensor]
    teachers: Sequence[Tensor]
    forecasts: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """What a weighting is told of a step.

    Attributes:
        forecasts: teachers' forecasts `[K, B, H, C]`, 0 where not valid.
        valid: `[K, B]`.
        student: the student's forecast `[B, H, C]`, detached.
        target: the labels `[B, H, C]`.
        keys: (series, origin) of the windows `[B, 2]`.
        epoch: epochs completed.
        covers: which steps each teacher forecasts `[K, H]`, or broadcastable to it.
        spread: standard deviation of the teachers' forecasts `[K, B, H, C]`, NaN of a teacher of point forecasts; None
            unless the weighting asks for it.
        gram: inner products `[n, n]`, in float64, of the gradients of ⟨student, c⟩ for each of n cotangents c
            `[n, B, H, C]`, summed over windows, and meant over processes that train together, which must all call it.
            Computed when called, within the step; None unless the weighting asks for it.
        over_ranks: the mean of values over the processes that train together, each with windows of its own. All of them
            must ask, equally often in a step.
        hint: for weights of the aspect `"features"`: what the loss compares whose teachers are weighed.
    """

    forecasts: Tensor
    valid: Tensor
    student: Tensor
    target: Tensor
    keys: Tensor
    epoch: int
    covers: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.bool))
    spread: Tensor | None = None
    gram: Callable[[Tensor], Tensor] | None = None
    over_ranks: OverRanks = alone
    hint: Hint | None = None


@dataclass(frozen=True)
class CalibrationWindows:
    """Windows by which teachers are judged.

    Attributes:
        keys: (series, origin) `[m, 2]`.
        inputs: what the student sees of them: `past_target [m, L, C]`, covariates `[m, steps, components]`.
        forecasts: the teachers' `[K, m, H, C]`, 0 where not valid.
        valid: `[K, m]`.
        spread: see `Step`; NaN of a teacher of point forecasts.
        target: the labels `[m, H, C]`.
        covers: see `Step`; elsewhere forecasts are 0 and mean nothing.
    """

    keys: Tensor
    inputs: Mapping[str, Tensor]
    forecasts: Tensor
    valid: Tensor
    spread: Tensor
    target: Tensor
    covers: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.bool))


@dataclass(frozen=True)
class CalibrationSet:
    """What teachers are judged by: the windows of the validation part, if teachers and student have what they read
    there, else those of the training part (on which a teacher that was fitted on them looks better than it is).

    Attributes:
        held_out: whether it is the validation part.
        chunks: gives the windows, in chunks, the same at every call.
        student: the student's forecasts `[m, H, C]` of a chunk as it now is, in evaluation mode, without gradient.
    """

    held_out: bool
    chunks: Callable[[], Iterable[CalibrationWindows]]
    student: Callable[[CalibrationWindows], Tensor]


@dataclass(frozen=True)
class MetaStep:
    """A look at what a step of the student would lead to, before it is taken.

    Attributes:
        step: the step.
        losses: squared distances of the student, as its parameters now are, from every teacher `[K, B]`, mean over
            steps and components; in evaluation mode, without gradient.
        outer: the student's label loss on some windows that it is judged by, with gradient; in evaluation mode.
        parameters: the student's.
    """

    step: Step
    losses: Callable[[], Tensor]
    outer: Callable[[], Tensor]
    parameters: list[nn.Parameter]


class Weighting(Described, nn.Module, ABC):
    """How far each of K teachers is followed.

    Weights are detached, at least float32, non-negative, and sum to one over the valid teachers of a window; where some
    teachers forecast only a part of the horizon, they do so at every step. Where there is no valid teacher they are 0.
    A method's state (scales, gates, meta-networks) is what its `state_dict` holds. What was learned has the shape of
    the teachers, steps and components that it was learned of: a fresh weighting must be set up and `calibrate` from
    evidence of the same shape before it can load it, as a training does that is resumed.

    Attributes:
        judges: whether it wants `CalibrationSet`.
        uses_spread: whether it wants the spread of the teachers' forecasts in every step.
        uses_gram: with respect to what it wants inner products of gradients in every step: the student's last linear
            layers, or all its trainable parameters; None if it does not.
        reads_out: whether it wants to know, for the aspect `"features"`, what the teachers' last layers make of the
            student's representation.
        rehearses: in which steps it wants a `MetaStep`, one of so many; 0 for none.
        needs_validation: whether it cannot do without a validation part.
    """

    calibrates = False
    uses_spread = False
    uses_gram: Literal["head", "parameters"] | None = None
    probes_teachers = False
    meta_every: int = 0
    needs_validation: bool = False

    def __init__(self) -> None:
        super().__init__()

    @property
    def aspects(self) -> frozenset[Aspect]:
        """Those for which teachers have weights of their own; for others they have those of their forecasts.

        A fit in which no loss has `"features"`, or none any of the others, is refused where these are among them.
        """
        return frozenset()

    def set_up(self, names: list[str]) -> None:
        """Learn the teachers' names, in order.

        Raises:
            ValueError: the weighting does not fit them.
        """

    def calibrate(self, calibration: CalibrationSet) -> None:
        """Take in, before the training, what the teachers are worth."""

    def start_epoch(self, epoch: int, calibration: CalibrationSet) -> None:
        """Take in, before every epoch in which teachers have a share, how far the student has come."""

    def meta_update(self, meta_step: MetaStep) -> None:
        """Learn from what the student's step would lead to, before the weights of the step are asked for."""

    @abstractmethod
    def scores(self, step: Step) -> Tensor:
        """Non-negative preferences, `[K, B]` or broadcastable to `[K, B, H, C]`."""

    def scores_of(self, step: Step, aspect: Aspect) -> Tensor:
        """The same for one of its `aspects`.

        Asked for only in steps in which a loss has something to say of it, which of several processes need not be all:
        here `step.over_ranks` is that of one process alone, and `step.gram` is None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores for {aspect!r}")

    def forward(self, step: Step) -> Tensor:
        """Weights of the shape of the scores."""
        with torch.no_grad():
            return _shares(self.scores(step), step)

    def weights_of(self, step: Step, aspect: Aspect) -> Tensor:
        """Weights for an aspect; for one that is not among its `aspects`, those of the forecasts."""
        if aspect not in self.aspects:
            return self(step)
        with torch.no_grad():
            return _shares(self.scores_of(step, aspect), step)


def _shares(scores: Tensor, step: Step) -> Tensor:
    """Scores as shares of the valid teachers."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if bool(step.valid.all()) and bool(step.covers.all()):
        # as below, but with one row for all windows where the scores have one
        scores = scores.expand(len(step.valid), *scores.shape[1:])
        total = scores.sum(0, keepdim=True)
        weights = torch.where(total > 0, scores / total.where(total > 0, 1), 1 / len(scores))
        return weights.expand(*step.valid.shape, *scores.shape[2:])
    valid = step.valid
    if not bool(step.covers.all()):
        valid = valid[:, :, None] & step.covers[:, None]
        scores = scores.unsqueeze(-1) if scores.dim() == 2 else scores
    valid = valid.reshape(valid.shape + (1,) * (scores.dim() - valid.dim()))
    scores = scores.where(valid, 0)
    total = scores.sum(0, keepdim=True)
    even = valid.to(scores.dtype) / valid.sum(0, keepdim=True).clamp(min=1)
    # valid teachers that are all scored 0 share the window evenly
    return torch.where(total > 0, scores / total.where(total > 0, 1), even)
