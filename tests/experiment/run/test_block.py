"""Cells: the same numbers in whatever order, teachers kept in a folder, and forecasts of many windows at a time."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries

from tests.helpers.experiments import HORIZON, LOOKBACK, toy_config, toy_data, toy_model, toy_stations
from tests.helpers.series import single
from tskd import DistilledModel, Teacher
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import Experiment
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.data.folds import prepared
from tskd.experiment.data.loading import load
from tskd.experiment.data.preparation import DataPart, fingerprint
from tskd.experiment.run import teacher_store as models
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.block_teachers import BlockTeachers
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.forecast import of_student, of_teacher
from tskd.experiment.run.plan import Block, PlannedCell, planned
from tskd.experiment.run.scoring import score

LINEAR: dict[str, Any] = {
    "class": "LinearRegressionModel",
    "kwargs": {"lags": LOOKBACK, "output_chunk_length": HORIZON},
}


def every_kind() -> Experiment:
    """Teachers of all kinds: privileged, cross-fitted, a chain, linear, an ensemble, of a distribution; their placebos
    and a tuned student."""
    end = {"class": "FutureHorizon", "kwargs": {"end": 2}}
    gaussian = {"likelihood": {"class": "GaussianLikelihood"}, "normalize": False}
    members = [LINEAR, {**LINEAR, "kwargs": {**LINEAR["kwargs"], "lags": 3}}]
    teachers: dict[str, dict[str, Any]] = {
        "future": {"model": toy_model(), "privileged": end},
        "pupil": {"model": toy_model(), "taught_by": "future"},
        "cross": {"model": toy_model(), "cross_fit": {"folds": 3, "block": 40}, "privileged": end},
        "linear": {"model": LINEAR, "privileged": {"class": "CostlySensors", "kwargs": {"name": "sensor"}}},
        "crossed linear": {"model": LINEAR, "cross_fit": {"folds": 3, "block": 40}},
        "ensemble": {"model": {"class": "NaiveEnsembleModel", "kwargs": {"forecasting_models": members}}},
        "gaussian": {"model": toy_model(**gaussian)},
    }
    teachers["linear"]["model"] = {**LINEAR, "kwargs": {**LINEAR["kwargs"], "lags_past_covariates": 2}}
    arms = [
        {"name": "all", "teachers": list(teachers), "balance": [0, 0.5], "weighting": "InverseError"},
        {"name": "placebo", "teachers": ["pupil", "cross"], "balance": 0.5, "placebo": True},
        {"name": "tuned", "students": [{}, {"n_epochs": 3}]},
    ]
    student = toy_model(dropout=0.2, hidden_size=4, temporal_decoder_hidden=4, decoder_output_dim=2)
    student["kwargs"].pop("const_init")
    student["class"] = "TiDEModel"
    return Experiment(**toy_config(student=student, teachers=teachers, arms=arms, seeds=[3]))


def run_of(experiment: Experiment, models: Path | None = None) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment), models)


def plans_of(run: BlockRun) -> list[PlannedCell]:
    return planned(run.block, fingerprint(run.experiment.dataset()))


def assert_equal(one: Cell, other: Cell) -> None:
    for field in fields(Cell):
        if field.name not in ("seconds", "inference_seconds"):
            first, second = getattr(one, field.name), getattr(other, field.name)
            if isinstance(first, np.ndarray):
                np.testing.assert_array_equal(first, second, err_msg=f"{one.name}: {field.name}")
            else:
                assert first == second, (one.name, field.name)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return every_kind()


@pytest.fixture(scope="module")
def cells(experiment: Experiment) -> dict[tuple[str, str, int], Cell]:
    run = run_of(experiment)
    return {(plan.kind, plan.name, plan.candidate): run.cell(plan) for plan in plans_of(run)}


# ---- order -----------------------------------------------------------------------------------------------------------


def test_a_cell_does_not_depend_on_what_was_computed_before(
    experiment: Experiment, cells: dict[tuple[str, str, int], Cell]
) -> None:
    run = run_of(experiment)
    plans = plans_of(run)
    random.Random(1).shuffle(plans)
    for plan in plans:
        assert_equal(run.cell(plan), cells[plan.kind, plan.name, plan.candidate])
    # and alone, with nothing computed before it
    for plan in plans:
        if (plan.name, plan.candidate) in (("all", 1), ("placebo", 0), ("pupil (placebo)", 0)):
            assert_equal(run_of(experiment).cell(plan), cells[plan.kind, plan.name, plan.candidate])


def test_cells_of_one_key_are_equal(cells: dict[tuple[str, str, int], Cell]) -> None:
    same = [cells["student", *which] for which in (("alone", 0), ("all", 0), ("tuned", 0))]
    assert len({cell.key for cell in same}) == 1
    for cell in same[1:]:
        assert_equal(replace(cell, name="alone", candidate=0), same[0])
    assert cells["student", "all", 1].validation_mse != same[0].validation_mse


def test_a_cell_says_what_it_is(experiment: Experiment, cells: dict[tuple[str, str, int], Cell]) -> None:
    cell = cells["teacher", "pupil (placebo)", 0]
    assert (cell.kind, cell.fold, cell.size, cell.seed) == ("teacher", 1, None, 3)
    plans = plans_of(run_of(experiment))
    assert [plan.key for plan in plans] == [cells[p.kind, p.name, p.candidate].key for p in plans]
    assert all(found.seconds > 0 and (found.inference_seconds or 0) > 0 for found in cells.values())


# ---- teachers kept in a folder ---------------------------------------------------------------------------------------


def test_teachers_are_loaded_instead_of_fitted_and_answer_bit_identically(
    experiment: Experiment,
    cells: dict[tuple[str, str, int], Cell],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = run_of(experiment, tmp_path)
    teachers = [plan for plan in plans_of(run) if plan.kind == "teacher"]
    first = {plan.name: run.cell(plan) for plan in teachers}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(plan.key for plan in teachers)

    def fit(self: Teacher, *args: Any, **kwargs: Any) -> Teacher:
        raise AssertionError(f"{self.name} is fitted again")

    monkeypatch.setattr(Teacher, "fit", fit)
    again = run_of(experiment, tmp_path)
    for plan in plans_of(again):
        assert_equal(again.cell(plan), cells[plan.kind, plan.name, plan.candidate])
    for plan in teachers:
        # the time that the fit took, not that of loading
        assert again.cell(plan).seconds == first[plan.name].seconds
    with quiet():
        one, other = again.teacher("cross"), run.teacher("cross")
    assert len(one.models) == 3 and one.folds is not None and other.folds is not None
    assert one.folds.description() == other.folds.description()


def test_who_needs_a_teacher_that_is_being_fitted_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts of a block at once; two teachers are no reason to wait."""
    equal, other = {"model": toy_model()}, {"model": toy_model(batch_size=5)}
    experiment = Experiment(**toy_config(teachers={"equal": equal, "other": other}, arms=[], seeds=[3]))
    both = threading.Barrier(2, timeout=60)
    fits: list[str] = []
    kept: dict[TeacherVariant, Any] = {}

    def slow(self: BlockTeachers, variant: TeacherVariant, config: Any) -> Any:
        fits.append(variant.name)
        if case == "two teachers":
            both.wait()
        time.sleep(0.3)
        kept[variant] = variant.name
        return variant.name

    monkeypatch.setattr(BlockTeachers, "_fit", slow)
    monkeypatch.setattr(BlockTeachers, "_saved", lambda self, variant, config: kept.get(variant))
    for case, names in {"one teacher": ["equal", "equal"], "two teachers": ["equal", "other"]}.items():
        fits.clear()
        kept.clear()
        runs = [run_of(experiment, tmp_path / case / "models") for _ in names]
        with ThreadPoolExecutor(2) as pool:
            got = list(pool.map(lambda run, name: run.teachers.fitted(TeacherVariant(name)), runs, names))
        assert got == names and sorted(fits) == sorted(set(names))


