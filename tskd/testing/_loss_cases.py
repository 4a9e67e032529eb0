"""Pairs of a student and a teacher to test losses with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Normal

from tskd.losses import Needs, Predictive, StudentTeacherPair

LEVELS = (0.1, 0.5, 0.7, 0.9)
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Said:
    """What the student or the teacher says of B windows: whatever a loss may read.

    Attributes:
        forecast: `[B, H, C]`.
        scale: of a distribution around it `[B, H, C]`, above 0.
        ahead: forecasts of the steps past the output chunk `[B, A, C]`.
        features: a hidden representation `[B, …]`.
    """

    forecast: Tensor
    scale: Tensor
    ahead: Tensor
    features: Tensor

    def of(self, change: Callable[[Tensor], Tensor]) -> Said:
        """Each of its tensors, changed."""
        return Said(**{name: change(values) for name, values in vars(self).items()})

    def leaves(self) -> Said:
        """The same values, as leaves that take a gradient."""
        return self.of(lambda values: values.detach().clone().requires_grad_())

    def predictive(self, distribution: Callable[[Tensor, Tensor], Any]) -> Predictive:
        """The distribution, and the quantiles of a Gaussian one."""
        levels = torch.tensor(LEVELS, dtype=self.forecast.dtype)
        scores = Normal(torch.zeros_like(levels), torch.ones_like(levels)).icdf(levels)
        quantiles = self.forecast[..., None] + self.scale[..., None] * scores
        return Predictive(distribution(self.forecast, self.scale), quantiles, LEVELS)


@dataclass(frozen=True)
class LossCase:
    """A student, a teacher, and labels, as a loss with these needs is shown them.

    Attributes:
        labelled: where a label exists `[B, H, C]`; None if all do.
    """

    student: Said
    teacher: Said
    target: Tensor
    needs: Needs
    distribution: Callable[[Tensor, Tensor], Any] = Normal
    labelled: Tensor | None = None

    def __str__(self) -> str:
        size = " × ".join(map(str, self.target.shape))
        known = "all labels" if self.labelled is None else f"labelled {self.labelled.int().tolist()}"
        return f"[B, H, C] = {size}, {self.target.dtype}, {known}"

    @property
    def pair(self) -> StudentTeacherPair:
        needs, student, teacher = self.needs, self.student, self.teacher
        pair = StudentTeacherPair(student.forecast, teacher.forecast, self.target, labelled=self.labelled)
        if needs.layers is not None:
            pair = replace(pair, features=(student.features, teacher.features))
        if needs.likelihood:
            predictive = student.predictive(self.distribution), teacher.predictive(self.distribution)
            pair = replace(pair, predictive=predictive)
        return replace(pair, ahead=(student.ahead, teacher.ahead)) if needs.ahead else pair

    def windows(self, rows: Tensor) -> LossCase:
        """Some windows."""
        labelled = None if self.labelled is None else self.labelled[rows]
        student, teacher = (said.of(lambda values: values[rows]) for said in (self.student, self.teacher))
        return replace(self, student=student, teacher=teacher, target=self.target[rows], labelled=labelled)

    def agreeing(self) -> LossCase:
        """With a student that says what the teacher says; of features, where they are of one shape."""
        alike = self.student.features.shape == self.teacher.features.shape
        return replace(self, student=self.teacher if alike else replace(self.teacher, features=self.student.features))

    def constant(self, level: float) -> LossCase:
        """Student and teacher say the same number everywhere."""

        def flat(said: Said) -> Said:
            return replace(said.of(lambda values: torch.full_like(values, level)), scale=said.scale)

        return replace(self, student=flat(self.student), teacher=flat(self.teacher))

    def known(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The teacher's forecasts and labels in two chunks, and one window in which it is more wrong."""
        labels = self.target if self.labelled is None else self.target.where(self.labelled, torch.nan)
        forecasts, cut = self.teacher.forecast, (len(labels) + 1) // 2
        yield forecasts[:cut], labels[:cut]
        yield forecasts[cut:], labels[cut:]
        yield self.target[:1] + 10 * (forecasts - self.target).abs().max(), self.target[:1]


def random_case(
    generator: torch.Generator,
    size: tuple[int, int, int],
    needs: Needs,
    shapes: Shapes,
    *,
    dtype: torch.dtype = torch.float64,
    labels: Literal["all", "some"] = "all",
) -> LossCase:
    """A case of windows, steps and components, and of features in these shapes; it depends on the generator alone."""
    windows, steps, components = size

    def normal(*shape: int) -> Tensor:
        return torch.randn(windows, *shape, generator=generator, dtype=torch.float64).to(dtype)

    def says(shape: tuple[int, ...]) -> Said:
        forecast = normal(steps, components)
        return Said(forecast, normal(steps, components).exp(), normal(max(needs.ahead, 1), components), normal(*shape))

    student, teacher = map(says, shapes)
    labelled = None
    if labels == "some":
        labelled = torch.rand(size, generator=generator) < 0.7
        labelled[0] = False
    return LossCase(student, teacher, normal(steps, components), needs, labelled=labelled)
