"""Errors of a rolling evaluation on a series of which few steps have a label."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from darts.metrics import ae, mae, rmse
from darts.models import DLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel

L, H = 6, 3
FULL, COLD, WEATHER = walk(40, 2), walk(40, 2, seed=2), walk(40, seed=1, name="weather")


def kept(series: TimeSeries, *steps: int) -> TimeSeries:
    """The labels of some steps alone, of the first component; of the second, no more than the first of them."""
    values = np.full((len(series), 2), np.nan, dtype=series.dtype)
    values[list(steps), 0] = series.values()[list(steps), 0]
    values[steps[:1], 1] = series.values()[steps[:1], 1]
    return series.with_values(values)


FEW = kept(FULL, 12, 13, 20, 33)


@pytest.fixture(scope="module")
def sensor() -> DistilledModel:
    return DistilledModel(DLinearModel(L, H, **fast()), soft_sensor=True).fit(FULL, WEATHER)


@pytest.fixture(autouse=True)
def loud() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def errors(model: DistilledModel, labels: TimeSeries) -> list[np.ndarray]:
    """Errors of each forecast `[H, 2]`, NaN where there is no label."""
    rolled = model.historical_forecasts(labels, WEATHER, retrain=False, forecast_horizon=H, last_points_only=False)
    return [forecast.values() - labels.slice_intersect(forecast).values() for forecast in rolled]


def by_hand(each: list[np.ndarray], error: Any) -> float:
    """The mean over forecasts with a label, of the mean over components with one, of the error over labelled steps."""
    scores = []
    for one in each:
        columns = [error(column[np.isfinite(column)]) for column in one.T if np.isfinite(column).any()]
        scores += [np.mean(columns)] if columns else []
    return float(np.mean(scores))


@pytest.mark.parametrize(
    ("metric", "error"), [(mae, lambda e: np.mean(np.abs(e))), (rmse, lambda e: np.sqrt(np.mean(e**2)))]
)
def test_an_error_is_of_the_labelled_steps(sensor: DistilledModel, metric: Any, error: Any) -> None:
    """Of 32 windows of three steps each, ten hold one or two of the four labels."""
    each = errors(sensor, FEW)
    assert len(each) == 32 and sum(bool(np.isfinite(one).any()) for one in each) == 3 + 1 + 3 + 3
    found = sensor.backtest(FEW, WEATHER, retrain=False, forecast_horizon=H, metric=metric)
    assert found == pytest.approx(by_hand(each, error))


def test_residuals_are_missing_where_labels_are(sensor: DistilledModel) -> None:
    found = sensor.residuals(FEW, WEATHER, retrain=False, metric=ae, values_only=True, forecast_horizon=1)
    expected = np.abs(np.stack([one[0] for one in errors(sensor, FEW)]))
    # one step ahead from origins 5 to 38, and three from 5 to 36
    np.testing.assert_allclose(found[: len(expected), :, 0], expected, rtol=1e-5)
    assert np.isfinite(found).sum() == 4 + 1


@pytest.mark.parametrize("method", ["backtest", "residuals"])
def test_a_series_without_a_label_in_reach_is_told(sensor: DistilledModel, method: str) -> None:
    rolling = {"retrain": False, "forecast_horizon": H, "start": 34, "start_format": "position"}
    with pytest.warns(UserWarning, match="^series: no forecast covers a step that has a label, so its errors are NaN"):
        found = getattr(sensor, method)(FEW, WEATHER, **rolling)
    assert np.isnan(found if method == "backtest" else found.values()).all()
    pair = [kept(COLD, 36), FEW]
    with pytest.warns(UserWarning, match=r"^series\[1\]: no forecast"):
        found = sensor.backtest(pair, [WEATHER, WEATHER], metric=mae, **rolling)
    assert np.isfinite(found[0]) and np.isnan(found[1])
