"""Controls: arms that say what a gain may be due to, if not to privileged information.

Every control chooses on validation among as many candidates as the largest distilled arm does, its budget; `tuned`
among four at least, so that each of its settings is varied once. What the candidates of the student's own settings are
follows from the student: weight decay, dropout and input size are varied in the order of how far they are from its own
settings, which come first. AdamW's weight decay below 0.1 was measured to do nothing in as few steps as these students
take; a tenth of the inputs, to do more than any teacher.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tskd.datasets import DataSet
from tskd.experiment.config.arm import CANDIDATES, Arm, merged, tuned_by
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.experiment import Experiment
from tskd.experiment.config.objects import MODEL, OPTIMIZER, TEACHER, WEIGHTING, make
from tskd.experiment.config.teacher import TeacherConfig, point_forecaster
from tskd.experiment.controls.kinds import CONTROLS, Control, reading_less
from tskd.weighting import Fixed

SELF = "self"
"""Name of the teacher of the control `self-distilled`."""

TUNED = 4
"""Candidates of the control `tuned` at least: the student's own settings, and one each of what is varied."""

SHORTER = (4, 2, 8)
WEIGHT_DECAY = (1.0, 0.1, 10.0, 0.3, 3.0, 15.0)
DROPOUT = (0.3, 0.1, 0.5)


class NotApplicable(Exception):
    """A control that would say nothing; the message is the reason."""


@dataclass(frozen=True)
class Expanded:
    """An experiment whose controls are among its arms, and those that do not apply, with the reason."""

    experiment: Experiment
    not_applicable: dict[str, str] = field(default_factory=dict)

    @property
    def controls(self) -> dict[str, str]:
        """Arms that are controls, and which; also those that the configuration itself has."""
        found = {arm.name: self.experiment.control(arm) for arm in self.experiment.arms}
        return {name: control for name, control in found.items() if control is not None}


def expanded(experiment: Experiment, data: DataSet | None = None) -> Expanded:
    """The experiment with the arms that `controls` asks for; an arm that bears the name already is that control, or
    the reason why there is none.

    Args:
        data: its data set; loaded if it is not given and a control depends on it.
    """
    arms, teachers = list(experiment.arms), dict(experiment.teachers)
    named = {arm.name: arm for arm in arms}
    reasons: dict[str, str] = {
        control: "an arm that is another thing bears its name: give that arm another"
        for control in experiment.controls
        if control in named and experiment.control(named[control]) != control
    }
    wanted = [control for control in CONTROLS if control in experiment.controls and control not in named]
    if not wanted:
        return Expanded(experiment, reasons)
    if data is None:
        data = experiment.dataset()
    for control in wanted:
        try:
            arms.append(_MAKERS[control](experiment, data))
        except NotApplicable as reason:
            reasons[control] = str(reason)
            continue
        if control == "self-distilled":
            teachers[SELF] = _without_privilege(experiment, data)
    # validated again: what could not be run is said before anything is
    fields = {name: getattr(experiment, name) for name in type(experiment).model_fields}
    changes = {"arms": tuple(arms), "teachers": teachers, "controls": ()}
    return Expanded(Experiment.model_validate({**fields, **changes}), reasons)


def _tuned(experiment: Experiment, data: DataSet) -> Arm:
    return Arm(name="tuned", students=tuple(_settings(experiment, _inputs(experiment), least=TUNED)))


def _self_distilled(experiment: Experiment, data: DataSet) -> Arm:
    arm = _privileged_arm(experiment)
    if SELF in experiment.teachers:
        raise NotApplicable(f"there is a teacher named {SELF!r} already: give that another name")
    _without_privilege(experiment, data)
    # some weightings trust a single teacher less than wholly; fixed weights by name know nothing of this one
    weighting = "Uniform" if isinstance(make(arm.weighting, WEIGHTING), Fixed) else arm.weighting
    balance = _largest(experiment)
    return Arm(name="self-distilled", teachers=(SELF,), losses=arm.losses, weighting=weighting, balance=balance)


def _placebo(experiment: Experiment, data: DataSet) -> Arm:
    arm = _privileged_arm(experiment)
    return arm.model_copy(update={"name": "placebo", "balance": _largest(experiment), "placebo": True})


def _iterated(experiment: Experiment, data: DataSet) -> Arm:
    _, first, last = chunks(experiment.student)
    if experiment.soft_sensor:
        raise NotApplicable("a soft sensor does not see the target, and cannot go on from its own forecasts")
    if experiment.steps[1] == 1:
        raise NotApplicable("one step ahead is forecast: there is nothing to go on to")
    if (first, last) == (1, 1):
        raise NotApplicable("the student itself forecasts one step and is rolled forward")
    if "past" in experiment.readable and data.past_covariates is not None:
        raise NotApplicable("the student reads past covariates, which are not known as far ahead as it would be rolled")
    return Arm(name="iterated", students=tuple(_settings(experiment, [{}], _chunk(experiment, 1))))


def _multi_horizon(experiment: Experiment, data: DataSet) -> Arm:
    _, first, last = chunks(experiment.student)
    if first == 1 and last >= experiment.steps[1]:
        raise NotApplicable("the student itself learns all steps up to the last that is scored")
    whole = _chunk(experiment, experiment.steps[1])
    return Arm(name="multi-horizon", students=tuple(_settings(experiment, [{}], whole)))