@pytest.mark.parametrize(
    "damage", ["torn", "edited", "no description", "not JSON", "deep JSON", "a list", "other format"]
)
def test_a_damaged_teacher_is_fitted_again(damage: str, tmp_path: Path) -> None:
    experiment = Experiment(**toy_config(teachers={"equal": {"model": toy_model()}}, arms=[], seeds=[3]))
    run = run_of(experiment, tmp_path)
    plan = next(plan for plan in plans_of(run) if plan.kind == "teacher")
    whole = run.cell(plan)
    description, model = (tmp_path / plan.key / name for name in ("teacher.json", "model0.pt"))
    text, content = description.read_text(), model.read_bytes()
    if damage == "torn":
        model.write_bytes(content[: len(content) // 2])
    elif damage == "edited":
        model.write_bytes(content[:-100] + bytes(reversed(content[-100:])))
    elif damage == "no description":
        description.unlink()
    else:
        other = {"not JSON": "{", "deep JSON": "[" * 100_000, "a list": "[1]"}
        description.write_text(other.get(damage, text.replace('"format": 1', '"format": 0')))
    assert_equal(run_of(experiment, tmp_path).cell(plan), whole)
    # and kept anew
    assert description.is_file() and set(os.listdir(tmp_path)) == {plan.key}
    assert_equal(run_of(experiment, tmp_path).cell(plan), whole)


def test_a_teacher_that_cannot_be_loaded_any_more_is_fitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved with another version of a library, say."""
    experiment = Experiment(**toy_config(teachers={"equal": {"model": toy_model()}}, arms=[], seeds=[3]))
    run = run_of(experiment, tmp_path)
    plan = next(plan for plan in plans_of(run) if plan.kind == "teacher")
    whole = run.cell(plan)

    def load(*_: Any) -> Any:
        raise AttributeError("no attribute 'use_static_covariates'")

    monkeypatch.setattr(models, "load_model", load)
    assert_equal(run_of(experiment, tmp_path).cell(plan), whole)


def test_a_teacher_that_another_process_put_there_is_not_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there, or not whole, when it was looked for, and is when the folder is to be cleared."""
    experiment = Experiment(**toy_config(teachers={"equal": {"model": toy_model()}}, arms=[], seeds=[3]))
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    run = run_of(experiment, elsewhere)
    plan = next(plan for plan in plans_of(run) if plan.kind == "teacher")
    run.cell(plan)
    whole = models._description

    for torn in (False, True):
        here.mkdir()
        if torn:
            (here / plan.key).mkdir()

        def describe(place: Path) -> Any:
            found = whole(place)
            if place == here / plan.key and found is None:
                # the other process is faster
                shutil.rmtree(place, ignore_errors=True)
                shutil.copytree(elsewhere / plan.key, place)
            return found

        monkeypatch.setattr(models, "_description", describe)
        with quiet():
            assert models.load_teacher(here, plan.key, run.teacher("equal")) is None
            assert os.listdir(here) == [plan.key] and whole(here / plan.key) is not None
            assert models.load_teacher(here, plan.key, run.teacher("equal")) is not None
        shutil.rmtree(here)


def test_drafts_of_processes_that_were_killed_long_ago_are_swept(tmp_path: Path) -> None:
    experiment = Experiment(**toy_config(teachers={"equal": {"model": toy_model()}}, arms=[], seeds=[3]))
    for name in (".draft-old", ".draft-new", "other"):
        (tmp_path / name / "key").mkdir(parents=True)
    for name in (".draft-old", "other"):
        os.utime(tmp_path / name, (0, 0))
    run = run_of(experiment, tmp_path)
    plan = next(plan for plan in plans_of(run) if plan.kind == "teacher")
    run.cell(plan)
    assert set(os.listdir(tmp_path)) == {".draft-new", "other", plan.key}


def test_teachers_of_other_data_or_seeds_are_not_taken(tmp_path: Path) -> None:
    config = toy_config(teachers={"equal": {"model": toy_model()}}, arms=[], seeds=[3])
    for data in (toy_data(), toy_data(later=1.0)):
        run = run_of(Experiment(**config | {"data": data}), tmp_path)
        with quiet():
            run.teacher("equal")
    assert len(list(tmp_path.iterdir())) == 2


# ---- many windows at a time ------------------------------------------------------------------------------------------


def by_darts(model: Any, part: DataPart, covariates: dict[str, TimeSeries]) -> np.ndarray:
    """darts' own forecasts [W, H, C]."""
    with quiet():
        found = model.historical_forecasts(
            part.series,
            **covariates,
            forecast_horizon=part.truth.shape[1],
            start=part.starts[0],
            retrain=False,
            last_points_only=False,
        )
    assert [forecast.start_time() for forecast in found] == list(part.starts)
    return np.stack([forecast.values() for forecast in found])


def whole(forecasts: Any, part: DataPart) -> np.ndarray:
    values = np.full(part.truth.shape, np.nan)
    for rows, found, first in forecasts:
        steps = min(found.shape[1], part.truth.shape[1] - first + 1)
        values[rows, first - 1 : first - 1 + steps] = found[:, :steps]
    return values


def with_future(data: DataSet) -> DataSet:
    return replace(data, past_covariates=None, future_covariates=data.past_covariates, archive=())


@pytest.mark.parametrize(
    ("name", "kwargs", "data"),
    [
        ("NLinearModel", {}, toy_data()),
        ("TiDEModel", {"hidden_size": 4, "use_reversible_instance_norm": True}, toy_stations()),
        ("TiDEModel", {"hidden_size": 4}, with_future(toy_stations())),
        ("DLinearModel", {"kernel_size": 3, "add_encoders": {"cyclic": {"future": ["hour"]}}}, toy_data()),
        ("TCNModel", {"kernel_size": 2}, toy_data()),
        ("TransformerModel", {"d_model": 4, "nhead": 2, "dim_feedforward": 8}, toy_data()),
        ("BlockRNNModel", {"model": "GRU", "hidden_dim": 4}, toy_stations()),
        ("NBEATSModel", {"num_stacks": 1, "num_blocks": 1, "layer_widths": 8}, toy_data()),
    ],
)
@pytest.mark.parametrize("rolled", [False, True])
def test_forecasts_of_many_windows_are_those_of_darts(
    name: str, kwargs: dict[str, Any], data: DataSet, rolled: bool
) -> None:
    if rolled and data.past_covariates is not None:
        pytest.skip("a student that reads past covariates is not rolled forward")
    chunk = 3 if rolled else HORIZON
    sizes = {"input_chunk_length": LOOKBACK, "output_chunk_length": chunk, "n_epochs": 1}
    spec = {"class": name, "kwargs": sizes | kwargs}
    horizon = 8 if rolled else HORIZON
    experiment = Experiment(**toy_config(data=data, student=spec, teachers={}, arms=[], scored=[1, horizon]))
    run = run_of(experiment)
    part, covariates = run.prepared[0].test, run.supply.covariates(run.prepared[0].test)
    with quiet():
        student = run.plain(experiment.alone)
    found = whole(of_student(student, part, covariates, False), part)
    np.testing.assert_allclose(found, by_darts(student, part, covariates), rtol=1e-5, atol=2e-6)


def test_forecasts_of_a_soft_sensor_and_of_teachers_are_those_of_darts() -> None:
    teachers = {"own": {"model": toy_model(), "privileged": {"class": "CostlySensors", "kwargs": {"name": "own"}}}}
    run = run_of(
        Experiment(**toy_config(data=toy_stations(), student=toy_model(), teachers=teachers, arms=[], soft_sensor=True))
    )
    for part in (run.prepared[0].validation, run.prepared[0].test):
        covariates = run.supply.covariates(part)
        with quiet():
            sensor, teacher = run.plain(run.experiment.alone), run.teacher("own")
        assert isinstance(sensor, DistilledModel)
        found = whole(of_student(sensor, part, covariates, True), part)
        np.testing.assert_allclose(found, by_darts(sensor, part, covariates), rtol=1e-5, atol=2e-6)
        known = {name: part.privileged[name] for name in teacher.names}
        answers = teacher.historical_forecasts(part.series, **covariates, privileged=known)
        expected = np.stack([single(answer).values() for answer in answers])
        np.testing.assert_allclose(whole(of_teacher(teacher, part, covariates), part), expected, rtol=1e-6)


def test_errors_are_the_same_however_many_windows_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    part = prepared(Experiment(**toy_config()), toy_data(), 1, None).test
    rng = np.random.default_rng(0)
    values = part.truth + rng.normal(size=part.truth.shape)
    rows = np.arange(len(values))
    found = []
    for at_once, pieces in ((2**21, 1), (20, 7)):
        monkeypatch.setattr("tskd.experiment.run.scoring.AT_ONCE", at_once)
        order = rows if pieces == 1 else rng.permutation(rows)
        found.append(score(((some, values[some], 1) for some in np.array_split(order, pieces)), part, 1))
    error = np.where(part.scored[:, :, None], values - part.truth, np.nan)
    expected = {
        "mse": np.nanmean(error**2, axis=(1, 2)),
        "mae": np.nanmean(np.abs(error), axis=(1, 2)),
        "step_mse": np.nanmean(error**2, axis=(0, 2)),
        "step_mae": np.nanmean(np.abs(error), axis=(0, 2)),
    }
    for one in found:
        assert one.whole
        for name, wanted in expected.items():
            np.testing.assert_allclose(getattr(one, name), wanted, rtol=1e-12)
    np.testing.assert_array_equal(found[0].forecasts, found[1].forecasts)


def test_a_window_without_a_forecast_is_told() -> None:
    part = prepared(Experiment(**toy_config()), toy_data(), 1, None).test
    rows = np.arange(len(part.truth))
    assert not score(iter([(rows[1:], part.truth[1:], 1)]), part, 1).whole
    infinite = part.truth.copy()
    infinite[5, 0] = np.inf
    # of a step before the first that is scored nobody asks
    assert score(iter([(rows, infinite, 1)]), part, 2).whole and not score(iter([(rows, infinite, 1)]), part, 1).whole


def test_a_long_horizon_of_many_components_is_scored_in_little_memory() -> None:
    """21 components, 720 steps: all forecasts at once would take 24 bytes of float64 for each 4 that are given."""
    import tracemalloc

    rng = np.random.default_rng(0)
    windows, horizon, components = 300, 720, 21
    values = rng.normal(size=(windows + horizon - 1, components)).astype("float32")
    truth = np.lib.stride_tricks.sliding_window_view(values, horizon, axis=0).transpose(0, 2, 1)
    part = prepared(Experiment(**toy_config()), toy_data(), 1, None).test
    scored, complete = np.ones((windows, horizon), dtype=bool), np.ones(windows, dtype=bool)
    part = replace(part, truth=truth, scored=scored, complete=complete)
    forecast = np.zeros((100, horizon, components), dtype="float32")
    pieces = ((np.arange(start, start + 100), forecast, 1) for start in range(0, windows, 100))
    tracemalloc.start()
    found = score(pieces, part, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found.mse[7], np.mean(truth[7].astype("float64") ** 2), rtol=1e-6)
    assert peak < 150e6, f"{peak / 1e6:.0f} MB"


def test_the_standard_benchmark_is_scored_as_darts_would() -> None:
    """ETTh1 at H = 720: 2,161 windows of 7 components; errors of some of them against `predict`."""
    if not os.environ.get("TSKD_DATA"):
        pytest.skip("TSKD_DATA is not set")
    student = {"class": "DLinearModel", "kwargs": {"n_epochs": 1, "shared_weights": True, "batch_size": 512}}
    experiment = Experiment(name="e", data="etth1", student=student, lookback=96, horizon=720, sizes=[200], seeds=[3])
    run = BlockRun(Block("e", experiment, 1, 200, 3), load(experiment))
    part = run.prepared[0].test
    with quiet():
        model = run.plain(experiment.alone)
    found = score(of_student(model, part, {}, False), part, 1)
    assert found.whole and found.mse.shape == (2880 - 720 + 1,)
    for window in (0, 1000, 2160):
        end = part.reach + window
        with quiet():
            forecast = model.predict(720, series=part.series[end - 96 : end]).values().astype("float64")
        assert found.mse[window] == pytest.approx(np.mean((forecast - part.truth[window]) ** 2), rel=1e-6)


def test_an_automatic_balance_knows_nothing_of_later_parts_and_that_its_teachers_saw_the_labels() -> None:
    """The teachers of a block come fitted, and read back from their folder."""
    teachers = {
        "linear": {
            "model": {**LINEAR, "kwargs": {**LINEAR["kwargs"], "lags_past_covariates": 2}},
            "privileged": {"class": "CostlySensors", "kwargs": {"name": "sensor"}},
            "cross_fit": {"folds": 3, "block": 40},
        },
        "future": {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
        "given": {"reconstruction": "sensor"},
    }
    arms = [
        {"name": "trusting", "teachers": list(teachers), "balance": {"class": "AutoBalance", "kwargs": {"folds": 3}}}
    ]
    runs = [
        run_of(Experiment(**toy_config(data=toy_data(later), teachers=teachers, arms=arms, seeds=[3])))
        for later in (0.0, 5.0)
    ]
    with quiet():
        chosen = [run.distilled(run.experiment.arms[-1], 0).chosen_balance for run in runs]
    assert chosen[0] == chosen[1] and chosen[0] is not None and set(chosen[0].shares) == set(teachers)
    assert all(runs[0].teacher(name).was_fitted_on([runs[0].prepared[0].train.series]) for name in teachers)
    one = next(cell for cell in plans_of(runs[0]) if cell.name == "trusting")
    with quiet():
        computed = runs[0].cell(one)
    assert chosen[0].expected is not None
    assert computed.expected == (chosen[0].expected.change, chosen[0].expected.low, chosen[0].expected.high)
    kept = StoredCell.from_bytes(StoredCell.of("key", computed).to_bytes()).cell()
    assert kept.expected == computed.expected
    with quiet():
        assert all(runs[0].cell(cell).expected is None for cell in plans_of(runs[0])[:2])
