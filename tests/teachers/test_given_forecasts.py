"""Teachers from outside that are forecasts by origin: in lists as darts returns them, or in tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel
from darts.utils.likelihood_models.torch import GaussianLikelihood, QuantileRegression

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.losses import LikelihoodKD, OutputKD, QuantileKD
from tskd.teachers.given_forecasts import GivenForecasts
from tskd.teachers.network import PARAMETERS
from tskd.weighting import BatesGranger

H = 4
SERIES = walk(90, 2)
SEVERAL = [SERIES, walk(70, 2, seed=4, start="2020-01-02")]
ROLLING: dict[str, Any] = {"retrain": False, "last_points_only": False, "forecast_horizon": H, "verbose": False}


def student(**settings: Any) -> Any:
    return DLinearModel(8, H, **fast(n_epochs=2) | settings)


def weights(model: DistilledModel) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.student.model.state_dict().values()])


def table(series: TimeSeries = SERIES, steps: range = range(1, 1 + H), origins: range = range(7, 85)) -> pd.DataFrame:
    """1000 × the origin's position + the step, + .5 for the second component."""
    rows = [
        {"origin": series.time_index[t], "step": h, "component": name, "value": 1000.0 * t + h + c / 2}
        for t in origins
        for h in steps
        for c, name in enumerate(series.components)
    ]
    return pd.DataFrame(rows)


def said(origin: int, steps: range = range(1, 1 + H)) -> np.ndarray:
    return np.array([[1000.0 * origin + h, 1000.0 * origin + h + 0.5] for h in steps])


def asked(teacher: GivenForecasts, *keys: tuple[int, int], series: Any = SERIES) -> tuple[np.ndarray, list[bool]]:
    forecasts, covered = teacher.predictor(series).forecasts(torch.tensor(keys))
    return forecasts.numpy(), covered.tolist()


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kind", ["network", "regression"])
def test_forecasts_of_a_model_teach_as_the_model_does(several: bool, kind: str) -> None:
    series: Any = SEVERAL if several else SERIES
    model = student(random_state=5) if kind == "network" else LinearRegressionModel(lags=6, output_chunk_length=H)
    model.fit(series)
    listed = Teacher.from_forecasts(model.historical_forecasts(series, **ROLLING), name="t")
    trained = [
        DistilledModel(student(), teacher, balance=0.8).fit(series) for teacher in (Teacher(model, name="t"), listed)
    ]
    assert float((weights(trained[0]) - weights(trained[1])).abs().max()) < 1e-6
    assert trained[0].history == trained[1].history
    assert float((weights(trained[0]) - weights(DistilledModel(student()).fit(series))).abs().max()) > 1e-4


def test_so_do_those_of_a_shifted_model() -> None:
    model = LinearRegressionModel(lags=6, output_chunk_length=H, output_chunk_shift=2).fit(SERIES)
    listed = Teacher.from_forecasts(model.historical_forecasts(SERIES, **ROLLING), name="t", first_step=3)
    assert listed.horizon == range(3, 3 + H)
    trained = [DistilledModel(student(), t, balance=0.8).fit(SERIES) for t in (Teacher(model, name="t"), listed)]
    assert float((weights(trained[0]) - weights(trained[1])).abs().max()) < 1e-6


def test_samples_give_mean_and_std() -> None:
    rng = np.random.default_rng(0)
    lists = [
        TimeSeries.from_times_and_values(
            SERIES.time_index[t + 1 : t + 1 + H], rng.normal(size=(H, 2, 25)), columns=SERIES.components
        )
        for t in range(7, 60)
    ]
    ((_, found),) = Teacher.from_forecasts(lists, name="t").predictor(SERIES).outputs(torch.tensor([(0, 17)]))
    values = lists[10].all_values()
    np.testing.assert_allclose(found["forecasts"][0].numpy(), values.mean(2), rtol=1e-5)
    np.testing.assert_allclose(found["spread"][0].numpy(), np.sqrt(values.var(2) * 25 / 24), rtol=1e-5)


def test_the_origin_is_the_last_observed_step() -> None:
    found, covered = asked(Teacher.from_forecasts(table(), name="t"), (0, 7), (0, 40), (0, 6), (0, 85))
    assert covered == [True, True, False, False]
    np.testing.assert_array_equal(found[:2], np.stack([said(7), said(40)]))
    (series,) = Teacher.from_forecasts(table(origins=range(7, 8)), name="t").historical_forecasts([SERIES])
    assert isinstance(series, list)
    assert series[0].start_time() == SERIES.time_index[8]


