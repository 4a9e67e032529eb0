"""Diebold and Mariano's test against the library, and against its formulas written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from tests.helpers.series import moving_average
from tskd.experiment.statistics.diebold_mariano import diebold_mariano

stattools = pytest.importorskip("statsmodels.tsa.stattools")
if not hasattr(stattools, "diebold_mariano_test"):
    pytest.skip("statsmodels is older than 0.15", allow_module_level=True)


def errors(seeds: int = 3, windows: int = 200, smooth: int = 6) -> tuple[np.ndarray, np.ndarray]:
    arm = np.stack([moving_average(windows, seed, smooth) for seed in range(seeds)]) ** 2
    baseline = np.stack([moving_average(windows, 10 + seed, smooth) for seed in range(seeds)]) ** 2
    return arm, 1.2 * baseline


def written_out(difference: np.ndarray, horizon: int) -> tuple[float, float]:
    """Bartlett's weights on autocovariances, Harvey's factor, Student's t with W - 1 degrees of freedom."""
    windows = len(difference)
    lags = max(horizon - 1, math.ceil(windows ** (1 / 3)))
    centred = difference - difference.mean()
    covariance = [(centred[lag:] * centred[: windows - lag]).sum() / windows for lag in range(lags + 1)]
    variance = covariance[0] + 2 * sum((1 - lag / (lags + 1)) * covariance[lag] for lag in range(1, lags + 1))
    factor = math.sqrt((windows + 1 - 2 * horizon + horizon * (horizon - 1) / windows) / windows)
    statistic = factor * difference.mean() / math.sqrt(variance / windows)
    return statistic, 2 * student.sf(abs(statistic), windows - 1)


@pytest.mark.parametrize("horizon", [1, 6, 24])
def test_formulas_and_library(horizon: int) -> None:
    arm, baseline = errors()
    found = diebold_mariano(arm, baseline, horizon)
    expected = written_out((arm - baseline).mean(axis=0), horizon)
    assert (found.statistic, found.p_value) == pytest.approx(expected)
    # the library on forecasts of zero whose squares are the errors
    roots = np.sqrt(arm.mean(axis=0)), np.sqrt(baseline.mean(axis=0))
    direct = stattools.diebold_mariano_test(np.zeros(200), *roots, harvey_adj=True, horizon=horizon)
    assert (found.statistic, found.p_value) == pytest.approx((direct.statistic, direct.pvalue))


def test_signs_follow_the_arms() -> None:
    arm, baseline = errors()
    there, back = diebold_mariano(arm, baseline, 6), diebold_mariano(baseline, arm, 6)
    assert there.statistic == pytest.approx(-back.statistic) and there.statistic < 0
    assert there.p_value == pytest.approx(back.p_value)


def test_a_longer_horizon_is_more_careful() -> None:
    arm, baseline = errors(smooth=24)
    assert diebold_mariano(arm, baseline, 24).p_value > diebold_mariano(arm, baseline, 1).p_value


def test_seeds_are_averaged_first() -> None:
    """Five copies of one seed are no five times as many windows."""
    arm, baseline = errors(seeds=1)
    five = diebold_mariano(arm.repeat(5, axis=0), baseline.repeat(5, axis=0), 6)
    one = diebold_mariano(arm, baseline, 6)
    assert (five.statistic, five.p_value) == pytest.approx((one.statistic, one.p_value))


def test_seeds_and_windows_that_one_lacks_are_left_out() -> None:
    arm, baseline = errors()
    lacking = arm.copy()
    lacking[1, 100:] = np.nan
    lacking[2, 7] = np.nan
    found = diebold_mariano(lacking, baseline, 6, segments=[100, 100])
    rest = np.arange(200) != 7
    assert found == diebold_mariano(arm[[0, 2]][:, rest], baseline[[0, 2]][:, rest], 6)


def test_neutral_results() -> None:
    arm, baseline = errors()
    same = diebold_mariano(arm, arm.copy(), 6)
    assert same.statistic == 0 and same.p_value == 1
    few = diebold_mariano(arm[:, :23], baseline[:, :23], 6)
    assert math.isnan(few.statistic) and math.isnan(few.p_value)
    assert not math.isnan(diebold_mariano(arm[:, :24], baseline[:, :24], 6).p_value)


def test_unusable_arguments_are_refused() -> None:
    arm, baseline = errors()
    with pytest.raises(ValueError, match="same W"):
        diebold_mariano(arm, baseline[:, 1:], 6)
    with pytest.raises(ValueError, match="there are 2 and 3"):
        diebold_mariano(arm[:2], baseline, 6)
    with pytest.raises(ValueError, match="horizon must be at least 1 step; it is 0"):
        diebold_mariano(arm, baseline, 0)


def test_an_older_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(stattools, "diebold_mariano_test")
    with pytest.raises(ImportError, match=r"statsmodels 0.15 or newer: pip install 'tskd\[statistics\]'"):
        diebold_mariano(*errors(), 6)
