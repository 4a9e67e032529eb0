"""Reconstructions: what they answer, and that they read nothing that they must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

import tskd
from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.losses import AutoregressiveKD, OutputKD
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.outputs import collect
from tskd.teachers.pointwise import Pointwise
from tskd.teachers.predictor import OutputRequest

H = 4
KINDS: tuple[Any, ...] = ("one-neighbour", "ridge", "trees")


def noise(n: int, components: int, seed: int, name: str, start: str = "2020-01-01") -> TimeSeries:
    values = np.random.default_rng(seed).normal(size=(n, components))
    return walk(n, components, name=name, start=start, dtype="float64").with_values(values)


def labelled_at(series: TimeSeries, places: Any) -> TimeSeries:
    """The series with NaN elsewhere."""
    values = np.full_like(series.values(), np.nan)
    values[places] = series.values()[places]
    return series.with_values(values)


def changed(series: TimeSeries, places: Any, by: float = 5.0) -> TimeSeries:
    values = series.values().copy()
    values[places] += by
    return series.with_values(values)


def answers(teacher: Reconstruction, series: Any, **privileged: Any) -> list[np.ndarray]:
    inputs = teacher.inputs_on(teacher.data_of(series, None, None, privileged))
    return [found.values() for found in teacher.answers_on(inputs)]


def stations(n: int = 400) -> tuple[TimeSeries, TimeSeries]:
    """A target of two components, and four privileged ones: its causes with noise, and two without a bearing."""
    hidden = noise(n + 60, 4, 1, "s", start="2019-12-31")
    shift = np.random.default_rng(2).normal(size=(n, 2)) / 4
    own = hidden.values()[24 : 24 + n]
    target = np.stack([2 * own[:, 1] + 1, own[:, 3] - own[:, 0]], axis=1) + shift
    return walk(n, 2, dtype="float64").with_values(target), hidden


TARGET, STATIONS = stations()
WEEK = slice(200, 368)
SPARSE = slice(0, None, 25)


@pytest.mark.parametrize("places", [WEEK, slice(0, None, 7)])
def test_one_neighbour_is_least_squares_on_the_best_of_them(places: slice) -> None:
    target = labelled_at(TARGET, places)
    found = answers(Reconstruction("s", "one-neighbour").fit(target, {"s": STATIONS}), target, s=STATIONS)[0]
    own = STATIONS.values()[24:424]
    unlabelled = ~np.isfinite(target.values()[:, 0])
    for component in range(2):
        y = TARGET.values()[places, component]
        best = max(range(4), key=lambda column: np.corrcoef(own[places, column], y)[0, 1] ** 2)
        slope, level = np.polyfit(own[places, best], y, 1)
        np.testing.assert_allclose(found[unlabelled, component], slope * own[unlabelled, best] + level, rtol=1e-9)


def test_ridge_on_many_labels_is_least_squares_on_all() -> None:
    target = labelled_at(TARGET, slice(0, 350))
    found = answers(Reconstruction(["s"], "ridge").fit(target, {"s": STATIONS}), target, s=STATIONS)[0]
    inputs = np.column_stack([STATIONS.values()[24:424], np.ones(400)])
    expected = inputs @ np.linalg.lstsq(inputs[:350], TARGET.values()[:350], rcond=None)[0]
    np.testing.assert_allclose(found[350:], expected[350:], atol=0.02)


def test_trees_find_what_is_not_linear() -> None:
    target = TARGET.with_values(np.abs(STATIONS.values()[24:424, :2]))
    found = answers(Reconstruction("s", "trees").fit(target, {"s": STATIONS}), target, s=STATIONS)[0]
    assert np.mean((found - target.values()) ** 2) < 0.2 * np.var(target.values())


@pytest.mark.parametrize("places", [slice(None), WEEK, SPARSE])
@pytest.mark.parametrize("kind", KINDS)
def test_a_label_is_answered_by_a_model_that_has_not_seen_it(kind: Any, places: slice) -> None:
    target = labelled_at(TARGET, places)
    at = np.arange(400)[places]
    stamp = int(at[len(at) // 3])
    found, moved = (
        answers(Reconstruction("s", kind).fit(labels, {"s": STATIONS}), target, s=STATIONS)[0]
        for labels in (target, changed(target, stamp))
    )
    same = (found == moved).all(1)
    assert same[stamp]
    # nor its neighbours, nor the rest of its fold
    assert same[at].mean() >= 0.2
    # while the other labels and the steps without one are answered by models that have
    assert not same.all()
    if len(at) < 400:
        without = np.setdiff1d(np.arange(400), at)
        assert not same[without].all()


@pytest.mark.parametrize("steps", [1, 3])
def test_a_fold_is_answered_without_what_it_reads(steps: int) -> None:
    """Around a labelled step that a model is fitted on, it reads no value that it reads around a step of its fold."""
    teacher = Reconstruction("s", "ridge", steps).fit(labelled_at(TARGET, WEEK), {"s": STATIONS})
    assert teacher._fit is not None
    at = np.arange(400)[WEEK]
    for folds, _, parts in teacher._fit.components:
        for fold in parts:
            inside, kept = at[folds.of_steps(at) == fold], at[folds.trains(at, fold)]
            read = {int(step) + by for step in inside for by in range(-steps, steps + 1)}
            assert not any(int(step) + by in read for step in kept for by in range(-steps, steps + 1))


def test_the_time_axis_begins_with_the_earliest_series() -> None:
    """Whichever is listed first, a stamp has the same fold: five-day blocks of equally many labels."""
    late = TARGET[130:]
    found = []
    for series in ([TARGET, late], [late, TARGET]):
        teacher = Reconstruction("s").fit(series, {"s": [STATIONS] * 2})
        found.append(answers(teacher, [TARGET], s=[STATIONS])[0])
        assert teacher._fit is not None and teacher._fit.axis.start_time() == TARGET.start_time()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_the_best_neighbour_may_run_the_other_way() -> None:
    names = [str(name) for name in STATIONS.components]
    opposite = STATIONS.with_values(STATIONS.values() * np.where([name == "s1" for name in names], -1, 1))
    expected = answers(Reconstruction("s", "one-neighbour").fit(TARGET, {"s": STATIONS}), TARGET, s=STATIONS)[0]
    teacher = Reconstruction("s", "one-neighbour").fit(TARGET, {"s": opposite})
    np.testing.assert_allclose(answers(teacher, TARGET, s=opposite)[0], expected, rtol=1e-9)


def test_a_neighbour_that_is_known_half_as_often_may_be_the_best() -> None:
    values, labels = STATIONS.values()[24:424].copy(), TARGET.values()[:, 0]
    # of 400 labelled steps, the cause is known at 200, then at 199
    values[:200, 1] = np.nan
    assert Pointwise.fit("one-neighbour", values, labels).columns == [1]
    values[200, 1] = np.nan
    assert Pointwise.fit("one-neighbour", values, labels).columns != [1]


def test_the_penalty_grows_with_the_number_of_labels() -> None:
    """Penalties are relative to a mean: labels that are each listed twice change nothing but the folds' rows."""
    fits = []
    for times in (1, 2):
        teacher = Reconstruction("s").fit([TARGET] * times, {"s": [STATIONS] * times})
        assert teacher._fit is not None
        (_, whole, _) = teacher._fit.components[0]
        fits.append(whole.estimator[-1])
    assert [fit.alphas.min() for fit in fits] == pytest.approx([400e-6, 800e-6])
    assert [fit.alphas.max() for fit in fits] == pytest.approx([400e2, 800e2])


