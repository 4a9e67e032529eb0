"""Errors of rolling forecasts without a series for each: the same as darts', and darts itself where more is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.metrics import mae, mape, mse, rmse
from darts.models import BlockRNNModel, DLinearModel, NLinearModel, TiDEModel, TSMixerModel
from darts.utils.likelihood_models import QuantileRegression

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel
from tskd.distillation import darts_surface

LOOKBACK, HORIZON = 7, 4
SERIES = walk(41, components=2)
SEVERAL = [SERIES, walk(29, components=2, seed=3)]
WEATHER = walk(60, seed=4, name="weather")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each evaluation from now on does without darts."""
    found: list[bool] = []
    original = darts_surface.errors_of_windows

    def watched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        found.append(result is not None)
        return result

    monkeypatch.setattr(darts_surface, "errors_of_windows", watched)
    return found


def fitted(kind: Any = DLinearModel, series: Any = SERIES, covariates: Any = None, **kwargs: Any) -> DistilledModel:
    student = kind(LOOKBACK, HORIZON, **fast(**kwargs))
    return DistilledModel(student, []).fit(series, **covariates or {})


SAME: dict[str, dict[str, Any]] = {
    "one step": {},
    "a horizon": {"forecast_horizon": HORIZON},
    "a part of it": {"forecast_horizon": 3, "stride": 5},
    "a share": {"start": 0.6, "stride": 2},
    "a date": {"start": SERIES.time_index[20], "forecast_horizon": 2},
    "a position": {"start": -9, "start_format": "position"},
    "not reduced": {"reduction": None, "forecast_horizon": 2},
    "the median": {"reduction": np.median, "forecast_horizon": 2},
    "several metrics": {"metric": [rmse, mae, mse], "forecast_horizon": 3},
    "several, not reduced": {"metric": [mse, rmse], "reduction": None},
}


@pytest.mark.parametrize("several", [False, True], ids=["one series", "several"])
@pytest.mark.parametrize("case", SAME)
def test_errors_are_those_of_darts(case: str, several: bool, quick: list[bool]) -> None:
    arguments = {"metric": rmse, "retrain": False, **SAME[case]}
    model, series = fitted(), SEVERAL if several else SERIES
    found = model.backtest(series, **arguments)
    expected = model.student.backtest(series, **arguments)
    assert quick == [True]
    assert type(found) is type(expected)
    for one, other in zip(found, expected, strict=True) if several else [(found, expected)]:
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-6)


MODELS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "past covariates": (TiDEModel, {}, {"past_covariates": WEATHER}),
    "future covariates": (TiDEModel, {}, {"future_covariates": WEATHER}),
    "both": (TSMixerModel, {"hidden_size": 4}, {"past_covariates": WEATHER, "future_covariates": WEATHER}),
    "a recurrent one": (BlockRNNModel, {}, {}),
    "components by themselves": (NLinearModel, {"shared_weights": True}, {}),
}


@pytest.mark.parametrize("case", MODELS)
def test_of_any_model(case: str, quick: list[bool]) -> None:
    kind, kwargs, covariates = MODELS[case]
    model = fitted(kind, covariates=covariates, **kwargs)
    arguments = {**covariates, "metric": mse, "forecast_horizon": HORIZON, "retrain": False}
    found, expected = model.backtest(SERIES, **arguments), model.student.backtest(SERIES, **arguments)
    assert quick == [True]
    assert found == pytest.approx(expected, rel=1e-6)


def test_with_static_covariates_and_whole_numbers_as_stamps(quick: list[bool]) -> None:
    values = SERIES.values()
    series = TimeSeries.from_values(values).with_static_covariates(pd.DataFrame({"size": [1.0, -2.0]}))
    model = fitted(TiDEModel, series, use_static_covariates=True)
    arguments: dict[str, Any] = {"metric": mae, "forecast_horizon": 3, "start": 25, "retrain": False}
    assert model.backtest(series, **arguments) == pytest.approx(model.student.backtest(series, **arguments), rel=1e-6)
    assert quick == [True]


DARTS: dict[str, dict[str, Any]] = {
    "another metric": {"metric": mape},
    "one that is another": {"metric": [mae, mape]},
    "arguments of the metric": {"metric_kwargs": {"component_reduction": None}},
    "past the output chunk": {"forecast_horizon": HORIZON + 1},
    "past the end": {"overlap_end": True},
    "last points": {"last_points_only": True},
    "without optimization": {"enable_optimization": False},
}


@pytest.mark.parametrize("case", DARTS)
def test_darts_is_asked_for_more(case: str, quick: list[bool]) -> None:
    model = fitted()
    # far from 0, for percentages
    arguments = {"metric": mae, "retrain": False, **DARTS[case]}
    found, expected = (one.backtest(SERIES + 100, **arguments) for one in (model, model.student))
    assert quick == [False]
    np.testing.assert_array_equal(found, expected)


def test_samples_and_later_steps_are_left_to_darts(quick: list[bool]) -> None:
    for kwargs in ({"likelihood": QuantileRegression([0.1, 0.5, 0.9])}, {"output_chunk_shift": 2}):
        model = fitted(**kwargs)
        model.backtest(SERIES, metric=mae, forecast_horizon=HORIZON, retrain=False)
    assert quick == [False, False]


def test_origins_whose_inputs_are_missing_are_left_out(quick: list[bool]) -> None:
    values = SERIES.values(copy=True)
    values[12] = np.nan
    gapped, model = SERIES.with_values(values), fitted()
    found = model.backtest(gapped, metric=mae, reduction=None, start=0, start_format="position", retrain=False)
    assert quick == [False]
    assert len(found) < len(SERIES) - LOOKBACK


@pytest.mark.parametrize(
    "wrong",
    [{"start": 9.5}, {"start": 500, "start_format": "position"}, {"stride": 0}, {"forecast_horizon": -1}],
    ids=str,
)
def test_what_darts_refuses_is_refused(wrong: dict[str, Any]) -> None:
    model = fitted()
    with pytest.raises((ValueError, TypeError)) as ours:
        model.backtest(SERIES, metric=mae, retrain=False, **wrong)
    with pytest.raises((ValueError, TypeError)):
        model.student.backtest(SERIES, metric=mae, retrain=False, **wrong)
    assert next(iter(wrong)) in str(ours.value)


def test_a_series_that_is_too_short_and_an_untrained_student_are_refused() -> None:
    with pytest.raises(ValueError, match=r"too short|[Cc]annot"):
        fitted().backtest(SERIES[:LOOKBACK], metric=mae, retrain=False)
    with pytest.raises(ValueError, match="fit"):
        DistilledModel(DLinearModel(LOOKBACK, HORIZON, **fast()), []).backtest(SERIES, metric=mae, retrain=False)


def test_what_a_rolling_forecast_refuses_is_refused() -> None:
    """Components in another order, and static covariates that the student has not seen."""
    swapped = SERIES[["y1", "y0"]]
    with pytest.raises(ValueError, match="y1"):
        fitted().backtest(swapped, metric=mae, retrain=False)
    sized = SERIES.with_static_covariates(pd.DataFrame({"size": [1.0, -2.0]}))
    model = fitted(TiDEModel, sized, use_static_covariates=True)
    other = SERIES.with_static_covariates(pd.DataFrame({"weight": [1.0, -2.0]}))
    for series in (SERIES, other):
        with pytest.raises(ValueError, match=r"student.*static"):
            model.backtest(series, metric=mae, retrain=False)
