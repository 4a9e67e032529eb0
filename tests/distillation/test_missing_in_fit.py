"""Fits, forecasts and evaluations of data with gaps, against counts and values that are computed apart.

A window is counted, a label averaged, a teacher heard, or an origin evaluated exactly where what it reads exists.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.metrics import mae
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel, TSMixerModel
from darts.utils.likelihood_models import GaussianLikelihood, QuantileRegression
from pytorch_lightning.callbacks import EarlyStopping
from torchmetrics import MeanAbsoluteError

from tests.helpers.caching import entries
from tests.helpers.closed_form import (
    LBFGS,
    H,
    L,
    descending,
    forecasts,
    largest_difference,
    linear,
    noise,
    regression,
    scripted,
    windows,
)
from tests.helpers.every_case import LOSSES, WEIGHTINGS
from tests.helpers.models import fast
from tests.helpers.networks import MODELS, network_of
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd._core.darts.dataset import MaskedBatch
from tskd._core.darts.forward import ModuleStage, network_output
from tskd._core.darts.training_step import label_loss
from tskd.balance import ScheduledBalance
from tskd.losses import FeatureKD, LevelShapeKD, LikelihoodKD, OutlierRejection, OutputKD, QuantileKD
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.teachers.crossfit import CrossFit
from tskd.weighting import Fixed

SERIES, LAB = noise(80, 2), noise(80, 1, seed=7, name="lab")
ORIGINS = range(L - 1, len(SERIES) - H)
# lookback of a teacher, longer than the student's
LONG = 7


def punched(series: TimeSeries, share: float, seed: int = 5, value: float = np.nan) -> TimeSeries:
    """The series with a random share of its values replaced, each component by itself."""
    values = series.values().copy()
    values[np.random.default_rng(seed).random(values.shape) < share] = value
    return series.with_values(values)


def cut(series: TimeSeries, *stretches: tuple[int, int], component: Any = slice(None), value: Any = np.nan) -> Any:
    """The series with some stretches replaced."""
    values = series.values().copy()
    for start, end in stretches:
        values[start:end, component] = value
    return series.with_values(values)


def known(series: TimeSeries) -> np.ndarray:
    return np.isfinite(series.values())


def heard(series: TimeSeries, lab: TimeSeries, origin: int) -> bool:
    """Whether a teacher of the long lookback has all that it reads."""
    steps = slice(origin - LONG + 1, origin + 1)
    return origin >= LONG - 1 and bool(known(series)[steps].all() and known(lab)[steps].all())


def by_hand(series: TimeSeries, lab: TimeSeries) -> dict[str, int]:
    """What the student learns from in each window."""
    counts = dict.fromkeys(("both", "labels", "teachers", "neither", "incomplete"), 0)
    for origin in ORIGINS:
        labelled, taught = bool(known(series)[origin + 1 : origin + 1 + H].any()), heard(series, lab, origin)
        kind = {(True, True): "both", (True, False): "labels", (False, True): "teachers"}.get((labelled, taught))
        complete = known(series)[origin - L + 1 : origin + 1].all()
        counts[(kind or "neither") if complete else "incomplete"] += 1
    return counts


def reader(**kwargs: Any) -> Teacher:
    """A teacher that reads the laboratory, and the target's past, over the long lookback."""
    return Teacher(NLinearModel(LONG, H, **fast(batch_size=16)), CostlySensors("lab"), name="reader", **kwargs)


def parameters(model: Any) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.model.state_dict().values()])


def stacked(found: Any) -> np.ndarray:
    """Forecasts of one series `[N, H, C]`."""
    return np.array([one.values() for one in found])


