"""The control `self-trained-trees`: where labels are missing, boosted trees on the student's inputs answer instead.

The control `self-distilled` is self-training too once labels are missing: a network like the privileged teacher answers
where the student has no label. Trees are a stronger teacher of few labels than most networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.teacher import TeacherConfig
from tskd.experiment.controls.base import (
    Control,
    ControlArm,
    NotApplicable,
    check_compares_points,
    first_privileged_arm,
)
from tskd.experiment.controls.student_settings import largest_balances

NAME = "self-trained-trees"
TEACHER_NAME = "trees"
"""Name of the teacher that the control adds."""


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    arm = first_privileged_arm(experiment)
    if experiment.labels == ALL and np.isfinite(data.series.drop_after(data.validation_start).values()).all():
        raise NotApplicable("no label is missing: `self-distilled` is the control")
    check_compares_points(arm, "trees")
    if TEACHER_NAME in experiment.teachers:
        raise NotApplicable(f"there is a teacher named {TEACHER_NAME!r} already: give that another name")
    if not isinstance(experiment.labels, str) and experiment.labels.last_days is None and experiment.steps[1] > 1:
        raise NotApplicable("trees are fitted on windows with every label, and labels that are scattered leave none")
    slots = [slot for slot in experiment.readable if getattr(data, f"{slot}_covariates") is not None]
    made = Arm(name=NAME, teachers=(TEACHER_NAME,), losses=arm.losses, balance=largest_balances(experiment))
    return ControlArm(made, {TEACHER_NAME: TeacherConfig(model=_trees(experiment, slots))})


def _trees(experiment: ExperimentConfig, slots: Sequence[str]) -> Spec:
    """Boosted trees that read what the student reads."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    lookback, ahead = experiment.chunk_lengths(experiment.student)
    blind = experiment.soft_sensor
    lags: dict[str, Any] = {} if blind else {"lags": lookback}
    # the teachers of a soft sensor see all its inputs of the lookback as past covariates
    if "past" in slots or (blind and slots):
        lags["lags_past_covariates"] = lookback
    if "future" in slots:
        lags["lags_future_covariates"] = list(range(ahead)) if blind else [lookback, ahead]
    made = {**lags, "output_chunk_length": ahead, "model": HistGradientBoostingRegressor()}
    return Spec.model_validate({"class": "SKLearnModel", "kwargs": made})


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    return arm.name == NAME and bool(arm.teachers) and not arm.placebo


SELF_TRAINED_TREES = Control(
    NAME, "distilled from boosted trees on what the student sees, where labels are missing", _build, _matches
)
