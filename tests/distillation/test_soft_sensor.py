"""A student that forecasts a target whose past it does not see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts.dataprocessing.transformers import Scaler
from darts.metrics import mae
from darts.models import DLinearModel, TiDEModel
from darts.utils.likelihood_models import GaussianLikelihood

from tests.helpers.models import fast
from tests.helpers.series import single, walk
from tskd import DistilledModel, Teacher, audit
from tskd.distillation.soft_sensor import blank
from tskd.privileged import CostlySensors, FutureHorizon

SETTINGS: dict[str, Any] = fast()
SERIES = [walk(70, 2), walk(55, 2, seed=1)]
PAST = [walk(140, seed=2, start="2019-12-31 20:00", name="open") for _ in SERIES]
LAB = [walk(140, seed=4, start="2019-12-31 20:00", name="lab") for _ in SERIES]


@pytest.fixture(scope="module")
def model() -> DistilledModel:
    teacher = Teacher(TiDEModel(8, 4, **SETTINGS), CostlySensors("lab"))
    student = TiDEModel(8, 4, **SETTINGS)
    return DistilledModel(student, teacher, soft_sensor=True).fit(SERIES, PAST, privileged={"lab": LAB})


@pytest.mark.parametrize("n", [2, 4, 11])
def test_nothing_of_the_target_reaches_the_forecast(model: DistilledModel, n: int) -> None:
    expected = [f.values() for f in model.predict(n, SERIES, PAST)]
    starts = [s.end_time() + s.freq for s in SERIES]
    others: list[dict[str, Any]] = [
        {"series": [s.with_values(s.values() * 5 - 2) for s in SERIES]},
        {"series": [s.with_values(s.values() * np.nan) for s in SERIES]},
        {"series": [s[-1:] for s in SERIES]},
        {"start": starts},
    ]
    for given in others:
        found = model.predict(n, past_covariates=PAST, **given)
        for forecast, values, start in zip(found, expected, starts, strict=True):
            np.testing.assert_array_equal(forecast.values(), values)
            assert len(forecast) == n and forecast.start_time() == start
            assert list(forecast.components) == ["y0", "y1"]


def test_the_covariates_do(model: DistilledModel) -> None:
    moved = [p.with_values(p.values() + 1) for p in PAST]
    assert not np.array_equal(model.predict(4, SERIES, PAST)[0].values(), model.predict(4, SERIES, moved)[0].values())


def test_training_does_not_see_the_target_past_either() -> None:
    """Two targets with the same labels but another past: the first lookback steps, which are no window's label."""
    weights = []
    for scale in (1, 50):
        values = SERIES[0].values().copy()
        values[:8] *= scale
        student = DLinearModel(8, 4, **SETTINGS)
        DistilledModel(student, soft_sensor=True).fit(SERIES[0].with_values(values), PAST[0])
        weights.append(student.model.state_dict())
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
def test_plain_darts_handed_the_zero_series_says_the_same(model: DistilledModel, tmp_path: Path) -> None:
    model.student.save(str(tmp_path / "student.pt"))
    zeros = blank(model.student, SERIES[0].end_time(), SERIES[0].freq, ["y0", "y1"], "float32")
    assert len(zeros) == 8 and not zeros.values().any() and zeros.end_time() == SERIES[0].end_time()
    zeros.to_dataframe().to_csv(tmp_path / "zeros.csv")
    PAST[0].to_dataframe().to_csv(tmp_path / "past.csv")
    script = (
        "import sys; sys.modules['tskd'] = None\n"
        "import pandas as pd; from darts import TimeSeries; from darts.models import TiDEModel\n"
        "read = lambda name: TimeSeries.from_dataframe(pd.read_csv(name, index_col=0, parse_dates=True), freq='h')"
        ".astype('float32')\n"
        "m = TiDEModel.load('student.pt')\n"
        "f = m.predict(4, read('zeros.csv'), read('past.csv'), verbose=False)\n"
        "f.to_dataframe().to_csv('forecast.csv', float_format='%.9g')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)
    found = pd.read_csv(tmp_path / "forecast.csv", index_col=0).to_numpy()
    expected = single(model.predict(4, SERIES[0], PAST[0]))
    np.testing.assert_allclose(found, expected.values(), rtol=1e-6)


def test_evaluation_hides_the_target_as_well(model: DistilledModel) -> None:
    rolling: dict[str, Any] = {"forecast_horizon": 4, "start": -8, "start_format": "position"}
    found = model.historical_forecasts(SERIES[0], PAST[0], retrain=False, last_points_only=False, **rolling)
    for forecast in found:
        expected = single(model.predict(4, past_covariates=PAST[0], start=forecast.start_time()))
        np.testing.assert_allclose(forecast.values(), expected.values(), rtol=1e-5, atol=1e-6)
    score = model.backtest(SERIES[0], PAST[0], retrain=False, metric=mae, **rolling)
    np.testing.assert_allclose(score, np.mean([mae(SERIES[0], f) for f in found]))
    with pytest.raises(ValueError, match="beyond the output chunk of 4"):
        model.historical_forecasts(SERIES[0], PAST[0], retrain=False, forecast_horizon=5)


def test_the_target_is_hidden_between_two_retrainings_too(model: DistilledModel) -> None:
    """The model of the first origin forecasts from the second, whose series is one step longer."""
    found = []
    for bump in (0, 100):
        values = SERIES[0].values() + bump * (np.arange(70) == 65)[:, None].astype("float32")
        forecasts = model.historical_forecasts(
            SERIES[0].with_values(values),
            PAST[0],
            privileged={"lab": LAB[0]},
            retrain=2,
            forecast_horizon=4,
            start=-5,
            start_format="position",
            last_points_only=False,
        )
        assert len(forecasts) == 2
        found.append(forecasts[1].values())
    np.testing.assert_array_equal(*found)


def test_saving_keeps_it(model: DistilledModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = DistilledModel.load(tmp_path / "model")
    assert again.soft_sensor
    np.testing.assert_array_equal(
        again.predict(9, SERIES, PAST)[1].values(), model.predict(9, SERIES, PAST)[1].values()
    )


def test_what_a_soft_sensor_cannot_be() -> None:
    with pytest.raises(ValueError, match="soft sensor does not see"):
        DistilledModel(TiDEModel(8, 4, use_reversible_instance_norm=True), soft_sensor=True)
    with pytest.raises(ValueError, match="give past_covariates or future_covariates"):
        DistilledModel(DLinearModel(8, 4, **SETTINGS), soft_sensor=True).fit(SERIES)
    with pytest.raises(ValueError, match="fit"):
        DistilledModel(DLinearModel(8, 4, **SETTINGS), soft_sensor=True).predict(2, SERIES, PAST)
    fitted = DistilledModel(DLinearModel(8, 4, **SETTINGS)).fit(SERIES[0])
    with pytest.raises(ValueError, match="start= is for a soft sensor"):
        fitted.predict(2, start=SERIES[0].end_time())


def test_teachers_of_a_soft_sensor_may_see_the_target() -> None:
    teacher = Teacher(TiDEModel(8, 4, **SETTINGS), FutureHorizon("lab"))
    model = DistilledModel(TiDEModel(8, 4, **SETTINGS), teacher, soft_sensor=True, balance=1.0)
    model.fit(SERIES, PAST, privileged={"lab": LAB})
    before = model.teachers[0].historical_forecasts(SERIES, PAST, privileged={"lab": LAB})[0][3].values()
    moved = [s.with_values(s.values() + 1) for s in SERIES]
    after = model.teachers[0].historical_forecasts(moved, PAST, privileged={"lab": LAB})[0][3].values()
    assert not np.array_equal(before, after)


def test_the_plain_student_keeps_nothing_of_the_target(tmp_path: Path) -> None:
    student = DLinearModel(8, 4, **SETTINGS)
    values = 1234.5 + SERIES[0].values()
    DistilledModel(student, soft_sensor=True).fit(SERIES[0].with_values(values), PAST[0])
    assert not student.training_series.values().any()
    assert not student.train_sample.past_target.any() and not student.train_sample.future_target.any()
    shown = student.predict(4, past_covariates=PAST[0])
    zeros = blank(student, SERIES[0].end_time(), SERIES[0].freq, ["y0", "y1"], "float32")
    np.testing.assert_array_equal(shown.values(), student.predict(4, zeros, PAST[0]).values())


def test_rolling_evaluation_has_no_way_round(model: DistilledModel) -> None:
    rolling: dict[str, Any] = {"start": -8, "start_format": "position", "last_points_only": False}
    moved = SERIES[0].with_values(SERIES[0].values() + 50)
    found = [
        model.historical_forecasts(s, PAST[0], retrain=0, forecast_horizon=4, **rolling) for s in (SERIES[0], moved)
    ]
    assert all(np.array_equal(a.values(), b.values()) for a, b in zip(*found, strict=True))
    with pytest.raises(ValueError, match="beyond the output chunk of 4"):
        model.historical_forecasts(SERIES[0], PAST[0], privileged={"lab": LAB[0]}, forecast_horizon=6, **rolling)
    with pytest.raises(ValueError, match="scale the series before"):
        model.historical_forecasts(
            SERIES[0], PAST[0], retrain=False, forecast_horizon=4, data_transformers={"series": Scaler()}, **rolling
        )


def test_every_chunk_draws_samples_of_its_own() -> None:
    student = DLinearModel(8, 4, likelihood=GaussianLikelihood(), **SETTINGS)
    model = DistilledModel(student, soft_sensor=True).fit(SERIES[0], PAST[0])
    forecast = single(model.predict(8, SERIES[0], PAST[0], num_samples=200, random_state=1)).all_values()[:, 0]
    assert abs(np.corrcoef(forecast[0], forecast[4])[0, 1]) < 0.5


def test_where_to_start_may_be_a_text_and_must_lie_on_the_grid(model: DistilledModel) -> None:
    stamp = SERIES[0].end_time() + SERIES[0].freq
    expected = single(model.predict(4, SERIES[0], PAST[0])).values()
    found = single(model.predict(4, past_covariates=PAST[0], start=str(stamp))).values()
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"start=.*do not lie on one grid"):
        model.predict(4, past_covariates=PAST[0], start=stamp + pd.Timedelta("5min"))


def test_static_covariates_are_remembered() -> None:
    series = SERIES[0].with_static_covariates(pd.DataFrame({"place": [1.0]}))
    model = DistilledModel(TiDEModel(8, 4, **SETTINGS), soft_sensor=True).fit(series, PAST[0])
    start = series.end_time() + series.freq
    found = single(model.predict(4, past_covariates=PAST[0], start=start)).values()
    np.testing.assert_array_equal(found, single(model.predict(4, series, PAST[0])).values())


def test_an_audit_changes_the_target_too(model: DistilledModel) -> None:
    result = audit(model, SERIES, PAST, privileged={"lab": LAB}, verbose=False)
    assert result.passed
    assert any("the target's past changed" in finding.tried for finding in result.findings)
