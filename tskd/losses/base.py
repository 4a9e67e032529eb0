"""The base classes of losses: terms that compare the student with one teacher, and weights of labels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd._core.object_spec import Described

AUTO = "auto"


@dataclass(frozen=True)
class Needs:
    """What a loss reads beside point forecasts over the student's horizon.

    Attributes:
        layers: paths of a hidden layer in the student's and in the teacher's network; `"auto"` for the usual one.
        likelihood: whether it compares probabilistic forecasts.
        ahead: number of steps past the student's output chunk.
        statistics: whether it fits statistics of the teacher's forecasts of all training windows before the training.
        basis: whether the units of the teacher's features must have the same meaning in every window.
    """

    layers: tuple[str, str] | None = None
    likelihood: bool = False
    ahead: int = 0
    statistics: bool = False
    basis: bool = False


@dataclass(frozen=True)
class Predictive:
    """A probabilistic forecast, by its distribution or by quantiles.

    Attributes:
        distribution: of every step and component, batch shape `[B, H, C]`.
        quantiles: `[B, H, C, Q]`.
        levels: levels of the quantiles, ascending `(Q,)`.
    """

    distribution: Distribution | None = None
    quantiles: Tensor | None = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class StudentTeacherPair:
    """The student's and one teacher's outputs for B windows in which the teacher is valid.

    `features`, `predictive` and `ahead` are pairs: the first member belongs to the student and has a gradient, the
    second belongs to the teacher and is a constant. They are None unless the loss needs them.

    Attributes:
        student: the student's point forecast `[B, H, C]`, with gradient.
        teacher: the teacher's point forecast `[B, H, C]`, a constant.
        target: the labels `[B, H, C]`; missing ones are finite, and mean nothing.
        features: hidden representations, windows first: `[B, …]`.
        predictive: probabilistic forecasts.
        ahead: point forecasts of the steps that follow the student's output chunk `[B, A, C]`.
        within: for a teacher of a part of the student's horizon, the position of its first step there and the length of
            the whole horizon; None for a teacher of the whole.
        labelled: true where a label exists `[B, H, C]`; None if all do.
        views: what `of_student` has computed, `[B, …]` or whatever shape a view has; pairs of the same forecast of the
            student share it.
    """

    student: Tensor
    teacher: Tensor
    target: Tensor
    features: tuple[Tensor, Tensor] | None = None
    predictive: tuple[Predictive, Predictive] | None = None
    ahead: tuple[Tensor, Tensor] | None = None
    within: tuple[int, int] | None = None
    labelled: Tensor | None = None
    views: dict[Hashable, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False, compare=False)

    def of_student(self, view: Callable[..., Tensor], *arguments: Hashable) -> Tensor:
        """`view(student, *arguments)`, computed once for all teachers that the same forecast is compared with."""
        if not torch.is_grad_enabled():
            # others need its gradient
            return view(self.student, *arguments)
        key = (view, *arguments)
        values, found = self.views.get(key, (None, None))
        if values is not self.student or found is None:
            found = view(self.student, *arguments)
            self.views[key] = self.student, found
        return found


class LossTerm(Described, nn.Module, ABC):
    """A term of a distillation. Each teacher has a copy; trained and fitted state is in its `state_dict`.

    Args:
        weight: coefficient of the term, at least 0.

    Raises:
        ValueError: weight is negative or not finite.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        check_real(weight, 0, math.inf, "weight", "a finite number, 0 or more")
        self.weight = weight

    @property
    def needs(self) -> Needs:
        """What it reads beside point forecasts over the student's horizon."""
        return Needs()

    def set_up(self, probe: StudentTeacherPair) -> None:
        """Make trainable parts for the shapes of a probe, whose values mean nothing.

        Args:
            probe: as many windows as a batch, but at most four.

        Raises:
            ValueError: the term is undefined for these shapes.
        """

    def fit_statistics(self, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit statistics of the training windows; called if it `needs` them.

        Args:
            known: chunks of the teacher's forecasts and of the labels, `[m, H, C]` each; missing labels are NaN.
        """


class DistillationLoss(LossTerm):
    """Compares the student with one teacher.

    A loss returns an unreduced term, `[B]` or `[B, H, C]`, and does not depend on the other teachers. Parts that are
    trained besides the student (projectors) are ordinary parameters, made in `set_up`; they belong to the distillation,
    never to the student. Arguments and errors are those of `LossTerm`: `weight`.

    Attributes:
        least: number of a teacher's windows in a batch below which the loss has no term. The teacher's share in these
            windows is then left out of this loss, not given to the other teachers. With 1, the term of a window depends
            on no other window: those of several teachers may be compared in one call.
        relates: whether it compares relations within the student with relations within the teacher, so that the two may
            differ in shape.
        labelled: whether it reads the labels; where they are missing, it has no term, or says what it does instead.
    """

    least = 1
    relates = False
    labelled = False

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """The aspects of the forecast, or of the features, that the term or its `parts` compare."""
        return ("forecast",)

    @abstractmethod
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        """The term of a `pair`, unreduced: `[B]` or `[B, H, C]`."""

    def parts(self, pair: StudentTeacherPair) -> dict[Aspect, Tensor]:
        """The summands of the term of a `pair` by aspect, each of its shape, for weightings with weights of their own
        for each."""
        (aspect,) = self.aspects
        return {aspect: self(pair)}

    def representations(self, pair: StudentTeacherPair) -> tuple[Tensor, Tensor]:
        """Features of a `pair` `[B, T, D]`: the student's, in the teacher's space, and the teacher's.

        A term of the aspect `"features"` compares these. For other terms, a NotImplementedError is raised.
        """
        raise NotImplementedError(f"{type(self).__name__} compares no features")


class LabelWeighting(LossTerm):
    """Weights each label, in the student's own loss, by one teacher's forecast.

    It acts in every step in which the teachers have a share; where the share is 0, training is darts' own. The weights
    of several teachers are combined as their forecasts are. Arguments and errors are those of `LossTerm`: `weight`.
    """

    @abstractmethod
    def forward(self, teacher: Tensor, target: Tensor) -> Tensor:
        """Weights `[B, H, C]`, from 0 to 1, of the labels `target [B, H, C]`, given forecasts `teacher [B, H, C]`."""


def check_steps(steps: int, least: int, what: str) -> None:
    """Raise a ValueError for fewer than `least` steps."""
    if steps < least:
        raise ValueError(f"{what} needs at least {least} steps, there are {steps}")


def check_loss(loss: object) -> DistillationLoss:
    """The loss, if it is one that another loss can contain; a TypeError otherwise."""
    if not isinstance(loss, DistillationLoss):
        raise TypeError(f"loss must be a DistillationLoss, got {type(loss).__name__}")
    return loss