def test_rows_in_any_order_and_repeats_of_the_same() -> None:
    rows = pd.concat([table(), table(origins=range(20, 30))]).sample(frac=1, random_state=1)
    found, covered = asked(Teacher.from_forecasts(rows, name="t"), (0, 25), (0, 12))
    assert covered == [True, True]
    np.testing.assert_array_equal(found, np.stack([said(25), said(12)]))


def test_missing_origins_steps_and_values_are_masked() -> None:
    rows = table()
    times = SERIES.time_index
    rows = rows[(rows["origin"] != times[30]) & ~((rows["origin"] == times[40]) & (rows["step"] == 2))]
    rows.loc[(rows["origin"] == times[50]) & (rows["component"] == "y1") & (rows["step"] == 4), "value"] = np.nan
    teacher = Teacher.from_forecasts(rows, name="t")
    _, covered = asked(teacher, *((0, t) for t in range(90)))
    assert [t for t in range(90) if not covered[t]] == [*range(7), 30, 40, 50, *range(85, 90)]
    model = DistilledModel(student(), teacher, weighting=BatesGranger()).fit(SERIES, val_series=SERIES[40:])
    # of the origins 7 to 85
    assert model.history[-1]["masked"] == pytest.approx(4 / 79)


def test_a_table_of_other_steps_teaches_those_that_it_has() -> None:
    longer = Teacher.from_forecasts(table(steps=range(2, 9)), name="t")
    assert longer.horizon == range(2, 9)
    part = longer.answering(range(1, 1 + H))
    assert part.horizon == range(2, 5)
    found, _ = asked(part, (0, 30))
    np.testing.assert_array_equal(found[0], said(30, range(2, 5)))
    later, _ = asked(Teacher.from_forecasts(table(), name="t").answering(range(3, 7)), (0, 30))
    np.testing.assert_array_equal(later[0], said(30, range(3, 5)))
    # what is missing past the student's horizon masks nothing
    rows = table(steps=range(2, 9))
    rows.loc[rows["step"] == 8, "value"] = np.nan
    model = DistilledModel(student(), Teacher.from_forecasts(rows, name="t")).fit(SERIES)
    assert model.history[-1]["masked"] == pytest.approx(1 / 79)
    with pytest.raises(ValueError, match="forecasts steps 6 to 8, the student 1 to 4: they have no step in common"):
        DistilledModel(student(), Teacher.from_forecasts(table(steps=range(6, 9)), name="t"))


def test_a_table_of_several_series() -> None:
    second = table(SEVERAL[1], origins=range(7, 66)).assign(series=1)
    rows = pd.concat([table().assign(series=0), second.assign(value=-second["value"])])
    teacher = Teacher.from_forecasts(rows, name="t")
    found, covered = asked(teacher, (1, 20), (0, 20), (1, 66), series=SEVERAL)
    assert covered == [True, True, False]
    np.testing.assert_array_equal(found[:2], np.stack([-said(20), said(20)]))
    for one, targets, message in (
        (teacher, SERIES, "forecasts of teacher 't' are for 2 target series, and there are 1: give a list for each"),
        (Teacher.from_forecasts(table(), name="t"), SEVERAL, "are for 1 target series, and there are 2"),
    ):
        with pytest.raises(ValueError, match=message):
            one.predictor(targets)


def test_whole_numbers_as_origins(tmp_path: Path) -> None:
    series = TimeSeries.from_times_and_values(pd.RangeIndex(10, 190, 2), SERIES.values(), columns=SERIES.components)
    rows = table(series)
    teacher = Teacher.from_forecasts(rows, name="t")
    np.testing.assert_array_equal(asked(teacher, (0, 33), series=series)[0][0], said(33))
    DistilledModel(student(), teacher).fit(series).save(tmp_path / "model")
    loaded = DistilledModel.load(tmp_path / "model").teachers[0]
    assert isinstance(loaded, GivenForecasts)
    np.testing.assert_array_equal(asked(loaded, (0, 33), series=series)[0][0], said(33))
    with pytest.raises(ValueError, match=r"origin in forecasts of teacher 't' is .*, and the target series start at"):
        teacher.predictor(SERIES)


LEVELS = [0.1, 0.5, 0.9]


