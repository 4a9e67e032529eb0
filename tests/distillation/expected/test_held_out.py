"""Answers of teachers in each fold, and the held-out comparison, against a computation of its own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from darts.models import LinearRegressionModel, NaiveEnsembleModel, NLinearModel, TiDEModel
from sklearn.linear_model import Ridge

from tests.helpers.models import fast, tiny_chronos
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, Teacher
from tskd._core.series import SeriesBundle
from tskd.distillation.expected import ridge
from tskd.distillation.expected.fold_answers import JudgedTeacher
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.expected.purged_folds import purged_folds
from tskd.distillation.expected.rows import Rows
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.preflight import PreparedFit, prepare
from tskd.privileged import CostlySensors

L, H = 6, 3
FIRST, SECOND = 130, 190


@pytest.fixture(autouse=True)
def _quiet_darts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="darts")


def targets(dtype: str = "float64") -> list[TimeSeries]:
    """Two series of two components, of unequal length and start."""
    return [
        walk(FIRST, 2, seed=1, dtype=dtype),
        walk(SECOND, 2, seed=2, dtype=dtype, start="2020-01-03 05:00"),
    ]


def sensors() -> list[TimeSeries]:
    return [
        target.with_values(target.values() + np.random.default_rng(number).normal(size=(len(target), 2)))
        for number, target in enumerate(targets())
    ]


def student(kind: Any = NLinearModel) -> Any:
    return kind(L, H, **fast())


def prepared_fit(teacher: Any, series: list[TimeSeries], kind: Any = NLinearModel) -> PreparedFit:
    model = DistilledModel(student(kind), teacher)
    recipe = model._recipe()
    privileged = {"z": sensors()} if teacher.names else None
    train = SeriesBundle.of(series).with_privileged(privileged, recipe.series_names)
    return prepare(recipe, train, None, FitOptions(), {})


def judged(teacher: Any, series: list[TimeSeries]) -> JudgedTeacher:
    prepared = prepared_fit(teacher, series)
    (one,) = prepared.teachers
    fitted, predictor = one.fit(prepared.options, prepared.student.series)
    return JudgedTeacher(one, fitted, predictor, Rows.of(prepared), prepared)


def trees(**kwargs: Any) -> Any:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    from darts.models import LightGBMModel

    return LightGBMModel(verbose=-1, **kwargs)


TEACHERS = {
    "linear": lambda: Teacher(LinearRegressionModel(4, 3, output_chunk_length=H), CostlySensors("z")),
    "cross-fitted": lambda: Teacher(LinearRegressionModel(lags=4, output_chunk_length=H), cross_fit=3),
    "blind": lambda: Teacher(
        LinearRegressionModel(None, 3, output_chunk_length=H), CostlySensors("z"), sees_inputs=False
    ),
    "trees": lambda: Teacher(trees(lags=3, output_chunk_length=H, n_estimators=3)),
    "network": lambda: Teacher(TiDEModel(4, H, **fast()), CostlySensors("z"), sees_inputs=False),
    "cross-fitted network": lambda: Teacher(
        TiDEModel(4, H, **fast()), CostlySensors("z"), sees_inputs=False, cross_fit=3
    ),
    "reconstruction": lambda: Reconstruction("z"),
}


@pytest.mark.parametrize("name", TEACHERS)
def test_answers_in_a_fold_do_not_depend_on_its_labels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those outside of it do: the teacher is really fitted anew."""
    # the penalty of a network's stand-in is one for all folds
    monkeypatch.setattr(ridge, "tuned", lambda *_: 1.0)
    series = targets()
    one = judged(TEACHERS[name](), series)
    folds = purged_folds(one.rows.at, H, 3)
    held = folds[1].holds(one.rows.at)
    before = list(one.answers(folds))
    steps = {int(at) + step for at in one.rows.at[held] for step in range(1, H + 1)}
    starts = [0, 53]
    changed = []
    for target, start in zip(series, starts, strict=True):
        values = target.values(copy=True)
        inside = np.array([start + step in steps for step in range(len(target))])
        values[inside] += np.random.default_rng(5).normal(size=(inside.sum(), 2)) * 3
        changed.append(target.with_values(values))
    other = judged(TEACHERS[name](), changed)
    after = list(other.answers(folds))
    # of windows whose inputs the change does not touch
    inputs = np.array([not ({int(at) - back for back in range(L)} & steps) for at in one.rows.at])
    assert inputs[held].any()

    def in_units(rows: Rows, answers: np.ndarray) -> np.ndarray:
        return (answers * rows.scale + rows.level)[held & inputs]

    assert in_units(one.rows, before[1]) == pytest.approx(in_units(other.rows, after[1]), rel=1e-6, abs=1e-6)
    assert not np.allclose(in_units(one.rows, before[0]), in_units(other.rows, after[0]), rtol=1e-3)


