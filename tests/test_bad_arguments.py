"""Arguments of a wrong type or size are refused by name, by every call that takes them, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from darts.models import DLinearModel, NLinearModel

from tests.helpers.models import fast
from tests.helpers.refusals import refused, untouched
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, Teacher, audit, expected_gain
from tskd.balance import ScheduledBalance
from tskd.losses import AutoregressiveKD, LevelShapeKD, MultiScaleKD, TeacherBounded
from tskd.privileged import CostlySensors, FutureHorizon, WayPoint
from tskd.teachers.base import BaseTeacher
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import CAMKD, DEMKD, LFME, BatesGranger

L, H = 4, 3
Y, LAB, PAST = walk(40, 2), walk(40, 2, seed=1, name="lab"), walk(43, 2, seed=2, name="past")
EMPTY = Y[:0]


def teacher(**kwargs: Any) -> Teacher:
    return Teacher(DLinearModel(L, H, **fast()), CostlySensors("lab"), name="seer", **kwargs)


def student(**kwargs: Any) -> NLinearModel:
    return NLinearModel(L, H, **fast(**kwargs))


@pytest.fixture(scope="module")
def fitted() -> DistilledModel:
    return DistilledModel(student(), teacher()).fit(Y, PAST, privileged={"lab": LAB})


def refuses_fit(given: dict[str, Any], kind: type[Exception], *fragments: str, steps: list[str]) -> None:
    model = DistilledModel(student(), teacher())
    arguments = {"series": Y, "past_covariates": PAST, "privileged": {"lab": LAB}} | given
    with untouched(model, model.student):
        refused(lambda: model.fit(**arguments), kind, *fragments)
    assert not steps


WITHOUT_STEPS: dict[str, dict[str, Any]] = {
    "series": {"series": EMPTY},
    r"series\[1\]": {"series": [Y, EMPTY], "past_covariates": None, "privileged": {"lab": [LAB, LAB]}},
    "past_covariates": {"past_covariates": PAST[:0]},
    "future_covariates": {"future_covariates": PAST[:0]},
    "lab": {"privileged": {"lab": LAB[:0]}},
    "val_series": {"val_series": EMPTY},
    "val_past_covariates": {"val_series": Y, "val_past_covariates": PAST[:0]},
    "val_privileged": {"val_series": Y, "val_past_covariates": PAST, "val_privileged": {"lab": LAB[:0]}},
    "sample_weight": {"sample_weight": EMPTY},
}


@pytest.mark.parametrize("what", list(WITHOUT_STEPS))
def test_a_series_without_steps_is_refused_by_a_fit(what: str, steps: list[str]) -> None:
    refuses_fit(WITHOUT_STEPS[what], ValueError, what, "no steps", steps=steps)


def generator() -> Any:
    return (series for series in [Y])


NO_SERIES: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "text": (lambda: "abc", TypeError),
    "array": (Y.values, TypeError),
    "frame": (Y.to_dataframe, TypeError),
    "number": (lambda: 3, TypeError),
    "generator": (generator, TypeError),
    "list of texts": (lambda: ["abc"], TypeError),
    "list of lists": (lambda: [[Y]], TypeError),
    "empty list": (list, ValueError),
    "no steps": (lambda: EMPTY, ValueError),
}
CALLS: dict[str, Callable[..., Any]] = {
    "predict": lambda model, **given: model.predict(H, **given),
    "roll": lambda model, **given: model.historical_forecasts(**given, retrain=False),
    "roll and retrain": lambda model, **given: model.historical_forecasts(**given, start=36),
    "backtest": lambda model, **given: model.backtest(**given, retrain=False),
    "residuals": lambda model, **given: model.residuals(**given, retrain=False),
    "teacher": lambda model, **given: model.teachers[0].historical_forecasts(**given, privileged={"lab": LAB}),
}


@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize("what", ["series", "past_covariates"])
@pytest.mark.parametrize("value", list(NO_SERIES))
def test_what_is_no_series_is_refused_by_every_use(
    fitted: DistilledModel, call: str, what: str, value: str, steps: list[str]
) -> None:
    made, kind = NO_SERIES[value]
    given = {"series": Y, "past_covariates": PAST} | {what: made()}
    with untouched(fitted):
        refused(partial(CALLS[call], fitted, **given), kind, what)
    assert not steps


OTHER_CALLS: dict[str, Callable[..., Any]] = {
    "audit": lambda model, series, lab: audit(model, series, PAST, privileged={"lab": lab}, verbose=False),
    "expected_gain": lambda _, series, lab: expected_gain(
        DistilledModel(student(), teacher()), series, privileged={"lab": lab}
    ),
    "fit of a teacher": lambda _, series, lab: teacher().fit(series, privileged={"lab": lab}),
    "fit of a reconstruction": lambda _, series, lab: Reconstruction("lab").fit(series, privileged={"lab": lab}),
    "fit": lambda _, series, lab: DistilledModel(student(), teacher()).fit(series, privileged={"lab": lab}),
    "validation of a fit": lambda _, series, lab: DistilledModel(student(), teacher()).fit(
        Y, privileged={"lab": LAB}, val_series=series, val_privileged={"lab": lab}
    ),
}


@pytest.mark.parametrize("call", list(OTHER_CALLS))
@pytest.mark.parametrize("value", list(NO_SERIES))
def test_what_is_no_series_is_refused_by_every_other_call(
    fitted: DistilledModel, call: str, value: str, steps: list[str]
) -> None:
    made, kind = NO_SERIES[value]
    with untouched(fitted):
        refused(lambda: OTHER_CALLS[call](fitted, made(), LAB), kind, "^(val_)?series ")
        refused(lambda: OTHER_CALLS[call](fitted, Y, made()), kind, r"privileged.*\['lab'\] ")
    assert not steps


def test_as_many_covariates_as_series_are_asked_for(fitted: DistilledModel) -> None:
    refused(lambda: fitted.predict(H, [Y, Y], [PAST]), ValueError, "past_covariates holds 1", "2 target")


@pytest.mark.parametrize("std", [None, EMPTY], ids=["values", "std"])
def test_given_answers_without_steps_are_refused(std: TimeSeries | None) -> None:
    refused(
        lambda: Teacher.from_series(EMPTY if std is None else Y, name="given", std=std), ValueError, "given", "no steps"
    )
    refused(lambda: Teacher.from_forecasts([EMPTY], name="given"), ValueError, "given", "no steps")


NUMBERS: dict[str, Any] = {
    "zero": 0,
    "below": -1,
    "half": 2.5,
    "text": "2",
    "truth": True,
    "huge": 10**30,
    "beyond all texts": -(10**10_000),
}


@pytest.mark.parametrize("kind", list(NUMBERS))
@pytest.mark.parametrize("name", ["stride", "max_samples_per_ts", "n", "num_samples", "forecast_horizon"])
def test_numbers_of_steps_and_windows_are_whole_and_above_0(
    fitted: DistilledModel, name: str, kind: str, steps: list[str]
) -> None:
    value = NUMBERS[kind]
    calls: dict[str, Callable[[], Any]] = {
        "n": lambda: fitted.predict(value, Y, PAST),
        "num_samples": lambda: fitted.predict(H, Y, PAST, num_samples=value),
        "forecast_horizon": lambda: fitted.historical_forecasts(Y, PAST, retrain=False, forecast_horizon=value),
    }
    if name in calls:
        refused(calls[name], ValueError, f"^{name}=")
    else:
        refuses_fit({name: value}, ValueError, f"^{name}=", steps=steps)
        refused(lambda: teacher().fit(Y, privileged={"lab": LAB}, **{name: value}), ValueError, f"^{name}=")


@pytest.mark.parametrize("stride", [0, "1", np.float32(2)])
def test_the_stride_of_rolling_evaluation_is_a_whole_number(fitted: DistilledModel, stride: Any) -> None:
    for call in (fitted.historical_forecasts, fitted.backtest):
        refused(partial(call, Y, PAST, retrain=False, stride=stride), ValueError, "^stride=")


TRUTH_VALUES: dict[str, Callable[[DistilledModel, Any], Any]] = {
    "soft_sensor": lambda _, value: DistilledModel(student(), soft_sensor=value),
    "sees_inputs": lambda _, value: teacher(sees_inputs=value),
    "fills_past": lambda _, value: Reconstruction("lab", fills_past=value),
    "features": lambda _, value: CAMKD(features=value),
    "decoupled": lambda _, value: DEMKD(decoupled=value),
    "load_best": lambda model, value: model.fit(Y, PAST, privileged={"lab": LAB}, load_best=value),
    "verbose": lambda model, value: model.fit(Y, PAST, privileged={"lab": LAB}, verbose=value),
    "verbose of audit": lambda model, value: audit(model, Y, PAST, privileged={"lab": LAB}, verbose=value),
    "clean": lambda model, value: model.save("never written", clean=value),
    "last_points_only": lambda model, value: model.historical_forecasts(Y, PAST, retrain=False, last_points_only=value),
    "mc_dropout": lambda model, value: model.predict(H, Y, PAST, mc_dropout=value),
}


@pytest.mark.parametrize("name", list(TRUTH_VALUES))
@pytest.mark.parametrize("value", ["no", 0, 1.0])
def test_a_truth_value_is_not_read_into_anything_else(
    fitted: DistilledModel, name: str, value: Any, steps: list[str]
) -> None:
    with untouched(fitted):
        refused(partial(TRUTH_VALUES[name], fitted, value), TypeError, f"{name.split()[0]}.*={value!r}.*True or False")
    assert not steps


@pytest.mark.parametrize("target", [3, "", True, ["lab"]])
def test_the_target_of_a_teacher_is_the_key_of_a_series(target: Any) -> None:
    refused(lambda: teacher(target=target), ValueError, "target=", "'seer'")


ALONE: dict[str, Any] = {
    "val_past_covariates": PAST,
    "val_future_covariates": PAST,
    "val_privileged": {"lab": LAB},
    "val_sample_weight": "linear",
}


@pytest.mark.parametrize("name", list(ALONE))
def test_what_would_be_ignored_without_a_validation_part_is_refused(name: str, steps: list[str]) -> None:
    refuses_fit({name: ALONE[name]}, ValueError, name, "without val_series", steps=steps)
    if name != "val_sample_weight":
        given = {"privileged": {"lab": LAB}, name: ALONE[name]}
        refused(lambda: teacher().fit(Y, **given), ValueError, name, "without val_series")


HUGE: dict[str, Callable[[], Any]] = {
    "end": lambda: FutureHorizon("lab", end=10**30),
    "mean_over": lambda: FutureHorizon("lab", mean_over=10**30),
    "noise_variance": lambda: FutureHorizon("lab", noise_variance=10**30),
    "step": lambda: WayPoint("lab", 10**30),
    "until": lambda: CostlySensors("lab", until=10**30),
    "scales": lambda: MultiScaleKD(scales=10**30),
    "scales of a million": lambda: MultiScaleKD(scales=10**6),
    "steps": lambda: AutoregressiveKD(steps=10**30),
    "level": lambda: LevelShapeKD(level=10**30),
    "margin": lambda: TeacherBounded(margin=10**30),
    "shrinkage": lambda: BatesGranger(shrinkage=10**30),
    "temperature": lambda: CAMKD(temperature=10**30),
    "bins": lambda: LFME(bins=10**30),
    "warm_up": lambda: ScheduledBalance(0.5, warm_up=10**30),
    "cross_fit": lambda: teacher(cross_fit=10**30),
    "block": lambda: CrossFit(2, 10**30),
    "steps of a reconstruction": lambda: Reconstruction("lab", steps=10**30),
    "first_step": lambda: Teacher.from_forecasts([Y], name="given", first_step=10**30),
}


@pytest.mark.parametrize("name", list(HUGE))
def test_numbers_that_no_data_have_are_refused(name: str) -> None:
    refused(HUGE[name], ValueError, f"{name.split()[0]}=10", "at most|below")


FAR: dict[str, Callable[[], BaseTeacher]] = {
    "reads up to step 1000000": lambda: Teacher(DLinearModel(L, H, **fast()), FutureHorizon("lab", end=10**6)),
    "reads up to step 37 after": lambda: Teacher(DLinearModel(L, H, **fast()), WayPoint("lab", 37)),
    "reads up to step 999999": lambda: Teacher(DLinearModel(L, H, **fast()), CostlySensors("lab", until=999_999)),
    "38 folds, and there are 34": lambda: teacher(cross_fit=38),
    "steps=40": lambda: Reconstruction("lab", steps=40),
}


@pytest.mark.parametrize("message", list(FAR))
def test_what_lies_past_the_data_is_refused_before_any_training(message: str, steps: list[str]) -> None:
    model = DistilledModel(student(), [Teacher(DLinearModel(L, H, **fast()), name="good"), FAR[message]()])
    refused(lambda: model.fit(Y, privileged={"lab": LAB}), ValueError, message)
    assert not steps


def test_the_last_step_that_a_window_has_can_be_read() -> None:
    seer = Teacher(DLinearModel(L, H, **fast()), WayPoint("lab", 36)).fit(Y, privileged={"lab": LAB})
    assert len(seer.historical_forecasts(Y, privileged={"lab": LAB})) == 1