def quantiles(levels: list[float]) -> pd.DataFrame:
    rows = table()
    return pd.concat([rows.assign(value=rows["value"] / 1000 + 2 * q, quantile=q) for q in levels])


def test_quantiles_give_median_spread_and_levels() -> None:
    teacher = Teacher.from_forecasts(quantiles(LEVELS).sample(frac=1, random_state=0), name="t")
    ((_, found),) = teacher.predictor(SERIES).outputs(torch.tensor([(0, 12)]), [PARAMETERS])
    centre = said(12) / 1000
    np.testing.assert_allclose(found["forecasts"][0].numpy(), centre + 1, rtol=1e-6)
    np.testing.assert_allclose(found["spread"][0].numpy(), np.full((H, 2), 1.6 / (2 * 1.2815515655)), rtol=1e-5)
    expected = np.stack([centre + 2 * q for q in LEVELS], axis=-1)
    np.testing.assert_allclose(found[PARAMETERS][0].numpy(), expected, rtol=1e-6)


def test_quantiles_teach_quantiles_as_the_model_does() -> None:
    settings = {"likelihood": QuantileRegression(LEVELS)}
    model = student(random_state=5, **settings).fit(SERIES)
    keys = [
        (t, forecast)
        for t, forecast in zip(
            range(7, 86), model.historical_forecasts(SERIES, **ROLLING, predict_likelihood_parameters=True), strict=True
        )
    ]
    rows = [
        {"origin": SERIES.time_index[t], "step": h + 1, "component": f"y{c}", "quantile": q, "value": value}
        for t, forecast in keys
        for h, values in enumerate(forecast.values())
        for (c, q), value in zip(((c, q) for c in range(2) for q in LEVELS), values, strict=True)
    ]
    given = Teacher.from_forecasts(pd.DataFrame(rows), name="t")
    trained = [
        DistilledModel(student(**settings), teacher, QuantileKD(), balance=0.9).fit(SERIES)
        for teacher in (Teacher(model, name="t"), given)
    ]
    assert float((weights(trained[0]) - weights(trained[1])).abs().max()) < 1e-5


def test_quantiles_that_the_student_does_not_have() -> None:
    own = {"likelihood": QuantileRegression([0.25, 0.5, 0.75])}
    lopsided = Teacher.from_forecasts(quantiles([0.2, 0.5, 0.9]), name="t")
    with pytest.raises(ValueError, match="a table of forecasts, is no network: distributions of networks alone"):
        DistilledModel(student(**own), lopsided, QuantileKD()).fit(SERIES)
    DistilledModel(student(), lopsided, OutputKD()).fit(SERIES)
    with pytest.raises(ValueError, match="QuantileKD compares quantiles"):
        DistilledModel(
            student(likelihood=GaussianLikelihood()), Teacher.from_forecasts(quantiles(LEVELS), name="t"), QuantileKD()
        ).fit(SERIES)


def test_std_teaches_a_spread() -> None:
    teacher = Teacher.from_forecasts(table().assign(std=0.3), name="t")
    ((_, found),) = teacher.predictor(SERIES).outputs(torch.tensor([(0, 12)]))
    np.testing.assert_allclose(found["spread"][0].numpy(), np.full((H, 2), 0.3), rtol=1e-6)
    DistilledModel(student(likelihood=GaussianLikelihood()), teacher, LikelihoodKD()).fit(SERIES)


