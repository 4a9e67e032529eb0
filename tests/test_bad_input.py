"""Bad input gets a clear error before any training, and leaves everything that the caller handed in as it was."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import (
    DLinearModel,
    ExponentialSmoothing,
    LinearRegressionModel,
    NHiTSModel,
    NLinearModel,
    RNNModel,
    TCNModel,
    TiDEModel,
)
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.refusals import refused, says, untouched
from tests.helpers.scripted import Scripted
from tests.helpers.series import QUIET, single, walk
from tskd import DistilledModel, Teacher
from tskd.balance import FixedBalance, ScheduledBalance
from tskd.losses import OutputKD
from tskd.privileged import CostlySensors, FutureHorizon, HighResolution, Source
from tskd.weighting import Fixed, Uniform

L, H = 4, 3


def student_model(**kwargs: Any) -> NLinearModel:
    defaults = fast(n_epochs=2, batch_size=16, random_state=2)
    return NLinearModel(kwargs.pop("lookback", L), H, **(defaults | kwargs))


def teacher_model(horizon: int = H, **kwargs: Any) -> DLinearModel:
    defaults = fast(batch_size=16, random_state=1)
    return DLinearModel(kwargs.pop("lookback", L), horizon, **(defaults | kwargs))


def teacher(*sources: Source, name: str = "seer", **kwargs: Any) -> Teacher:
    return Teacher(teacher_model(**kwargs), sources, name=name)


Y = walk(40, 2)
LAB = walk(40, 2, seed=1, name="lab")
FINE = walk(160, seed=2, name="fine", freq="15min")
PAST = walk(40, 2, seed=3, name="past")
FUTURE = walk(40, 2, seed=4, name="future")


def swapped(series: TimeSeries) -> TimeSeries:
    return series[list(reversed(list(series.components)))]


def spoiled(series: TimeSeries, step: int, component: int, value: float) -> TimeSeries:
    values = series.values()
    values[step, component] = value
    return series.with_values(values[..., None])


Build = Callable[[], Any]
Impossible = tuple[str, Build, type[Exception], tuple[str, ...]]

MODELS = "one of darts' (torch|global) models"

NOT_TORCH: list[tuple[Build, tuple[str, ...]]] = [
    (ExponentialSmoothing, ("ExponentialSmoothing", MODELS)),
    (lambda: RNNModel(L), ("RNNModel", "one step", "BlockRNNModel")),
    (lambda: "DLinearModel", ("DLinearModel|str", MODELS)),
    (lambda: None, ("NoneType", MODELS)),
    (lambda: DLinearModel, ("DLinearModel", MODELS)),
]


@pytest.mark.parametrize(("build", "fragments"), NOT_TORCH)
@pytest.mark.parametrize("role", ["student", "teacher"])
def test_models_that_cannot_be_used_are_refused_at_construction(
    build: Build, fragments: tuple[str, ...], role: str
) -> None:
    model = build()
    refused(lambda: DistilledModel(model) if role == "student" else Teacher(model), TypeError, role, *fragments)


def test_a_model_that_is_no_network_can_teach_but_not_learn() -> None:
    model = LinearRegressionModel(lags=4, output_chunk_length=H)
    refused(lambda: DistilledModel(model), TypeError, "student", "LinearRegressionModel", "torch model")
    assert Teacher(model).model is model


def with_teachers(*teachers: Any, **kwargs: Any) -> DistilledModel:
    return DistilledModel(student_model(), list(teachers), **kwargs)


def itself() -> DistilledModel:
    model = student_model()
    return DistilledModel(model, Teacher(model))


IMPOSSIBLE: list[Impossible] = [
    (
        "a bare model as teacher",
        lambda: DistilledModel(student_model(), teacher_model()),
        TypeError,
        ("Teacher", "DLinearModel"),
    ),
    ("a bare model among teachers", lambda: with_teachers(teacher_model()), TypeError, ("Teacher", "DLinearModel")),
    ("a text as teacher", lambda: with_teachers("seer"), TypeError, ("Teacher", "str")),
    ("None as teachers", lambda: DistilledModel(student_model(), None), TypeError, ("[Tt]eacher", "None")),  # type: ignore[arg-type]
    ("names repeat", lambda: with_teachers(teacher(), teacher()), ValueError, ("'seer', 'seer'", "name")),
    (
        "default names repeat",
        lambda: with_teachers(Teacher(teacher_model()), Teacher(teacher_model())),
        ValueError,
        ("DLinearModel", "name"),
    ),
    ("the student itself", itself, ValueError, ("NLinearModel", "student itself", "another")),
    (
        "no step in common",
        lambda: with_teachers(teacher(output_chunk_shift=3)),
        ValueError,
        ("seer", "4 to 6", "1 to 3", "no step in common"),
    ),
    (
        "weights for an unknown teacher",
        lambda: with_teachers(teacher(), weighting=Fixed({"sear": 1})),
        ValueError,
        ("sear", "seer"),
    ),
    (
        "no weight for a teacher",
        lambda: with_teachers(teacher(), teacher(name="other"), weighting=Fixed({"seer": 1})),
        ValueError,
        ("other", "seer"),
    ),
    ("too many weights", lambda: with_teachers(teacher(), weighting=Fixed([1, 2])), ValueError, ("2 weights", "seer")),
    ("no weights", lambda: Fixed([]), ValueError, (r"\[\]",)),
    ("a number for weights", lambda: Fixed(5), ValueError, ("weights=5: give numbers by teacher name", "order")),  # type: ignore[arg-type]
    ("None for weights", lambda: Fixed(None), ValueError, ("weights=None: give numbers",)),  # type: ignore[arg-type]
    ("negative weights", lambda: Fixed({"seer": -1.0, "other": 2}), ValueError, ("-1", "negative")),
    ("weights all 0", lambda: Fixed([0, 0]), ValueError, (r"\[0, 0\]",)),
    ("weights not finite", lambda: Fixed([1, float("nan")]), ValueError, ("nan", "finite")),
    ("balance below 0", lambda: with_teachers(teacher(), balance=-0.1), ValueError, ("-0.1", "0 .*1")),
    ("balance above 1", lambda: with_teachers(teacher(), balance=1.5), ValueError, ("1.5", "0 .*1")),
    ("balance NaN", lambda: with_teachers(teacher(), balance=float("nan")), ValueError, ("nan", "0 .*1")),
    ("balance infinite", lambda: FixedBalance(float("inf")), ValueError, ("inf", "0 .*1")),
    ("balance a truth value", lambda: with_teachers(teacher(), balance=True), ValueError, ("True", "0 .*1")),
    ("balance False", lambda: FixedBalance(False), ValueError, ("False", "0 .*1")),
    ("scheduled height above 1", lambda: ScheduledBalance(2), ValueError, ("value=2", "0 .*1")),
    ("scheduled end below 0", lambda: ScheduledBalance(0.5, hold=1, final=-1), ValueError, ("final=-1", "0 .*1")),
    ("negative warm-up", lambda: ScheduledBalance(0.5, warm_up=-2), ValueError, ("warm_up=-2", "0 or more")),
    ("half an epoch", lambda: ScheduledBalance(0.5, hold=1.5), ValueError, ("hold=1.5",)),  # type: ignore[arg-type]
    ("a fall that never begins", lambda: ScheduledBalance(0.5, decay=3), ValueError, ("decay=3", "hold")),
    ("a loss that is none", lambda: with_teachers(teacher(), losses=["mse"]), TypeError, ("LossTerm", "str")),
    ("a loss class", lambda: with_teachers(teacher(), losses=OutputKD), TypeError, ("OutputKD|LossTerm",)),
    ("no loss", lambda: with_teachers(teacher(), losses=[]), ValueError, ("loss", "OutputKD")),
    ("unknown metric", lambda: OutputKD("l2"), ValueError, ("l2", "mse", "mae", "huber")),  # type: ignore[arg-type]
    ("negative coefficient", lambda: OutputKD(weight=-1), ValueError, ("-1", "0 or more")),
    ("a coefficient beyond all floats", lambda: OutputKD(weight=10**400), ValueError, (r"10\*\*400", "finite")),
    ("a weighting class", lambda: with_teachers(teacher(), weighting=Uniform), TypeError, ("[Ww]eighting",)),
    ("a weighting by name", lambda: with_teachers(teacher(), weighting="uniform"), TypeError, ("Weighting", "str")),
    ("a source by name", lambda: Teacher(teacher_model(), "lab", name="seer"), TypeError, ("seer", "str", "Source")),  # type: ignore[arg-type]
    ("a source class", lambda: Teacher(teacher_model(), CostlySensors, name="seer"), TypeError, ("seer", "Source")),  # type: ignore[arg-type]
    ("a source twice", lambda: teacher(CostlySensors("lab"), CostlySensors("lab")), ValueError, ("seer", "twice")),
    ("an empty name", lambda: teacher(name=""), ValueError, ("name",)),
    ("start at the origin", lambda: FutureHorizon("lab", start=0), ValueError, ("start=0", "1 or more")),
    ("start before the origin", lambda: FutureHorizon("lab", start=-3), ValueError, ("start=-3", "1 or more")),
    ("end before start", lambda: FutureHorizon("lab", start=3, end=2), ValueError, ("end=2", "start=3")),
    (
        "start beyond the horizon",
        lambda: teacher(FutureHorizon("lab", start=4)),
        ValueError,
        ("start=4", "3", "DLinearModel"),
    ),
    ("until before the origin", lambda: CostlySensors("lab", until=-1), ValueError, ("until=-1", "0 or more")),
    ("sensors of nothing", lambda: CostlySensors(None), ValueError, ("CostlySensors", "name")),
    ("fine samples of nothing", lambda: HighResolution(None), ValueError, ("HighResolution", "name")),
    ("an unknown aggregate", lambda: HighResolution("fine", "median"), ValueError, ("median", "point", "mean", "sum")),  # type: ignore[arg-type]
    ("a name that is no text", lambda: CostlySensors(5), ValueError, ("name=5",)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "kind", "fragments"), [pytest.param(*case[1:], id=case[0]) for case in IMPOSSIBLE])
def test_what_can_be_known_from_arguments_is_said_at_construction(
    build: Build, kind: type[Exception], fragments: tuple[str, ...]
) -> None:
    refused(build, kind, *fragments)


@pytest.mark.parametrize("model", [NHiTSModel(L, H), TCNModel(L, H)], ids=["NHiTS", "TCN"])
def test_models_without_future_covariates_are_told_which_have_them(model: Any) -> None:
    with pytest.raises(ValueError) as caught:
        Teacher(model, FutureHorizon("lab"))
    says(caught.value, type(model).__name__, "FutureHorizon", "future covariates")
    listed = set(re.findall(r"\w+Model", str(caught.value).split(type(model).__name__)[1]))
    assert {"DLinearModel", "NLinearModel", "TiDEModel", "TSMixerModel", "TFTModel", "BlockRNNModel"} <= listed
    assert not listed & {"NHiTSModel", "NBEATSModel", "TCNModel", "TransformerModel", "RNNModel"}


@dataclass(frozen=True)
class Fit:
    """A fit that must be refused: its sources, its arguments, and what the message must hold."""

    sources: tuple[Source, ...] = ()
    given: dict[str, Any] = field(default_factory=dict)
    fragments: tuple[str, ...] = ()
    kind: type[Exception] = ValueError
    series: Any = field(default_factory=lambda: Y)
    student: dict[str, Any] = field(default_factory=dict)


LAB_SENSORS = (CostlySensors("lab"),)
MINUTE = (HighResolution("minute"),)
SECOND = walk(30, 2, seed=9, start="2020-03-01")


def of_lab(values: Any, *fragments: str, sources: tuple[Source, ...] = LAB_SENSORS, **kwargs: Any) -> Fit:
    return Fit(sources, {"privileged": {"lab": values}}, ("lab", *fragments), **kwargs)


def of_minute(values: Any, *fragments: str, **kwargs: Any) -> Fit:
    return Fit(MINUTE, {"privileged": {"minute": values}}, fragments, **kwargs)


def fine(freq: str, start: str = "2020-01-01", n: int = 400) -> TimeSeries:
    return walk(n, seed=2, name="fine", start=start, freq=freq)


NAN, INF = float("nan"), float("inf")
DAY = "2020-01-01"
UNUSABLE: dict[str, Fit] = {
    "misspelt name": Fit(LAB_SENSORS, {"privileged": {"lap": LAB}}, ("'lap'", "'lab'")),
    "missing name": Fit((*LAB_SENSORS, *MINUTE), {"privileged": {"lab": LAB}}, ("'minute'", "privileged")),
    "nothing privileged": Fit(LAB_SENSORS, {}, ("'lab'", "privileged")),
    "privileged values nobody reads": Fit((), {"privileged": {"lab": LAB}}, ("'lab'", "no teacher reads")),
    "sensors of another frequency": of_lab(walk(80, 2, name="lab", freq="30min"), "30min", "'h'", "resample"),
    "future of another frequency": of_lab(
        walk(80, 2, name="lab", freq="D"), "'D'", "'h'", "resample", sources=(FutureHorizon("lab"),)
    ),
    "sensors off the grid": of_lab(walk(60, 2, name="lab", start="2019-12-31 12:30"), "30:00"),
    "future off the grid": of_lab(
        walk(60, 2, name="lab", start="2019-12-31 12:30"), "30:00", sources=(FutureHorizon("lab"),)
    ),
    "fine step does not divide": of_minute(fine("25min"), "00:25:00", "divide", "resample"),
    "fine step is the target's": of_minute(fine("h"), "01:00:00", "divide"),
    "fine step is longer": of_minute(fine("2h"), "02:00:00", "divide"),
    "fine stamps off the grid": of_minute(fine("15min", "2019-12-31 00:07"), "00:07:00", "stamps"),
    "fine samples that leave days out": of_minute(
        fine("bh", "2019-12-31"), "'bh'", "no sample", "2020-01-05", "resample", series=walk(40, 2, freq="D")
    ),
    "fine step is longer, of a calendar": of_minute(fine("MS", "2019-12-01", 40), "'MS'", "no sample", "resample"),
    "days of months begin late": of_minute(
        fine("D", "2020-01-10", 1300), "2020-01-01 00:00:00 to 2020-01-09", series=walk(40, 2, freq="MS")
    ),
    "sensors begin late": of_lab(LAB[5:], f"{DAY} 00:00:00 to {DAY} 04:00:00"),
    "sensors end early": of_lab(LAB[:-6], "2020-01-02 10:00:00 to 2020-01-02 12:00:00"),
    "future begins late": of_lab(LAB[5:], f"{DAY} 00:00:00 to {DAY} 04:00:00", sources=(FutureHorizon("lab"),)),
    "future ends early": of_lab(
        LAB[:-4], "2020-01-02 12:00:00 to 2020-01-02 15:00:00", sources=(FutureHorizon("lab"),)
    ),
    "fine samples begin late": of_minute(FINE[24:], f"{DAY} 0[01]:00:00 to {DAY} 05:45:00", "minute"),
    "fine samples end early": of_minute(FINE[:-24], "2020-01-02 10:00:00 to 2020-01-02 12:00:00", "minute"),
    "fine samples of another year": of_minute(fine("15min", "2018-01-01"), "2018", "2020"),
    "sensors of another year": of_lab(walk(40, 2, name="lab", start="2018-01-01"), "2018", "2020"),
    "second series not covered": of_lab(
        [LAB, walk(30, 2, name="lab", start="2020-03-01 03:00")],
        "2020-03-01 00:00:00 to 2020-03-01 02:00:00",
        series=[Y, SECOND],
    ),
    "nothing of the target": Fit(
        series=Y.with_values(np.full((40, 2), NAN, np.float32)), fragments=("no window", "lack inputs")
    ),
    "past covariates with a gap in every window": Fit(
        given={"past_covariates": PAST.map(lambda x: np.where(np.arange(40)[:, None, None] % 3, x, NAN))},
        fragments=("no window can be used", "lack inputs"),
    ),
    "no validation label": Fit(
        given={"val_series": Y[:13].map(lambda x: np.where(np.arange(13)[:, None, None] < L, x, NAN))},
        fragments=("no validation window", "no label"),
    ),
    "unknown name in validation": Fit(
        LAB_SENSORS,
        {"privileged": {"lab": LAB}, "val_series": Y, "val_privileged": {"lap": LAB}},
        ("val_privileged", "'lap'", "'lab'"),
    ),
    "validation sensors not covered": Fit(
        LAB_SENSORS,
        {"privileged": {"lab": LAB}, "val_series": Y, "val_privileged": {"lab": LAB[5:]}},
        ("lab", f"{DAY} 00:00:00 to {DAY} 04:00:00"),
    ),
    "validation target in another order": Fit(
        given={"val_series": swapped(Y)}, fragments=(r"'y1', 'y0'", r"'y0', 'y1'")
    ),
    "validation sensors in another order": Fit(
        LAB_SENSORS,
        {"privileged": {"lab": LAB}, "val_series": Y, "val_privileged": {"lab": swapped(LAB)}},
        ("lab1.*lab0", "lab0.*lab1"),
    ),
    "validation covariates in another order": Fit(
        given={"past_covariates": PAST, "val_series": Y, "val_past_covariates": swapped(PAST)},
        fragments=("past1.*past0", "past0.*past1"),
    ),
    "one series' sensors in another order": of_lab(
        [LAB, swapped(walk(30, 2, name="lab", start="2020-03-01"))], "lab1.*lab0", series=[Y, SECOND]
    ),
    "too few privileged series": of_lab([LAB], "1", "2", series=[Y, SECOND]),
    "too many privileged series": of_lab([LAB, LAB], "2", "1"),
    "too few covariates": Fit(
        given={"past_covariates": [PAST]}, fragments=("past_covariates", "1", "2"), series=[Y, SECOND]
    ),
    "sensors as a table": of_lab(LAB.to_dataframe(), "TimeSeries", kind=TypeError),
    "sensors as an array": of_lab(LAB.values(), "TimeSeries", kind=TypeError),
    "sensors as a number": of_lab(3, "TimeSeries", kind=TypeError),
    "sensors as None": of_lab(None),
    "privileged without names": Fit(LAB_SENSORS, {"privileged": LAB}, ("privileged", "name|dict|mapping"), TypeError),
    "privileged as a list": Fit(LAB_SENSORS, {"privileged": [LAB]}, ("privileged", "name|dict|mapping"), TypeError),
    "target as a table": Fit(series=Y.to_dataframe(), fragments=("series", "TimeSeries"), kind=TypeError),
    "target None": Fit(series=None, fragments=("series",)),
    "no target": Fit(series=[], fragments=("series", "empty")),
    "samples of a distribution": Fit(
        series=TimeSeries.from_times_and_values(Y.time_index, np.zeros((40, 1, 3))),
        fragments=("series", "3", "deterministic"),
    ),
    "too short for the student": Fit(series=Y[:15], fragments=("15|short", "23|20"), student={"lookback": 20}),
    "an own collate function": Fit(given={"dataloader_kwargs": {"collate_fn": list}}, fragments=("collate_fn",)),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in UNUSABLE.items()])
@pytest.mark.parametrize("student_fitted", [False, True], ids=["new student", "fitted student"])
@pytest.mark.parametrize("among", [False, True], ids=["alone", "behind a good teacher"])
def test_unusable_data_are_refused_before_any_training(
    case: Fit, student_fitted: bool, among: bool, steps: list[str]
) -> None:
    student = student_model(**case.student)
    if student_fitted:
        student.fit(walk(40, 2, seed=5))
    teachers = [teacher(name="good")] * among + [teacher(*case.sources)]
    model = DistilledModel(student, teachers)
    steps.clear()
    with untouched(model, case.series, case.given, *teachers):
        refused(lambda: model.fit(case.series, **case.given), case.kind, *case.fragments)
        assert not steps
    if student_fitted:
        assert len(student.predict(H, series=walk(40, 2, seed=5))) == H
    else:
        with pytest.raises(ValueError, match="fit"):
            student.predict(H, series=walk(40, 2, seed=5))


ORDERLY: dict[str, tuple[tuple[Source, ...], dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "target": ((), {}, {"series": swapped(Y)}, ("y1.*y0", "y0.*y1")),
    "more": ((), {}, {"series": walk(40, 3)}, ("y0.*y1.*y2", "y0.*y1")),
    "fewer": ((), {}, {"series": Y["y0"]}, (r"\['y0'\]", "y0.*y1")),
    "past covariates": (
        (),
        {"past_covariates": PAST},
        {"past_covariates": swapped(PAST)},
        ("past1.*past0", "past0.*past1"),
    ),
    "future covariates": (
        (),
        {"future_covariates": walk(60, 2, name="future")},
        {"future_covariates": swapped(walk(60, 2, name="future"))},
        ("future1.*future0", "future0.*future1"),
    ),
}
ASKED: dict[str, Callable[[DistilledModel, dict[str, Any]], Any]] = {
    "predict": lambda model, given: model.predict(H, **given),
    "predict several": lambda model, given: model.predict(H, **{name: [s] for name, s in given.items()}),
    "historical_forecasts": lambda model, given: model.historical_forecasts(**given, retrain=False),
    "historical_forecasts, retrain": lambda model, given: model.historical_forecasts(**given, start=30),
    "backtest": lambda model, given: model.backtest(**given, retrain=False),
    "residuals": lambda model, given: model.residuals(**given, retrain=False),
    "fit": lambda model, given: model.fit(**given),
}


@pytest.mark.parametrize("ask", list(ASKED))
@pytest.mark.parametrize("what", list(ORDERLY))
@pytest.mark.parametrize("loaded", [False, True], ids=["", "saved and loaded"])
def test_other_components_than_in_fit_are_refused(
    what: str, ask: str, loaded: bool, steps: list[str], tmp_path: Path
) -> None:
    sources, seen, changed, fragments = ORDERLY[what]
    model = DistilledModel(student_model(), teacher(*sources)).fit(Y, **seen)
    if loaded:
        model.save(tmp_path / "model")
        model = DistilledModel.load(tmp_path / "model")
    steps.clear()
    given = {"series": Y} | seen | changed
    with untouched(model, given):
        refused(lambda: ASKED[ask](model, given), ValueError, *fragments)
        assert not steps


@pytest.mark.parametrize("ask", [name for name in ASKED if name != "fit"])
def test_components_of_a_student_that_darts_fitted_are_known_too(ask: str) -> None:
    model = DistilledModel(student_model().fit(Y))
    refused(lambda: ASKED[ask](model, {"series": swapped(Y)}), ValueError, "y1.*y0", "y0.*y1")


def sensed(lab: TimeSeries) -> Teacher:
    return teacher(CostlySensors("lab")).fit(Y, past_covariates=PAST, privileged={"lab": lab})


FITTED_TEACHERS: dict[str, tuple[Callable[[], Teacher], dict[str, Any], tuple[str, ...]]] = {
    "sensors in another order": (
        lambda: sensed(LAB),
        {"past_covariates": PAST, "privileged": {"lab": swapped(LAB)}},
        ("seer", "lab1.*lab0", "lab0.*lab1"),
    ),
    "fewer sensors": (
        lambda: sensed(LAB),
        {"past_covariates": PAST, "privileged": {"lab": LAB["lab0"]}},
        ("seer", "lab1"),
    ),
    "covariates in another order": (
        lambda: sensed(LAB),
        {"past_covariates": swapped(PAST), "privileged": {"lab": LAB}},
        ("seer", "past1.*past0", "past0.*past1"),
    ),
    "covariates missing": (lambda: sensed(LAB), {"privileged": {"lab": LAB}}, ("seer", "past0")),
    "target in another order": (lambda: teacher().fit(Y), {"series": swapped(Y)}, ("seer", "y1.*y0", "y0.*y1")),
    "target in another order, fitted by darts": (
        lambda: Teacher(teacher_model().fit(Y), name="seer"),
        {"series": swapped(Y)},
        ("seer", "y1.*y0", "y0.*y1"),
    ),
    "more targets, fitted by darts": (
        lambda: Teacher(teacher_model().fit(walk(40, 3)), name="seer"),
        {},
        ("seer", "past_target|target|y0"),
    ),
    "targets of a long list, fitted by darts": (
        lambda: Teacher(teacher_model().fit([walk(40, 3), walk(30, 3)]), name="seer"),
        {},
        ("seer", "3", "2"),
    ),
    "sources it was not fitted with": (
        lambda: Teacher(teacher_model().fit(Y), CostlySensors("lab"), name="seer"),
        {"privileged": {"lab": LAB}},
        ("seer", "past_covariates"),
    ),
    "static covariates missing": (
        lambda: Teacher(
            teacher_model().fit(Y.with_static_covariates(pd.DataFrame({"place": [1.0, 2.0]}))), name="seer"
        ),
        {},
        ("seer", "static"),
    ),
}


@pytest.mark.parametrize(
    ("build", "given", "fragments"), [pytest.param(*case, id=name) for name, case in FITTED_TEACHERS.items()]
)
@pytest.mark.parametrize("among", [False, True], ids=["alone", "behind one to be fitted"])
def test_a_fitted_teacher_is_asked_for_what_it_was_fitted_with(
    build: Callable[[], Teacher], given: dict[str, Any], fragments: tuple[str, ...], among: bool, steps: list[str]
) -> None:
    seer = build()
    model = with_teachers(*[teacher(name="good")] * among, seer)
    steps.clear()
    with untouched(model, seer, given):
        refused(lambda: model.fit(**({"series": Y} | given)), ValueError, *fragments)
        assert not steps


class Failing(pl.Callback):
    """Stops training by an error in the second step."""

    def __init__(self) -> None:
        self.armed = True

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        if self.armed and trainer.global_step >= 2:
            raise RuntimeError("the roof fell in")


def failing(**kwargs: Any) -> tuple[Failing, dict[str, Any]]:
    callback = Failing()
    return callback, kwargs | {"pl_trainer_kwargs": QUIET | {"callbacks": [callback]}}


@pytest.mark.parametrize("fitted", [False, True], ids=["new student", "fitted student"])
def test_an_error_in_the_middle_of_training_leaves_the_student_as_it_was(fitted: bool, steps: list[str]) -> None:
    callback, kwargs = failing(dropout=0.3, hidden_size=8)
    student = TiDEModel(L, H, n_epochs=2, batch_size=8, random_state=2, **kwargs)
    callback.armed = False
    if fitted:
        student.fit(walk(40, 2, seed=5))
    callback.armed = True
    seer = teacher(CostlySensors("lab"))
    model = DistilledModel(student, seer)
    given: dict[str, Any] = {"privileged": {"lab": LAB}, "dataloader_kwargs": {"drop_last": True}}
    before = len(steps)
    with untouched(model, seer, Y, given):
        with pytest.raises(RuntimeError, match="roof"):
            model.fit(Y, **given)
        assert len(steps) > before
    if fitted:
        assert len(student.predict(H, series=Y)) == H

    # nothing of the failed attempt, not even drawn random numbers, is left
    callback.armed = False
    model.fit(Y, **given)
    _, kwargs = failing(dropout=0.3, hidden_size=8)
    kwargs["pl_trainer_kwargs"]["callbacks"][0].armed = False
    fresh = TiDEModel(L, H, n_epochs=2, batch_size=8, random_state=2, **kwargs)
    if fitted:
        fresh.fit(walk(40, 2, seed=5))
        fresh.predict(H, series=Y)
    DistilledModel(fresh, teacher(CostlySensors("lab"))).fit(Y, **given)
    mine, theirs = student.model.state_dict(), fresh.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_an_error_while_a_teacher_is_fitted_leaves_all_as_it_was(steps: list[str]) -> None:
    _, kwargs = failing()
    bad = Teacher(teacher_model(n_epochs=5, **kwargs), CostlySensors("lab"), name="bad")
    good, done = teacher(name="good"), teacher(name="done").fit(Y)
    for student in (student_model(), student_model().fit(Y)):
        model = DistilledModel(student, [good, done, bad])
        with untouched(model, good, done, bad), pytest.raises(RuntimeError, match="roof"):
            model.fit(Y, privileged={"lab": LAB})
    assert steps


def test_teachers_and_arguments_of_a_fit_that_works_are_left_as_they_were() -> None:
    done, new = teacher(name="done").fit(Y), teacher(CostlySensors("lab"), HighResolution("minute"), name="new")
    loader, privileged = {"drop_last": True}, {"lab": LAB, "minute": FINE}
    teachers = [done, new]
    student = student_model()
    model = DistilledModel(student, teachers)
    with untouched(done, new, loader, privileged, Y, teachers):
        model.fit(Y, privileged=privileged, dataloader_kwargs=loader)
        model.fit(Y, privileged=privileged, dataloader_kwargs=loader, epochs=1)
    assert model.student is student
    assert [t.name for t in model.teachers] == ["done", "new"]
    assert all(t.fitted for t in model.teachers)


def seer(answer: Callable[[Tensor, Tensor], Tensor], name: str = "seer") -> Scripted:
    return Scripted(teacher_model().fit(Y), answer, name)


WINDOWS = 40 - L - H + 1


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_a_teacher_without_an_answer_for_some_windows_is_warned_of_and_counted(value: float, balance: float) -> None:
    def answer(labels: Tensor, keys: Tensor) -> Tensor:
        labels[keys[:, 1] < L + 6, 1, 0] = value
        return labels

    student = student_model()
    with pytest.warns(UserWarning, match=rf"'seer'.*7 of {WINDOWS} windows"):
        DistilledModel(student, seer(answer), balance=balance).fit(Y)
    assert all(bool(p.isfinite().all()) for p in student.model.parameters())


def test_a_teacher_without_any_answer_is_warned_of_and_leaves_plain_training() -> None:
    student = student_model(optimizer_cls=torch.optim.SGD, optimizer_kwargs={"lr": 0.1})
    with pytest.warns(UserWarning, match=rf"'seer'.*{WINDOWS} of {WINDOWS} windows"):
        DistilledModel(student, seer(lambda y, _: y * NAN), balance=0.5).fit(Y)
    plain = student_model(optimizer_cls=torch.optim.SGD, optimizer_kwargs={"lr": 0.05}).fit(Y)
    for mine, theirs in zip(student.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_constant_teacher_is_warned_of_and_kept() -> None:
    student = NLinearModel(
        L, H, normalize=False, n_epochs=400, batch_size=100, optimizer_kwargs={"lr": 0.05}, pl_trainer_kwargs=QUIET
    )
    with pytest.warns(UserWarning, match=r"'seer'.*same"):
        DistilledModel(student, seer(lambda y, _: torch.full_like(y, 0.25)), balance=1.0).fit(Y)
    np.testing.assert_allclose(student.predict(H, series=Y).values(), 0.25, atol=0.02)


@pytest.mark.parametrize("until", [4, 6])
def test_windows_whose_sensors_lie_past_the_end_of_training_are_counted_and_left_out(
    until: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest origin lies H = 3 steps before the end: t + until does not exist in the last until − 3 windows."""
    seer = teacher(CostlySensors("lab", until=until))
    longer = walk(60, 2, seed=1, name="lab")
    student = student_model()
    model = DistilledModel(student, seer, balance=0.5)
    with caplog.at_level(logging.INFO, logger="tskd"):
        model.fit(Y, privileged={"lab": longer})
    assert any(
        re.search(rf"'seer'.*\b{until - H} of {WINDOWS} windows", record.getMessage())
        for record in caplog.records
        if record.name.startswith("tskd")
    )
    assert all(bool(p.isfinite().all()) for p in student.model.parameters())
    found = model.teachers[0].historical_forecasts(Y, privileged={"lab": longer})
    assert len(found) == WINDOWS - (until - H)
    assert single(found[-1]).end_time() == Y.end_time() - (until - H) * Y.freq


