"""The control `linear`: a ridge regression on the student's inputs, its penalty chosen on validation.

Where labels are scarce, a network seldom beats it.
"""

from __future__ import annotations

from tskd.datasets import DataSet
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.base import Control, ControlArm, NotApplicable
from tskd.experiment.controls.student_settings import largest_balances

PENALTIES = (0.01, 0.1, 0.001, 1.0, 0.0001, 10.0, 0.03, 0.3, 0.003, 3.0)
"""On the squared coefficients, of inputs that are z-scored, against the mean squared error; the usual ones first."""

LEAST = 4
"""Candidates at least."""

SLOTS = ("past", "future")
MOST_INPUTS = 8192
"""Numbers that a window has at most: the cost of a fit grows with their cube."""


def _build(experiment: ExperimentConfig, data: DataSet) -> ControlArm:
    lookback, ahead = experiment.chunk_lengths(experiment.student)[0], experiment.steps[1]
    past, future = (getattr(data, f"{slot}_covariates") if slot in experiment.readable else None for slot in SLOTS)
    inputs = 0 if experiment.soft_sensor else lookback * data.series.n_components
    inputs += 0 if past is None else lookback * past.n_components
    inputs += 0 if future is None else (lookback + ahead) * future.n_components
    if inputs > MOST_INPUTS:
        raise NotApplicable(f"a window has {inputs} inputs, and a ridge on more than {MOST_INPUTS} takes too long")
    budget = max(LEAST, len(largest_balances(experiment)))
    return ControlArm(Arm(name="linear", penalties=PENALTIES[:budget]))


def _matches(experiment: ExperimentConfig, arm: Arm) -> bool:
    return bool(arm.penalties)


LINEAR = Control("linear", "labels only, by a ridge regression on the student's inputs", _build, _matches)