def test_given_answers_are_the_same_in_every_fold() -> None:
    given = [target.with_values(target.values() * 2) for target in targets()]
    one = judged(Teacher.from_series(given, name="given"), targets())
    folds = purged_folds(one.rows.at, H, 4)
    assert not one.saw_the_labels
    steps, components = one.rows.outputs
    for answers in one.answers(folds):
        for row, (index, origin) in enumerate(one.rows.keys.tolist()):
            expected = given[index].values()[origin + 1 + steps, components]
            assert answers[row] * one.rows.scale + one.rows.level[row] == pytest.approx(expected)


@pytest.mark.parametrize("first", [1, 2])
def test_a_teacher_of_some_steps_answers_at_these_alone(first: int) -> None:
    """Of a horizon of three steps, one of two: the first two or the last two; values tell series and time."""
    series = targets()
    told = [
        one.with_values(1000.0 * index + np.arange(len(one))[:, None] + [0, 0.5]) for index, one in enumerate(series)
    ]
    given = [[one[at : at + 2] for at in range(first, len(one) - 1)] for one in told]
    one = judged(Teacher.from_forecasts(given, name="given", first_step=first), series)
    steps, components = one.rows.outputs
    (answers,) = one.answers(purged_folds(one.rows.at, H, 3)[:1])
    found = answers * one.rows.scale + one.rows.level
    silent = (steps + 1 < first) | (steps + 1 > first + 1)
    assert np.isnan(found[:, silent]).all() and silent.sum() == 2
    index, origin = one.rows.keys.numpy().T
    expected = 1000.0 * index[:, None] + origin[:, None] + 1 + steps + 0.5 * components
    assert found[:, ~silent] == pytest.approx(expected[:, ~silent])


def test_a_fitted_teacher_saw_the_labels_of_the_series_that_it_was_fitted_on() -> None:
    series, elsewhere = targets(), [walk(200, 2, seed=9, dtype="float64")]
    teacher = Teacher(LinearRegressionModel(lags=4, output_chunk_length=H))
    assert judged(teacher.fit(series), series).saw_the_labels
    assert judged(teacher.fit(series[1:]), series).saw_the_labels
    assert not judged(teacher.fit(elsewhere), series).saw_the_labels
    model = LinearRegressionModel(lags=4, output_chunk_length=H)
    assert judged(Teacher(model.fit(series[0])), series).saw_the_labels
    # darts does not keep several
    assert judged(Teacher(model.untrained_model().fit(elsewhere * 2)), series).saw_the_labels
    assert judged(Reconstruction("z").fit(series, {"z": sensors()}), series).saw_the_labels


def test_a_saved_teacher_knows_what_it_was_fitted_on(tmp_path: Any) -> None:
    series = targets()
    fitted = Teacher(LinearRegressionModel(lags=4, output_chunk_length=H)).fit(series)
    DistilledModel(student(), fitted).fit(series, verbose=False).save(tmp_path / "model")
    (loaded,) = DistilledModel.load(tmp_path / "model").teachers
    assert loaded.was_fitted_on(series) and not loaded.was_fitted_on([walk(200, 2, seed=9)])


def test_comparison_against_a_computation_of_its_own() -> None:
    """A linear student and given answers: ridge regressions by scikit-learn, window by window."""
    (series,) = targets()[:1]
    labels = series.values(copy=True)
    labels[70, 1] = np.nan
    # windows with a lookback over it are not used
    given = series.with_values(series.values() + np.random.default_rng(3).normal(size=(FIRST, 2)))
    prepared = prepared_fit(Teacher.from_series(given, name="given"), [series.with_values(labels)])
    (one,) = prepared.teachers
    found = HeldOut.of(prepared, [one.fit(prepared.options, prepared.student.series)], folds=3)

    origins = [at for at in range(L - 1, FIRST - H) if np.isfinite(labels[at - L + 1 : at + 1]).all()]
    x = np.array([(labels[at - L + 1 : at] - labels[at]).ravel().tolist() + labels[at].tolist() for at in origins])
    x = (x - x.mean(0)) / x.std(0)
    # by step and component, relative to the last value, in standard deviations of the component
    y = np.array([labels[at + 1 : at + H + 1] - labels[at] for at in origins])
    scale = np.nanstd(y, axis=(0, 1))
    answers = np.array([given.values()[at + 1 : at + H + 1] - labels[at] for at in origins])
    y, answers = (values.reshape(len(origins), -1) / np.tile(scale, H) for values in (y, answers))
    at = np.array(origins)
    assert (found.rows.keys[:, 1].numpy() == at).all()
    assert found.rows.labels == pytest.approx(y, nan_ok=True)
    assert found.inputs == pytest.approx(x)

    def fitted(target: np.ndarray, trains: np.ndarray, out: np.ndarray) -> np.ndarray:
        columns = []
        for column in target.T:
            known = trains & np.isfinite(column)
            columns.append(Ridge(alpha=found.penalty).fit(x[known], column[known]).predict(x[out]))
        return np.stack(columns, axis=1)

    total, product, square = 0.0, 0.0, 0.0
    for fold in purged_folds(at, H, 3):
        out, trains = fold.holds(at), fold.trains(at)
        plain = fitted(y, trains, out)
        apart = fitted(answers, trains, out) - plain
        known = np.isfinite(y[out])
        errors = np.where(known, y[out] - plain, 0)
        total += (errors**2).sum()
        product += (errors * apart).sum()
        square += (apart[known] ** 2).sum()
    sums = found.sums
    assert (sums.errors.sum(), sums.products.sum(), sums.gram.sum()) == pytest.approx((total, product, square))
    known = np.isfinite(y)
    values, said = (part * np.tile(scale, H) + np.tile(labels[at], H) for part in (y, answers))
    r2 = []
    for component in range(2):
        of_it = known & (np.arange(2 * H) % 2 == component)
        total = np.square(values - values[of_it].mean())[of_it].sum()
        r2.append((of_it.sum(), 1 - np.square(values - said)[of_it].sum() / total))
    numbers, parts = np.array(r2).T
    assert found.explained == pytest.approx([numbers @ parts / numbers.sum()])


