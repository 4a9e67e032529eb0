"""Teachers of an experiment: other models and windows, cross-fitted, fitted on an archive; and the soft sensor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel
from darts.utils.utils import NotImportedModule
from pydantic import ValidationError

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
from tests.helpers.series import single
from tskd import Teacher
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import ConfigError, Experiment, TeacherConfig
from tskd.experiment.config.arm import with_settings
from tskd.experiment.config.teacher import INPUTS
from tskd.experiment.controls.shuffling import archive_placebo
from tskd.experiment.data.loading import load
from tskd.experiment.data.preparation import fingerprint, prepare
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, planned
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.teachers import regression as global_models
from tskd.teachers.crossfit import CrossFit

OWN = {"class": "CostlySensors", "kwargs": {"name": "own"}}
SENSOR = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
LINEAR: dict[str, Any] = {
    "class": "LinearRegressionModel",
    "kwargs": {"lags": LOOKBACK, "output_chunk_length": HORIZON},
}


def stations(data: DataSet | None = None, **changes: Any) -> Experiment:
    """A soft sensor, with a teacher that sees the target's past, and one that does not."""
    config: dict[str, Any] = {
        "name": "stations",
        "data": data or toy_stations(),
        "student": toy_model(),
        "soft_sensor": True,
        "teachers": {"own": {"model": toy_model(), "privileged": OWN}, "equal": {"model": toy_model()}},
        "arms": [{"name": "distilled", "teachers": "own", "balance": [0, 0.5]}],
        "seeds": [3],
    }
    return Experiment(**(config | changes))


def run_of(experiment: Experiment) -> BlockRun:
    return BlockRun(Block("some", experiment, 1, None, 3), load(experiment))


def cells_of(run: BlockRun) -> list[Cell]:
    return [run.cell(plan) for plan in planned(run.block, "")]


def cell_of(experiment: Experiment, name: str) -> Cell:
    return next(cell for cell in cells_of(run_of(experiment)) if cell.name == name)


def weights(teacher: Teacher) -> dict[str, torch.Tensor]:
    return teacher.model.model.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


