"""Which controls there are, and which of them an arm is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from tskd.experiment.arm import Arm, tuned_by
from tskd.experiment.lengths import chunks
from tskd.experiment.specs import TEACHER
from tskd.experiment.teachers import reach
from tskd.experiment.verdict import ORDINARY

if TYPE_CHECKING:
    from tskd.experiment.config import Experiment

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


def _sees_no_more(experiment: Experiment, name: str) -> bool:
    teacher = experiment.teachers[name]
    longer = reach(teacher.model, TEACHER)[0] > experiment.chunk_lengths(experiment.student)[0]
    return not (teacher.privileged or teacher.archive or longer)
