"""Regression models as teachers: on which windows they are fitted, and their answers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import LinearRegressionModel, SKLearnModel
from sklearn.linear_model import LinearRegression

from tests.helpers.series import walk
from tskd import Teacher
from tskd._core.model_inputs import ModelInputs
from tskd.privileged import CostlySensors
from tskd.teachers.regression import RegressionPredictor

STEPS, LOOKBACK = 60, 4
# of series, and where they begin
LENGTHS = (23, "2020-01-01"), (4, "2020-01-01T03"), (31, "2020-01-01T03")


class Seen(LinearRegression):
    """Keeps the labels that it is fitted on."""

    labels: ClassVar[list[np.ndarray]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.labels.append(np.asarray(y).reshape(len(X), -1))
        return super().fit(X, y)


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_model_without_lags_of_the_target_is_fitted_on_windows_with_every_label_and_on_no_other(horizon: int) -> None:
    """Series of their own position: windows are told by their labels. Steps before a label need have no label."""
    values = np.arange(float(STEPS))
    missing = [0, 1, 2, 20, 21, 35]
    values[missing] = np.nan
    series = TimeSeries.from_values(values, columns=["y"])
    sensor = TimeSeries.from_values(np.random.default_rng(0).normal(size=(STEPS, 2)))
    Seen.labels.clear()
    model = SKLearnModel(lags_past_covariates=LOOKBACK, output_chunk_length=horizon, model=Seen())
    Teacher(model, CostlySensors("s"), sees_inputs=False).fit(series, privileged={"s": sensor})
    first = sorted(row[0] for labels in Seen.labels for row in labels.tolist())
    expected = [
        start for start in range(LOOKBACK, STEPS - horizon + 1) if not set(range(start, start + horizon)) & set(missing)
    ]
    assert first == expected


@pytest.mark.parametrize("shift", [0, 2])
def test_its_answers_to_windows_are_its_predictions_from_their_origins(shift: int) -> None:
    """Three series of unlike lengths, one of which has no window; a covariate that begins later than the first."""
    series = [walk(length, components=2, seed=length, start=start) for length, start in LENGTHS]
    covariates = [walk(length + 9, seed=1, name="x", start="2020-01-01T03") for length, _ in LENGTHS]
    model = LinearRegressionModel(
        lags=3, lags_past_covariates=[-5], output_chunk_length=2, output_chunk_shift=shift
    ).fit([series[0], series[2]], [covariates[0], covariates[2]])
    predictor = RegressionPredictor([model], ModelInputs(series, covariates))
    keys = torch.tensor([(number, step) for number, one in enumerate(series) for step in range(len(one) - 2 - shift)])
    covered = predictor.covers(keys)
    # of the first series, whose covariate begins 3 steps later, origins have 5 steps of it before them
    assert keys[covered].tolist() == [
        *[[0, step] for step in range(7, LENGTHS[0][0] - 2 - shift)],
        *[[2, step] for step in range(4, LENGTHS[2][0] - 2 - shift)],
    ]
    ((rows, found),) = predictor.outputs(0, keys[covered])
    for (number, step), forecast in zip(keys[covered][rows].tolist(), found["forecasts"], strict=True):
        expected = model.predict(2, series[number][: step + 1], past_covariates=covariates[number])
        np.testing.assert_allclose(forecast, expected.values(), rtol=1e-5, atol=1e-6)
