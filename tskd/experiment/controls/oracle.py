"""The bound `oracle`: the student alone, trained on all labels, also those that the experiment hides.

It tells what the labels that are missing are worth: no teacher of their values can be expected to do better. It is no
control, for nobody who lacks the labels could train it.
"""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    if experiment.labels == ALL:
        raise NotApplicable("no label is hidden: the student alone is trained on all of them")
    return ControlArm(Arm(name="oracle", oracle=True))


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    return arm.oracle


ORACLE = Control(
    "oracle",
    "labels only, all of them, also those that are hidden: a bound, and no control",
    _build,
    _matches,
    counts=False,
    bound=True,
)
