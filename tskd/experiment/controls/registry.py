"""Which controls there are, and which of them an arm is. A new control is a file beside this one, and a line here."""

from __future__ import annotations

from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control
from tskd.experiment.controls.chunk_length import ITERATED, MULTI_HORIZON
from tskd.experiment.controls.linear import LINEAR
from tskd.experiment.controls.one_neighbour import ONE_NEIGHBOUR
from tskd.experiment.controls.oracle import ORACLE
from tskd.experiment.controls.placebo import PLACEBO
from tskd.experiment.controls.self_distilled import SELF_DISTILLED
from tskd.experiment.controls.self_trained_trees import SELF_TRAINED_TREES
from tskd.experiment.controls.smoothed import SMOOTHED
from tskd.experiment.controls.trained_on_archive import POOLED, PRE_TRAINED
from tskd.experiment.controls.tuned import TUNED
from tskd.experiment.statistics.verdict import ControlRules

CONTROLS: tuple[Control, ...] = (
    *(TUNED, SELF_DISTILLED, SELF_TRAINED_TREES, PLACEBO, ITERATED, MULTI_HORIZON, POOLED, PRE_TRAINED),
    *(LINEAR, SMOOTHED, ONE_NEIGHBOUR, ORACLE),
)
"""All controls, in the order in which they are added to an experiment."""

CONTROL_NAMES = tuple(control.name for control in CONTROLS)
CONTROL_RULES = ControlRules(
    tuple(control.name for control in CONTROLS if not control.bound),
    counting=tuple(control.name for control in CONTROLS if control.counts),
    required=tuple(control.name for control in CONTROLS if control.required),
)

ORDINARY = "ordinary teacher"
"""What an arm is whose teachers see more than the student, and nothing privileged: no control."""

DESCRIPTIONS = {
    **{control.name: control.description for control in CONTROLS},
    ORDINARY: "distilled from teachers that see more than the student and nothing privileged; no control, it counts in "
    "no lift",
}


def control_of(experiment: ExperimentConfig, arm: Arm) -> str | None:
    """Which control an arm is by what it does; None for the student alone and for arms with privileged teachers.

    One that learns from teachers is `self-distilled` if these see just what the student sees, and no more of the past,
    or if that is its name; other than that it is no control, but has an ordinary teacher.
    """
    if experiment.is_privileged(arm) or arm.is_plain:
        return None
    return next((control.name for control in CONTROLS if control.matches(experiment, arm)), ORDINARY)


def controls_of(experiment: ExperimentConfig, arm: Arm) -> list[str]:
    """Names of those arms that tell whether a gain of this very arm is due to privileged information."""
    by_name = {control.name: control for control in CONTROLS}
    found = ((other, by_name.get(control_of(experiment, other) or "")) for other in experiment.arms)
    own = ((other, control) for other, control in found if control and not control.bound)
    return [other.name for other, control in own if control.belongs_to(experiment, other, arm)]