def _pooled(experiment: Experiment, data: DataSet) -> Arm:
    return _with_archive(experiment, data, "pooled")


def _pre_trained(experiment: Experiment, data: DataSet) -> Arm:
    return _with_archive(experiment, data, "pre-trained")


def _with_archive(experiment: Experiment, data: DataSet, name: Any) -> Arm:
    if not data.archive:
        raise NotApplicable(f"data set {data.name!r} has no archive")
    return Arm(name=name, archive=name, students=tuple(_settings(experiment, [{}])))


_MAKERS: dict[Control, Callable[[Experiment, DataSet], Arm]] = {
    "tuned": _tuned,
    "self-distilled": _self_distilled,
    "placebo": _placebo,
    "iterated": _iterated,
    "multi-horizon": _multi_horizon,
    "pooled": _pooled,
    "pre-trained": _pre_trained,
}


def _privileged_arm(experiment: Experiment) -> Arm:
    """The first arm with a privileged teacher."""
    for arm in experiment.arms:
        if experiment.is_privileged(arm):
            return arm
    raise NotApplicable("no arm has a privileged teacher")


def _without_privilege(experiment: Experiment, data: DataSet) -> TeacherConfig:
    """The first privileged teacher of the first such arm, on the same rows, with the student's inputs instead."""
    arm = _privileged_arm(experiment)
    name = next(name for name in arm.teachers if experiment.has_privilege(name))
    teacher = experiment.teachers[name]
    slots = [slot for slot in experiment.readable if getattr(data, f"{slot}_covariates") is not None]
    # a soft sensor's teachers are shown all its inputs as past covariates
    past = bool(slots) if experiment.soft_sensor else "past" in slots
    empty = [slot for slot, given in (("past", past), ("future", "future" in slots)) if not given]
    model = reading_less(teacher.model, empty)
    try:
        point_forecaster(model, TEACHER)
    except ValueError as error:
        raise NotApplicable(f"without its privilege, teacher {name!r} reads nothing: {error}") from error
    return teacher.model_copy(update={"model": model, "privileged": (), "sees_inputs": True, "taught_by": None})


def _largest(experiment: Experiment) -> tuple[Any, ...]:
    """The longest list of balances of a distilled arm."""
    return max((arm.balance for arm in experiment.arms if arm.teachers), key=len, default=CANDIDATES)


def _settings(
    experiment: Experiment, inputs: list[dict[str, Any]], always: dict[str, Any] | None = None, least: int = 1
) -> list[dict[str, Any]]:
    """As many settings as the budget has, if the student can be varied in so many ways; the nearest to its own first.

    Args:
        inputs: settings of the input size to vary.
        always: settings that all of them have.
        least: how many, if the budget is smaller.
    """
    budget = max(least, len(_largest(experiment)))
    axes = [inputs, _decays(experiment), _dropouts(experiment)]
    levels = itertools.product(*(range(len(axis)) for axis in axes))
    ranked = sorted(levels, key=lambda at: (sum(at), max(at), *(-level for level in at)))
    found: list[dict[str, Any]] = []
    for at in ranked:
        settings = dict(always or {})
        for axis, level in zip(axes, at, strict=True):
            settings = merged(settings, axis[level])
        if _can_be_made(experiment, settings):
            found.append(settings)
        if len(found) == budget:
            break
    return found


def _chunk(experiment: Experiment, steps: int) -> dict[str, Any]:
    """The settings of a student that forecasts the first `steps` at once."""
    unshifted = {"output_chunk_shift": 0} if "output_chunk_shift" in experiment.student.kwargs else {}
    return {"output_chunk_length": steps, **unshifted}


def _inputs(experiment: Experiment) -> list[dict[str, Any]]:
    lookback = chunks(experiment.student)[0]
    shorter = dict.fromkeys(lookback // divisor for divisor in SHORTER)
    return [{}, *({"input_chunk_length": steps} for steps in shorter if 0 < steps < lookback)]


def _decays(experiment: Experiment) -> list[dict[str, Any]]:
    kwargs = experiment.student.kwargs
    given = kwargs.get("optimizer_cls") or "Adam"
    optimizer = OPTIMIZER.allowed(given) if isinstance(given, str) else given
    if "weight_decay" not in inspect.signature(optimizer).parameters:
        return [{}]
    # Adam adds it to the gradient, and then divides by the gradient's size: the decay that is meant is AdamW's
    decoupled = {"optimizer_cls": "AdamW"} if optimizer.__name__ == "Adam" else {}
    own = (kwargs.get("optimizer_kwargs") or {}).get("weight_decay")
    return [
        {},
        *({**decoupled, "optimizer_kwargs": {"weight_decay": value}} for value in WEIGHT_DECAY if value != own),
    ]


def _dropouts(experiment: Experiment) -> list[dict[str, Any]]:
    known = inspect.signature(vars(MODEL.allowed(experiment.student.class_))["__init__"]).parameters
    if "dropout" not in known:
        return [{}]
    own = experiment.student.kwargs.get("dropout", known["dropout"].default)
    return [{}, *({"dropout": value} for value in DROPOUT if value != own)]


def _can_be_made(experiment: Experiment, settings: dict[str, Any]) -> bool:
    try:
        point_forecaster(tuned_by(experiment.student, settings))
    except ValueError:
        return False
    return True
