"""The control `smoothed`: labels averaged over time in place of labels, without privilege.

Where labels are noise, a teacher gains by being less noisy; so does an average over the neighbouring labels.
"""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable
from tskd.experiment.controls.student_settings import largest_balances

WIDTHS = (1, 3, 7, 25, 5, 13)
"""In steps, the labels as they are among them."""

LEAST = 4
"""Widths at least, if the largest distilled arm has fewer candidates."""


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    if experiment.distribution is not None:
        raise NotApplicable("the student forecasts a distribution, and averages alone would train no spread")
    budget = max(LEAST, len(largest_balances(experiment)))
    return ControlArm(Arm(name="smoothed", smoothing=WIDTHS[:budget]))


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    return bool(arm.smoothing)


SMOOTHED = Control(
    "smoothed", "labels only, each averaged with its neighbours over a width chosen on validation", _build, _matches
)
