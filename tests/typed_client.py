"""A program of somebody who uses tskd from outside and has every line checked: by mypy, in `test_typed_client.py`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel
from torch import Tensor

import tskd
from tskd import (
    Audit,
    BalanceChoice,
    CrossFit,
    DistilledModel,
    EpochRecords,
    ExpectedGain,
    Finding,
    Reconstruction,
    Teacher,
    WindowCounts,
    audit,
    datasets,
    expected_gain,
    theory,
)
from tskd.balance import AutoBalance, Balance, FixedBalance, ScheduledBalance
from tskd.callbacks import BestEpoch
from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment import (
    Arm,
    Comparison,
    ConfigError,
    Experiment,
    Results,
    RunError,
    Study,
    StudyResults,
    TeacherConfig,
    Verdict,
)
from tskd.losses import DistillationLoss, LevelShapeKD, Needs, OutlierRejection, OutputKD, StudentTeacherPair
from tskd.privileged import CostlySensors, CovariateBlock, FutureHorizon, HighResolution, Source, WayPoint
from tskd.testing import (
    BalanceConformance,
    DataSetConformance,
    DistilledModelConformance,
    LossConformance,
    SeriesCase,
    SourceConformance,
    TeacherConformance,
    WeightingConformance,
)
from tskd.weighting import Fixed, InverseError, Step, Uniform, Weighting, WeightingNeeds


class Quartic(DistillationLoss):
    """A loss of one's own."""

    labelled = False

    def __init__(self, scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.scale = scale

    @property
    def needs(self) -> Needs:
        return Needs()

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return self.scale * (pair.student - pair.teacher) ** 4


class Nearest(Weighting):
    """A weighting of one's own."""

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds()

    def scores(self, step: Step) -> Tensor:
        return step.valid.to(step.target.dtype)


@dataclass(frozen=True, repr=False)
class Yesterday(Source):
    """A source of one's own."""

    slot: ClassVar[Literal["past", "future"]] = "past"

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(-24)

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        return [CovariateBlock(privileged.shift(24))]


class Halving(Balance):
    """A balance of one's own."""

    def alpha(self, epoch: int) -> float:
        return 0.5**epoch


TestQuartic = LossConformance.of(Quartic, count=4)
TestNearest = WeightingConformance.of(Nearest)
TestYesterday = SourceConformance.of(lambda: Yesterday("lab"))
TestHalving = BalanceConformance.of(Halving)
TestData = DataSetConformance.of(lambda: datasets.load("co2"))
TestTeacher = TeacherConformance.of(lambda: Reconstruction("lab"))


class TestModel(DistilledModelConformance):
    def make_for(self, case: SeriesCase) -> DistilledModel:
        return DistilledModel(NLinearModel(24, 12), Teacher.from_series(case.series, name="simulation"))


def series(name: str) -> TimeSeries:
    times = pd.date_range("2024-01-01", periods=600, freq="h")
    return TimeSeries.from_times_and_values(times, np.arange(600.0), columns=[name])


def train(folder: Path) -> float:
    """Of one series, and of several."""
    target, lab = series("load"), series("lab")
    sources: list[Source] = [FutureHorizon("lab", start=1, end=4), CostlySensors("lab"), WayPoint("lab", 2)]
    teachers = [
        Teacher(
            DLinearModel(24, 12, pl_trainer_kwargs={"callbacks": [BestEpoch()]}),
            sources,
            name="a",
            cross_fit=CrossFit(4, block=48),
        ),
        Teacher(LinearRegressionModel(lags=24, output_chunk_length=12), HighResolution("minute"), sees_inputs=False),
        Reconstruction(["lab"], "ridge", steps=3),
    ]
    model = DistilledModel(
        NLinearModel(24, 12),
        teachers,
        losses=[OutputKD("mae"), LevelShapeKD(), OutlierRejection(), Quartic()],
        weighting=Fixed({"a": 2.0}),
        balance=ScheduledBalance(0.8, warm_up=3),
    )
    gain: ExpectedGain = expected_gain(model, target, privileged={"lab": lab})
    print(gain.verdict, gain.change)
    fitted: DistilledModel = model.fit([target, target], privileged={"lab": [lab, lab]}, val_series=target)
    forecast: TimeSeries | list[TimeSeries] = fitted.predict(12, target)
    rolled = fitted.historical_forecasts(target, retrain=False, last_points_only=False)
    error = fitted.backtest(target, retrain=False)
    fitted.save(folder / "model")
    again: DistilledModel = DistilledModel.load(folder / "model", trusted=[Quartic])
    records: EpochRecords = again.history
    history: pd.DataFrame = records.to_dataframe()
    report: Audit = audit(again, target, privileged={"lab": lab}, test_start="2024-01-20")
    leaks: list[Finding] = [finding for finding in report.findings if not finding.passed]
    windows: WindowCounts | None = again.windows
    chosen: BalanceChoice | None = again.chosen_balance
    print(forecast, rolled, error, history, report.passed, leaks, windows, chosen, again.student)
    again.student.save(str(folder / "student.pt"))
    fresh: DistilledModel = again.untrained_model()
    return AutoBalance().alpha(0) + FixedBalance(0.3).alpha(1) + len(fresh.teachers)


def outside() -> list[tskd.Reconstruction]:
    table = pd.DataFrame({"origin": [], "step": [], "component": [], "value": []})
    given = Teacher.from_forecasts(table, name="bureau", seen_until="2024-02-01")
    simulation = Teacher.from_series(series("load"), name="simulation", std=0.5)
    sensor = DistilledModel(NLinearModel(24, 12), [given, simulation], weighting=InverseError(), soft_sensor=True)
    print(sensor.teachers[0].name, Uniform(), Nearest())
    filled: list[TimeSeries] = Reconstruction("lab").fit(series("load"), {"lab": series("lab")}).filled([], {})
    print(filled)
    return [teacher for teacher in sensor.teachers if isinstance(teacher, Reconstruction)]


def experiment(path: Path) -> str:
    data = DataSet("mine", series("load"), 0.6, 0.8, privileged={"lab": series("lab")}, archive=())
    file = DataSet.from_file("mine.csv", time="date", target="load", validation_start=0.6, test_start="2024-01-20")
    archive = ArchiveSeries("old", series("load"))
    print(datasets.names(), file.series, archive.name)
    arm = Arm(name="taught", teachers=("range",), balance=(0.5,))
    teacher = TeacherConfig(model={"class": "DLinearModel"}, privileged=("lab",))
    made = Experiment(
        name="co2", data="co2", student={"model": "NLinearModel"}, lookback=24, horizon=6, arms=(arm,), seeds=(0, 1)
    )
    try:
        results: Results = Experiment.from_yaml(path, allow_modules=["mine"]).run(path.parent, workers=2)
    except (ConfigError, RunError) as error:
        return str(error)
    found: Comparison = results.compare("taught")
    verdict: Verdict = results.verdict
    print(found.enough, verdict.headline)
    study: StudyResults = Study.from_yaml(path).run(path.parent)
    loaded = Results.load(path.parent), StudyResults.load(path.parent)
    print(data, made, teacher, study, loaded)
    print(theory.best_shares(np.eye(2), np.ones(2)))
    return f"{results} of tskd {tskd.__version__}"
