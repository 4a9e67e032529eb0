"""What a distillation can consist of: losses that compare the student with one teacher, and weights of labels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.distributions import Distribution

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd._core.object_spec import Described

AUTO = "auto"


@dataclass(frozen=True)
class Needs:
    """What a loss must be shown beside point forecasts over the student's horizon.

    Attributes:
        layers: paths of a hidden layer in the student's and in the teacher's network; `"auto"` for the usual one.
        likelihood: whether it compares forecasts of distributions.
        ahead: steps past the student's output chunk.
        statistics: whether it learns from the teacher's forecasts of all training windows before the training.
        basis: whether the units of the teacher's features must mean the same in every window.
    """

    layers: tuple[str, str] | None = None
    likelihood: bool = False
    ahead: int = 0
    statistics: bool = False
    basis: bool = False


@dataclass(frozen=True)
class Predictive:
    """A forecast of a distribution: one of the two.

    Attributes:
        distribution: of every step and component, batch shape `[B, H, C]`.
        quantiles: `[B, H, C, Q]`.
        levels: of the quantiles, ascending `(Q,)`.
    """

    distribution: Distribution | None = None
    quantiles: Tensor | None = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class StudentTeacherPair:
    """A student beside one teacher, for B windows of which the teacher says something.

    The pairs hold what the student shows, with gradient, and what the teacher does, a constant; they are None unless
    the loss needs them.

    Attributes:
        student: the student's point forecast `[B, H, C]`, with gradient.
        teacher: the teacher's point forecast `[B, H, C]`, a constant.
        target: the labels `[B, H, C]`.
        features: hidden representations, windows first: `[B, …]`.
        predictive: forecasts of distributions.
        ahead: point forecasts of the steps that follow the student's output chunk `[B, A, C]`.
        within: position of the first step in the student's horizon, and the length of that, where the teacher forecasts
            a part of it; None for the whole.
    """

    student: Tensor
    teacher: Tensor
    target: Tensor
    features: tuple[Tensor, Tensor] | None = None
    predictive: tuple[Predictive, Predictive] | None = None
    ahead: tuple[Tensor, Tensor] | None = None
    within: tuple[int, int] | None = None


class LossTerm(Described, nn.Module, ABC):
    """A part of a distillation. What it trains or learns is what its `state_dict` holds; each teacher gets a copy.

    Args:
        weight: coefficient of the term, at least 0.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        check_real(weight, 0, math.inf, "weight", "a finite number, 0 or more")
        self.weight = weight

    @property
    def needs(self) -> Needs:
        return Needs()

    def set_up(self, probe: StudentTeacherPair) -> None:
        """Make trainable parts from a probe of the real shapes (its values mean nothing), or raise a ValueError where
        the term is undefined. The probe has as many windows as a batch, but at most four."""

    def fit_statistics(self, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take in statistics of the training windows, if it `needs` them: chunks of the teacher's forecasts and of the
        labels, `[m, H, C]` each."""


class DistillationLoss(LossTerm):
    """Compares the student with one teacher.

    A loss returns an unreduced term, `[B]` or `[B, H, C]`, and knows nothing of other teachers. What it trains besides
    the student (projectors) are ordinary parameters, made in `set_up`; they belong to the distillation, never to the
    student.

    Attributes:
        least: number of windows of a teacher in a batch below which it says nothing. The teacher's share in these few
            windows is then left out of this loss, not given to the others, whose weights are what they are elsewhere.
        relates: whether it compares relations within each of the two, which may then differ in shape.
        labelled: whether it reads the labels.
    """

    least = 1
    relates = False
    labelled = False

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """Of what the term is, or its parts are."""
        return ("forecast",)

    @abstractmethod
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        """The term, unreduced."""

    def parts(self, pair: StudentTeacherPair) -> dict[Aspect, Tensor]:
        """What adds up to the term, by aspect: teachers may be weighed for each by itself."""
        (aspect,) = self.aspects
        return {aspect: self(pair)}

    def representations(self, pair: StudentTeacherPair) -> tuple[Tensor, Tensor]:
        """Features of the student, in the teacher's space, and of the teacher `[B, T, D]`: what a term whose aspect is
        `"features"` compares."""
        raise NotImplementedError(f"{type(self).__name__} compares no features")


class LabelWeighting(LossTerm):
    """Says how much each label counts, by what one teacher says of it.

    It acts on the student's own loss, in every step in which the teachers have a share; where the share is 0, training
    is darts' own. Of several teachers the weights are combined as their forecasts are.
    """

    @abstractmethod
    def forward(self, teacher: Tensor, target: Tensor) -> Tensor:
        """Weights `[B, H, C]`, from 0 to 1, of labels `target` beside the teacher's forecasts."""


def check_steps(steps: int, least: int, what: str) -> None:
    """Raise a ValueError for fewer than `least` steps."""
    if steps < least:
        raise ValueError(f"{what} needs at least {least} steps, there are {steps}")


def check_loss(loss: object) -> DistillationLoss:
    """The loss that another one is to hold; a TypeError if it is none."""
    if not isinstance(loss, DistillationLoss):
        raise TypeError(f"loss must be a DistillationLoss, got {type(loss).__name__}")
    return loss
