"""Scores of forecast distributions: by hand, by darts' metrics, and as means over what is scored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.metrics import ic, iw, mic, miw, mql, ql

from tskd.experiment.config.distribution import ForecastDistribution
from tskd.experiment.run import scoring
from tskd.experiment.run.distribution_scoring import SCORES, distribution_scores
from tskd.experiment.run.scoring import score

NAN = float("nan")
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


def test_scores_by_hand() -> None:
    """Two windows of one step and two components; quantiles at .2, .5 and .8, the interval between the outer ones."""
    quantiles = np.array([[[[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]], [[[-1.0, 0.0, 3.0], [5.0, 6.0, 9.0]]]])
    truth = np.array([[[3.0, 0.0]], [[-2.0, NAN]]])
    pinball, coverage, width = distribution_scores(quantiles, truth, (0.2, 0.5, 0.8), (0, 2))
    # 3 is above 1 and 2 and below 4: .2 * 2, .5 * 1 and .2 * 1; -2 is below all: .8 * 1, .5 * 2 and .2 * 5
    assert pinball[0, 0] == pytest.approx([(0.4 + 0.5 + 0.2) / 3, 0.0])
    assert pinball[1, 0, 0] == pytest.approx((0.8 + 1.0 + 1.0) / 3)
    # the ends belong to the interval
    assert coverage[:, 0, 0].tolist() == [1, 0] and coverage[0, 0, 1] == 1
    assert width[:, 0, 0].tolist() == [3, 4] and width[0, 0, 1] == 0
    assert np.isnan([pinball[1, 0, 1], coverage[1, 0, 1], width[1, 0, 1]]).all()


def forecasts(windows: int = 7, horizon: int = 4, components: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles [W, H, C, Q] that are wider at later steps, and targets [W, H, C]."""
    rng = np.random.default_rng(3)
    spread = np.sort(rng.normal(size=(windows, horizon, components, len(LEVELS))), axis=-1)
    quantiles = spread * (1 + np.arange(horizon))[:, None, None] + np.array([0.5, -2.0])[:components, None]
    return quantiles, rng.normal(size=(windows, horizon, components)) * 2


def series_of(values: np.ndarray, columns: list[str]) -> TimeSeries:
    times = pd.date_range("2024-01-01", periods=len(values), freq="h")
    return TimeSeries.from_times_and_values(times, values, columns=columns)


def test_scores_are_those_of_darts() -> None:
    quantiles, truth = forecasts()
    found = distribution_scores(quantiles, truth, LEVELS, (0, 4))
    names = ["a", "b"]
    columns = [f"{name}_q{level:.3f}" for name in names for level in LEVELS]
    for window, (own, actual) in enumerate(zip(quantiles, truth, strict=True)):
        told = series_of(own.reshape(len(own), -1), columns)
        there = series_of(actual, names)
        losses = ql(there, told, q=(np.array(LEVELS), pd.Index(columns)), component_reduction=None).reshape(
            len(own), 2, len(LEVELS)
        )
        np.testing.assert_allclose(2 * found[0, window], losses.mean(-1), rtol=1e-12)
        np.testing.assert_allclose(2 * found[0, window].mean(), np.mean(mql(there, told, q=list(LEVELS))), rtol=1e-12)
        np.testing.assert_allclose(found[1, window].mean(), mic(there, told, q_interval=(0.1, 0.9)), rtol=1e-12)
        np.testing.assert_allclose(found[2, window].mean(), miw(there, told, q_interval=(0.1, 0.9)), rtol=1e-12)
        by_step = {"component_reduction": np.nanmean}
        np.testing.assert_allclose(found[1, window].mean(-1), ic(there, told, q_interval=(0.1, 0.9), **by_step).ravel())
        np.testing.assert_allclose(found[2, window].mean(-1), iw(there, told, q_interval=(0.1, 0.9), **by_step).ravel())


def part_of(truth: np.ndarray, scored: np.ndarray, complete: np.ndarray) -> Any:
    return SimpleNamespace(truth=truth, scored=scored, complete=complete, examples=np.array([2, 5]))


@pytest.mark.parametrize("at_once", [2**21, 1])
def test_windows_and_steps_are_means_over_what_is_scored(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of windows in two batches, out of order, some incomplete, some targets missing or not scored; from step 2 on."""
    monkeypatch.setattr(scoring, "AT_ONCE", at_once)
    quantiles, truth = forecasts()
    truth[1, 2, 0] = truth[4, :, 1] = truth[6] = NAN
    scored, complete = np.ones((7, 4), dtype=bool), np.ones(7, dtype=bool)
    scored[2, 3] = scored[:, 0] = complete[3] = False
    numbers = np.concatenate([quantiles[..., 2:3] + 0.25, quantiles], axis=-1)
    part, how = part_of(truth, scored, complete), ForecastDistribution(LEVELS, "mean")
    batches = [(rows, numbers[rows, 1:], 2) for rows in (np.array([5, 0, 3]), np.array([6, 2, 4, 1]))]
    found = score(iter(batches), part, 2, how)
    each = distribution_scores(quantiles, truth, LEVELS, (0, 4))
    counted = (scored & complete[:, None])[..., None] & ~np.isnan(truth)
    assert found.distribution is not None and found.step_distribution is not None and found.whole
    for number, name in enumerate(SCORES):
        for window in range(7):
            own = each[number, window][counted[window]]
            expected = own.mean() if len(own) else NAN
            np.testing.assert_allclose(found.distribution[number, window], expected, rtol=1e-12, err_msg=name)
        for step in range(4):
            own = each[number][:, step][counted[:, step]]
            expected = own.mean() if len(own) else NAN
            np.testing.assert_allclose(found.step_distribution[number, step], expected, rtol=1e-12, err_msg=name)
    # and the point forecast is what it is without quantiles
    point = score(iter([(rows, values[..., 0], first) for rows, values, first in batches]), part, 2, how)
    assert point.distribution is None and point.step_distribution is None
    for name in ("mse", "mae", "step_mse", "step_mae", "forecasts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(point, name))


def test_a_quantile_that_is_not_finite_is_no_whole_forecast() -> None:
    quantiles, truth = forecasts(components=1)
    numbers = np.concatenate([quantiles[..., 2:3], quantiles], axis=-1)
    part = part_of(truth, np.ones((7, 4), dtype=bool), np.ones(7, dtype=bool))
    how = ForecastDistribution(LEVELS, "median")
    assert score(iter([(np.arange(7), numbers, 1)]), part, 1, how).whole
    numbers[3, 1, 0, 5] = np.inf
    assert not score(iter([(np.arange(7), numbers, 1)]), part, 1, how).whole


@pytest.mark.parametrize(
    ("levels", "interval", "nominal"),
    [
        (LEVELS, (0, 4), 0.8),
        # the nearest that there is
        ((0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99), (1, 5), 0.9),
        ((0.4, 0.5, 0.6), (0, 2), 0.2),
    ],
    ids=["within", "nearest", "narrow"],
)
def test_the_interval_is_the_central_one_nearest_to_80_percent(
    levels: tuple[float, ...], interval: tuple[int, int], nominal: float
) -> None:
    how = ForecastDistribution(levels, "median")
    assert (how.interval, how.nominal) == (interval, nominal)
