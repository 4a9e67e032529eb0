"""Errors of a student's forecasts are those that darts computes, window by window and step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from darts.metrics import mae, mse
from darts.models import DLinearModel, TiDEModel, TSMixerModel

from tests.helpers.experiments import HORIZON, LOOKBACK, toy_config, toy_data
from tests.helpers.models import fast
from tests.helpers.series import single, walk
from tskd.experiment import Experiment
from tskd.experiment.data.folds import prepared
from tskd.experiment.data.preparation import DataPart, examples_of
from tskd.experiment.run.forecast import of_student
from tskd.experiment.run.scoring import score

STUDENTS: dict[str, Any] = {
    # its network gives a transposed forecast
    "DLinear, shared": DLinearModel(LOOKBACK, HORIZON, shared_weights=True, **fast()),
    "TiDE": TiDEModel(LOOKBACK, HORIZON, hidden_size=4, **fast()),
    "TSMixer": TSMixerModel(LOOKBACK, HORIZON, hidden_size=4, ff_size=4, **fast()),
}
SERIES = walk(71, components=3)


def part_of(length: int) -> DataPart:
    """A part of the last steps of the series, all of which are scored."""
    part = prepared(Experiment(**toy_config()), toy_data(), 1, None).test
    series = SERIES[-length:]
    targets = series.values()[LOOKBACK:]
    truth = np.lib.stride_tricks.sliding_window_view(targets, HORIZON, axis=0).transpose(0, 2, 1)
    windows = len(truth)
    scored, complete = np.ones((windows, HORIZON), dtype=bool), np.ones(windows, dtype=bool)
    own: dict[str, Any] = {"truth": truth, "scored": scored, "complete": complete, "examples": examples_of(complete)}
    return replace(part, series=series, starts=series.time_index[LOOKBACK:][:windows], reach=LOOKBACK, **own)


@pytest.mark.parametrize("name", STUDENTS)
def test_errors_are_those_of_darts(name: str) -> None:
    model, part = STUDENTS[name].untrained_model().fit(SERIES[:30], verbose=False), part_of(50)
    found = score(of_student(model, part, {}, False), part, 1)
    rolled: dict[str, Any] = {"forecast_horizon": HORIZON, "retrain": False, "last_points_only": False}
    errors = model.backtest(part.series, metric=[mse, mae], reduction=None, verbose=False, **rolled)
    np.testing.assert_allclose(np.stack([found.mse, found.mae], axis=1), errors, rtol=1e-6)
    forecasts = model.historical_forecasts(part.series, verbose=False, **rolled)
    away = np.stack([single(one).values() for one in forecasts]).astype("float64") - part.truth
    np.testing.assert_allclose(found.step_mse, (away**2).mean(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.step_mae, np.abs(away).mean(axis=(0, 2)), rtol=1e-6)
    assert found.whole and found.targets.tolist() == [len(part.truth) * 3] * HORIZON


def test_of_steps_that_are_not_all_forecast_the_others_have_errors() -> None:
    """Two batches, of the second two steps; one window has an infinite forecast, one no finite target."""
    part = part_of(30)
    windows = len(part.truth)
    truth = part.truth.copy()
    truth[2] = np.nan
    part = replace(part, truth=truth)
    first, second = np.arange(5), np.arange(5, windows)
    late = part.truth[second, 1:3] + 3
    early = part.truth[first] - 2
    early[1, 0, 2] = np.inf
    found = score(iter([(first, early, 1), (second, late, 2)]), part, 1)
    assert found.mse[:5].tolist() == pytest.approx([4, np.inf, np.nan, 4, 4], nan_ok=True)
    assert found.mae[5:].tolist() == pytest.approx([3] * (windows - 5))
    assert found.step_mae[0] == np.inf and found.step_mae[1] == pytest.approx(
        (4 * 2 + (windows - 5) * 3) / (windows - 1)
    )
    assert found.targets.tolist() == [4 * 3, (windows - 1) * 3, (windows - 1) * 3, *[4 * 3] * (HORIZON - 3)]
    assert not found.whole
