"""What a control is: how it is named, recognised and built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tskd.datasets import DataSet
from tskd.experiment.config.any_teacher import AnyTeacherConfig
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.objects import build_object
from tskd.experiment.config.roles import LOSS


class NotApplicable(Exception):
    """A control that does not apply to an experiment; the message is the reason."""


@dataclass(frozen=True)
class ControlArm:
    """An arm that is a control, and the teachers that it adds to the experiment, by name."""

    arm: Arm
    teachers: Mapping[str, AnyTeacherConfig] = field(default_factory=dict)


def of_any_arm(experiment: ExperimentConfig, control: Arm, arm: Arm) -> bool:
    """Arms without teachers are controls of every arm."""
    return True


@dataclass(frozen=True)
class Control:
    """One kind of control.

    Attributes:
        name: in a configuration, and of the arm that is added.
        description: what such an arm has and lacks, for the report.
        build: the arm for an experiment on its data set; raises `NotApplicable`.
        matches: whether an arm of an experiment is such a control, whatever its name. Of an arm that has no privileged
            teacher, and is not the student alone, at most one control matches.
        belongs_to: whether such an arm (given second) tells if a gain of another arm (given last) is due to privileged
            information.
        counts: whether the net lift is measured against it, and its result is missing if there is none. Counting or
            not, an arm must beat every control that has a result before its gain is put down to privileged information.
        required: whether no gain is put down to privileged information without it.
        bound: whether it is no control, but a bound on what can be reached, and shown beside the teachers.
    """

    name: str
    description: str
    build: Callable[[ExperimentConfig, DataSet], ControlArm]
    matches: Callable[[ExperimentConfig, Arm], bool]
    belongs_to: Callable[[ExperimentConfig, Arm, Arm], bool] = of_any_arm
    counts: bool = True
    required: bool = False
    bound: bool = False


def check_compares_points(arm: Arm, teacher: str) -> None:
    """Raise `NotApplicable` if a loss of the arm compares distributions, of which a teacher forecasts none."""
    for loss in arm.losses:
        if build_object(loss, LOSS).needs.likelihood:
            raise NotApplicable(f"{loss} compares distributions, and {teacher} forecast points")


def first_privileged_arm(experiment: ExperimentConfig) -> Arm:
    """The first arm with a privileged teacher. Raises `NotApplicable` if there is none."""
    for arm in experiment.arms:
        if experiment.is_privileged(arm):
            return arm
    raise NotApplicable("no arm has a privileged teacher")