def test_the_answers_of_all_models_are_given_for_all_steps() -> None:
    target = labelled_at(TARGET, WEEK)
    for kind in KINDS:
        found = answers(Reconstruction("s", kind, 2).fit(target, {"s": STATIONS}), target, s=STATIONS)[0]
        assert np.isfinite(found[:-2]).all()
        # the one neighbour is that of the same step, which is known
        assert np.isfinite(found[-2:]).all() if kind == "one-neighbour" else np.isnan(found[-2:]).all()


def test_no_privileged_value_after_the_end_is_read() -> None:
    teacher = Reconstruction("s", "ridge", 2)
    late = changed(STATIONS, slice(424, None), 1e6)
    fitted = [teacher.fit(TARGET, {"s": series}) for series in (STATIONS, late)]
    expected = answers(fitted[0], TARGET, s=STATIONS)[0]
    np.testing.assert_array_equal(answers(fitted[1], TARGET, s=STATIONS)[0], expected)
    np.testing.assert_array_equal(answers(fitted[0], TARGET, s=late)[0], expected)
    # also when it is asked about a part of the series only
    part = answers(fitted[0], TARGET[:300], s=STATIONS)[0]
    np.testing.assert_array_equal(answers(fitted[0], TARGET[:300], s=changed(STATIONS, slice(324, None), 1e6))[0], part)
    np.testing.assert_allclose(part[:298], expected[:298], rtol=1e-12)
    assert np.isnan(part[298:]).all()


