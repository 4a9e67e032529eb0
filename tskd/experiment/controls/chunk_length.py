"""The controls `iterated` and `multi-horizon`: the student alone, with another output chunk length."""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm, with_settings
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.roles import MODEL
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable
from tskd.experiment.controls.student_settings import candidate_settings


def candidate_chunks(experiment: ExperimentConfig, arm: Arm) -> set[tuple[int, ...]]:
    """First and last step of the horizon with each of the settings of an arm."""
    return {chunks(with_settings(experiment.student, settings))[1:] for settings in arm.students}


def _other_chunks(experiment: ExperimentConfig, arm: Arm) -> set[tuple[int, ...]]:
    """The same of an arm of which no candidate has the student's own horizon, else empty."""
    found = candidate_chunks(experiment, arm) if arm.archive is None else set()
    return set() if chunks(experiment.student)[1:] in found else found


def _is_multi_horizon(experiment: ExperimentConfig, arm: Arm) -> bool:
    found = _other_chunks(experiment, arm)
    return bool(found) and all(last >= experiment.steps[1] for _, last in found)


def _is_iterated(experiment: ExperimentConfig, arm: Arm) -> bool:
    return bool(_other_chunks(experiment, arm)) and not _is_multi_horizon(experiment, arm)


def _iterated(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    _, first, last = chunks(experiment.student)
    if experiment.soft_sensor:
        raise NotApplicable("a soft sensor does not see the target, and cannot go on from its own forecasts")
    if experiment.distribution is not None:
        raise NotApplicable("the student forecasts a distribution, which is not rolled forward")
    if experiment.steps[1] == 1:
        raise NotApplicable("one step ahead is forecast: there is nothing to go on to")
    if (first, last) == (1, 1):
        raise NotApplicable("the student itself forecasts one step and is rolled forward")
    if "past" in experiment.readable and data.past_covariates is not None:
        raise NotApplicable("the student reads past covariates, which are not known as far ahead as it would be rolled")
    return _control("iterated", experiment, 1)


def _multi_horizon(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    _, first, last = chunks(experiment.student)
    if first == 1 and last >= experiment.steps[1]:
        raise NotApplicable("the student itself learns all steps up to the last that is scored")
    return _control("multi-horizon", experiment, experiment.steps[1])


def _control(name: str, experiment: ExperimentConfig, steps: int) -> ControlArm:
    """An arm of students that forecast the first `steps` at once."""
    unshifted = {"output_chunk_shift": 0} if "output_chunk_shift" in experiment.student.seeded(MODEL, 0).kwargs else {}
    students = candidate_settings(experiment, {"output_chunk_length": steps, **unshifted})
    if not students:
        raise NotApplicable(f"a {experiment.student.name} cannot be made with output_chunk_length={steps}")
    return ControlArm(Arm(name=name, students=students))


ITERATED = Control(
    "iterated",
    "labels only, fewer steps at a time, rolled forward on its own forecasts",
    _iterated,
    _is_iterated,
    counts=False,
)
MULTI_HORIZON = Control(
    "multi-horizon",
    "labels only, every step up to the last one learnt, where only some are scored",
    _multi_horizon,
    _is_multi_horizon,
    counts=False,
)
