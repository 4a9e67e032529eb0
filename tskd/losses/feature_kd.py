"""Matching hidden representations."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from tskd._core.aspects import Aspect
from tskd._core.checks import is_choice
from tskd.losses._numerics import per_window
from tskd.losses.base import AUTO, DistillationLoss, Needs, StudentTeacherPair, check_loss
from tskd.losses.output_kd import OutputKD

ProjectorKind = Literal["linear", "mlp"]


def as_sequence(features: Tensor) -> Tensor:
    """Features `[B, …, D]` as positions × units `[B, T, D]`; without positions there is one."""
    return features.flatten(1, -2) if features.dim() > 2 else features.unsqueeze(1)


def check_path(student_layer: object, teacher_layer: object) -> tuple[str, str]:
    """The paths of two layers; a TypeError for anything but text."""
    for name, path in (("student_layer", student_layer), ("teacher_layer", teacher_layer)):
        if not isinstance(path, str):
            raise TypeError(f"{name} must be the path of a layer, or 'auto'; got {path!r}")
    return str(student_layer), str(teacher_layer)


class Projector(nn.Module):
    """A trained map from features `[B, T, D]` to another shape `[B, T', D']`.

    Where both have positions, units and positions are mapped one after the other; a map of everything onto everything
    would be larger than the models.

    Args:
        source, target: positions and units, `(T, D)` and `(T', D')`.
        kind: `"linear"`, or `"mlp"` with a hidden layer as wide as the wider of the two.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int], kind: ProjectorKind) -> None:
        super().__init__()
        self.target = target
        self.whole = source[0] != target[0] and 1 in (source[0], target[0])
        wide, narrow = (source[0] * source[1], target[0] * target[1]) if self.whole else (source[1], target[1])
        hidden = max(source[1], narrow)
        self.units: nn.Module = nn.Linear(wide, narrow)
        if kind == "mlp":
            self.units = nn.Sequential(nn.Linear(wide, hidden), nn.ReLU(), nn.Linear(hidden, narrow))
        separate = not self.whole and source[0] != target[0]
        self.positions = nn.Linear(source[0], target[0]) if separate else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        if self.whole:
            return self.units(features.flatten(1)).unflatten(1, self.target)
        return self.positions(self.units(features).transpose(1, 2)).transpose(1, 2)


class FeatureKD(DistillationLoss):
    """Another loss, between hidden representations in place of forecasts.

    FitNets hints (Romero et al. 2015, arXiv:1412.6550, eq. 3): ½‖u(teacher) − r(student)‖², with a regressor r that is
    trained too. Here it is the mean in place of half the sum, so that the width of a layer does not matter, and any
    loss in place of the squared distance. The positions of a representation are that loss's steps, its units the
    components: a layer's `[B, T, D]` is a forecast `[B, H, C]`, and `[B, D]` has one step.

    The term is `[B]`, in units of the teacher's features.

    Args:
        student_layer, teacher_layer: path of a module in `network.named_modules()`, whose output is compared (the first
            of several outputs, the last of several calls); `"auto"` for the last hidden representation of the model's
            class, if it is known.
        projector: `"linear"`, `"mlp"` (one hidden layer), or None for features of one shape and for relations.
        loss: `OutputKD()` if None.
        weight: coefficient of the term, times that of `loss`.

    Raises:
        ValueError: (at the start of fit) no such layer (the message lists those there are), a teacher that is no
            network, or shapes for which `loss` is undefined.
    """

    def __init__(
        self,
        student_layer: str = AUTO,
        teacher_layer: str = AUTO,
        projector: ProjectorKind | None = "linear",
        loss: DistillationLoss | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        if projector is not None and not is_choice(projector, get_args(ProjectorKind)):
            raise ValueError(f"projector={projector!r}: give one of {', '.join(get_args(ProjectorKind))}, or None")
        self.student_layer, self.teacher_layer = check_path(student_layer, teacher_layer)
        self.projector = projector
        self.loss = check_loss(OutputKD() if loss is None else loss)
        if self.loss.needs != Needs():
            raise ValueError(f"loss={self.loss} compares more than two forecasts and cannot compare features")
        if self.loss.labelled:
            raise ValueError(f"loss={self.loss} reads labels, and features have none")
        self.least = self.loss.least
        self.regressor: nn.Module = nn.Identity()

    @property
    def needs(self) -> Needs:
        return Needs(layers=(self.student_layer, self.teacher_layer), basis=not self.loss.relates)

    def set_up(self, probe: StudentTeacherPair) -> None:
        assert probe.features is not None
        student, teacher = (as_sequence(features) for features in probe.features)
        if self.projector is not None:
            positions, units = student.shape[1:]
            regressor = Projector((positions, units), (teacher.shape[1], teacher.shape[2]), self.projector)
            self.regressor = regressor.to(student)
        given = [tuple(features.shape[1:]) for features in probe.features]
        pair = self._projected(probe)
        try:
            if pair.student.shape != pair.teacher.shape and not self.loss.relates:
                raise ValueError("it compares features of one shape")
            self.loss.set_up(pair)
            with torch.no_grad():
                self.loss(pair)
        except (RuntimeError, ValueError) as error:
            remedy = "" if self.projector else "; a projector makes them match"
            raise ValueError(
                f"{self.loss} between features {given[0]} of {self.student_layer!r} and {given[1]} of "
                f"{self.teacher_layer!r}: {str(error).splitlines()[0]}{remedy}"
            ) from None

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        # a relation is within each of the two spaces: nothing is brought into the teacher's
        return ("forecast",) if self.loss.relates else ("features",)

    def representations(self, pair: StudentTeacherPair) -> tuple[Tensor, Tensor]:
        projected = self._projected(pair)
        return projected.student, projected.teacher

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        values = self.loss(self._projected(pair))
        return self.loss.weight * (values if values.dim() == 1 else per_window(values))

    def _projected(self, pair: StudentTeacherPair) -> StudentTeacherPair:
        assert pair.features is not None
        student, teacher = (as_sequence(features) for features in pair.features)
        # a relation is between positions or windows; there is no label to compare with
        student = self.regressor(student)
        return replace(pair, student=student, teacher=teacher, target=teacher, features=None, labelled=None)
