"""Teachers from outside that are series: they answer with the value at a time stamp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries, concatenate
from darts.models import DLinearModel
from darts.utils.likelihood_models.torch import GaussianLikelihood
from torch.nn import functional

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.losses import AutoregressiveKD, FeatureKD, LikelihoodKD, OutputKD, QuantileKD
from tskd.teachers.network import PARAMETERS
from tskd.weighting import DEMKD

H = 4
SERIES = walk(120, 2)
PRODUCT = walk(200, 2, seed=3, start="2019-12-30")


def student(**settings: Any) -> Any:
    return DLinearModel(8, H, **fast(**settings))


def every_window(length: int) -> torch.Tensor:
    return torch.tensor([(0, origin) for origin in range(length)])


def test_its_forecast_of_a_step_is_the_value_there() -> None:
    swapped = PRODUCT[["y1", "y0"]]
    teacher = Teacher.from_series(swapped, name="product").answering(range(2, 2 + H))
    forecasts, covered = teacher.predictor(SERIES).forecasts(every_window(120))
    # the product starts two days before the series, and values after the end of these are not read
    assert covered.tolist() == [True] * 115 + [False] * 5
    for origin in (0, 7, 114):
        expected = PRODUCT.values()[48 + origin + 2 : 48 + origin + 2 + H]
        np.testing.assert_array_equal(forecasts[origin].numpy(), expected)


def test_values_that_are_missing_mask_the_windows_that_hold_them() -> None:
    values = PRODUCT[60:].values().copy()
    values[30, 1] = np.nan
    teacher = Teacher.from_series(PRODUCT[60:].with_values(values), name="product").answering(range(1, 1 + H))
    _, covered = teacher.predictor(SERIES).forecasts(every_window(120))
    # the product starts at step 12 of the series, and lacks step 42
    assert torch.nonzero(~covered)[:, 0].tolist() == [*range(11), 38, 39, 40, 41, 116, 117, 118, 119]


@pytest.mark.parametrize("losses", [OutputKD(), AutoregressiveKD(H)])
def test_nothing_after_the_end_of_the_training_is_read(losses: Any) -> None:
    values = PRODUCT.values().copy()
    values[48 + 120 :] += 100
    trained = [
        DistilledModel(student(), Teacher.from_series(product, name="p"), losses, balance=0.8).fit(SERIES)
        for product in (PRODUCT, PRODUCT.with_values(values))
    ]
    first, second = (model.student.model.state_dict() for model in trained)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_series_for_each_target_series() -> None:
    others = [walk(60, 2, start="2020-01-03", seed=8), SERIES]
    teacher = Teacher.from_series([PRODUCT[50:120], PRODUCT], name="p")
    forecasts, covered = teacher.predictor(others).forecasts(torch.tensor([(0, 5), (1, 5)]))
    assert covered.tolist() == [True, True]
    np.testing.assert_array_equal(forecasts[:, 0].numpy(), PRODUCT.values()[[96 + 6, 48 + 6]])
    with pytest.raises(ValueError, match="series of teacher 'p': there are 2, and 1 target series: give one for each"):
        teacher.predictor(SERIES)


def test_std_as_a_number_a_series_or_samples() -> None:
    rng = np.random.default_rng(0)
    width = PRODUCT.with_values(np.abs(rng.normal(size=(200, 2))) + 0.01)
    samples = TimeSeries.from_times_and_values(
        PRODUCT.time_index, rng.normal(size=(200, 2, 30)), columns=PRODUCT.components
    )
    keys, rows = torch.tensor([(0, 10), (0, 40)]), [58 + 1, 88 + 1]
    for made, mean, std in (
        (Teacher.from_series(PRODUCT, name="p", std=0.3), PRODUCT.values(), np.full((200, 2), 0.3)),
        (Teacher.from_series(PRODUCT, name="p", std=width), PRODUCT.values(), width.values()),
        (
            Teacher.from_series(samples, name="p"),
            samples.all_values().mean(2),
            np.sqrt(samples.all_values().var(2) * 30 / 29),
        ),
    ):
        ((_, found),) = made.predictor(SERIES).outputs(keys, [PARAMETERS])
        np.testing.assert_allclose(found["forecasts"][:, 0].numpy(), mean[rows], rtol=1e-6)
        np.testing.assert_allclose(found["spread"][:, 0].numpy(), std[rows], rtol=1e-5)
        distribution = functional.softplus(found[PARAMETERS][..., 1])
        np.testing.assert_allclose(distribution[:, 0].numpy(), std[rows], rtol=1e-4)


def test_with_std_it_teaches_a_distribution() -> None:
    """The student of distributions that are all alike learns this one."""
    flat = SERIES.with_values(np.full((120, 2), 0.5, dtype="float32"))
    teacher = Teacher.from_series(flat, name="flat", std=0.2)
    own = student(likelihood=GaussianLikelihood(), n_epochs=150, optimizer_kwargs={"lr": 0.02})
    with pytest.warns(UserWarning, match="the same for every window"):
        DistilledModel(own, teacher, LikelihoodKD(), balance=1.0).fit(SERIES)
    found = own.predict(1, SERIES[:60], predict_likelihood_parameters=True, num_samples=1).values()[0]
    np.testing.assert_allclose(found, [0.5, 0.2, 0.5, 0.2], atol=0.06)


def test_it_joins_others_under_a_weighting_of_spreads() -> None:
    pair = [Teacher.from_series(PRODUCT, name="a", std=0.1), Teacher.from_series(PRODUCT + 1, name="b")]
    model = DistilledModel(student(), pair, weighting=DEMKD()).fit(SERIES, val_series=SERIES[60:])
    assert set(model.history[-1]["weights"]) == {"a", "b"}


def test_what_it_does_not_have_is_refused_before_the_training() -> None:
    plain = Teacher.from_series(PRODUCT, name="p")
    gaussian = student(likelihood=GaussianLikelihood())
    for loss, own, message in (
        (FeatureKD("linear_trend"), student(), "a given series, is no network and has no hidden layers"),
        (LikelihoodKD(), gaussian, "is no network: distributions of networks alone can be compared"),
        (QuantileKD(), gaussian, "compares quantiles"),
    ):
        teacher = Teacher.from_series(PRODUCT, name="p", std=1.0) if isinstance(loss, QuantileKD) else plain
        with pytest.raises(ValueError, match=message):
            DistilledModel(own, teacher, loss).fit(SERIES)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    shifted = [PRODUCT, PRODUCT[:80]]
    series = [SERIES, SERIES[:90]]
    teacher = Teacher.from_series(shifted, name="p", std=[PRODUCT.with_values(PRODUCT.values() ** 2 + 1)] * 2)
    model = DistilledModel(student(), teacher).fit(series)
    model.save(tmp_path / "model")
    loaded = DistilledModel.load(tmp_path / "model").teachers[0]
    assert repr(loaded) == repr(teacher) and loaded.fitted and loaded.seen_until is None
    keys = torch.tensor([(0, 5), (1, 9)])
    ((_, a),), ((_, b),) = (one.predictor(series).outputs(keys, [PARAMETERS]) for one in (teacher, loaded))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_rolling_evaluation_asks_what_it_was_made_of() -> None:
    arguments: dict[str, Any] = {"start": 100, "forecast_horizon": H, "stride": 10, "retrain": True}
    with pytest.raises(ValueError, match=r"teacher 'p' was passed in fitted on data of unknown end .*seen_until"):
        DistilledModel(student(), Teacher.from_series(PRODUCT, name="p")).historical_forecasts(SERIES, **arguments)
    for seen in ("2020-01-05 12:00", pd.Timestamp("2020-01-05 12:00")):
        model = DistilledModel(student(), Teacher.from_series(PRODUCT, name="p", seen_until=seen))
        with pytest.raises(ValueError, match="fitted on data up to 2020-01-05"):
            model.historical_forecasts(SERIES, **arguments)
    honest = Teacher.from_series(PRODUCT, name="p", seen_until="2019-12-31")
    assert DistilledModel(student(), honest).historical_forecasts(SERIES, **arguments) is not None


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3,), TypeError, "series of teacher 'p' must be a TimeSeries or a list of them, one for each target, got int"),
        (([],), TypeError, "must be a TimeSeries or a list of them"),
        (([PRODUCT, PRODUCT["y0"]],), ValueError, "series of teacher 'p'.1. has components"),
        ((PRODUCT, 0), ValueError, "std of teacher 'p'=0: give a finite number above 0"),
        ((PRODUCT, "wide"), ValueError, "std of teacher 'p'='wide': give a finite number above 0"),
        ((PRODUCT, PRODUCT * 0), ValueError, "std of teacher 'p' holds 0.0: give numbers above 0"),
        ((PRODUCT, [PRODUCT, PRODUCT]), ValueError, "std of teacher 'p' holds 2 series, but there are 1"),
    ],
)
def test_wrong_arguments(arguments: Any, error: Any, message: str) -> None:
    series, *std = arguments
    with pytest.raises(error, match=message):
        Teacher.from_series(series, name="p", std=std[0] if std else None)


def test_series_that_do_not_fit_the_student() -> None:
    daily = TimeSeries.from_times_and_values(
        pd.date_range("2020-01-01", periods=20), np.zeros((20, 2)), columns=["y0", "y1"]
    )
    more = concatenate([PRODUCT, walk(200, start="2019-12-30", name="z")], axis=1)
    for series, message in (
        (daily, "series of teacher 'p' do not fit the target series: frequencies differ"),
        (PRODUCT.shift(0).with_columns_renamed("y0", "y_0"), "unknown component in series of teacher 'p' 'y_0'.*'y0'"),
        (PRODUCT["y0"], "series of teacher 'p' has components .'y0'. and lacks 'y1' of the student's target"),
        (more, "unknown component in series of teacher 'p' 'z0'; there are y0, y1"),
    ):
        with pytest.raises(ValueError, match=message):
            DistilledModel(student(), Teacher.from_series(series, name="p")).fit(SERIES)
    with pytest.raises(ValueError, match="name='': give the teacher's name"):
        Teacher.from_series(PRODUCT, name="")
    with pytest.raises(ValueError, match="has its inputs for none of the"):
        DistilledModel(student(), Teacher.from_series(PRODUCT.shift(1000), name="p")).fit(SERIES)