def test_no_label_after_the_training_is_read() -> None:
    fitted = Reconstruction("s").fit(TARGET[:300], {"s": STATIONS})
    assert fitted.seen_until == TARGET.time_index[299]
    np.testing.assert_array_equal(
        answers(fitted, TARGET, s=STATIONS)[0], answers(fitted, changed(TARGET, slice(300, None)), s=STATIONS)[0]
    )


def test_values_before_the_start_are_read_where_they_are_known() -> None:
    own = STATIONS.values()
    target = TARGET.with_values(np.stack([own[23:423, 0] + 2 * own[25:425, 1], own[22:422, 2]], axis=1))
    fitted = Reconstruction("s", "ridge", steps=2).fit(target, {"s": STATIONS})
    found = answers(fitted, target, s=STATIONS)[0]
    np.testing.assert_allclose(found[:-2], target.values()[:-2], atol=1e-3)
    short = answers(fitted, target, s=STATIONS[23:])[0]
    assert np.isnan(short[0]).all() and np.isfinite(short[1:-2]).all()


def test_it_is_silent_in_windows_that_hold_a_step_with_a_missing_value() -> None:
    values = STATIONS.values().copy()
    values[24 + 50, 2] = np.nan
    holed = STATIONS.with_values(values)
    fitted = Reconstruction("s").fit(TARGET, {"s": STATIONS}).answering(range(2, 2 + H))
    keys = torch.tensor([(0, origin) for origin in range(399)])
    covered = fitted.predictor(TARGET, privileged={"s": holed}).covers(keys)
    silent = keys[~covered, 1].tolist()
    assert silent == [45, 46, 47, 48, *range(395, 399)]
    forecasts, _ = fitted.predictor(TARGET, privileged={"s": holed}).forecasts(keys)
    full = answers(fitted, TARGET, s=STATIONS)[0]
    np.testing.assert_array_equal(forecasts[100].numpy(), full[102:106])


def test_one_model_of_all_series_together() -> None:
    others, more = noise(500, 2, 5, "s", start="2020-01-02"), noise(260, 2, 6, "s", start="2019-12-30")
    series = [
        walk(300, dtype="float64", start="2020-01-04").with_values(3 * others.values()[48:348, :1] - 7),
        labelled_at(walk(150, dtype="float64").with_values(3 * more.values()[48:198, :1] + 5), slice(0, None, 2)),
    ]
    fitted = Reconstruction("s", "one-neighbour").fit(series, {"s": [others, more]})
    found = answers(fitted, series, s=[others, more])
    x = np.concatenate([others.values()[48:348, 0], more.values()[48:198:2, 0]])
    y = np.concatenate([series[0].values()[:, 0], series[1].values()[::2, 0]])
    slope, level = np.polyfit(x, y, 1)
    # stamps at which neither has a label
    np.testing.assert_allclose(found[1][1:72:2, 0], slope * more.values()[49:120:2, 0] + level)
    # the two overlap from step 72 of the second on: a stamp is in the same fold in both
    moved = [changed(series[0], 10), series[1]]
    again = answers(Reconstruction("s", "one-neighbour").fit(moved, {"s": [others, more]}), series, s=[others, more])
    assert found[0][10] == again[0][10] and found[1][82] == again[1][82]
    assert not np.array_equal(found[0], again[0])


def test_each_component_has_labels_and_folds_of_its_own() -> None:
    values = TARGET.values().copy()
    # five stamps have a label of both
    values[:200, 0], values[205:, 1] = np.nan, np.nan
    target = TARGET.with_values(values)
    fitted = Reconstruction("s").fit(target, {"s": STATIONS})
    found = answers(fitted, target, s=STATIONS)[0]
    assert np.isfinite(found).all()
    values = values.copy()
    values[150, 1] += 5
    moved = answers(Reconstruction("s").fit(target.with_values(values), {"s": STATIONS}), target, s=STATIONS)[0]
    np.testing.assert_array_equal(found[:, 0], moved[:, 0])
    assert not np.array_equal(found[:, 1], moved[:, 1])