def test_fine_samples_that_begin_with_the_target_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    """The first step has no samples up to its stamp; the one window that needs them is left out and counted."""
    with caplog.at_level(logging.INFO, logger="tskd"):
        DistilledModel(student_model(), teacher(HighResolution("minute"))).fit(Y, privileged={"minute": FINE})
    assert any(f"1 of {WINDOWS} windows" in record.getMessage() for record in caplog.records)


def test_privileged_values_are_refused_where_nothing_is_fitted() -> None:
    model = DistilledModel(student_model(), teacher(CostlySensors("lab"))).fit(Y, privileged={"lab": LAB})
    with untouched(model):
        refused(
            lambda: model.historical_forecasts(Y, retrain=False, privileged={"lab": LAB}),
            ValueError,
            "privileged",
            "retrain",
        )
        with pytest.raises((TypeError, ValueError)):
            model.predict(H, privileged={"lab": LAB})


def test_bad_data_in_rolling_evaluation_leave_the_model_as_it_was(steps: list[str]) -> None:
    model = DistilledModel(student_model(), teacher(CostlySensors("lab"))).fit(Y, privileged={"lab": LAB})
    steps.clear()
    for privileged, fragment in (({"lap": LAB}, "'lap'"), (None, "'lab'"), ({"lab": LAB[5:]}, "04:00:00")):
        fit_kwargs: dict[str, Any] = {"dataloader_kwargs": {"drop_last": True}}
        with untouched(model, fit_kwargs):
            refused(
                partial(
                    model.historical_forecasts,
                    Y,
                    privileged=privileged,
                    start=30,
                    retrain=True,
                    fit_kwargs=fit_kwargs,
                    show_warnings=False,
                ),
                ValueError,
                fragment,
            )
            assert not steps
    with untouched(model):
        model.historical_forecasts(Y, privileged={"lab": LAB}, start=34, retrain=True, show_warnings=False)
    assert steps
