"""The control `self-distilled`: teachers that see what the student sees."""

from __future__ import annotations

from collections.abc import Sequence

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.objects import Spec, build_object
from tskd.experiment.config.roles import TEACHER, WEIGHTING
from tskd.experiment.config.teacher import TeacherConfig, lookback_and_horizon, scorable
from tskd.experiment.controls import self_trained_trees
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable, first_privileged_arm
from tskd.experiment.controls.student_settings import largest_balances

NAME = "self-distilled"
TEACHER_NAME = "self"
"""Name of the teacher that the control adds."""


def reading_less(model: Spec, empty: Sequence[str]) -> Spec:
    """The model, and members of an ensemble, without the lags of covariates, `"past"` or `"future"`, that there are
    none of: a regression model cannot be fitted with them."""
    kwargs = {key: value for key, value in model.kwargs.items() if key not in [f"lags_{s}_covariates" for s in empty]}
    members = kwargs.get("forecasting_models")
    if members is not None:
        less = [reading_less(Spec.model_validate(member), empty) for member in members]
        kwargs["forecasting_models"] = [{"class": member.class_, "kwargs": member.kwargs} for member in less]
    return model.model_copy(update={"kwargs": kwargs})


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    # needs torch, which a configuration does not
    from tskd.weighting import Fixed

    arm = first_privileged_arm(experiment)
    if TEACHER_NAME in experiment.teachers:
        raise NotApplicable(f"there is a teacher named {TEACHER_NAME!r} already: give that another name")
    teacher = _without_privilege(experiment, data)
    # some weightings trust a single teacher less than wholly; fixed weights by name have none for this one
    weighting = "Uniform" if isinstance(build_object(arm.weighting, WEIGHTING), Fixed) else arm.weighting
    made = Arm(
        name=NAME,
        teachers=(TEACHER_NAME,),
        losses=arm.losses,
        weighting=weighting,
        balance=largest_balances(experiment),
    )
    return ControlArm(made, {TEACHER_NAME: teacher})


def _without_privilege(experiment: ExperimentConfig, data: DataSet) -> TeacherConfig:
    """The first privileged teacher of the first such arm, on the same rows, with the student's inputs instead."""
    arm = first_privileged_arm(experiment)
    name = next(name for name in arm.teachers if experiment.has_privilege(name))
    teacher = experiment.teachers[name]
    if not isinstance(teacher, TeacherConfig):
        # what answers by time has no like among those that do not see it: a network like the student teaches instead
        try:
            return TeacherConfig(model=experiment.student)
        except ValueError as error:
            raise NotApplicable(f"a network like the student cannot teach it: {error}") from error
    slots = [slot for slot in experiment.readable if getattr(data, f"{slot}_covariates") is not None]
    # the teachers of a soft sensor see all its inputs as past covariates
    past = bool(slots) if experiment.soft_sensor else "past" in slots
    empty = [slot for slot, given in (("past", past), ("future", "future" in slots)) if not given]
    model = reading_less(teacher.model, empty)
    try:
        scorable(model, TEACHER)
    except ValueError as error:
        raise NotApplicable(f"without its privilege, teacher {name!r} reads nothing: {error}") from error
    return teacher.model_copy(update={"model": model, "privileged": (), "sees_inputs": True, "taught_by": None})


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    if not arm.teachers or arm.placebo or arm.name == self_trained_trees.NAME:
        return False
    links = (link for name in arm.teachers for link in experiment.chain(name))
    return arm.name == NAME or all(_sees_no_more(experiment, link) for link in links)


def _sees_no_more(experiment: ExperimentConfig, name: str) -> bool:
    teacher = experiment.teachers[name]
    if not isinstance(teacher, TeacherConfig):
        return False
    longer = lookback_and_horizon(teacher.model, TEACHER)[0] > experiment.chunk_lengths(experiment.student)[0]
    return not (teacher.privileged or teacher.archive or longer)


def _belongs_to(experiment: ExperimentConfig, control: Arm, arm: Arm) -> bool:
    """Teachers like all the privileged ones of the arm but for the privilege, and its losses."""
    twins = [_model_without_lags(experiment, name) for name in control.teachers]
    privileged = [_model_without_lags(experiment, name) for name in arm.teachers if experiment.has_privilege(name)]
    return arm.losses == control.losses and all(model in twins for model in privileged)


def _model_without_lags(experiment: ExperimentConfig, name: str) -> Spec:
    """A teacher's model, or that of its control, without the lags by which it would read a source."""
    teacher = experiment.teachers[name]
    model = teacher.model if isinstance(teacher, TeacherConfig) else experiment.student
    return reading_less(model, ("past", "future"))


SELF_DISTILLED = Control(
    NAME,
    "distilled from a teacher that sees what the student sees; where labels are missing, this is self-training",
    _build,
    _matches,
    _belongs_to,
    required=True,
)