def test_filled_keeps_what_is_there_and_fills_the_rest() -> None:
    target = labelled_at(TARGET, slice(100, None))
    teacher = Reconstruction("s", fills_past=True).fit(target, {"s": STATIONS[34:]})
    (filled,) = teacher.filled(target, {"s": STATIONS[34:]})
    found = answers(teacher, target, s=STATIONS[34:])[0]
    np.testing.assert_array_equal(filled.values()[100:], target.values()[100:])
    np.testing.assert_array_equal(filled.values()[10:100], found[10:100])
    assert np.isnan(filled.values()[:10]).all() and filled.components.equals(target.components)


def student(**settings: Any) -> Any:
    return DLinearModel(8, H, **fast(n_epochs=2, **settings))


def weights(model: DistilledModel) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.student.model.state_dict().values()])


@pytest.mark.parametrize("places", [WEEK, SPARSE])
def test_it_teaches_in_the_windows_without_labels(places: slice) -> None:
    target = labelled_at(TARGET, places)
    covariate = noise(400, 1, 9, "c")
    model = DistilledModel(TiDEModel(8, H, **fast()), Reconstruction("s"), soft_sensor=True, balance=1.0)
    model.fit(target, past_covariates=covariate, privileged={"s": STATIONS})
    assert model.history[-1]["masked"] == 0
    (found,) = answers(Reconstruction("s").fit(target, {"s": STATIONS}), target, s=STATIONS)
    full = DistilledModel(TiDEModel(8, H, **fast()), soft_sensor=True, balance=0.0)
    full.fit(TARGET.with_values(found), past_covariates=covariate)
    # a student of nothing but the teacher is that of its answers as labels
    torch.testing.assert_close(weights(model), weights(full))


