"""Which controls there are, and which of them an arm is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from tskd.experiment.config.arm import Arm, tuned_by
from tskd.experiment.config.chunk_lengths import chunks
from tskd.experiment.config.objects import TEACHER, Spec
from tskd.experiment.config.teacher import reach
from tskd.experiment.statistics.verdict import ORDINARY

if TYPE_CHECKING:
    from tskd.experiment.config.experiment import Experiment

Control = Literal["tuned", "self-distilled", "placebo", "iterated", "multi-horizon", "pooled", "pre-trained"]
CONTROLS: tuple[Control, ...] = get_args(Control)


def control_of(experiment: Experiment, arm: Arm) -> str | None:
    """As `Experiment.control` says it."""
    if experiment.is_privileged(arm) or arm.is_plain:
        return None
    if arm.placebo:
        return "placebo"
    if arm.teachers:
        links = (link for name in arm.teachers for link in experiment.chain(name))
        equal = all(_sees_no_more(experiment, link) for link in links)
        return "self-distilled" if equal or arm.name == "self-distilled" else ORDINARY
    if arm.archive is not None:
        return arm.archive
    lasts = {chunks(tuned_by(experiment.student, settings))[1:] for settings in arm.students}
    if chunks(experiment.student)[1:] in lasts:
        return "tuned"
    return "multi-horizon" if all(last >= experiment.steps[1] for _, last in lasts) else "iterated"


def controls_of(experiment: Experiment, arm: Arm) -> list[str]:
    """Names of those controls that tell whether a gain of this very arm is due to its privilege.

    Its placebo has its teachers and its lesson; self-distillation, teachers like all its privileged ones but for the
    privilege, and its losses. Those without teachers are every arm's.
    """
    found = []
    for other in experiment.arms:
        kind = control_of(experiment, other)
        if kind is None or kind == ORDINARY:
            continue
        if kind == "placebo":
            own = (arm.teachers, arm.losses, arm.weighting) == (other.teachers, other.losses, other.weighting)
        elif kind == "self-distilled":
            twins = [_bare(experiment, name) for name in other.teachers]
            seeing = [_bare(experiment, name) for name in arm.teachers if experiment.has_privilege(name)]
            own = arm.losses == other.losses and all(model in twins for model in seeing)
        else:
            own = True
        if own:
            found.append(other.name)
    return found


def reading_less(model: Spec, empty: Sequence[str]) -> Spec:
    """The model, and members of an ensemble, without the lags of covariates, `"past"` or `"future"`, that there are
    none of: a regression model refuses to be fitted without them."""
    kwargs = {key: value for key, value in model.kwargs.items() if key not in [f"lags_{s}_covariates" for s in empty]}
    members = kwargs.get("forecasting_models")
    if members is not None:
        less = [reading_less(Spec.model_validate(member), empty) for member in members]
        kwargs["forecasting_models"] = [{"class": member.class_, "kwargs": member.kwargs} for member in less]
    return model.model_copy(update={"kwargs": kwargs})


def _bare(experiment: Experiment, name: str) -> Spec:
    """A teacher's model without the lags by which it would read a source."""
    return reading_less(experiment.teachers[name].model, ("past", "future"))


def _sees_no_more(experiment: Experiment, name: str) -> bool:
    teacher = experiment.teachers[name]
    longer = reach(teacher.model, TEACHER)[0] > experiment.chunk_lengths(experiment.student)[0]
    return not (teacher.privileged or teacher.archive or longer)