def test_it_is_cached_saved_and_loaded(tmp_path: Path) -> None:
    teacher = Teacher.from_forecasts(quantiles(LEVELS), name="t", seen_until="2019-12-31")
    for _ in range(2):
        model = DistilledModel(student(), teacher).fit(SERIES, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    rows = quantiles(LEVELS)
    rows["value"] += 1e-3 * (np.arange(len(rows)) == 100)
    DistilledModel(student(), Teacher.from_forecasts(rows, name="t")).fit(SERIES, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    model.save(tmp_path / "model")
    loaded = DistilledModel.load(tmp_path / "model").teachers[0]
    assert repr(loaded) == repr(teacher) and loaded.seen_until == teacher.seen_until == pd.Timestamp("2019-12-31")
    keys = torch.tensor([(0, 12), (0, 70)])
    ((_, a),), ((_, b),) = (one.predictor(SERIES).outputs(keys, [PARAMETERS]) for one in (teacher, loaded))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def spoiled(**columns: Any) -> pd.DataFrame:
    return table().assign(**columns)


@pytest.mark.parametrize(
    "rows, error, message",
    [
        (table()[:0], ValueError, "forecasts of teacher 't' are empty"),
        ([], ValueError, "forecasts of teacher 't' are empty"),
        ([[], []], ValueError, "forecasts of teacher 't' are empty"),
        (SERIES, TypeError, "must be a pandas DataFrame, or the list that .*last_points_only=False.* got TimeSeries"),
        ([3.0], TypeError, "must hold TimeSeries, one for each origin, got float"),
        (table().drop(columns="step"), ValueError, r"lack the columns \['step'\]"),
        (spoiled(quantil=0.5), ValueError, "unknown column in forecasts of teacher 't' 'quantil'.* mean 'quantile'"),
        (spoiled(quantile=0.5, std=1.0), ValueError, "have columns 'quantile' and 'std': give one of them"),
        (spoiled(value="high"), TypeError, "value in forecasts of teacher 't' holds 'high': give numbers"),
        (spoiled(step="1"), TypeError, "step in forecasts of teacher 't' holds '1': give numbers"),
        (spoiled(step=0), ValueError, "step in .* is 0.0: give whole numbers from 1 on; step 1 is the first after the"),
        (spoiled(step=1.5), ValueError, "step in .* is 1.5: give whole numbers"),
        (spoiled(series=-1), ValueError, "series in .* is -1.0: give whole numbers from 0 on"),
        (spoiled(std=0.0), ValueError, "std in .* is 0.0: give numbers above 0"),
        (spoiled(quantile=95), ValueError, "quantile in .* is 95.0: give levels between 0 and 1"),
        (spoiled(quantile=0.9), ValueError, r"have the quantiles \[0.9\] without 0.5, the forecast"),
        (spoiled(origin="2020-01-01"), TypeError, "origin in .* holds '2020-01-01': give time stamps"),
        (spoiled(origin=pd.NaT), ValueError, "origin in .* is missing in row 0"),
        (spoiled(component=3), TypeError, "component in .* is 3: give the names of the target's components"),
        (spoiled(component=None), TypeError, "component in .* is None: give the names"),
        (
            spoiled(origin=table()["origin"].dt.tz_localize("UTC")),
            ValueError,
            "origin in .* has the time zone UTC, and series have none",
        ),
        (
            pd.concat([table(), table(origins=range(9, 10)).assign(value=0.0)]),
            ValueError,
            "give origin 2020-01-01 09:00:00, step 1, component y0 twice, with different values",
        ),
        (
            [SERIES[20:24], SERIES[20:24] + 1],
            ValueError,
            "give the origin 2020-01-01 19:00:00 twice, with different values",
        ),
        ([SERIES[20:24], SERIES[["y1", "y0"]][21:25]], ValueError, "has components"),
    ],
)
def test_wrong_forecasts(rows: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        Teacher.from_forecasts(rows, name="t")


def test_forecasts_that_do_not_fit_the_student() -> None:
    half = pd.Timedelta(minutes=30)
    daily = TimeSeries.from_times_and_values(
        pd.date_range("2020-01-02", periods=H), np.zeros((H, 2)), columns=["y0", "y1"]
    )
    for forecasts, message in (
        (
            table().replace({"component": {"y0": "yy0"}}),
            "unknown component in .* 'yy0'; there are y0, y1; did you",
        ),
        (table()[lambda rows: rows["component"] == "y0"], "has components .'y0'. and lacks 'y1'"),
        (
            spoiled(origin=table()["origin"] + half),
            "origin 2020-01-01 07:30:00 in .* is not a time stamp of the",
        ),
        ([daily], "have the frequency 'D', the target series 'h'"),
    ):
        with pytest.raises(ValueError, match=message):
            DistilledModel(student(), Teacher.from_forecasts(forecasts, name="t")).fit(SERIES)
    late = spoiled(origin=table()["origin"] + pd.Timedelta(days=1000))
    with pytest.raises(ValueError, match="teacher 't' has its inputs for none of the 79 windows"):
        DistilledModel(student(), Teacher.from_forecasts(late, name="t")).fit(SERIES)
    with pytest.raises(ValueError, match="first_step=2: a table says the step of each value itself"):
        Teacher.from_forecasts(table(), name="t", first_step=2)
    with pytest.raises(ValueError, match="first_step=0: give a step after the origin, 1 or more"):
        Teacher.from_forecasts([SERIES[20:24]], name="t", first_step=0)