# ---- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"model": {"class": "NaiveDrift"}}, "class 'NaiveDrift' is not allowed as darts global model"),
        ({"model": {"class": "LinearRegresionModel"}}, "Did you mean 'LinearRegressionModel'"),
        ({"model": LINEAR, "sees_input": False}, "unknown key 'sees_input'. Did you mean 'sees_inputs'"),
        ({"model": toy_model(), "sees_inputs": False}, "sees neither inputs nor privileged information"),
        ({"model": LINEAR, "privileged": {"class": "FutureHorizon"}}, r"teacher 'odd': .* needs future covariates"),
        ({"model": toy_model(), "cross_fit": 1}, "cross_fit"),
        ({"model": toy_model(), "cross_fit": {"folds": 4, "blocks": 9}}, "unknown key 'blocks'. Did you mean 'block'"),
        ({"model": toy_model(), "cross_fit": 4, "archive": True}, "leave out cross_fit"),
        ({"model": {**LINEAR, "kwargs": {**LINEAR["kwargs"], "random_state": 1}}}, "random_state is set by"),
        ({"model": {"class": "RNNModel", "kwargs": {"input_chunk_length": 8}}}, "teacher 'odd'.*BlockRNNModel"),
    ],
)
def test_a_teacher_that_cannot_work_is_refused_before_any_training(teacher: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experiment(**toy_config(teachers={"odd": teacher}, arms=[]))


def test_a_student_must_be_a_torch_model() -> None:
    with pytest.raises(ValidationError, match="not allowed as darts torch model"):
        Experiment(**toy_config(student=LINEAR))


def test_a_soft_sensor_that_would_see_nothing_is_refused() -> None:
    reversible = toy_model(use_reversible_instance_norm=True)
    with pytest.raises(ValidationError, match="soft_sensor: NLinearModel normalises by the target's past"):
        stations(student=reversible)
    bare = replace(toy_stations(), past_covariates=None, archive=())
    with pytest.raises(ConfigError, match="the student reads past_covariates and future_covariates, and data set"):
        stations(bare).run(progress=False)
    # a teacher that reads the target alone would be blind too
    with pytest.raises(ValidationError, match=r"teacher 'equal'.* sees neither inputs"):
        stations(teachers={"equal": {"model": LINEAR}}, arms=[])


def test_an_archive_is_needed_and_holds_what_the_teacher_reads() -> None:
    data = toy_stations()
    teachers = {"own": {"model": toy_model(), "privileged": OWN, "archive": True}}
    with pytest.raises(ConfigError, match="teacher 'own': data set 'stations' has no archive"):
        stations(replace(data, archive=()), teachers=teachers).run(progress=False)
    less = (replace(data.archive[0], privileged={}), *data.archive[1:])
    with pytest.raises(ConfigError, match="archive series 'station 1' has no privileged series 'own'"):
        stations(replace(data, archive=less), teachers=teachers).run(progress=False)


def test_the_settings_of_teachers_read_back_equal() -> None:
    teachers = {
        "cross": {"model": toy_model(), "cross_fit": {"folds": 3, "block": 40}},
        "future": {"model": toy_model(), "privileged": {"class": "FutureHorizon"}, "sees_inputs": False},
        "linear": {"model": LINEAR, "archive": True},
    }
    made = Experiment(**toy_config(data="co2", teachers=teachers, arms=[]))
    assert Experiment.model_validate(yaml.safe_load(made.to_yaml())) == made
    crossed = TeacherConfig.model_validate({"model": LINEAR, "cross_fit": 4}).cross_fit
    assert crossed is not None and crossed.made() == CrossFit(4)


def test_a_python_teacher_keeps_its_settings() -> None:
    given = Teacher(NLinearModel(8, 4), FutureHorizon(), sees_inputs=False, cross_fit=CrossFit(3, 40))
    config = TeacherConfig.model_validate(given)
    assert not config.sees_inputs and config.cross_fit is not None
    assert config.cross_fit.made() == CrossFit(3, 40)
    linear = TeacherConfig.model_validate(Teacher(LinearRegressionModel(lags=8, output_chunk_length=4)))
    assert linear.sees_inputs and linear.cross_fit is None and linear.model.class_ == "LinearRegressionModel"


def test_a_python_teacher_with_a_target_of_its_own_is_refused() -> None:
    given = Teacher(NLinearModel(8, 4), CostlySensors("sensor"), name="odd", target="fine")
    with pytest.raises(ValidationError, match=r"teachers\.odd\n.*teacher 'odd': target='fine': .* leave target out"):
        Experiment(**toy_config(teachers={"odd": given}, arms=[]))


# ---- other models and other windows ----------------------------------------------------------------------------------


def test_any_global_model_teaches_and_is_scored_by_its_own_forecasts() -> None:
    arms = [{"name": "linear", "teachers": "linear", "balance": 0.5}]
    experiment = Experiment(**toy_config(teachers={"linear": {"model": LINEAR}}, arms=arms, seeds=[3]))
    cells = {(cell.kind, cell.name): cell for cell in cells_of(run_of(experiment))}
    prepared = prepare(toy_data(), LOOKBACK, (1, HORIZON))
    values = prepared.test.series.values()[:, 0]
    train = prepared.train.series.values()[:, 0]
    starts = range(len(train) - LOOKBACK - HORIZON + 1)
    inputs = np.stack([[*train[i : i + LOOKBACK], 1.0] for i in starts])
    labels = np.stack([train[i + LOOKBACK : i + LOOKBACK + HORIZON] for i in starts])
    solution = np.linalg.lstsq(inputs.astype("float64"), labels.astype("float64"), rcond=None)[0]
    window = 40
    forecast = np.array([*values[window : window + LOOKBACK], 1.0]) @ solution
    truth = values[window + LOOKBACK : window + LOOKBACK + HORIZON]
    assert cells["teacher", "linear"].mse[window] == pytest.approx(np.mean((forecast - truth) ** 2), rel=1e-3)
    assert (cells["student", "linear"].mse != cells["student", "alone"].mse).any()


def test_a_teacher_is_asked_once_for_all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    answer = global_models._historical

    def counted(model: Any, arguments: Any) -> Any:
        asked.append(len(arguments.series[0]))
        return answer(model, arguments)

    monkeypatch.setattr(global_models, "_historical", counted)
    arms = [{"name": "linear", "teachers": "linear", "balance": [0.25, 0.5, 1]}]
    run = run_of(Experiment(**toy_config(teachers={"linear": {"model": LINEAR}}, arms=arms, seeds=[3])))
    assert [cell.candidate for cell in cells_of(run) if cell.name == "linear" and cell.kind == "student"] == [0, 1, 2]
    (parts,) = run.prepared
    assert asked == [len(part.series) for part in (parts.validation, parts.test, parts.train)]


def test_a_teacher_with_other_windows_is_scored_on_the_students() -> None:
    long = toy_model(input_chunk_length=20, output_chunk_length=7)
    config = toy_config(seeds=[3], arms=[{"name": "long", "teachers": "long", "balance": 0.5}])
    experiment = Experiment(**config | {"teachers": {"long": {"model": long}}})
    assert experiment.longest == 20
    run = run_of(experiment)
    cells = {(cell.kind, cell.name): cell for cell in cells_of(run)}
    cell = cells["teacher", "long"]
    data = run.prepared[0]
    series = data.test.series
    assert data.test.reach == data.validation.reach == 20 and series.time_index[20] == toy_data().test_start
    with quiet():
        for window in (0, 33):
            forecast = run.teacher("long").model.predict(7, series=series[window : window + 20]).values()[:HORIZON, 0]
            scored = data.test.scored[window]
            error = (forecast - data.test.truth[window, :, 0])[scored]
            assert cell.mse[window] == pytest.approx(np.mean(error**2), rel=1e-4)
    # its horizon runs past the data in the last three windows of the student
    assert np.isnan(cell.mse[-3:]).all() and np.isfinite(cell.mse[:-3]).all()


def test_a_student_is_watched_on_its_own_windows_alone() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss"}}
    student = toy_model(pl_trainer_kwargs={"callbacks": [stop]})
    teachers = {"long": {"model": toy_model(input_chunk_length=20)}}
    run = run_of(Experiment(**toy_config(student=student, teachers=teachers, arms=[])))
    watched = single(run.supply.training(run.experiment.student)["val_series"])
    times = toy_data().series.time_index
    assert watched.start_time() == times[VALIDATION - LOOKBACK] and watched.end_time() == times[TEST - 1]


def test_a_tuned_student_is_watched_on_the_same_windows() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss"}}
    student = toy_model(pl_trainer_kwargs={"callbacks": [stop]})
    run = run_of(Experiment(**toy_config(student=student, teachers={}, arms=[])))
    (rows,) = run.supply.rows(with_settings(run.experiment.student, {"input_chunk_length": 3}), None)
    assert single(rows["val_series"]).start_time() == toy_data().series.time_index[VALIDATION - 3]
    assert rows["series"] == run.prepared[0].train.series


@pytest.mark.parametrize("back", [3, 20])
def test_a_teachers_lookback_changes_nothing_for_the_student(back: int) -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 1}}
    student = toy_model(n_epochs=4, pl_trainer_kwargs={"callbacks": [stop]})
    arms = [{"name": "alone"}, {"name": "other", "teachers": "other", "balance": 0}]
    plain = Experiment(**toy_config(student=student, teachers={}, arms=[], seeds=[3])).run(progress=False)
    teachers = {"other": {"model": toy_model(input_chunk_length=back, output_chunk_length=6)}}
    other = Experiment(**toy_config(student=student, teachers=teachers, arms=arms, seeds=[3])).run(progress=False)
    np.testing.assert_array_equal(plain.errors("alone"), other.errors("alone"))
    truth = [r.forecasts[r.forecasts.line.isin(["truth", "alone"])].reset_index(drop=True) for r in (plain, other)]
    pd.testing.assert_frame_equal(truth[0], truth[1])


