"""Rows as windows, and linear students and teachers of them that the package trains to convergence.

Rows are those of `tskd.theory`. The student is a soft sensor, which does not see the target's past.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from darts.models import LinearRegressionModel, NLinearModel

from tests.helpers.closed_form import FULL_BATCH, LBFGS
from tests.helpers.models import fast
from tests.helpers.scarce import BOTH, LABELS, ONE_FIT, PRIVILEGED, Draw
from tests.helpers.series import QUIET
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors
from tskd.theory import Rows


class NoIntercept(pl.Callback):
    """Keeps every bias at zero."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for name, parameter in pl_module.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.zeros_(parameter.requires_grad_(False))


def student(horizon: int = 1, *, intercept: bool = False) -> Any:
    """A linear map of x, trained until the line search finds nothing better."""
    return NLinearModel(
        1,
        horizon,
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


def fitted(teacher: Teacher, rows: Rows) -> Teacher:
    """The teacher, fitted on rows with labels."""
    x = rows.past_covariates if teacher.sees_inputs else None
    return teacher.fit(rows.series, x, privileged=rows.privileged if teacher.names else None)


def distil(rows: Rows, teacher: Teacher | None = None, *, intercept: bool = False) -> DistilledModel:
    """A student of a teacher's answers on some rows, or without a teacher of the labels."""
    given, balance = ((), 0.0) if teacher is None else (teacher, 1.0)
    model = DistilledModel(student(intercept=intercept), given, balance=balance, soft_sensor=True)
    known = rows.privileged if teacher is not None and teacher.names else None
    return model.fit(rows.series, rows.past_covariates, privileged=known, verbose=False)


def coefficients(model: DistilledModel) -> np.ndarray:
    """Of x `[d]`; the first weight belongs to the target, which is hidden."""
    weight: np.ndarray = model.student.model.layer.weight.detach().numpy()
    return weight[0, 1:]


def distilled(draw: Draw) -> dict[str, np.ndarray]:
    """What `two_stages` computes, through the package."""
    models = {
        LABELS: distil(draw.labelled),
        PRIVILEGED: distil(draw.others, fitted(teacher(sees_inputs=False), draw.labelled)),
        BOTH: distil(draw.others, fitted(teacher(sees_inputs=True), draw.labelled)),
        ONE_FIT: distil(draw.rows, teacher(sees_inputs=True)),
    }
    return {kind: coefficients(model) for kind, model in models.items()}
