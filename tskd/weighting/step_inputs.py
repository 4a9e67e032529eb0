"""One training step, as a weighting sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tskd._core.distributed import OverRanks, alone


@dataclass(frozen=True)
class StepFeatures:
    """Hidden representations that a loss compares in a step, for each teacher in its own feature space.

    Attributes:
        student: the student's features, as the loss projects them, `[B, T, D]` a teacher, detached.
        teachers: the teachers' features `[B, T, D]`, 0 where not valid.
        probe_forecasts: the teachers' linear probes applied to the student's features `[K, B, H, C]`, 0 where not
            valid; None unless the weighting needs them and every teacher has a probe.
    """

    student: Sequence[Tensor]
    teachers: Sequence[Tensor]
    probe_forecasts: Tensor | None = None


@dataclass(frozen=True)
class StepContext:
    """What a weighting may compute during a step, from the student's graph or together with other processes.

    Both are collective operations: all processes that train together must call them, equally often in a step.

    Attributes:
        mean_over_ranks: mean of a tensor over the processes, each of which has windows of its own.
        gram: inner products `[n, n]`, in float64, of the gradients of ⟨student forecast, c⟩ for n cotangents c
            `[n, B, H, C]`, summed over windows and averaged over processes; None unless the weighting needs it.
    """

    mean_over_ranks: OverRanks = alone
    gram: Callable[[Tensor], Tensor] | None = None


class Comparisons:
    """Where forecasts of teachers exist, and labels to compare them with; of a batch or of a chunk of B windows.

    Attributes:
        forecasts: teachers' forecasts `[K, B, H, C]`.
        valid: which windows each teacher forecasts `[K, B]`.
        covers: which steps each teacher forecasts `[K, H]`, or broadcastable to it.
        labelled: true where a label exists `[B, H, C]`; None if all do.
    """

    forecasts: Tensor
    valid: Tensor
    covers: Tensor
    labelled: Tensor | None

    @property
    def present(self) -> Tensor:
        """True where a teacher has a forecast `[K, B, H]`, or broadcastable to it."""
        return self.valid[:, :, None] & self.covers[:, None]

    @property
    def comparable(self) -> Tensor:
        """True where a teacher has a forecast, and there is a label to compare it with `[K, B, H, C]`."""
        return with_labels(self.present[..., None], self.labelled).expand(self.forecasts.shape)


@dataclass(frozen=True)
class Step(Comparisons):
    """A batch of B windows with the forecasts of K teachers and of the student.

    Attributes:
        forecasts: teachers' forecasts `[K, B, H, C]`; where not `present` they mean nothing, and may be NaN.
        valid: which windows each teacher forecasts `[K, B]`.
        student: the student's forecast `[B, H, C]`, detached.
        target: the labels `[B, H, C]`; missing ones are finite, and mean nothing.
        keys: (series, origin) of the windows `[B, 2]`.
        epoch: epochs completed.
        covers: which steps each teacher forecasts `[K, H]`, or broadcastable to it.
        spread: standard deviation of the teachers' forecasts `[K, B, H, C]`, NaN for a teacher of point forecasts;
            None unless the weighting needs it.
        features: for weights of the aspect `"features"`, what the loss compares whose teachers are weighed; else None.
        context: computations on the student's graph and across processes.
        labelled: true where a label exists `[B, H, C]`; None if all do.
        whole: whether it is known, without a look at them and in all processes, that all is valid and covered.
    """

    forecasts: Tensor
    valid: Tensor
    student: Tensor
    target: Tensor
    keys: Tensor
    epoch: int
    covers: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.bool))
    spread: Tensor | None = None
    features: StepFeatures | None = None
    context: StepContext = field(default_factory=StepContext)
    labelled: Tensor | None = None
    whole: bool = False


def with_labels(present: Tensor, labelled: Tensor | None) -> Tensor:
    """A mask, false also where no label exists."""
    return present if labelled is None else present & labelled


@dataclass(frozen=True)
class MetaStep:
    """A look ahead at what a step of the student would lead to, before it is taken.

    Attributes:
        step: the step.
        losses: squared distances of the student, with its parameters as they now are, from every teacher `[K, B]`,
            averaged over steps and components; in evaluation mode, without gradient.
        outer: the student's label loss on some windows of the calibration set, with gradient; in evaluation mode.
        parameters: the student's trainable parameters.
    """

    step: Step
    losses: Callable[[], Tensor]
    outer: Callable[[], Tensor]
    parameters: list[nn.Parameter]