@pytest.mark.parametrize("back", [3, LOOKBACK, 20])
def test_a_teacher_is_watched_on_the_whole_validation_part_and_no_more(
    monkeypatch: pytest.MonkeyPatch, back: int
) -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss"}}
    model = toy_model(input_chunk_length=back, pl_trainer_kwargs={"callbacks": [stop]})
    run = run_of(Experiment(**toy_config(teachers={"watched": {"model": model, "privileged": SENSOR}}, arms=[])))
    given: dict[str, Any] = {}
    monkeypatch.setattr(Teacher, "fit", lambda teacher, **data: given.update(data) or teacher)
    monkeypatch.setattr("tskd.experiment.run.block_teachers.save_teacher", lambda *_: None)
    run.teacher("watched")
    times, watched = toy_data().series.time_index, given["val_series"]
    assert watched.time_index[back] == times[VALIDATION] and watched.end_time() == times[TEST - 1]
    assert given["series"] == run.prepared[0].train.series


def test_a_watched_teacher_may_look_back_further_than_the_validation_part_is_long() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss"}}
    model = toy_model(input_chunk_length=60, pl_trainer_kwargs={"callbacks": [stop]})
    data = replace(toy_data(), test_start=toy_data().series.time_index[VALIDATION + 40])
    teachers = {"watched": {"model": model, "privileged": SENSOR}}
    with quiet():
        assert run_of(Experiment(**toy_config(data=data, teachers=teachers, arms=[]))).teacher("watched").fitted


