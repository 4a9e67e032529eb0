"""The recipe of a distillation: student, teachers, losses, weighting and balance, checked to work together."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tskd._core.checks import check_bool, type_name
from tskd._core.darts.arguments import check_settings
from tskd._core.darts.capabilities import (
    RNNModel,
    TorchForecastingModel,
    horizon_of,
    is_foundation,
    is_torch_model,
    is_trainable,
    needs_target,
)
from tskd._core.window_keys import shared_steps
from tskd.balance import Balance
from tskd.losses import LossTerm
from tskd.teachers.base import BaseTeacher
from tskd.weighting import Weighting


@dataclass(frozen=True, eq=False)
class Recipe:
    """The student and all parts of its training that do not depend on data.

    Attributes:
        student: a darts torch model.
        teachers: fitted or not.
        losses: distillation losses and label weightings.
        weighting: how the teachers are combined.
        balance: share of the teachers in the loss.
        soft_sensor: whether the target's own past is hidden from the student.

    Raises:
        TypeError, ValueError: the parts cannot work together with any data.
    """

    student: TorchForecastingModel
    teachers: tuple[BaseTeacher, ...]
    losses: tuple[LossTerm, ...]
    weighting: Weighting
    balance: Balance
    soft_sensor: bool = False

    def __post_init__(self) -> None:
        check_student(self.student)
        check_settings(self.student, f"student {type(self.student).__name__}")
        check_bool(self.soft_sensor, "soft_sensor")
        if self.soft_sensor and needs_target(self.student):
            raise ValueError(
                f"{type(self.student).__name__} {needs_target(self.student)}, which a soft sensor does not see"
            )
        if not isinstance(self.weighting, Weighting):
            raise TypeError(f"weighting must be a Weighting, got {type(self.weighting).__name__}")
        if self.teachers and not self.losses:
            raise ValueError("there are teachers but no losses; give at least one, such as OutputKD()")
        if self.teachers and not any(loss.weight for loss in self.losses):
            raise ValueError("every loss has weight 0; give one of them more, or leave out the teachers")
        copy.deepcopy(self.weighting).set_up(self.names)
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"teacher names {self.names} repeat; give each a name of its own")
        for teacher in self.teachers:
            self._check_teacher(teacher)

    @property
    def names(self) -> list[str]:
        """The teachers' names, in order."""
        return [teacher.name for teacher in self.teachers]

    @property
    def series_names(self) -> list[str]:
        """Names of the privileged series that the teachers read."""
        return list(dict.fromkeys(name for teacher in self.teachers for name in teacher.names))

    @property
    def horizon(self) -> range:
        """Steps after the origin that the student forecasts."""
        return horizon_of(self.student)

    def _check_teacher(self, teacher: BaseTeacher) -> None:
        if any(model is self.student for model in teacher.models):
            raise ValueError(f"teacher {teacher.name!r} is the student itself; give another model object")
        if self.soft_sensor and teacher.fills_past:
            raise ValueError(f"teacher {teacher.name!r} has fills_past=True: a soft sensor sees no past of the target")
        own = self.horizon
        other = teacher.answering(own).horizon
        shared = shared_steps(own, other)
        if shared.start == shared.stop:
            raise ValueError(
                f"teacher {teacher.name!r} forecasts steps {other[0]} to {other[-1]}, the student {own[0]} to "
                f"{own[-1]}: they have no step in common"
            )


def check_student(model: Any) -> None:
    """Raise a TypeError for a model that cannot be a student."""
    kind = type_name(model)
    if isinstance(model, RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a student; use BlockRNNModel")
    if not is_torch_model(model):
        raise TypeError(f"a student must be one of darts' torch models, got {kind}")
    if not is_trainable(model):
        raise TypeError(f"{kind} is used as it comes and is not trained; it cannot be a student")
    if is_foundation(model):
        # its output in training is not its forecast
        raise TypeError(f"{kind} is fine-tuned on all the quantiles of its first training; it cannot be a student")
