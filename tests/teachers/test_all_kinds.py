"""What every kind of teacher promises, of each kind there is."""

from __future__ import annotations

from typing import Any

import pytest
from darts.models import DLinearModel, LinearRegressionModel

from tests.helpers.models import fast
from tskd import Reconstruction, Teacher
from tskd.distillation.serialization import KINDS
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.teachers.base import BaseTeacher
from tskd.testing import SeriesCase, TeacherConformance

COMMON: dict[str, Any] = fast(batch_size=32, kernel_size=3)


class TestReconstruction(TeacherConformance):
    def make(self) -> BaseTeacher:
        return Reconstruction("lab")


class TestReconstructionByOneNeighbour(TeacherConformance):
    def make(self) -> BaseTeacher:
        return Reconstruction(["lab", "sky"], "one-neighbour", steps=2)


@pytest.mark.slow
class TestReconstructionByTrees(TeacherConformance):
    def make(self) -> BaseTeacher:
        return Reconstruction("lab", "trees", fills_past=True)


class TestNetwork(TeacherConformance):
    # batches are drawn from the windows in order
    order_matters = True

    def make(self) -> BaseTeacher:
        sources = [FutureHorizon("sky", end=2), CostlySensors("lab", until=1)]
        return Teacher(DLinearModel(6, 3, **COMMON), sources, name="t")


@pytest.mark.slow
class TestNetworkThatIsCrossFitted(TeacherConformance):
    order_matters = True
    # its blocks are days long, and of other steps one says their number
    grids = ("hours",)
    lengths = (400, 300)

    def make(self) -> BaseTeacher:
        return Teacher(DLinearModel(4, 2, **COMMON), FutureHorizon(None, end=1), name="t", cross_fit=2)


class TestRegression(TeacherConformance):
    def make(self) -> BaseTeacher:
        return Teacher(
            LinearRegressionModel(lags=3, lags_past_covariates=2, output_chunk_length=2), CostlySensors("lab")
        )


class TestGivenSeries(TeacherConformance):
    def make_for(self, case: SeriesCase) -> BaseTeacher:
        return Teacher.from_series([one.map(lambda values: values + 0.5) for one in case.series], name="simulation")


class TestGivenForecasts(TeacherConformance):
    def make_for(self, case: SeriesCase) -> BaseTeacher:
        forecasts = [[one[start : start + 3] for start in range(8, len(one) - 2, 2)] for one in case.series]
        return Teacher.from_forecasts(forecasts, name="bureau")


def test_every_kind_inherits_the_tests() -> None:
    batteries = [one for one in globals().values() if isinstance(one, type) and issubclass(one, TeacherConformance)]
    made = [one().make_for(SeriesCase.of("hours", ["lab"])) for one in batteries if one is not TeacherConformance]
    assert {type(one) for one in made} == {*KINDS.values()}