def least_squares(inputs: np.ndarray, target: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Fitted values `[N, H, C]` of regressions on the labels that exist, for inputs that may be others."""
    fitted = np.empty((len(at), *target.shape[1:]))
    for h, c in np.ndindex(target.shape[1:]):
        rows = np.isfinite(target[:, h, c]) & np.isfinite(inputs).all(1)
        fitted[:, h, c] = at @ np.linalg.lstsq(inputs[rows], target[rows, h, c], rcond=None)[0]
    return fitted


# two long gaps in the target, which leave windows without labels; one of them is near a gap in the laboratory
GAPPY = cut(cut(SERIES, (30, 36), (66, 70)), (50, 51), (77, 80), component=1)
GAPPY_LAB = cut(LAB, (12, 13), (21, 23), (60, 64), (78, 80))


@pytest.mark.parametrize("cross_fit", [None, CrossFit(3, block=20)], ids=str)
def test_windows_are_counted_by_what_the_student_learns_from(cross_fit: CrossFit | None) -> None:
    expected = by_hand(GAPPY, GAPPY_LAB)
    assert all(expected.values()) and len(set(expected.values())) > 3
    student = descending(n_epochs=2)
    model = DistilledModel(student, reader(cross_fit=cross_fit)).fit(GAPPY, privileged={"lab": GAPPY_LAB})
    assert model.windows is not None and vars(model.windows) == expected
    assert model.windows.used == expected["both"] + expected["labels"] + expected["teachers"]
    assert str(model.windows.used) in str(model.windows)
    assert parameters(student).isfinite().all()
    used = [o for o in ORIGINS if known(GAPPY)[o - L + 1 : o + 1].all()]
    used = [o for o in used if known(GAPPY)[o + 1 : o + 1 + H].any() or heard(GAPPY, GAPPY_LAB, o)]
    silent = [o for o in used if not heard(GAPPY, GAPPY_LAB, o)]
    assert model.history[0]["masked"] == pytest.approx(len(silent) / len(used))
    assert model.history[0]["weights"] == {"reader": pytest.approx(1.0)}


def test_without_a_share_of_the_teachers_only_labels_count() -> None:
    expected = by_hand(GAPPY, GAPPY_LAB)
    model = DistilledModel(descending(), balance=0).fit(GAPPY)
    assert model.windows is not None
    assert model.windows.labels == expected["both"] + expected["labels"]
    assert model.windows.neither == expected["teachers"] + expected["neither"]
    rejecting = DistilledModel(descending(), reader(), OutlierRejection()).fit(GAPPY, privileged={"lab": GAPPY_LAB})
    assert rejecting.windows == model.windows


def test_infinite_values_are_missing_ones_with_a_warning() -> None:
    found = []
    for value in (np.nan, np.inf, -np.inf):
        series, lab = cut(SERIES, (40, 42), value=value), cut(LAB, (20, 21), value=value)
        past = cut(noise(80, seed=9, name="past"), (60, 61), value=value)
        student = TiDEModel(L, H, **fast())
        model = DistilledModel(student, reader())
        if np.isnan(value):
            model.fit(series, past, privileged={"lab": lab})
        else:
            with pytest.warns(UserWarning, match="infinite values.*count as missing") as warned:
                model.fit(series, past, privileged={"lab": lab})
            named = " ".join(str(one.message) for one in warned)
            assert all(what in named for what in ("series has 4", "past_covariates has 1", "privileged['lab'] has 1"))
        found.append((parameters(student), model.windows))
    for values, counts in found[1:]:
        assert torch.equal(values, found[0][0]) and counts == found[0][1]


@pytest.mark.parametrize("gap", ["target", "past", "future", "lab"])
def test_gaps_that_no_window_reads_change_nothing(gap: str) -> None:
    count = 30
    first = len(SERIES) - H - count - max(L, LONG) + 1
    given: dict[str, TimeSeries] = {
        "target": SERIES,
        "past": noise(80, seed=9, name="past"),
        "future": noise(85, seed=10, name="future"),
        "lab": LAB,
    }
    unread = {
        "target": [(0, first)],
        "past": [(0, first), (80 - H, 80)],
        "future": [(0, first), (80, 85)],
        "lab": [(0, first), (80 - H, 80)],
    }
    found = []
    for series in (given, given | {gap: cut(given[gap], *unread[gap])}):
        teacher = Teacher(TiDEModel(LONG, H, **fast(batch_size=16)), CostlySensors("lab"))
        student = TiDEModel(L, H, **fast(batch_size=16, n_epochs=2))
        model = DistilledModel(student, teacher, [OutputKD(), OutlierRejection(0.5)], balance=0.4)
        model.fit(
            series["target"],
            series["past"],
            series["future"],
            privileged={"lab": series["lab"]},
            max_samples_per_ts=count,
        )
        assert model.windows is not None and model.windows.both == count == model.windows.used
        found.append((parameters(student), parameters(model.teachers[0].models[0])))
    for plain, gappy in zip(*found, strict=True):
        assert torch.equal(plain, gappy)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_missing_label_is_one_of_weight_zero_up_to_their_number(weighted: bool) -> None:
    """In the last steps, which no window reads as inputs; darts averages over labels of weight 0 too."""
    lr = 0.02
    gappy = cut(cut(SERIES, (78, 80), component=0), (77, 79), component=1)
    labels = np.isfinite(windows(gappy)[1])
    assert 0 < (~labels).sum() < labels.size and (~labels).any(0).sum() > 3
    given = 1 + weighted * np.random.default_rng(1).random((80, 1))
    weight = SERIES.with_values(np.repeat(given, 2, axis=1))
    zero = weight.with_values(np.where(known(gappy), weight.values(), 0))
    masked, zeroed = descending(lr), descending(lr * labels.size / labels.sum())
    DistilledModel(masked, balance=0).fit(gappy, sample_weight=weight if weighted else None)
    zeroed.fit(SERIES, sample_weight=zero)
    assert largest_difference(masked, zeroed) < 1e-12


def missed(model: Any, whole: TimeSeries, gappy: TimeSeries) -> np.ndarray:
    """Errors `[N, H, C]` in the windows that are complete and have a label, NaN where it is missing."""
    inputs, labels = windows(gappy)
    errors = (forecasts(model, whole) - labels)[np.isfinite(inputs).all(1)]
    errors = errors[np.isfinite(errors).any((1, 2))]
    assert 0.01 < np.isnan(errors).mean() < 0.5
    return errors


HELD_OUT = noise(60, 2, seed=21)
GAPPY_HELD_OUT = cut(punched(HELD_OUT, 0.03, seed=8), (44, 50))


def test_logged_losses_and_metrics_are_means_over_the_labels_that_exist() -> None:
    """Batches differ in their numbers of labels."""
    train = cut(punched(SERIES, 0.04), (60, 64))
    student = descending(lr=0.0, batch_size=7, n_epochs=1, torch_metrics=MeanAbsoluteError().double())
    DistilledModel(student, balance=0).fit(train, val_series=GAPPY_HELD_OUT)
    logged = {name: float(value) for name, value in student.trainer.callback_metrics.items()}
    errors, held_out = missed(student, SERIES, train), missed(student, HELD_OUT, GAPPY_HELD_OUT)
    assert logged["train_MeanAbsoluteError"] == pytest.approx(np.nanmean(np.abs(errors)), rel=1e-6)
    assert logged["val_MeanAbsoluteError"] == pytest.approx(np.nanmean(np.abs(held_out)), rel=1e-6)
    assert logged["train_label_loss"] == pytest.approx(np.nanmean(errors**2), rel=1e-6)


@pytest.mark.parametrize("batch_size", [7, 1000])
@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_a_validation_loss_is_the_mean_over_the_labels_that_exist(whose: str, batch_size: int) -> None:
    model = descending(lr=0.0, batch_size=batch_size, n_epochs=1)
    if whose == "student":
        DistilledModel(model, balance=0).fit(SERIES, val_series=GAPPY_HELD_OUT)
    else:
        model = Teacher(model).fit(SERIES, val_series=GAPPY_HELD_OUT).models[0]
    logged = float(model.trainer.callback_metrics["val_loss"])
    assert logged == pytest.approx(np.nanmean(missed(model, HELD_OUT, GAPPY_HELD_OUT) ** 2), rel=1e-6)


def test_early_stopping_sees_a_validation_loss_of_the_labels_that_exist() -> None:
    held_out = cut(noise(60, 2, seed=21), (20, 26), (59, 60))
    stopping = EarlyStopping("val_loss", patience=2)
    student = descending(lr=0.0, n_epochs=9, batch_size=16, pl_trainer_kwargs=QUIET | {"callbacks": [stopping]})
    DistilledModel(student, balance=0).fit(SERIES, val_series=held_out)
    assert student.epochs_trained == 3
    assert np.isfinite(float(stopping.best_score))


@pytest.mark.parametrize("name", ["TiDE", "TiDE, Gaussian"])
@pytest.mark.parametrize("filler", [0.0, -7.0, 1e15, 1e30])
def test_the_label_loss_is_a_mean_over_the_labels_that_exist_whatever_the_others_are(name: str, filler: float) -> None:
    network, batch = network_of(MODELS[name][0], torch.float64)
    network.eval()
    labelled = torch.rand(batch.future_target.shape, generator=torch.Generator().manual_seed(4)) < 0.6
    labelled[0], labelled[1, :, 1] = False, False
    target = batch.future_target.where(labelled, filler)
    masked = MaskedBatch(past_target=batch.past_target, future_target=target, labelled=labelled)
    output = network_output(network, masked, ModuleStage.TRAIN)
    loss = label_loss(network, output, masked, ModuleStage.TRAIN)
    if network.likelihood is None:
        errors = (output.prediction[..., 0] - batch.future_target).square()
    else:
        mean, spread = network.likelihood._params_from_output(output.prediction)
        errors = -torch.distributions.Normal(mean, spread).log_prob(batch.future_target)
    trained = [p for p in network.parameters() if p.requires_grad]
    expected = errors[labelled].mean()
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)
    both = [torch.autograd.grad(one, trained, retain_graph=True, allow_unused=True) for one in (loss, expected)]
    for found, wanted in zip(*both, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-12)


def test_a_batch_without_labels_trains_on_the_teacher_alone() -> None:
    """The one window, of the newest steps, has no label."""
    series = cut(SERIES, (80 - H, 80))
    plain = scripted(SERIES, lambda y, _: torch.ones_like(y))
    found = []
    for target in (series, SERIES):
        student = descending(lr=0.1, torch_metrics=MeanAbsoluteError().double())
        model = DistilledModel(student, plain, balance=1.0).fit(target, max_samples_per_ts=1)
        assert model.windows is not None and model.windows.used == 1
        assert model.windows.teachers == (1 if target is series else 0)
        found.append(parameters(student))
    assert found[0].isfinite().all()
    torch.testing.assert_close(*found, rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="no window"):
        DistilledModel(descending(), plain, balance=0.0).fit(series, max_samples_per_ts=1)


def test_a_warm_up_without_teachers_passes_batches_without_labels() -> None:
    student = descending(lr=0.05, batch_size=4, n_epochs=4)
    model = DistilledModel(student, reader(), balance=ScheduledBalance(0.8, warm_up=2))
    model.fit(GAPPY, privileged={"lab": GAPPY_LAB})
    assert parameters(student).isfinite().all()
    assert model.windows is not None and vars(model.windows) == by_hand(GAPPY, GAPPY_LAB)


def test_outputs_from_a_cache_are_those_that_were_computed(tmp_path: Path) -> None:
    teacher = reader().fit(GAPPY, privileged={"lab": GAPPY_LAB})

    def distilled(cache: Path | None, lab: TimeSeries = GAPPY_LAB) -> tuple[torch.Tensor, Any]:
        student = descending()
        model = DistilledModel(student, teacher, balance=0.7).fit(GAPPY, privileged={"lab": lab}, cache=cache)
        return parameters(student), model.windows

    plain, written = distilled(None), distilled(tmp_path)
    one = entries(tmp_path)
    read = distilled(tmp_path)
    assert len(one) == 1 and entries(tmp_path) == one
    for found in (written, read):
        assert torch.equal(found[0], plain[0]) and found[1] == plain[1]
    other = distilled(tmp_path, cut(GAPPY_LAB, (40, 41)))
    assert len(entries(tmp_path)) == 2 and other[1] != plain[1]


def test_a_teacher_of_labels_with_gaps_is_the_regression_on_those_that_exist() -> None:
    gappy = punched(SERIES, 0.03)
    exact = linear(optimizer_kwargs=LBFGS | {"history_size": 60, "tolerance_change": 0})
    teacher = Teacher(exact).fit(gappy)
    inputs, labels = windows(gappy)
    said = stacked(teacher.historical_forecasts(SERIES))
    assert np.abs(said - least_squares(inputs, labels, windows(SERIES)[0])).max() < 1e-6


def test_one_missing_value_costs_a_teacher_of_lags_the_windows_that_read_it() -> None:
    short = cut(noise(30, seed=3), (17, 18))
    teacher = Teacher(LinearRegressionModel(lags=L, output_chunk_length=H), name="lags")
    inputs, labels = windows(short)
    complete = np.isfinite(inputs).all(1) & np.isfinite(labels).all((1, 2))
    assert complete.sum() == len(inputs) - L - H
    said = teacher.fit(short).historical_forecasts(short)
    expected = regression(inputs[complete], labels[complete], at=inputs[np.isfinite(inputs).all(1)])
    assert np.abs(stacked(said) - expected).max() < 1e-9
    student = descending(lr=0.02)
    model = DistilledModel(student, teacher).fit(short)
    assert model.windows is not None and vars(model.windows) == {
        "both": len(inputs) - L,
        "labels": 0,
        "teachers": 0,
        "neither": 0,
        "incomplete": L,
    }
    assert parameters(student).isfinite().all()


def test_a_teacher_of_some_lags_does_not_mind_gaps_between_them() -> None:
    short = noise(40, seed=3)
    gappy = cut(short, (20, 21))
    teacher = Teacher(LinearRegressionModel(lags=[-1, -4], output_chunk_length=1), name="lags").fit(short)
    said = teacher.historical_forecasts(gappy)
    stamps = [gappy.get_index_at_point(one.start_time()) for one in said if isinstance(one, TimeSeries)]
    assert stamps == [step for step in range(4, 40) if step - 1 != 20 and step - 4 != 20]


def test_a_component_without_any_value() -> None:
    with pytest.raises(ValueError, match=r"no window can be used: of 73, 73 lack inputs"):
        DistilledModel(descending()).fit(cut(SERIES, (0, 80), component=1))
    with pytest.raises(ValueError, match=r"no window can be used"):
        DistilledModel(TiDEModel(L, H, **fast())).fit(SERIES, cut(LAB, (0, 80)))
    empty = cut(noise(80, 2, seed=7, name="lab"), (0, 80), component=0)
    with pytest.raises(ValueError, match="no window is left"):
        DistilledModel(descending(), reader()).fit(SERIES, privileged={"lab": empty})


def test_a_soft_sensor_learns_the_components_that_have_labels() -> None:
    student = linear(n_epochs=2)
    past = noise(80, seed=9, name="past")
    model = DistilledModel(student, soft_sensor=True, balance=0).fit(cut(SERIES, (0, 80), component=1), past)
    inputs, labels = windows(past)[0], windows(SERIES)[1]
    zero = SERIES.with_values(np.zeros_like(SERIES.values()))
    found = student.historical_forecasts(
        zero, past_covariates=past, retrain=False, last_points_only=False, forecast_horizon=H
    )
    said = stacked(found)
    assert np.abs(said[..., 0] - least_squares(inputs, labels, inputs)[..., 0]).max() < 1e-5
    assert parameters(student).isfinite().all()
    assert model.windows is not None and model.windows.labels == len(inputs)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_a_soft_sensor_with_a_label_every_25th_hour(alpha: float) -> None:
    n, every = 300, 25
    target, past, lab = noise(n), noise(n, seed=9, name="past"), noise(n, seed=7, name="lab")
    sparse = target.with_values(np.where(np.arange(n)[:, None] % every == 0, target.values(), np.nan))
    blind = Teacher(TiDEModel(L, H, **fast()), CostlySensors("lab"), name="blind", sees_inputs=False)
    student = TiDEModel(L, H, **fast())
    model = DistilledModel(student, blind, balance=alpha, soft_sensor=True)
    model.fit(sparse, past, privileged={"lab": lab})
    origins = range(L - 1, n - H)
    labelled = sum(any(step % every == 0 for step in range(o + 1, o + 1 + H)) for o in origins)
    assert 0 < labelled < len(origins)
    other = {"teachers": len(origins) - labelled} if alpha else {"neither": len(origins) - labelled}
    expected = {"both": labelled} if alpha else {"labels": labelled}
    zeros = dict.fromkeys(("both", "labels", "teachers", "neither", "incomplete"), 0)
    assert model.windows is not None and vars(model.windows) == zeros | expected | other
    assert parameters(student).isfinite().all()
    said = model.predict(H, sparse[:200], past)
    assert isinstance(said, TimeSeries) and known(said).all()


def test_a_teacher_that_hears_nothing_where_labels_are_missing_is_named() -> None:
    n = 120
    target, past, lab = noise(n), noise(n, seed=9, name="past"), noise(n, seed=7, name="lab")
    teacher = Teacher(TiDEModel(L, H, **fast()), CostlySensors("lab"), name="sighted")
    # the first window without labels has a past
    gappy, lab = cut(target, (60, 90)), cut(lab, (59, 60))
    with pytest.warns(UserWarning, match="'sighted' is silent in all .* windows without a label"):
        DistilledModel(TiDEModel(L, H, **fast()), teacher, soft_sensor=True).fit(gappy, past, privileged={"lab": lab})


def test_business_days_with_holidays() -> None:
    days = pd.date_range("2024-01-01", periods=80, freq="B")
    holidays = [20, 41, 42, 70]
    values = noise(80, 2).values()
    values[holidays] = np.nan
    series = TimeSeries.from_times_and_values(days, values, columns=["y0", "y1"])
    lab = TimeSeries.from_times_and_values(days, LAB.values(), columns=["lab"])
    student = descending(lr=0.02)
    model = DistilledModel(student, reader()).fit(series, privileged={"lab": lab})
    assert model.windows is not None and vars(model.windows) == by_hand(series, lab)
    assert parameters(student).isfinite().all()
    said = model.predict(H, series)
    assert isinstance(said, TimeSeries) and known(said).all() and said.start_time() == days[-1] + series.freq
    with pytest.raises(ValueError, match=str(days[70].date())):
        model.predict(H, series[:73])


@pytest.mark.parametrize("scale", [1e5, 1e-12])
@pytest.mark.filterwarnings("ignore:teacher .* forecasts the same for every window")
def test_a_series_of_zeros_with_one_spike_is_finite(scale: float) -> None:
    values = np.zeros((80, 2), dtype="float32")
    values[44, 0] = scale
    spike = walk(80, 2).with_values(values)
    for name, loss in LOSSES.items():
        if name in ("likelihood", "quantiles", "roll"):
            continue
        teachers = [Teacher(small(8, 8, random_state=seed), name=f"t{seed}") for seed in (1, 2)]
        student = small(8, 8, batch_size=13)
        DistilledModel(student, teachers, loss()).fit(spike)
        assert parameters(student).isfinite().all(), name


@pytest.fixture(scope="module")
def model() -> DistilledModel:
    return DistilledModel(descending(lr=0.02), balance=0).fit(SERIES[:35])


class TestForecasts:
    """What is refused, or left out, because its inputs are missing."""

    gappy = cut(cut(SERIES, (40, 42), component=1), (60, 61))

    def complete(self, series: TimeSeries, origins: range) -> list[int]:
        return [o for o in origins if known(series)[o - L + 1 : o + 1].all()]

    def test_a_past_with_gaps_is_refused_with_the_dates(self, model: DistilledModel) -> None:
        gone = SERIES.time_index[40:42]
        with pytest.raises(ValueError, match=f"series has missing values at {gone[0]}, {gone[1]}"):
            model.predict(H, self.gappy[:44])
        with pytest.raises(ValueError, match=f"series has missing values at {gone[1]}, which"):
            model.predict(H, [SERIES[:50], self.gappy[:46]])
        said = model.predict(H, self.gappy[: 42 + L])
        assert isinstance(said, TimeSeries)
        np.testing.assert_array_equal(said.values(), model.student.predict(H, SERIES[: 42 + L]).values())

    def test_covariates_with_gaps_are_refused_with_the_dates(self) -> None:
        past, future = noise(90, seed=9, name="past"), noise(90, seed=10, name="future")
        model = DistilledModel(TiDEModel(L, H, **fast()), balance=0).fit(SERIES[:60], past, future)
        at = past.time_index
        with pytest.raises(ValueError, match=f"past_covariates has missing values at {at[57]}"):
            model.predict(H, SERIES[:60], cut(past, (57, 58)), future)
        with pytest.raises(ValueError, match=f"future_covariates has missing values at {at[62]}"):
            model.predict(H, SERIES[:60], past, cut(future, (62, 63)))
        plain = model.predict(H, SERIES[:60], past, future)
        unread = model.predict(H, SERIES[:60], cut(past, (0, 55), (60, 90)), cut(future, (0, 55), (63, 90)))
        assert isinstance(plain, TimeSeries) and isinstance(unread, TimeSeries)
        np.testing.assert_array_equal(unread.values(), plain.values())

    def test_rolling_forecasts_leave_incomplete_origins_out(
        self, model: DistilledModel, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings: dict[str, Any] = {"retrain": False, "forecast_horizon": H}
        origins = range(L - 1, 80 - H)
        there = self.complete(self.gappy, origins)
        assert 0 < len(there) < len(origins)
        with caplog.at_level(logging.WARNING, logger="tskd"):
            found = model.historical_forecasts(self.gappy, last_points_only=False, **settings)
        gone = len(origins) - len(there)
        assert f"{gone} of {len(origins)} forecasts read missing values" in caplog.text
        assert [one.start_time() for one in found] == [SERIES.time_index[o + 1] for o in there]
        whole = model.historical_forecasts(SERIES, last_points_only=False, **settings)
        for o, one in zip(there, found, strict=True):
            np.testing.assert_array_equal(one.values(), whole[o - L + 1].values())
        last = model.historical_forecasts(self.gappy, **settings)
        assert list(last.time_index) == [SERIES.time_index[o + H] for o in origins]
        for o, value in zip(origins, last.values(), strict=True):
            expected = whole[o - L + 1].values()[-1] if o in there else [np.nan] * 2
            np.testing.assert_array_equal(value, expected)

    def test_refitted_forecasts_leave_incomplete_origins_out(self) -> None:
        model = DistilledModel(descending(lr=0.02), reader())
        settings: dict[str, Any] = {"forecast_horizon": H, "start": 38, "stride": 3}
        given = {"privileged": {"lab": GAPPY_LAB}, **settings}
        # the first step of each forecast is one after its origin
        origins = range(37, 80 - H, 3)
        there = self.complete(self.gappy, origins)
        assert 0 < len(there) < len(origins)
        found = model.historical_forecasts(self.gappy, last_points_only=False, **given)
        assert [one.start_time() for one in found] == [SERIES.time_index[o + 1] for o in there]
        assert all(known(one).all() for one in found)
        fresh = DistilledModel(descending(lr=0.02), reader())
        fresh.fit(self.gappy[: there[-1] + 1], privileged={"lab": GAPPY_LAB})
        expected = fresh.predict(H, self.gappy[: there[-1] + 1])
        assert isinstance(expected, TimeSeries)
        np.testing.assert_allclose(found[-1].values(), expected.values(), rtol=1e-9)
        last = model.historical_forecasts(self.gappy, **given)
        assert [bool(row.all()) for row in known(last)] == [o in there for o in origins]

    @pytest.mark.parametrize("last_points_only", [False, True])
    @pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
    def test_an_evaluation_is_over_the_origins_that_are_complete(
        self, model: DistilledModel, last_points_only: bool
    ) -> None:
        there = self.complete(self.gappy, range(L - 1, 80 - H))
        said, values = forecasts(model.student, SERIES), self.gappy.values()
        errors = np.array([np.abs(said[o - L + 1] - values[o + 1 : o + 1 + H]) for o in there])
        found = model.backtest(
            self.gappy, retrain=False, forecast_horizon=H, metric=mae, last_points_only=last_points_only
        )
        if last_points_only:
            expected = np.nanmean(errors[:, -1], axis=0).mean()
        else:
            expected = np.nanmean(np.nanmean(np.nanmean(errors, axis=1), axis=1))
        assert found == pytest.approx(expected)

    def test_several_series_leave_out_their_own_origins(self, model: DistilledModel) -> None:
        several = [self.gappy, SERIES, cut(noise(50, 2, seed=3), (10, 11))]
        found = model.historical_forecasts(several, retrain=False, forecast_horizon=H, last_points_only=False)
        expected = [len(self.complete(one, range(L - 1, len(one) - H))) for one in several]
        assert [len(one) for one in found] == expected and len(set(expected)) == 3

    def test_a_gap_that_no_origin_escapes_is_refused(self, model: DistilledModel) -> None:
        gone = cut(SERIES[40:], (0, 40))
        with pytest.raises(ValueError, match=r"all \d+ .* missing values in series: fill .* soft sensor"):
            model.historical_forecasts(gone, retrain=False, forecast_horizon=H)
        with pytest.raises(ValueError, match="missing values"):
            model.predict(H, gone)

    def test_a_teacher_is_silent_in_the_windows_that_read_a_gap(self) -> None:
        teacher = reader().fit(SERIES, privileged={"lab": LAB})
        whole = teacher.historical_forecasts(SERIES, privileged={"lab": LAB})
        found = teacher.historical_forecasts(GAPPY, privileged={"lab": GAPPY_LAB})
        there = [o for o in range(LONG - 1, 80 - H) if heard(GAPPY, GAPPY_LAB, o)]
        assert len(there) == len(found) < len(whole)
        for o, one in zip(there, found, strict=True):
            assert isinstance(one, TimeSeries) and one.start_time() == SERIES.time_index[o + 1]
            same = whole[o - LONG + 1]
            assert isinstance(same, TimeSeries)
            np.testing.assert_allclose(one.values(), same.values(), rtol=1e-9)

    def test_a_source_of_the_future_is_silent_where_a_step_of_it_is_missing(self) -> None:
        source = FutureHorizon("lab", start=2, end=3)
        teacher = Teacher(TiDEModel(L, H, **fast()), source, name="ahead").fit(SERIES, privileged={"lab": LAB})
        found = teacher.historical_forecasts(SERIES, privileged={"lab": cut(LAB, (50, 51))})
        starts = {SERIES.get_index_at_point(one.start_time()) - 1 for one in found if isinstance(one, TimeSeries)}
        assert set(ORIGINS) - starts == {50 - 2, 50 - 3}


def small(horizon: int, lookback: int = 6, **kwargs: Any) -> Any:
    return TSMixerModel(lookback, horizon, hidden_size=6, ff_size=6, num_blocks=1, **fast(**kwargs))


MANY = [cut(punched(walk(60, 2), 0.02), (30, 37)), cut(punched(walk(60, 2, seed=3), 0.03), (57, 60))]
MANY_LAB = [cut(walk(60, seed=4, name="lab"), (12, 14)), cut(walk(60, seed=5, name="lab"), (40, 46))]


def usable_windows(lookback: int, horizon: int) -> int:
    """Number of windows with all inputs, and a label."""
    origins = range(lookback - 1, 60 - horizon)
    pairs = [
        (known(one)[o - lookback + 1 : o + 1], known(one)[o + 1 : o + 1 + horizon]) for one in MANY for o in origins
    ]
    return sum(bool(past.all() and later.any()) for past, later in pairs)


def leaves_one(count: int) -> int:
    """A batch size of at least 4 with which the last batch has one window."""
    return next(size for size in range(4, count) if count % size == 1)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_on_data_with_gaps(name: str) -> None:
    loss = LOSSES[name]()
    likelihood: dict[str, Any] = {}
    if isinstance(loss, LikelihoodKD | QuantileKD):
        given = GaussianLikelihood() if isinstance(loss, LikelihoodKD) else QuantileRegression([0.1, 0.5, 0.9])
        likelihood = {"likelihood": given}
    teachers = [
        Teacher(small(6, random_state=1, batch_size=16, **likelihood), CostlySensors("lab"), name="a"),
        Teacher(small(6, random_state=2, batch_size=16, **likelihood), name="b"),
    ]
    size = leaves_one(usable_windows(6, 4))
    student = small(4, batch_size=size, **likelihood)
    model = DistilledModel(student, teachers, loss, balance=0.6)
    model.fit(MANY, privileged={"lab": MANY_LAB}, val_series=MANY, val_privileged={"lab": MANY_LAB})
    assert parameters(student).isfinite().all()
    assert model.windows is not None and model.windows.labels + model.windows.both == usable_windows(6, 4)
    logged = student.trainer.callback_metrics
    assert {"train_loss", "val_loss"} <= logged.keys() and all(bool(value.isfinite()) for value in logged.values())


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", WEIGHTINGS)
@pytest.mark.filterwarnings("ignore:Imitability needs", "ignore:teacher .* of layer")
def test_every_weighting_weighs_on_data_with_gaps(name: str, held_out: bool) -> None:
    weighting = WEIGHTINGS[name]()
    teachers = [
        Teacher(small(4, random_state=1, batch_size=16), CostlySensors("lab"), name="a"),
        Teacher(small(4, random_state=2, batch_size=16), name="b"),
        Teacher(small(2, random_state=3, batch_size=16), name="c"),
    ]
    validation: dict[str, Any] = {"val_series": MANY, "val_privileged": {"lab": MANY_LAB}} if held_out else {}
    losses = [LevelShapeKD(), FeatureKD()]
    student = small(4, batch_size=leaves_one(usable_windows(6, 4)))
    model = DistilledModel(student, teachers, losses, weighting, balance=0.6)
    model.fit(MANY, privileged={"lab": MANY_LAB}, **validation)
    assert parameters(student).isfinite().all()
    (record,) = model.history
    total = sum(record["weights"].values())
    assert np.isfinite(total) and (total <= 1 + 1e-6 if name.startswith("lfme") else total == pytest.approx(1))
    assert 0 < record["masked"] < 1
    assert not isinstance(weighting, Fixed) or record["weights"]["c"] > record["weights"]["a"] > 0