def test_a_watched_teacher_may_be_taught_by_one_that_sees_more() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss"}}
    pupil = {"model": toy_model(pl_trainer_kwargs={"callbacks": [stop]}), "taught_by": "seer"}
    teachers = {"seer": {"model": toy_model(), "privileged": SENSOR}, "pupil": pupil}
    with quiet():
        assert run_of(Experiment(**toy_config(teachers=teachers, arms=[]))).teacher("pupil").fitted


def test_a_cross_fitted_teacher_is_several() -> None:
    teachers = {"cross": {"model": toy_model(), "cross_fit": {"folds": 3, "block": 40}}}
    run = run_of(Experiment(**toy_config(teachers=teachers, arms=[], seeds=[3])))
    with quiet():
        teacher = run.teacher("cross")
    assert len(teacher.models) == 3 and teacher.folds is not None and teacher.folds.block == 40


# ---- archive ---------------------------------------------------------------------------------------------------------


def archived(data: DataSet | None = None, **teacher: Any) -> BlockRun:
    config = {"model": toy_model(), "privileged": OWN, "archive": True} | teacher
    placebo = [{"name": "placebo", "teachers": "own", "balance": 0.5, "placebo": True}]
    return run_of(stations(data, teachers={"own": config}, arms=placebo))


def test_an_archive_teacher_is_fitted_on_the_archive_alone() -> None:
    own = toy_stations()
    other = replace(own, series=own.series * 2 + 1)
    with quiet():
        teachers = [archived(data).teacher("own") for data in (own, other, toy_stations(elsewhere=0.5))]
    assert equal(weights(teachers[0]), weights(teachers[1]))
    values = [weights(teachers[i])["layer.weight"] for i in (0, 2)]
    # each series of the archive has a scale of its own
    assert torch.allclose(values[0], values[1], atol=1e-4)
    first, second = own.archive
    for archive in (
        (replace(first, series=second.series), second),
        (first, replace(second, series=first.series)),
    ):
        with quiet():
            third = archived(replace(own, archive=archive)).teacher("own")
        assert not torch.allclose(values[0], weights(third)["layer.weight"], atol=1e-4)


def test_an_archive_teacher_may_leave_out_the_inputs() -> None:
    run = archived(sees_inputs=False)
    with quiet():
        teacher, shuffled = run.teacher("own"), run.teacher("own", shuffled=True)
    assert teacher.names == ["own"] and not teacher.sees_inputs
    assert shuffled.names == ["placebo of CostlySensors(name='own')"]
    assert not equal(weights(teacher), weights(shuffled))


def test_the_archive_is_scaled_by_itself() -> None:
    prepared = prepare(toy_stations(), LOOKBACK, (1, HORIZON))
    for item in prepared.archive:
        for series in (item.series, item.privileged["own"], item.past_covariates):
            assert series is not None
            values = series.values()
            np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
            np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)


def test_placebo_rows_of_an_archive_stay_in_their_series_and_hour() -> None:
    data = toy_stations()
    shuffled = [archive_placebo(CostlySensors("own"), item, data, 1) for item in data.archive]
    for item, named in zip(data.archive, shuffled, strict=True):
        (found,) = named.values()
        hours = item.series.time_index.hour
        for hour in (0, 13):
            before, after = (s.values()[hours == hour, 0] for s in (item.privileged["own"], found))
            assert (before != after).all() and (np.sort(before) == np.sort(after)).all()
    twin = replace(data.archive[0], name="twin")
    assert archive_placebo(CostlySensors("own"), twin, data, 1) != shuffled[0]
    changed = toy_stations(target=3.0)
    assert archive_placebo(CostlySensors("own"), changed.archive[0], changed, 1) == shuffled[0]


def test_an_archive_counts_in_the_fingerprint() -> None:
    assert len({fingerprint(toy_stations()), fingerprint(toy_stations(elsewhere=0.1))}) == 2


def test_an_archive_that_knows_later_values_or_other_components_is_refused() -> None:
    data = toy_stations()
    late = replace(data.archive[0], series=data.series[: VALIDATION + 1])
    with pytest.raises(ValueError, match=r"archive series 'station 1' ends at .* must end before the validation part"):
        replace(data, archive=(late,))
    covariates = data.archive[0].past_covariates
    assert covariates is not None
    renamed = replace(data.archive[0], past_covariates=covariates["c0"])
    with pytest.raises(ValueError, match=r"past_covariates of archive series 'station 1' has components \['c0'\]"):
        replace(data, archive=(renamed,))


