"""Rows as windows, and linear students and teachers of them that the package trains to convergence.

A row is a window of lookback 1: the label is the target one step after the origin, x and z are covariates at the
origin. The student is a soft sensor, which does not see the target's past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel

from tests.helpers.closed_form import FULL_BATCH, LBFGS
from tests.helpers.models import fast
from tests.helpers.scarce import BOTH, LABELS, ONE_FIT, PRIVILEGED, Draw
from tests.helpers.series import QUIET
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors


class NoIntercept(pl.Callback):
    """Keeps every bias at zero."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for name, parameter in pl_module.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.zeros_(parameter.requires_grad_(False))


def student(*, intercept: bool = False) -> Any:
    """A linear map of x, trained until the line search finds nothing better."""
    return NLinearModel(
        1,
        1,
        normalize=False,
        **fast(
            batch_size=FULL_BATCH,
            optimizer_cls=torch.optim.LBFGS,
            optimizer_kwargs=LBFGS | {"history_size": 60, "tolerance_change": 0},
            pl_trainer_kwargs=QUIET | ({} if intercept else {"callbacks": [NoIntercept()]}),
        ),
    )


def teacher(*, sees_inputs: bool, privileged: bool = True, intercept: bool = False) -> Teacher:
    """Least squares on what it sees."""
    model = LinearRegressionModel(lags=None, lags_past_covariates=[-1], fit_intercept=intercept)
    return Teacher(model, CostlySensors("z") if privileged else None, name="linear", sees_inputs=sees_inputs)


@dataclass(frozen=True)
class Windows:
    """Rows as one series each of target, x and z; a row without a label has NaN."""

    y: TimeSeries
    x: TimeSeries
    z: TimeSeries

    @classmethod
    def of(cls, draw: Draw, rows: slice = slice(None)) -> Windows:
        labels = np.full(len(draw.x), np.nan)
        labels[: len(draw.y)] = draw.y
        # no window reads the first target or the last covariates
        return cls(
            _series(np.append(0, labels[rows])[:, None], "y"),
            *(_series(np.pad(values[rows], ((0, 1), (0, 0))), name) for values, name in ((draw.x, "x"), (draw.z, "z"))),
        )

    @property
    def privileged(self) -> dict[str, TimeSeries]:
        return {"z": self.z}

    def fit(self, teacher: Teacher) -> Teacher:
        """Fit on the rows with labels."""
        x = self.x if teacher.sees_inputs else None
        return teacher.fit(self.y, x, privileged=self.privileged if teacher.names else None)

    def distil(self, teacher: Teacher | None = None, *, intercept: bool = False) -> DistilledModel:
        """A student of the teacher's answers, or without one of the labels."""
        given, balance = ((), 0.0) if teacher is None else (teacher, 1.0)
        model = DistilledModel(student(intercept=intercept), given, balance=balance, soft_sensor=True)
        known = self.privileged if teacher is not None and teacher.names else None
        return model.fit(self.y, self.x, privileged=known, verbose=False)


def coefficients(model: DistilledModel) -> np.ndarray:
    """Of x `[d]`; the first weight belongs to the target, which is hidden."""
    weight: np.ndarray = model.student.model.layer.weight.detach().numpy()
    return weight[0, 1:]


def distilled(draw: Draw) -> dict[str, np.ndarray]:
    """What `two_stages` computes, through the package."""
    n = len(draw.y)
    labelled, others, all_rows = (Windows.of(draw, rows) for rows in (slice(n), slice(n, None), slice(None)))
    models = {
        LABELS: labelled.distil(),
        PRIVILEGED: others.distil(labelled.fit(teacher(sees_inputs=False))),
        BOTH: others.distil(labelled.fit(teacher(sees_inputs=True))),
        ONE_FIT: all_rows.distil(teacher(sees_inputs=True)),
    }
    return {kind: coefficients(model) for kind, model in models.items()}


def _series(values: np.ndarray, name: str) -> TimeSeries:
    times = pd.date_range("2020-01-01", periods=len(values), freq="h")
    return TimeSeries.from_times_and_values(times, values, columns=[f"{name}{i}" for i in range(values.shape[1])])
