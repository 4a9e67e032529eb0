"""Whether the parts of an experiment go together, said before any data are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tskd.experiment.config.arm import Arm, tuned_by
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.objects import MODEL, TEACHER, Spec, nearest
from tskd.experiment.config.quiet import quiet
from tskd.experiment.config.teacher import point_forecaster, reach
from tskd.experiment.results.tables import TEACHER_LINE, TRUTH

if TYPE_CHECKING:
    from tskd.experiment.config.experiment import Experiment


def check_consistent(experiment: Experiment) -> None:
    """Raise a ValueError, which names the arm or teacher, for parts that contradict each other."""
    _check_names(experiment)
    _check_arms(experiment)
    if experiment.soft_sensor:
        _check_soft_sensor(experiment)
    scored = experiment.scored
    if scored is not None and not 1 <= scored[0] <= scored[1]:
        raise ValueError(f"scored: {list(scored)} are no first and last step.")
    try:
        _check_scored(experiment, experiment.student)
    except ValueError as error:
        raise ValueError(f"student: {error}") from error
    for arm in experiment.arms:
        for settings in arm.students:
            _check_settings(experiment, arm, settings)
    _check_teachers(experiment)


def _check_names(experiment: Experiment) -> None:
    for name in experiment.teachers:
        if not name.strip():
            raise ValueError(f"teachers: {name!r} is no name; give one that has a character other than blanks.")
    for name in (arm.name for arm in experiment.arms):
        if not name.strip():
            raise ValueError(f"arms: {name!r} is no name; give one that has a character other than blanks.")
        if name == TRUTH or name.startswith(TEACHER_LINE):
            raise ValueError(
                f"arm {name!r}: the table of forecasts calls the truth {TRUTH!r}, and teachers "
                f"'{TEACHER_LINE}...'; give the arm another name."
            )


def _check_arms(experiment: Experiment) -> None:
    arms, teachers = experiment.arms, experiment.teachers
    names = [arm.name for arm in arms]
    for arm in arms:
        if names.count(arm.name) > 1:
            raise ValueError(f"arms: the name {arm.name!r} is given to {names.count(arm.name)} arms.")
        if arm.placebo and not any(teachers[name].privileged for name in arm.teachers if name in teachers):
            raise ValueError(f"arm {arm.name!r}: placebo needs a teacher with privileged information to shuffle.")
        for name in arm.teachers:
            if name not in teachers:
                raise ValueError(f"arm {arm.name!r}: unknown teacher {name!r}. {nearest(name, teachers)}")


def _check_soft_sensor(experiment: Experiment) -> None:
    from tskd.distillation.model import DistilledModel

    with quiet():
        student = experiment.student.build(MODEL)
    try:
        DistilledModel(student, soft_sensor=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"soft_sensor: {error}.") from error


def _check_scored(experiment: Experiment, student: Spec) -> None:
    """Raise a ValueError for a student that cannot forecast the steps that are scored."""
    _, first, last = chunks(student)
    start, end = experiment.steps
    if first > start or (first > 1 and last < end):
        raise ValueError(f"it forecasts steps {first} to {last}, and {start} to {end} are scored.")
    if experiment.soft_sensor and last < end:
        raise ValueError(
            f"a soft sensor cannot go on from its own forecasts: it forecasts {last} steps, and step {end} is scored."
        )


def _check_settings(experiment: Experiment, arm: Arm, settings: dict[str, Any]) -> None:
    try:
        tuned = point_forecaster(tuned_by(experiment.student, settings))
        _check_scored(experiment, tuned)
    except ValueError as error:
        raise ValueError(f"arm {arm.name!r}: students: {error}") from error
    if chunks(tuned)[0] > chunks(experiment.student)[0]:
        raise ValueError(f"arm {arm.name!r}: students: a longer lookback than the student's has other windows.")


def _check_teachers(experiment: Experiment) -> None:
    horizon = chunks(experiment.student)[2]
    for name, teacher in experiment.teachers.items():
        _check_taught_by(experiment, name)
        teacher.check_possible(name, experiment.soft_sensor)
        last = reach(teacher.model, TEACHER)[1]
        if last < horizon:
            raise ValueError(
                f"teacher {name!r}: it forecasts {last} steps, the student {horizon}; a teacher's horizon must "
                "include the student's."
            )


def _check_taught_by(experiment: Experiment, name: str) -> None:
    teachers, chain = experiment.teachers, [name]
    while (by := teachers[chain[-1]].taught_by) is not None:
        if by not in teachers:
            raise ValueError(f"teacher {chain[-1]!r}: taught_by: there is no {by!r}. {nearest(by, teachers)}")
        if by in chain:
            raise ValueError(f"teacher {name!r}: taught_by: {' by '.join(map(repr, [*chain, by]))} is a circle.")
        chain.append(by)
