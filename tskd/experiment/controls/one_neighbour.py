"""The arm `one-neighbour`: the simplest teacher in place of the privileged ones, on the same privileged series.

Least squares on the one component that correlates best with the labels, at the same time. It tells whether a gain needs
more of a teacher than that. It has privileged information itself: it is judged as the other arms are, and no gain of
theirs is explained away by it.
"""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.outside_teacher import ReconstructionConfig
from tskd.experiment.controls.base import (
    Control,
    ControlArm,
    NotApplicable,
    check_compares_points,
    first_privileged_arm,
)
from tskd.experiment.controls.student_settings import largest_balances

NAME = "one-neighbour"


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    arm = first_privileged_arm(experiment)
    check_compares_points(arm, "reconstructions")
    if NAME in experiment.teachers:
        raise NotApplicable(f"there is a teacher named {NAME!r} already: give that another name")
    links = dict.fromkeys(link for name in arm.teachers for link in experiment.chain(name))
    names = dict.fromkeys(name for link in links for name in experiment.teachers[link].series_names)
    beside = [name for name in names if name in data.privileged and data.privileged[name].freq == data.series.freq]
    if not beside:
        raise NotApplicable(f"the teachers of {arm.name!r} read no privileged series on the time grid of the target")
    made = Arm(name=NAME, teachers=(NAME,), losses=arm.losses, balance=largest_balances(experiment))
    return ControlArm(made, {NAME: ReconstructionConfig(reconstruction=tuple(beside), model="one-neighbour")})


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    teachers = [experiment.teachers[name] for name in arm.teachers]
    simplest = [isinstance(one, ReconstructionConfig) and one.model == "one-neighbour" for one in teachers]
    return bool(simplest) and all(simplest) and not arm.placebo


ONE_NEIGHBOUR = Control(
    NAME,
    "distilled from the simplest privileged teacher, least squares on one neighbour",
    _build,
    _matches,
    counts=False,
)
