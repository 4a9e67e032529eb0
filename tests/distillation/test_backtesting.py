"""Rolling evaluation: every origin is distilled afresh on what was known there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.metrics import ae, mae
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import single, walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors

# the first step of Adam has one length, whatever the gradient: students of other data would be the same
DESCENT: dict[str, Any] = {"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 0.1}}
SETTINGS: dict[str, Any] = fast(input_chunk_length=6, output_chunk_length=3, random_state=5, **DESCENT)
SERIES = walk(40)
LAB = walk(60, seed=1, name="lab")
ROLLING: dict[str, Any] = {"forecast_horizon": 3, "start": -6, "start_format": "position", "stride": 2}


def model() -> DistilledModel:
    return DistilledModel(DLinearModel(**SETTINGS), Teacher(TiDEModel(**SETTINGS), CostlySensors("lab"), name="t"))


def by_hand(series: TimeSeries, lab: TimeSeries) -> list[np.ndarray]:
    forecasts = []
    for origin in range(len(series) - 6, len(series) - 2, 2):
        known = series[:origin]
        fresh = model().fit(known, privileged={"lab": lab.drop_after(known.end_time(), keep_point=True)})
        forecasts.append(single(fresh.predict(3)).values())
    return forecasts


def test_each_forecast_is_that_of_a_model_distilled_at_its_origin() -> None:
    found = model().historical_forecasts(SERIES, privileged={"lab": LAB}, last_points_only=False, **ROLLING)
    expected = by_hand(SERIES, LAB)
    assert len(found) == len(expected) == 2
    for forecast, values in zip(found, expected, strict=True):
        np.testing.assert_array_equal(forecast.values(), values)


def test_several_series_each_with_its_own_privileged_one() -> None:
    others = [SERIES, walk(35, seed=7)]
    labs = [LAB, walk(60, seed=8, name="lab")]
    found = model().historical_forecasts(others, privileged={"lab": labs}, last_points_only=False, **ROLLING)
    for forecasts, series, lab in zip(found, others, labs, strict=True):
        for forecast, values in zip(forecasts, by_hand(series, lab), strict=True):
            np.testing.assert_array_equal(forecast.values(), values)


def test_backtest_and_residuals_measure_those_forecasts() -> None:
    forecasts = model().historical_forecasts(SERIES, privileged={"lab": LAB}, last_points_only=False, **ROLLING)
    score = model().backtest(SERIES, privileged={"lab": LAB}, metric=mae, **ROLLING)
    np.testing.assert_allclose(score, np.mean([mae(SERIES, forecast) for forecast in forecasts]))
    residuals = model().residuals(SERIES, privileged={"lab": LAB}, metric=ae, values_only=True, **ROLLING)
    last = [abs(f.values()[-1] - SERIES.slice_intersect(f).values()[-1]).item() for f in forecasts]
    np.testing.assert_allclose(np.ravel(residuals), last, rtol=1e-6)


def test_without_retraining_the_student_alone_forecasts() -> None:
    fitted = model().fit(SERIES, privileged={"lab": LAB})
    settings = {"retrain": False, "last_points_only": False, **ROLLING}
    ours = fitted.historical_forecasts(SERIES, **settings)
    darts = fitted.student.historical_forecasts(SERIES, **settings)
    assert ours == darts
    assert fitted.backtest(SERIES, retrain=False, **ROLLING) == fitted.student.backtest(
        SERIES, retrain=False, **ROLLING
    )
    with pytest.raises(ValueError, match="is for retrain"):
        fitted.historical_forecasts(SERIES, privileged={"lab": LAB}, **settings)


def test_rolling_leaves_the_model_as_it_was() -> None:
    fitted = model().fit(SERIES, privileged={"lab": LAB})
    before = single(fitted.predict(3)).values()
    fitted.historical_forecasts(SERIES, privileged={"lab": LAB}, **ROLLING)
    np.testing.assert_array_equal(single(fitted.predict(3)).values(), before)
    unfitted = model()
    unfitted.historical_forecasts(SERIES, privileged={"lab": LAB}, **ROLLING)
    assert unfitted.student.model is None and not unfitted.teachers[0].fitted


def test_validation_at_each_origin_reaches_the_teachers_too() -> None:
    settings = ROLLING | {"val_length": 10, "start": -1, "stride": 1, "forecast_horizon": 1}
    found = model().historical_forecasts(SERIES, privileged={"lab": LAB}, **settings)
    assert len(found) == 1


def test_each_series_has_its_own_weights() -> None:
    series, weights = [SERIES, walk(35, seed=7)], [walk(40, seed=11) ** 2, walk(35, seed=12) ** 2]
    labs = [LAB, walk(60, seed=8, name="lab")]
    together = model().historical_forecasts(series, privileged={"lab": labs}, sample_weight=weights, **ROLLING)
    alone = model().historical_forecasts(series[1], privileged={"lab": labs[1]}, sample_weight=weights[1], **ROLLING)
    np.testing.assert_array_equal(together[1].values(), alone.values())


@pytest.mark.parametrize("slot", ["past_covariates", "future_covariates"])
def test_each_series_has_its_own_covariates(slot: str) -> None:
    series, covariates = [SERIES, walk(35, seed=7)], [walk(50, seed=seed, name="c") for seed in (20, 21)]
    plain = DistilledModel(TiDEModel(**SETTINGS), balance=0)
    together = plain.historical_forecasts(series, **ROLLING | {slot: covariates})
    alone = [
        plain.historical_forecasts(series[1], **ROLLING | {slot: one}).values()
        for one in (covariates[1], covariates[0])
    ]
    np.testing.assert_array_equal(together[1].values(), alone[0])
    assert not np.array_equal(*alone)


def test_covariates_of_several_series_are_several() -> None:
    with pytest.raises(ValueError, match="past_covariates holds 1 series, but there are 2"):
        model().historical_forecasts([SERIES, SERIES], LAB, privileged={"lab": [LAB, LAB]}, **ROLLING)


def test_a_loaded_model_is_distilled_afresh_like_the_saved_one(tmp_path: Path) -> None:
    fitted = model().fit(SERIES, privileged={"lab": LAB})
    fitted.save(tmp_path / "model")
    again = DistilledModel.load(tmp_path / "model")
    found = [m.historical_forecasts(SERIES, privileged={"lab": LAB}, **ROLLING).values() for m in (fitted, again)]
    np.testing.assert_array_equal(*found)


def test_a_teacher_has_seen_its_validation_too() -> None:
    teacher = Teacher(TiDEModel(**SETTINGS)).fit(SERIES[:25], val_series=SERIES[20:])
    distilled = DistilledModel(DLinearModel(**SETTINGS), teacher)
    with pytest.raises(ValueError, match="fitted on data up to"):
        distilled.historical_forecasts(SERIES, **ROLLING)


@pytest.mark.parametrize("method", ["backtest", "residuals"])
def test_no_argument_is_dropped(method: str) -> None:
    fitted = model().fit(SERIES, privileged={"lab": LAB})
    with pytest.raises(TypeError, match="positional"):
        getattr(fitted, method)(SERIES, None, None, None, 4, retrain=False)
    with pytest.raises(TypeError, match="past_covariates"):
        getattr(fitted, method)(SERIES, None, past_covariates=LAB, retrain=False)


@pytest.mark.parametrize("retrain", [False, True], ids=["once", "anew"])
@pytest.mark.parametrize("method", ["historical_forecasts", "backtest", "residuals"])
def test_no_transformers_are_none(method: str, retrain: bool) -> None:
    """`{}` is as if nothing were given; darts itself looks for the largest of no numbers."""
    fitted = model().fit(SERIES, privileged={"lab": LAB})
    own: dict[str, Any] = {"retrain": retrain, **({"privileged": {"lab": LAB}} if retrain else {}), **ROLLING}
    own |= {} if method == "historical_forecasts" else {"metric": ae if method == "residuals" else mae}
    found = getattr(fitted, method)(SERIES, **own, data_transformers={})
    expected = getattr(fitted, method)(SERIES, **own)
    assert repr(found) == repr(expected)
