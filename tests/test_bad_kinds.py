"""Kinds of bad arguments that calls drawn at random have found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries, metrics
from darts.models import NLinearModel, TiDEModel

from tests.helpers.experiments import toy_config
from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel
from tskd.datasets import DataSet
from tskd.experiment import Experiment

L, H = 4, 3
Y, PAST = walk(40), walk(40, 2, seed=2, name="past")
NUMBERED = TimeSeries.from_times_and_values(pd.RangeIndex(3, 12), np.arange(9.0, dtype="float32"))


@pytest.fixture(scope="module")
def fitted() -> DistilledModel:
    return DistilledModel(NLinearModel(L, H, **fast()), balance=0).fit(Y)


GIVING: dict[str, Callable[..., Any]] = {
    "both series": lambda actual, forecast: (actual, forecast),
    "a series": lambda actual, forecast: actual,
    "a text": lambda actual, forecast: "0.5",
    "nothing": lambda actual, forecast: None,
    "of no module": eval("lambda actual, forecast: actual", {}),
}


@pytest.mark.parametrize("case", list(GIVING))
def test_a_metric_that_gives_no_numbers_is_refused(fitted: DistilledModel, case: str) -> None:
    with pytest.raises(TypeError, match="metric: it must give numbers"):
        fitted.backtest(Y, retrain=False, metric=GIVING[case])


def test_a_metric_of_ones_own_counts_as_darts_own(fitted: DistilledModel) -> None:
    def error(actual: Any, forecast: Any) -> Any:
        return np.array(metrics.mae(actual, forecast))

    def several(actual: Any, forecast: Any) -> Any:
        return metrics.mae(actual, forecast)

    expected = fitted.backtest(Y, retrain=False, metric=metrics.mae)
    assert fitted.backtest(Y, retrain=False, metric=several) == expected
    both = fitted.backtest(Y, retrain=False, metric=[error, metrics.mae])
    assert list(both) == [expected, expected]


@pytest.mark.parametrize("given", [NUMBERED, [NUMBERED, NUMBERED], [[NUMBERED]]], ids=["one", "list", "nested"])
def test_forecasts_on_another_index_are_refused(fitted: DistilledModel, given: Any) -> None:
    series = [Y] if isinstance(given, list) and isinstance(given[0], list) else Y
    with pytest.raises(ValueError, match="historical_forecasts are indexed by whole numbers, and the series by time"):
        fitted.residuals(series, retrain=False, historical_forecasts=given)


@pytest.mark.parametrize("value", [10**400, [0.5, 10**400], -(10**400), 10**20], ids=["large", "list", "low", "2**66"])
def test_a_balance_beyond_a_float_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="balance"):
        Experiment(**toy_config(arms=[{"name": "taught", "teachers": "equal", "balance": value}]))


EMPTY: dict[str, dict[str, Any]] = {
    "series": {"series": Y[:0]},
    "past_covariates": {"past_covariates": PAST[:0]},
    "lab": {"privileged": {"lab": PAST[:0]}},
}


@pytest.mark.parametrize("what", list(EMPTY))
def test_a_data_set_of_a_series_without_steps_is_refused(what: str) -> None:
    given = {"series": Y, "validation_start": 0.5, "test_start": 0.75} | EMPTY[what]
    with pytest.raises(ValueError, match=f"data set 'toy': .*{what}.* has no steps"):
        DataSet(name="toy", **given)


@pytest.fixture(scope="module")
def sensor() -> DistilledModel:
    small = {"hidden_size": 4, "decoder_output_dim": 2, "temporal_decoder_hidden": 3}
    return DistilledModel(TiDEModel(L, H, **small, **fast()), balance=0, soft_sensor=True).fit(Y, PAST)


@pytest.mark.parametrize("start", ["2200-01-01", "1950-03-04", pd.Timestamp("2020-01-02 17:00")], ids=str)
def test_a_start_at_which_no_covariates_are_known_is_refused(sensor: DistilledModel, start: Any) -> None:
    """The last step is 2020-01-02 15:00: a forecast may begin in the step after it."""
    with pytest.raises(ValueError, match=r"start=.*past_covariates are known from 2020-01-01 .* to 2020-01-02 15:00"):
        sensor.predict(2, past_covariates=PAST, start=start)
    assert len(sensor.predict(2, past_covariates=PAST, start=pd.Timestamp("2020-01-02 16:00"))) == 2


def test_a_start_beyond_the_stamps_of_older_pandas_is_refused(sensor: DistilledModel) -> None:
    with pytest.raises(ValueError, match=r"^start='3000-01-01'"):
        sensor.predict(2, past_covariates=PAST, start="3000-01-01")