# ---- soft sensor -----------------------------------------------------------------------------------------------------


def test_nobody_sees_the_targets_past_but_by_privilege() -> None:
    """With other targets after the training part, all forecasts are bit-identical: `own` is a series of its own."""
    one, other = (stations(toy_stations(target=target)) for target in (0.0, 5.0))
    for name in ("alone", "distilled", "own", "equal"):
        cells = [cell_of(experiment, name) for experiment in (one, other)]
        np.testing.assert_array_equal(cells[0].forecasts, cells[1].forecasts)
        assert (cells[0].mse != cells[1].mse).all()
    shown = replace(toy_stations(), privileged={"own": toy_stations(target=5.0).series})
    forecasts = [cell_of(stations(data), "own").forecasts for data in (toy_stations(), shown)]
    assert (forecasts[0] != forecasts[1]).any()


def test_a_teacher_of_a_soft_sensor_sees_the_students_inputs() -> None:
    data = toy_stations()
    assert data.past_covariates is not None
    other = replace(data, past_covariates=data.past_covariates + 1.0 * (np.arange(STEPS)[:, None, None] >= TEST))
    for name in ("alone", "equal", "own"):
        forecasts = [cell_of(stations(some), name).forecasts for some in (data, other)]
        assert (forecasts[0] != forecasts[1]).any()
    run = run_of(stations())
    with quiet():
        assert run.teacher("equal").names == [INPUTS["past"]] and run.teacher("own").names == [INPUTS["past"], "own"]
    assert not stations().is_privileged(stations(arms=[{"name": "s", "teachers": "equal"}]).arms[1])


def test_future_covariates_reach_the_teachers_of_a_soft_sensor_whole() -> None:
    data = toy_stations()
    known: TimeSeries = data.past_covariates
    run = run_of(stations(replace(data, past_covariates=None, future_covariates=known, archive=())))
    with quiet():
        sources = run.teacher("equal").sources
    assert sources == (CostlySensors(INPUTS["future"]), FutureHorizon(INPUTS["future"]))


def test_balance_zero_is_the_soft_sensor_alone() -> None:
    experiment = stations()
    run = run_of(experiment)
    with quiet():
        plain = run.plain(experiment.alone).student.model.state_dict()
        distilled = [run.distilled(experiment.arms[1], c).student.model.state_dict() for c in (0, 1)]
    assert equal(plain, distilled[0]) and not equal(plain, distilled[1])


def test_a_teacher_may_be_an_ensemble_or_forecast_a_distribution() -> None:
    """Members and likelihood are named in the configuration; the mean is scored."""
    chunks = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON}
    gaussian = {
        "class": "NLinearModel",
        "kwargs": {**chunks, "n_epochs": 1, "normalize": False, "likelihood": {"class": "GaussianLikelihood"}},
    }
    made = {
        "ensemble": {"model": {"class": "NaiveEnsembleModel", "kwargs": {"forecasting_models": [LINEAR, LINEAR]}}},
        "linear": {"model": LINEAR},
        "gaussian": {"model": gaussian},
    }
    plain: dict[str, Any] = {"data": toy_data(), "soft_sensor": False, "teachers": made, "arms": []}
    found = stations(**plain).run(progress=False).rows
    scores = found[found.kind == "teacher"].set_index("name").mse
    assert scores["ensemble"] == pytest.approx(scores["linear"], rel=1e-5)
    assert np.isfinite(scores["gaussian"])
    wrong = {"class": "NLinearModel", "kwargs": {**chunks, "likelihood": {"class": "EarlyStopping"}}}
    with pytest.raises(ValidationError, match="not allowed as likelihood"):
        stations(**plain | {"teachers": {"gaussian": {"model": wrong}}})


def test_a_model_whose_package_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darts.models.CatBoostModel", NotImportedModule("CatBoost", warn=False))
    model = {"class": "CatBoostModel", "kwargs": {"lags": LOOKBACK, "output_chunk_length": HORIZON}}
    with pytest.raises(ValidationError, match=r"'CatBoostModel' needs a package .* pip install 'tskd\[trees\]'"):
        Experiment(**toy_config(teachers={"trees": {"model": model}}, arms=[]))