def test_its_student_is_that_of_its_answers_as_a_series(tmp_path: Path) -> None:
    teacher = Reconstruction("s", "ridge", 1, name="r")
    (found,) = answers(teacher.fit(TARGET, {"s": STATIONS}), TARGET, s=STATIONS)
    given = Teacher.from_series(TARGET.with_values(found), name="r")
    models = [
        DistilledModel(student(), teacher, balance=0.8).fit(TARGET, privileged={"s": STATIONS}, cache=tmp_path),
        DistilledModel(student(), given, balance=0.8).fit(TARGET, cache=tmp_path),
    ]
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert models[0].history == models[1].history and models[0].history[0]["masked"] > 0
    # one entry for both: what they answer is the same
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    assert not models[0].given_teachers[0].fitted and models[0].teachers[0].fitted


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_loaded(kind: Any, tmp_path: Path) -> None:
    series = [TARGET[20:200], TARGET[100:330]]
    hidden = [STATIONS, STATIONS]
    model = DistilledModel(student(), Reconstruction("s", kind, name="r")).fit(series, privileged={"s": hidden})
    model.save(tmp_path / "model")
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".pt", ".ckpt", ".json", ".npz"}
    loaded = DistilledModel.load(tmp_path / "model")
    assert repr(loaded) == repr(model) and not loaded.given_teachers[0].fitted
    own, other = model.teachers[0], loaded.teachers[0]
    assert isinstance(own, Reconstruction) and isinstance(other, Reconstruction)
    assert own.seen_until == other.seen_until
    for a, b in zip(answers(own, series, s=hidden), answers(other, series, s=hidden), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    # a loaded model trains on, with another horizon of the student in another model
    DistilledModel(DLinearModel(8, 6, **fast()), other).fit(series, privileged={"s": hidden})


def test_nothing_of_it_reaches_the_student(capsys: pytest.CaptureFixture[str]) -> None:
    model = DistilledModel(student(), Reconstruction("s", steps=1)).fit(TARGET[:300], privileged={"s": STATIONS})
    report = tskd.audit(model, TARGET, privileged={"s": STATIONS}, test_start=TARGET.time_index[300])
    assert report.passed, report
    assert "read by teacher 'Reconstruction': none is read" in capsys.readouterr().out
    model.predict(H, TARGET[:350])


def test_rolling_evaluation_fits_it_anew() -> None:
    model = DistilledModel(student(), Reconstruction("s"))
    arguments: dict[str, Any] = {"forecast_horizon": H, "start": TARGET.time_index[380], "stride": 8, "retrain": True}
    later = changed(STATIONS, slice(24 + 381, None), 100)
    first, second = (
        model.historical_forecasts(TARGET, privileged={"s": s}, last_points_only=False, **arguments)
        for s in (STATIONS, later)
    )
    np.testing.assert_array_equal(first[0].values(), second[0].values())
    assert not np.array_equal(first[-1].values(), second[-1].values())


def test_steps_past_the_horizon_are_answered_too() -> None:
    losses = [OutputKD(), AutoregressiveKD(H)]
    model = DistilledModel(student(), Reconstruction("s"), losses).fit(TARGET, privileged={"s": STATIONS})
    assert 0 < model.history[-1]["masked"] < 0.05


def test_the_cache_tells_other_data_apart() -> None:
    teacher = Reconstruction("s").fit(TARGET, {"s": STATIONS}).answering(range(1, 1 + H))
    keys = torch.tensor([(0, origin) for origin in range(20, 390)])
    request = OutputRequest(keys, slice(0, H), torch.float64)
    prints = [
        teacher.predictor(TARGET, privileged={"s": series}).fingerprint(request)
        for series in (STATIONS, STATIONS, changed(STATIONS, 100, 1e-6))
    ]
    assert prints[0] == prints[1] != prints[2] and None not in prints
    fields, valid = collect("r", teacher.predictor(TARGET, privileged={"s": STATIONS}), request, OutputCache(), False)
    assert set(fields) == {"forecasts"} and bool(valid.all())


def test_its_text_makes_it_again() -> None:
    for teacher in (
        Reconstruction("s"),
        Reconstruction(["s", "lab"], "trees", 3, "mine"),
        Reconstruction("s", model="one-neighbour", fills_past=True),
    ):
        assert repr(eval(repr(teacher))) == repr(teacher)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (((),), ValueError, r"privileged=\(\): give one name or more"),
        ((["s", "s"],), ValueError, "each once"),
        ((3,), TypeError, "privileged must be the name of a series or a list of names, got 3"),
        (("s", "lasso"), ValueError, "model='lasso': give one of 'one-neighbour', 'ridge', 'trees'"),
        (("s", "ridge", -1), ValueError, "steps=-1: give a number of steps to both sides, 0 or more"),
        (("s", "ridge", 0, ""), ValueError, "teacher name '': give a text"),
    ],
)
def test_wrong_arguments(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        Reconstruction(*arguments)


def test_a_filled_past_must_not_hold_what_lies_after_the_origin() -> None:
    with pytest.raises(ValueError, match="fills_past=True with steps=2: the student's past would hold what lies after"):
        Reconstruction("s", steps=2, fills_past=True)


def test_data_that_do_not_fit() -> None:
    teacher = Reconstruction("s", name="r")
    with pytest.raises(ValueError, match="teacher 'r' is not fitted"):
        teacher.filled(TARGET, {"s": STATIONS})
    daily = TimeSeries.from_times_and_values(pd.date_range("2020-01-01", periods=30), np.zeros((30, 1)))
    with pytest.raises(ValueError, match="privileged of teacher 'r': frequencies differ"):
        teacher.fit(TARGET, {"s": daily})
    with pytest.raises(ValueError, match="unknown name in privileged of teacher 'r' 'stations'"):
        teacher.fit(TARGET, {"stations": STATIONS})
    few = labelled_at(TARGET, slice(0, 9))
    with pytest.raises(ValueError, match="teacher 'r', component 'y0': it has labels at 9 time stamps; at least 10"):
        teacher.fit(few, {"s": STATIONS})
    with pytest.raises(
        ValueError, match="0 labelled steps outside a fold have all privileged values, and at least 4 are needed"
    ):
        teacher.fit(TARGET, {"s": STATIONS.shift(1000)})
    with pytest.raises(ValueError, match="no privileged component is known at 4 labelled steps"):
        Reconstruction("s", "one-neighbour").fit(TARGET, {"s": STATIONS.shift(1000)})
    fitted = teacher.fit(TARGET, {"s": STATIONS})
    with pytest.raises(ValueError, match="is fitted already"):
        fitted.fit(TARGET, {"s": STATIONS})
    with pytest.raises(ValueError, match="privileged of teacher 'r' has components"):
        fitted.predictor(TARGET, privileged={"s": STATIONS["s0"]})
    with pytest.raises(ValueError, match="series of teacher 'r' has components"):
        fitted.predictor(TARGET["y1"], privileged={"s": STATIONS})
