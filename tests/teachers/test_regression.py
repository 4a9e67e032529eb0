"""Regression models as teachers: on which windows they are fitted."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from darts import TimeSeries
from darts.models import SKLearnModel
from sklearn.linear_model import LinearRegression

from tskd import Teacher
from tskd.privileged import CostlySensors

STEPS, LOOKBACK = 60, 4


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
