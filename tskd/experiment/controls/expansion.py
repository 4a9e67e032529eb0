"""An experiment with the controls of its configuration among its arms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tskd.datasets import DataSet
from tskd.datasets.panel import Data, members_of
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control, NotApplicable
from tskd.experiment.controls.registry import CONTROLS, control_of


@dataclass(frozen=True)
class Expanded:
    """An experiment whose controls are among its arms, and those that do not apply, with the reason."""

    experiment: ExperimentConfig
    not_applicable: dict[str, str] = field(default_factory=dict)

    @property
    def controls(self) -> dict[str, str]:
        """Arms that are controls, and which; also those that the configuration itself has."""
        found = {arm.name: control_of(self.experiment, arm) for arm in self.experiment.arms if not arm.oracle}
        return {name: control for name, control in found.items() if control is not None}


def _by_name(name: str) -> Control:
    return next(control for control in CONTROLS if control.name == name)


def expanded(experiment: ExperimentConfig, data: Data | None = None) -> Expanded:
    """The experiment with the arms that its `controls` name.

    An arm that bears the name of a control already is that control, or the reason why there is none.

    Args:
        experiment: as it is configured.
        data: its data set; loaded by default if a control is to be added. Of a panel, whose series are alike, the one
            that lacks most labels stands for all.
    """
    arms, teachers = list(experiment.arms), dict(experiment.teachers)
    named = {arm.name: arm for arm in arms}
    reasons: dict[str, str] = {
        control: "an arm that is another thing bears its name: give that arm another"
        for control in experiment.controls
        if control in named and not _by_name(control).matches(experiment, named[control])
    }
    wanted = [control for control in CONTROLS if control.name in experiment.controls and control.name not in named]
    if not wanted:
        return Expanded(experiment, reasons)
    if data is None:
        data = experiment.dataset()
    shown = max(members_of(data).values(), key=_share_missing)
    for control in wanted:
        try:
            built = control.build(experiment, shown)
        except NotApplicable as reason:
            reasons[control.name] = str(reason)
            continue
        arms.append(built.arm)
        teachers |= built.teachers
    # validated again: what could not be run is an error before anything is
    fields = {name: getattr(experiment, name) for name in type(experiment).model_fields}
    changes = {"arms": tuple(arms), "teachers": teachers, "controls": ()}
    return Expanded(type(experiment).model_validate({**fields, **changes}), reasons)


def _share_missing(data: DataSet) -> float:
    """Share of the labels of the training part that there are not."""
    return float((~np.isfinite(data.series.drop_after(data.validation_start).values(copy=False))).mean())
