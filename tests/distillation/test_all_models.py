"""What every distilled model promises, of students, teachers and parts of several kinds."""

from __future__ import annotations

from typing import Any

import pytest
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel, TiDEModel

from tests.helpers.models import fast
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.balance import AutoBalance, ScheduledBalance
from tskd.losses import LevelShapeKD, OutputKD
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.testing import DistilledModelConformance, SeriesCase
from tskd.weighting import Fixed

L, H = 6, 3
WHOLE: dict[str, Any] = fast(n_epochs=3, batch_size=256, optimizer_kwargs={"lr": 0.02})


def student(**settings: Any) -> Any:
    return NLinearModel(L, H, **(WHOLE | settings))


def of_one_teacher() -> DistilledModel:
    return DistilledModel(student(), Teacher(DLinearModel(L, H, **WHOLE), CostlySensors("lab"), name="t"))


def of_several() -> DistilledModel:
    """Of other lookbacks and horizons, with two losses and a schedule."""
    future = Teacher(DLinearModel(4, 2, **WHOLE), FutureHorizon("sky"), name="future")
    lags = Teacher(LinearRegressionModel(lags=4, output_chunk_length=H), name="lags")
    losses = [OutputKD("huber"), LevelShapeKD(weight=0.5)]
    weighting, balance = Fixed({"future": 2, "lags": 1}), ScheduledBalance(0.8, warm_up=1)
    return DistilledModel(student(), [future, lags], losses, weighting, balance)


def of_reconstruction() -> DistilledModel:
    return DistilledModel(student(), Reconstruction("lab"), balance=0.9)


def sensor() -> DistilledModel:
    return DistilledModel(student(), Reconstruction("lab"), balance=0.9, soft_sensor=True)


def with_covariates() -> DistilledModel:
    tide = TiDEModel(L, H, **(WHOLE | {"hidden_size": 4, "decoder_output_dim": 4, "dropout": 0.0}))
    return DistilledModel(tide, Teacher(DLinearModel(L, H, **WHOLE), FutureHorizon("lab"), name="t"))


def by_auto_balance() -> DistilledModel:
    model = of_reconstruction()
    return DistilledModel(model.student, model.teachers, balance=AutoBalance())


class TestOfGivenAnswers(DistilledModelConformance):
    # they are given for two series
    def make_for(self, case: SeriesCase) -> DistilledModel:
        answers = [one.map(lambda values: values + 0.5) for one in case.series]
        return DistilledModel(student(), Teacher.from_series(answers, name="simulation"))


TestOfOneTeacher = DistilledModelConformance.of(of_one_teacher)
# a reconstruction is fitted on labels of steps, whatever the weights of windows
TestOfReconstruction = pytest.mark.slow(DistilledModelConformance.of(of_reconstruction, weighs_windows=False))
TestSoftSensor = DistilledModelConformance.of(sensor, weighs_windows=False, covariates=["past_covariates"])
# a linear regression in darts weighs no windows here, and is fitted on all
TestOfSeveral = pytest.mark.slow(DistilledModelConformance.of(of_several, weighs_windows=False, strides=False))
BOTH = ["past_covariates", "future_covariates"]
TestWithCovariates = pytest.mark.slow(DistilledModelConformance.of(with_covariates, covariates=BOTH))
TestByAutoBalance = pytest.mark.slow(DistilledModelConformance.of(by_auto_balance, weighs_windows=False))
