"""Distilling in ten lines, as a user of darts would: several series of different names, one privileged series."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.metrics import mae
from darts.models import LinearRegressionModel, NLinearModel

from tests.helpers.models import fast
from tskd import DistilledModel, Teacher
from tskd.privileged import FutureHorizon

TIMES = pd.date_range("2024-01-01", periods=120, freq="h")
HEAT = np.random.default_rng(3).normal(size=120).cumsum() / 4


def place(name: str, first: int, scale: float) -> TimeSeries:
    noise = np.random.default_rng(first).normal(size=120) / 20
    series = TimeSeries.from_times_and_values(TIMES, np.float32(scale * HEAT + noise), columns=[name])
    return series[first:]


def test_three_series_of_different_names_distilled_in_ten_lines(caplog: pytest.LogCaptureFixture) -> None:
    air, milk, beer = place("air", 0, 1.0), place("milk", 10, -0.5), place("beer", 20, 2.0)
    weather = TimeSeries.from_times_and_values(TIMES, np.float32(HEAT), columns=["heat"])
    spare = TimeSeries.from_times_and_values(TIMES, np.float32(HEAT), columns=["rain"])
    caplog.set_level(logging.WARNING, logger="tskd")
    settings: dict[str, Any] = fast(n_epochs=3)

    train = [series[:-12] for series in (air, milk, beer)]
    linear = LinearRegressionModel(6, lags_future_covariates=(0, 4), output_chunk_length=4)
    teacher = Teacher(linear, FutureHorizon("weather"), name="future")
    model = DistilledModel(NLinearModel(6, 4, **settings), teacher, balance=0.75)
    model.fit(train, privileged={"weather": weather, "rain": spare})
    forecasts = model.predict(4, train)
    new = model.predict(4, air.with_columns_renamed("air", "a series of tomorrow"))
    rolled = model.historical_forecasts([air, beer], retrain=False, start=-12, start_format="position")
    errors = model.backtest([air, beer], retrain=False, start=-12, start_format="position", metric=mae)
    table = model.history.to_dataframe()

    assert [list(one.components) for one in forecasts] == [["air"], ["milk"], ["beer"]]
    assert isinstance(new, TimeSeries) and list(new.components) == ["a series of tomorrow"]
    assert [one.components[0] for one in rolled] == ["air", "beer"]
    assert len(errors) == 2 and np.isfinite(errors).all()
    assert table[table.quantity == "weights"].value.tolist() == [1.0] * 3
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("tskd")]
    assert lines == ["privileged: nothing reads 'rain', ignored"]
    # the teacher reads the future that the student has to guess
    seen = model.teachers[0].historical_forecasts(beer, privileged={"weather": weather})
    theirs, own = (
        np.mean([mae(beer, one) for one in found])
        for found in (seen, model.historical_forecasts(beer, retrain=False, last_points_only=False))
    )
    assert theirs < 0.9 * own
    with pytest.raises(AttributeError, match="compare their backtest"):
        _ = model.gridsearch
