"""The controls `pooled` and `pre-trained`: the student alone, trained on the archive too."""

from __future__ import annotations

from functools import partial
from typing import Literal

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable
from tskd.experiment.controls.student_settings import candidate_settings

Use = Literal["pooled", "pre-trained"]


def _build(experiment: ExperimentConfig, data: DataSet, use: Use) -> ControlArm:
    if not data.archive:
        raise NotApplicable(f"data set {data.name!r} has no archive")
    return ControlArm(Arm(name=use, archive=use, students=candidate_settings(experiment)))


def _matches(experiment: ExperimentConfig, arm: Arm, use: Use) -> bool:
    return arm.archive == use


def _control(use: Use, description: str) -> Control:
    return Control(use, description, partial(_build, use=use), partial(_matches, use=use))


POOLED = _control("pooled", "labels only, of the archive and the target together")
PRE_TRAINED = _control("pre-trained", "labels only, of the archive first and then of the target")
