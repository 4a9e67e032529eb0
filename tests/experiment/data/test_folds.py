"""Folds and training sizes: which rows each block of an experiment knows, and that nothing later reaches it."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.experiments import (
    HORIZON,
    LOOKBACK,
    STEPS,
    TEST,
    VALIDATION,
    toy_config,
    toy_data,
    toy_model,
    toy_stations,
)
from tskd import datasets
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.folds import FoldSize, cut, prepared
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, planned

TESTED = STEPS - TEST


def experiment_of(data: DataSet | None = None, **changes: Any) -> Experiment:
    return Experiment(**toy_config(data=data or toy_data(), **changes))


def run_of(experiment: ExperimentConfig, fold: int = 1, size: int | None = None) -> BlockRun:
    return BlockRun(Block("toy", experiment, fold, size, 3), load(experiment))


def cells_of(run: BlockRun) -> list[Cell]:
    return [run.cell(plan) for plan in planned(run.block, "")]


# ---- folds -----------------------------------------------------------------------------------------------------------


def test_a_fold_is_the_same_split_a_test_length_earlier_and_ends_where_the_next_ones_test_begins() -> None:
    data, times = toy_data(), toy_data().series.time_index
    experiment = experiment_of(folds=3)
    for fold, back in ((3, 0), (2, TESTED), (1, 2 * TESTED)):
        found = cut(experiment, data, fold, None)
        assert found.validation_start == times[VALIDATION - back] and found.test_start == times[TEST - back]
        assert list(found.series.time_index) == list(times[: STEPS - back])
        # the quarter hours of the last hour, and no later one
        end = times[STEPS - back - 1] + pd.Timedelta(minutes=45)
        assert found.privileged["fine"].end_time() == end
        assert found.privileged["sensor"].end_time() == times[STEPS - back - 1]
        assert all(stamp <= found.series.end_time() for stamp in found.filled)
    assert cut(experiment, data, 3, None) is data
    # 330 and 331 are not scored, and lie in the last test part
    assert len(data.filled) == 2 and cut(experiment, data, 2, None).filled == frozenset()


def test_windows_of_the_folds_do_not_overlap() -> None:
    experiment = experiment_of(folds=3)
    parts = [prepared(experiment, toy_data(), fold, None).test for fold in (1, 2, 3)]
    for part in parts:
        assert len(part.truth) == TESTED - HORIZON + 1
    for earlier, later in itertools.pairwise(parts):
        assert earlier.series.end_time() + earlier.series.freq == later.starts[0]


def test_a_fold_scales_by_its_own_training_part() -> None:
    found = prepared(experiment_of(folds=2), toy_data(), 1, None)
    train = toy_data().series.values()[: VALIDATION - TESTED]
    assert found.scale.mean == pytest.approx(train.mean()) and found.scale.deviation == pytest.approx(train.std())


def after(stamp: Any, data: DataSet) -> DataSet:
    """The data with every value from a time stamp on changed, in every series."""

    def moved(series: Any) -> Any:
        values = series.values(copy=True)
        late = np.asarray(series.time_index >= stamp)
        values[late] = 9 - 3 * values[late]
        return series.with_values(values)

    privileged = {name: moved(series) for name, series in data.privileged.items()}
    covariates = None if data.past_covariates is None else moved(data.past_covariates)
    return replace(data, series=moved(data.series), privileged=privileged, past_covariates=covariates)


def test_nothing_after_a_folds_end_reaches_anything_in_it() -> None:
    arms = [
        {"name": "both", "teachers": ["future", "fine"], "balance": 0.5},
        {"name": "placebo", "teachers": ["future", "fine"], "balance": 0.5, "placebo": True},
    ]
    changes = {"folds": 2, "seeds": [3], "arms": arms}
    end = toy_data().series.time_index[TEST]
    one, two = (cells_of(run_of(experiment_of(data, **changes))) for data in (toy_data(), after(end, toy_data())))
    assert [cell.name for cell in one] == [cell.name for cell in two] and len(one) == 8
    for cell, other in zip(one, two, strict=True):
        assert cell.validation_mse == other.validation_mse
        np.testing.assert_array_equal(cell.mse, other.mse)
        np.testing.assert_array_equal(cell.forecasts, other.forecasts)


def test_changing_the_test_split_changes_no_selected_checkpoint_hyperparameter_or_balance() -> None:
    """Every candidate's validation error, the epoch at which each fit stops and its weights are bit-identical; the test
    errors are not. In both folds, with all that chooses: early stopping, balances, a tuned student."""
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 1, "min_delta": 1e-3}}
    student = toy_model(n_epochs=6, optimizer_kwargs={"lr": 0.02}, pl_trainer_kwargs={"callbacks": [stop]})
    arms = [
        {"name": "both", "teachers": ["future", "fine"], "balance": [0, 0.5], "weighting": "Imitability"},
        {"name": "placebo", "teachers": ["future", "fine"], "balance": [0.5], "placebo": True},
    ]
    for fold, start in ((1, VALIDATION), (2, TEST)):
        cells, fits = [], []
        for data in (toy_data(), after(toy_data().series.time_index[start], toy_data())):
            experiment = experiment_of(data, student=student, arms=arms, controls=["tuned"], folds=2, seeds=[3])
            run = run_of(expanded_experiment(experiment), fold)
            cells.append(cells_of(run))
            with quiet():
                students = [run.distilled(run.experiment.arms[1], 1).student, run.plain(run.experiment.alone)]
            fits.append([(s.epochs_trained, s.model.state_dict()) for s in students])
        assert {cell.name for cell in cells[0]} >= {"alone", "both", "placebo", "tuned", "fine (placebo)"}
        for cell, other in zip(*cells, strict=True):
            assert cell.validation_mse == other.validation_mse
            assert (cell.mse != other.mse).any()
        for (epochs, weights), (other_epochs, other_weights) in zip(*fits, strict=True):
            assert epochs == other_epochs
            assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


def expanded_experiment(experiment: Experiment) -> ExperimentConfig:
    from tskd.experiment.controls.expansion import expanded

    return expanded(experiment).experiment


def test_an_archive_ends_before_the_validation_part_of_its_fold() -> None:
    data = toy_stations()
    experiment = Experiment(
        name="s", data=data, student=toy_model(), teachers={"own": {"model": toy_model(), "archive": True}}, folds=2
    )
    found = cut(experiment, data, 1, None)
    split = data.series.time_index[VALIDATION - TESTED]
    for item in found.archive:
        for series in (item.series, item.privileged["own"], item.past_covariates):
            assert series is not None
            assert series.end_time() + series.freq == split and series.start_time() == data.series.start_time()
    late = replace(data.archive[0], series=data.archive[0].series[VALIDATION - TESTED :])
    with pytest.raises(ValueError, match="fold 1 of 2, archive series 'station 1' has no row before the validation"):
        cut(experiment, replace(data, archive=(late,)), 1, None)


def test_folds_without_training_rows_are_refused_with_how_many_there_can_be() -> None:
    # 240 rows of training; a fold takes 80 test rows, a window 12: 240 - 2 * 80 leaves 80, 240 - 3 * 80 nothing
    assert check_data(experiment_of(folds=3), toy_data())
    message = r"fold 1 of 4 lacks training rows: it has 0, and one window takes 12\. There can be 3 folds"
    with pytest.raises(ConfigError, match=message):
        check_data(experiment_of(folds=4), toy_data())


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_a_size_is_the_number_of_the_students_training_windows() -> None:
    experiment = experiment_of(sizes=[50])
    found = prepared(experiment, toy_data(), 1, 50)
    assert len(found.train.truth) == 50
    rows = 50 + LOOKBACK + HORIZON - 1
    times = toy_data().series.time_index
    assert list(found.train.series.time_index) == list(times[VALIDATION - rows : VALIDATION])
    whole = prepared(experiment, toy_data(), 1, None)
    for name in ("validation", "test"):
        part, other = getattr(found, name), getattr(whole, name)
        assert list(part.starts) == list(other.starts)
    values = toy_data().series.values()[VALIDATION - rows : VALIDATION]
    assert found.scale.mean == pytest.approx(values.mean()) and found.scale.deviation == pytest.approx(values.std())


def test_a_student_and_its_teachers_train_on_so_many_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    from tskd._core.darts import fit as darts_fit

    trained = []
    original = darts_fit.train_on

    def count(trainer: Any, network: Any, data: Any, sets: Any, checkpoint: Any, step: Any) -> None:
        trained.append(len(sets[0]))
        original(trainer, network, data, sets, checkpoint, step)

    for module in ("teachers.network.train_on", "distillation.fit.train_on"):
        monkeypatch.setattr(f"tskd.{module}", count)
    run = run_of(experiment_of(sizes=[50]), size=50)
    with quiet():
        run.distilled(run.experiment.arms[1], 1)
    # two teachers, and the student
    assert trained == [50, 50, 50]


def test_older_rows_do_not_exist_for_anybody() -> None:
    """Other values in all rows before the newest windows, privileged ones too: every number is bit-identical."""
    size = 60
    first = toy_data().series.time_index[VALIDATION - (size + LOOKBACK + HORIZON - 1)]

    def before(data: DataSet) -> DataSet:
        def moved(series: Any) -> Any:
            values = series.values(copy=True)
            early = np.asarray(series.time_index < first)
            values[early] = 9 - 3 * values[early]
            return series.with_values(values)

        privileged = {name: moved(series) for name, series in data.privileged.items()}
        return replace(data, series=moved(data.series), privileged=privileged)

    changes = {"sizes": [size], "seeds": [3]}
    one, two = (
        cells_of(run_of(experiment_of(data, **changes), size=size)) for data in (toy_data(), before(toy_data()))
    )
    for cell, other in zip(one, two, strict=True):
        assert cell.validation_mse == other.validation_mse
        np.testing.assert_array_equal(cell.mse, other.mse)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(
            run_of(experiment_of(before(toy_data()))).prepared[0].train.series.values(),
            run_of(experiment_of(toy_data())).prepared[0].train.series.values(),
        )


def test_an_archive_stays_whole_whatever_the_size() -> None:
    experiment = Experiment(name="s", data=toy_stations(), student=toy_model(), sizes=[30])
    found = cut(experiment, toy_stations(), 1, 30)
    assert [len(item.series) for item in found.archive] == [VALIDATION, VALIDATION]
    assert len(found.series) == STEPS - VALIDATION + 30 + LOOKBACK + HORIZON - 1


def test_a_size_of_a_fold_counts_from_the_folds_own_end() -> None:
    found = prepared(experiment_of(folds=2, sizes=[50]), toy_data(), 1, 50)
    times = toy_data().series.time_index
    assert found.train.series.end_time() == times[VALIDATION - TESTED - 1] and len(found.train.truth) == 50


def test_more_windows_than_there_are_are_refused_with_how_many_there_are() -> None:
    windows = VALIDATION - LOOKBACK - HORIZON + 1
    assert check_data(experiment_of(sizes=[windows]), toy_data())[FoldSize(1, windows)].training == windows
    with pytest.raises(
        ConfigError, match=f"size of {windows + 1} windows is asked for; of 240 .* there are {windows},"
    ):
        check_data(experiment_of(sizes=[windows + 1, None]), toy_data())


# ---- the standard benchmark ------------------------------------------------------------------------------------------


def test_every_window_of_the_standard_benchmark_counts() -> None:
    if not os.environ.get("TSKD_DATA"):
        pytest.skip("TSKD_DATA is not set")
    data = datasets.load("etth1")
    student = {"class": "DLinearModel", "kwargs": {}}
    experiment = Experiment(name="e", data=data, student=student, lookback=96, horizon=96)
    found = prepared(experiment, data, 1, None)
    assert [len(part.truth) for part in (found.train, found.validation, found.test)] == [8449, 2785, 2785]
    assert found.test.truth.shape == (2785, 96, 7) and found.test.scored.all()
    # the first test window reads the last 96 rows before the test part
    values = data.series.values().astype("float64")
    train = values[: 12 * 30 * 24]
    scaled = (values - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(found.test.series.values()[0], scaled[16 * 30 * 24 - 96], atol=1e-5)
    np.testing.assert_allclose(found.test.truth[-1, -1], scaled[20 * 30 * 24 - 1], atol=1e-5)
