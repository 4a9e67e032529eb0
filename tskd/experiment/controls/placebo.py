"""The control `placebo`: the same teachers, whose privileged sources read shuffled rows."""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.outside_teacher import GivenForecastsConfig
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable, first_privileged_arm
from tskd.experiment.controls.student_settings import largest_balances


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    arm = first_privileged_arm(experiment)
    for name in arm.teachers:
        if isinstance(experiment.teachers[name], GivenForecastsConfig):
            raise NotApplicable(f"the forecasts of teacher {name!r} are given, and cannot be shuffled")
    changes = {"name": "placebo", "balance": largest_balances(experiment), "placebo": True}
    return ControlArm(arm.model_copy(update=changes))


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    return arm.placebo


def _belongs_to(experiment: ExperimentConfig, control: Arm, arm: Arm) -> bool:
    """The teachers of the arm, and its losses and weighting."""
    own = (arm.teachers, arm.losses, arm.weighting)
    return own == (control.teachers, control.losses, control.weighting)


PLACEBO = Control(
    "placebo",
    "the same teachers, but the rows that their privileged sources read are shuffled among rows of the same "
    "time of the day or year",
    _build,
    _matches,
    _belongs_to,
    required=True,
)