def test_noise_explains_nothing_where_components_and_series_differ_in_level() -> None:
    levels = [np.array([0, 300]), np.array([40, 900])]
    rng = np.random.default_rng(5)
    series = [one.with_values(one.values() * [1, 20] + level) for one, level in zip(targets(), levels, strict=True)]
    noise = [
        one.with_values(one.values().mean(0) + one.values().std(0) * rng.normal(size=(len(one), 2))) for one in series
    ]
    prepared = prepared_fit(Teacher.from_series(noise, name="noise"), series)
    (one,) = prepared.teachers
    found = HeldOut.of(prepared, [one.fit(prepared.options, prepared.student.series)])
    assert found.explained[0] == pytest.approx(-1, abs=0.35)


def test_blocks_are_days_that_series_share() -> None:
    prepared = prepared_fit(TEACHERS["blind"](), targets())
    (one,) = prepared.teachers
    found = HeldOut.of(prepared, [one.fit(prepared.options, prepared.student.series)])
    days = {int(at) // 24 for at in found.rows.at}
    assert len(found.sums.errors) == len(days)


def test_blocks_hold_whole_windows() -> None:
    """Of daily series a day is shorter than the three steps of a window's labels."""
    series = [walk(90, 2, seed=1, freq="D", dtype="float64")]
    prepared = prepared_fit(Teacher.from_series([series[0] * 2], name="given"), series)
    (one,) = prepared.teachers
    found = HeldOut.of(prepared, [one.fit(prepared.options, prepared.student.series)])
    assert len(found.sums.errors) == len({int(at) // H for at in found.rows.at})


def test_a_network_is_compared_on_random_features_too() -> None:
    prepared = prepared_fit(TEACHERS["blind"](), targets(), TiDEModel)
    (one,) = prepared.teachers
    found = HeldOut.of(prepared, [one.fit(prepared.options, prepared.student.series)])
    assert found.inputs.shape[1] == found.rows.inputs.shape[1] + 200
    assert found.rows.inputs.shape[1] == 2 * L


def test_an_ensemble_of_networks_is_stood_in_for_and_not_trained_in_every_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [NLinearModel(4, H, **fast()), NLinearModel(5, H, **fast())]
    one = judged(Teacher(NaiveEnsembleModel(members)), targets())
    monkeypatch.setattr(NLinearModel, "fit", lambda *_, **__: pytest.fail("a network is trained"))
    folds = purged_folds(one.rows.at, H, 3)
    assert one.saw_the_labels
    assert all(np.isfinite(answers).all() for answers in one.answers(folds))


def test_a_foundation_model_that_is_not_trained_answers_for_itself(tmp_path: Any) -> None:
    series = [target.astype("float32") for target in targets()]
    teacher = Teacher(tiny_chronos(tmp_path / "chronos"))
    one = judged(teacher, series)
    assert not teacher.learns and not one.saw_the_labels
    folds = purged_folds(one.rows.at, H, 3)
    (same,) = {answers.tobytes() for answers in one.answers(folds)}
    assert one.predictor is not None
    forecasts, _ = one.predictor.forecasts(one.rows.keys)
    steps, components = one.rows.outputs
    found = np.frombuffer(same).reshape(one.rows.labels.shape) * one.rows.scale + one.rows.level
    assert found == pytest.approx(forecasts.double().numpy()[:, steps, components], rel=1e-5, abs=1e-5, nan_ok=True)
