"""Whether the parts of an experiment go together; checked before any data are loaded."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from tskd._core.quiet_logs import quiet
from tskd.experiment.config.any_teacher import AnyTeacherConfig
from tskd.experiment.config.arm import Arm, with_settings
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.distribution import ForecastDistribution, forecast_distribution
from tskd.experiment.config.errors import nearest
from tskd.experiment.config.names import TEACHER_LINE, TRUTH
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.roles import MODEL, TEACHER
from tskd.experiment.config.teacher import TeacherConfig, lookback_and_horizon, scorable


def check_names(arms: Sequence[Arm], teachers: Mapping[str, AnyTeacherConfig]) -> None:
    """Raise a ValueError for names that are blank, that cannot be written, or that tables reserve."""
    for role, name in [*(("teachers", name) for name in teachers), *(("arms", arm.name) for arm in arms)]:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise ValueError(f"{role}: {name!r} holds a character that cannot be written; leave it out.")
    for name in teachers:
        if not name.strip():
            raise ValueError(f"teachers: {name!r} is no name; give one that has a character other than blanks.")
    for name in (arm.name for arm in arms):
        if not name.strip():
            raise ValueError(f"arms: {name!r} is no name; give one that has a character other than blanks.")
        if name == TRUTH or name.startswith(TEACHER_LINE):
            raise ValueError(
                f"arm {name!r}: the table of forecasts calls the truth {TRUTH!r}, and teachers "
                f"'{TEACHER_LINE}...'; give the arm another name."
            )


def check_arms(arms: Sequence[Arm], teachers: Mapping[str, AnyTeacherConfig]) -> None:
    """Raise a ValueError for arms of one name, unknown teachers, or a placebo of nothing."""
    names = [arm.name for arm in arms]
    for arm in arms:
        if names.count(arm.name) > 1:
            raise ValueError(f"arms: the name {arm.name!r} is given to {names.count(arm.name)} arms.")
        if arm.placebo and not any(teachers[name].privileged for name in arm.teachers if name in teachers):
            raise ValueError(f"arm {arm.name!r}: placebo needs a teacher with privileged information to shuffle.")
        for name in arm.teachers:
            if name not in teachers:
                raise ValueError(f"arm {arm.name!r}: unknown teacher {name!r}. {nearest(name, teachers)}")
            if arm.placebo and not isinstance(teachers[name], TeacherConfig) and not teachers[name].series_names:
                raise ValueError(f"arm {arm.name!r}: placebo: the given forecasts of {name!r} cannot be shuffled.")


def check_soft_sensor(student: Spec) -> None:
    """Raise a ValueError for a student that cannot be a soft sensor."""
    from tskd.distillation.model import DistilledModel

    with quiet():
        model = student.build(MODEL)
    try:
        DistilledModel(model, soft_sensor=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"soft_sensor: {error}.") from error


def check_scored(student: Spec, steps: tuple[int, int], soft_sensor: bool) -> None:
    """Raise a ValueError, which names the student, if it cannot forecast the steps that are scored."""
    try:
        _check_forecasts(student, steps, soft_sensor)
    except ValueError as error:
        raise ValueError(f"student: {error}") from error


def check_settings(arm: Arm, student: Spec, steps: tuple[int, int], soft_sensor: bool) -> None:
    """Raise a ValueError, which names the arm, for candidate settings with which the student cannot be used."""
    if arm.smoothing and _distribution(student) is not None:
        raise ValueError(
            f"arm {arm.name!r}: smoothing: averages are all that it learns, and they would train no spread of the "
            "student's distribution; leave the arm out, or give the student `likelihood: null`."
        )
    for settings in arm.students:
        try:
            tuned = scorable(with_settings(student, settings))
            _check_forecasts(tuned, steps, soft_sensor)
            _check_scored_alike(tuned, student)
        except ValueError as error:
            raise ValueError(f"arm {arm.name!r}: students: {error}") from error
        if chunks(tuned)[0] > chunks(student)[0]:
            raise ValueError(f"arm {arm.name!r}: students: a longer lookback than the student's has other windows.")


def check_teachers(teachers: Mapping[str, AnyTeacherConfig], horizon: int, soft_sensor: bool) -> None:
    """Raise a ValueError for a teacher that no data could fit, or whose horizon is shorter than the student's."""
    for name, teacher in teachers.items():
        _check_taught_by(teachers, name)
        if not isinstance(teacher, TeacherConfig):
            continue
        teacher.check_possible(name, soft_sensor)
        last = lookback_and_horizon(teacher.model, TEACHER)[1]
        if last < horizon:
            raise ValueError(
                f"teacher {name!r}: it forecasts {last} steps, the student {horizon}; a teacher's horizon must "
                "include the student's."
            )


def _check_forecasts(student: Spec, steps: tuple[int, int], soft_sensor: bool) -> None:
    _, first, last = chunks(student)
    start, end = steps
    if first > start or (first > 1 and last < end):
        raise ValueError(f"it forecasts steps {first} to {last}, and {start} to {end} are scored.")
    if last < end and _distribution(student) is not None:
        raise ValueError(
            f"a distribution is not rolled forward: it forecasts {last} steps, and step {end} is scored; give "
            "`likelihood: null`, or a longer output_chunk_length."
        )
    if soft_sensor and last < end:
        raise ValueError(
            f"a soft sensor cannot go on from its own forecasts: it forecasts {last} steps, and step {end} is scored."
        )


def _check_scored_alike(tuned: Spec, student: Spec) -> None:
    own, others = _distribution(tuned), _distribution(student)
    if own != others:
        texts = ["points" if one is None else f"the {one.point} and levels {list(one.levels)}" for one in (own, others)]
        raise ValueError(f"it would be scored by {texts[0]}, and the student by {texts[1]}: give both one likelihood.")


def _distribution(spec: Spec) -> ForecastDistribution | None:
    with quiet():
        return forecast_distribution(spec.build(MODEL))


def _check_taught_by(teachers: Mapping[str, Any], name: str) -> None:
    chain = [name]
    while (by := teachers[chain[-1]].taught_by) is not None:
        if not isinstance(teachers.get(by), TeacherConfig | None):
            raise ValueError(f"teacher {name!r}: taught_by: {by!r} is no darts model.")
        if by not in teachers:
            raise ValueError(f"teacher {chain[-1]!r}: taught_by: there is no {by!r}. {nearest(by, teachers)}")
        if by in chain:
            raise ValueError(f"teacher {name!r}: taught_by: {' by '.join(map(repr, [*chain, by]))} is a circle.")
        chain.append(by)
