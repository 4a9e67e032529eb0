"""A zero-shot foundation model of another package, whose weights lie in its wheel, as a teacher from outside."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.utils.likelihood_models import QuantileRegression

from tests.helpers.closed_form import LBFGS, H, forecasts, linear, regression, windows
from tskd import DistilledModel, Teacher
from tskd.losses import QuantileKD

fracast = pytest.importorskip("fracast", reason="fracast is not installed: pip install 'tskd[fracast]'")

CONTEXT, COUNT = 48, 150
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
# forecasts of half a minute
pytestmark = pytest.mark.slow


def day(count: int = COUNT) -> TimeSeries:
    hours = np.arange(count)
    values = np.sin(2 * np.pi * hours / 24) + 0.2 * np.random.default_rng(3).normal(size=count)
    return TimeSeries.from_times_and_values(pd.date_range("2024-01-01", periods=count, freq="h"), values, columns=["y"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Quantile forecasts from every origin with a context of two days, of which the rows are in no order."""
    model, series = fracast.FracastModel.from_pretrained(), day()
    values = series.univariate_values()
    origins = range(CONTEXT - 1, COUNT - H)
    contexts = np.stack([values[origin - CONTEXT + 1 : origin + 1] for origin in origins])
    found = model.forecast_batch(contexts, horizon=H)
    rows = [
        (series.time_index[origin], step + 1, "y", level, float(found[number, step, model.quantiles.index(level)]))
        for number, origin in enumerate(origins)
        for step in range(H)
        for level in LEVELS
    ]
    return pd.DataFrame(rows, columns=["origin", "step", "component", "quantile", "value"]).sample(
        frac=1, random_state=0
    )


def test_a_student_learns_the_medians_of_a_foundation_model(table: pd.DataFrame) -> None:
    """At balance 1 it is their least-squares regression on its lookback, from the origins that have a forecast."""
    series = day()
    medians = table[table["quantile"] == 0.5].sort_values(["origin", "step"])["value"].to_numpy().reshape(-1, H, 1)
    student = linear(optimizer_kwargs=LBFGS | {"history_size": 60, "tolerance_change": 0})
    model = DistilledModel(student, Teacher.from_forecasts(table, name="fracast"), balance=1.0).fit(series)

    inputs, labels = windows(series)
    assert model.windows is not None
    assert (model.windows.both, model.windows.labels) == (len(medians), len(inputs) - len(medians))
    assert np.abs(forecasts(student, series) - regression(inputs[-len(medians) :], medians, at=inputs)).max() < 1e-6
    assert np.corrcoef(medians.ravel(), labels[-len(medians) :].ravel())[0, 1] > 0.8


def test_its_quantiles_are_distilled(table: pd.DataFrame) -> None:
    """With an intercept, least squares meets the mean of each quantile over the windows that have a forecast."""
    student = linear(likelihood=QuantileRegression(list(LEVELS)))
    teacher = Teacher.from_forecasts(table, name="fracast")
    DistilledModel(student, teacher, losses=QuantileKD("mse"), balance=1.0).fit(day())
    found = student.historical_forecasts(
        day(), retrain=False, last_points_only=False, forecast_horizon=H, predict_likelihood_parameters=True
    )
    taught = table.pivot_table(index=["origin", "step"], columns="quantile", values="value").groupby("step").mean()
    mean = np.mean([one.values() for one in found[-(COUNT - H - CONTEXT + 1) :]], axis=0)
    assert np.abs(mean - taught.to_numpy()).max() < 1e-4
