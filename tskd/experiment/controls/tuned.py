"""The control `tuned`: the student alone, its own settings chosen on validation."""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control, ControlArm
from tskd.experiment.controls.chunk_length import candidate_chunks
from tskd.experiment.controls.student_settings import candidate_settings

LEAST = 4
"""Candidates at least: the student's own settings, and one each of what is varied."""


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    return ControlArm(Arm(name="tuned", students=candidate_settings(experiment, vary_lookback=True, least=LEAST)))


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    own = chunks(experiment.student)[1:]
    return bool(arm.students) and arm.archive is None and own in candidate_chunks(experiment, arm)


TUNED = Control("tuned", "labels only, the student's own settings tuned on validation", _build, _matches)
