"""Teachers of an experiment that are no darts models: how they are configured, made, shuffled and told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from darts import TimeSeries
from pydantic import ValidationError

from tests.helpers.cells import cells_of
from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_model, toy_stations
from tskd import Reconstruction, Teacher
from tskd.datasets import DataSet
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.outside_teacher import ReconstructionConfig
from tskd.experiment.controls.expansion import expanded
from tskd.experiment.data.loading import load
from tskd.experiment.data.outside import given_forecasts
from tskd.experiment.data.preparation import Scale
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, planned

READER = {"class": "DLinearModel", "kwargs": {**toy_model()["kwargs"], "kernel_size": 3}}


def data_of() -> DataSet:
    """A target, a neighbour that is twice the target plus 3, and a satellite that measures it half a unit too high."""
    data = toy_stations()
    near = TimeSeries.from_times_and_values(data.series.time_index, 2 * data.series.values() + 3, columns=["n"])
    return replace(data, privileged={"near": near, "satellite": data.series + 0.5}, archive=())


def experiment_of(teacher: Any, labels: Any = "all", **changes: Any) -> Experiment:
    config: dict[str, Any] = {
        "data": data_of(),
        "student": READER,
        "teachers": {"it": teacher},
        "arms": [{"name": "taught", "teachers": "it", "balance": [0.5]}],
        "seeds": [3],
        "soft_sensor": True,
        "labels": labels,
    }
    return Experiment(**toy_config(**config | changes))


def run_of(experiment: ExperimentConfig) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))


def cell_of(experiment: ExperimentConfig, name: str) -> Cell:
    run = run_of(experiment)
    return run.cell(next(plan for plan in planned(run.block, "") if plan.name == name))


# ---- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"reconstruction": "near", "model": "ridg"}, "teachers.it.model\n.*'one-neighbour', 'ridge' or 'trees'"),
        ({"reconstruction": []}, "give one name or more"),
        ({"reconstruction": ["near", "near"]}, "each once"),
        ({"reconstruction": "near", "steps": 1, "fills_past": True}, "give steps=0"),
        ({"reconstruction": "near", "privileged": "x"}, "unknown key 'privileged'"),
        ({"reconstruction": "near", "series": "near"}, "give one of reconstruction and series"),
        ({"series": "near", "model": READER}, "give one of model and series"),
        ({"series": 3}, "teachers.it.series"),
        ({"forecasts": "near"}, "'near' must be a file whose name ends in .csv or .parquet"),
    ],
)
def test_a_mistake_is_named(teacher: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        experiment_of(teacher)


def test_python_objects_are_taken_where_they_need_no_data() -> None:
    made = experiment_of(Reconstruction(["near"], "trees", 2)).teachers["it"]
    assert made == ReconstructionConfig(reconstruction=("near",), model="trees", steps=2)
    given = Teacher.from_series(data_of().series, name="odd")
    with pytest.raises(ValidationError, match="teacher 'odd', a given series: give its data under `series`"):
        experiment_of(given)


def test_settings_read_back_equal() -> None:
    teachers = {"a": {"reconstruction": ["x", "y"], "steps": 1}, "b": {"series": "x"}, "c": {"forecasts": "f.csv"}}
    made = Experiment(**toy_config(data="co2", teachers=teachers, arms=[]))
    assert Experiment.model_validate(yaml.safe_load(made.to_yaml())) == made


def test_what_the_data_lack_is_named(tmp_path: Path) -> None:
    for teacher, message in (
        ({"reconstruction": "far"}, "teacher 'it': data set 'stations' has no privileged series 'far'"),
        ({"series": "near"}, "privileged series 'near' has the components n; it must have those of the target, y"),
        ({"series": str(tmp_path / "no.csv")}, "no.csv: the table cannot be read"),
    ):
        with pytest.raises(ConfigError, match=message):
            experiment_of(teacher).run(progress=False)


def test_given_forecasts_have_no_placebo() -> None:
    arms = [{"name": "placebo", "teachers": "it", "placebo": True}]
    with pytest.raises(ValidationError, match="placebo: the given forecasts of 'it' cannot be shuffled"):
        experiment_of({"forecasts": "f.csv"}, arms=arms)
    found = expanded(experiment_of({"forecasts": "f.csv"}, controls=["placebo"]))
    assert found.not_applicable == {"placebo": "the forecasts of teacher 'it' are given, and cannot be shuffled"}


# ---- what they answer ------------------------------------------------------------------------------------------------


def test_a_reconstruction_answers_where_there_is_no_label() -> None:
    """It reads the target off its neighbour: from every seventh label, to the precision of float32."""
    experiment = experiment_of({"reconstruction": "near", "model": "one-neighbour"}, {"every": 7})
    cell = cell_of(experiment, "it")
    assert cell.kind == "teacher" and len(cell.mse) == STEPS - TEST - HORIZON + 1 and cell.mse.max() < 1e-8
    counts = run_of(experiment).distilled(experiment.arms[1], 0).windows
    # every window has a teacher; three of seven have no label among their four steps
    assert counts is not None and counts.used == VALIDATION - LOOKBACK - HORIZON + 1
    labelled = sum(any(row % 7 == 0 for row in range(t, t + 4)) for t in range(LOOKBACK, VALIDATION - 3))
    assert (counts.both, counts.teachers) == (labelled, counts.used - labelled)


def test_a_given_series_answers_with_its_values_in_the_units_of_the_target(tmp_path: Path) -> None:
    path = tmp_path / "satellite.csv"
    data_of().privileged["satellite"].to_dataframe().to_csv(path)
    deviation = data_of().series.values()[:VALIDATION].std()
    for series in ("satellite", str(path)):
        cell = cell_of(experiment_of({"series": series}), "it")
        np.testing.assert_allclose(cell.mse, (0.5 / deviation) ** 2, rtol=1e-3)


def table(tmp_path: Path, error: float) -> Path:
    """Forecasts that are too high by as much at every step, from all origins but the last window's of the test part."""
    series = data_of().series
    values, times = series.values()[:, 0], series.time_index
    rows = [
        (times[origin], step, "y", values[origin + step] + error)
        for origin in range(STEPS - HORIZON - 1)
        for step in range(1, HORIZON + 1)
    ]
    path = tmp_path / "forecasts.csv"
    pd.DataFrame(rows, columns=["origin", "step", "component", "value"]).to_csv(path, index=False)
    return path


def test_given_forecasts_answer_by_origin_in_the_units_of_the_target(tmp_path: Path) -> None:
    cell = cell_of(experiment_of({"forecasts": str(table(tmp_path, 0.25))}), "it")
    deviation = data_of().series.values()[:VALIDATION].std()
    np.testing.assert_allclose(cell.mse[:-1], (0.25 / deviation) ** 2, rtol=1e-3)
    assert np.isnan(cell.mse[-1])


def test_the_content_of_a_table_is_in_the_keys_of_those_who_learn_from_it(tmp_path: Path) -> None:
    keys = []
    for error in (0.0, 1.0):
        experiment = experiment_of({"forecasts": str(table(tmp_path, error))})
        keys.append({cell.name: cell.key for cell in cells_of(experiment)})
    one, other = keys
    assert one["alone"] == other["alone"] and one["it"] != other["it"] and one["taught"] != other["taught"]


def test_a_component_that_the_target_does_not_have_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, 0.0)
    path.write_text(path.read_text().replace(",y,", ",z,"))
    with pytest.raises(ValueError, match=r"forecasts.csv: component 'z' is none of the target, which has y"):
        run_of(experiment_of({"forecasts": str(path)})).teacher("it")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [f"2024-10-27 0{hour}:00+02:00" for hour in range(5)],
            r"02:00 is a time stamp of a time zone\. Convert to UTC",
        ),
        ([f"2024-10-27 0{hour}:00:00" for hour in (0, 1, 2, 2, 3)], "02:00:00 is given twice .*convert to UTC"),
        (["yesterday", "today", "now", "later", "never"], "column 'when' cannot be read as time stamps"),
    ],
)
def test_times_of_another_zone_are_never_joined(tmp_path: Path, times: list[str], message: str) -> None:
    """darts would drop the zone, and every answer would be hours away from its time."""
    path = tmp_path / "satellite.csv"
    pd.DataFrame({"when": times, "y": range(5)}).to_csv(path, index=False)
    with pytest.raises(ValueError, match=rf"satellite\.csv, .*{message}"):
        run_of(experiment_of({"series": str(path)})).teacher("it")


@pytest.mark.parametrize("zone", ["Z", "-0500", " UTC"])
def test_origins_of_another_zone_are_never_joined(tmp_path: Path, zone: str) -> None:
    path = table(tmp_path, 0.0)
    frame = pd.read_csv(path)
    frame.assign(origin=pd.to_datetime(frame.origin).astype(str).str[:10] + f" 00:00:00{zone}").to_csv(
        path, index=False
    )
    with pytest.raises(ValueError, match=r"forecasts\.csv, column 'origin': .* of a time zone\. Convert to UTC"):
        run_of(experiment_of({"forecasts": str(path)})).teacher("it")


# ---- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", [{"reconstruction": "near"}, {"series": "satellite"}])
def test_a_placebo_reads_rows_of_the_same_hour_of_the_same_part(teacher: dict[str, Any]) -> None:
    experiment = expanded(experiment_of(teacher, controls=["placebo"])).experiment
    run = run_of(experiment)
    (name,) = [name for name in run.prepared[0].test.privileged if name.startswith("placebo of")]
    own, shuffled = (
        run.prepared[0].test.privileged[key].values()[:, 0] for key in (*experiment.teachers["it"].series_names, name)
    )
    assert (own != shuffled).all()
    for first, end in ((0, VALIDATION), (VALIDATION, TEST), (TEST, STEPS)):
        for hour in range(24):
            rows = [row for row in range(first, end) if row % 24 == hour]
            np.testing.assert_array_equal(np.sort(own[rows]), np.sort(shuffled[rows]))
    errors = {
        cell.name: cell.mse.mean()
        for plan in planned(run.block, "")
        if plan.kind == "teacher" and (cell := run.cell(plan))
    }
    assert errors["it (placebo)"] > 2 * errors["it"]


def test_a_reconstruction_is_controlled_by_a_network_like_the_student() -> None:
    found = expanded(
        experiment_of({"reconstruction": "near"}, {"every": 7}, controls=["self-distilled", "one-neighbour"])
    )
    made = found.experiment.teachers
    assert made["one-neighbour"] == ReconstructionConfig(reconstruction=("near",), model="one-neighbour")
    assert getattr(made["self"], "model", None) == found.experiment.student
    # it has privilege itself, and explains nothing away
    assert found.controls == {"self-distilled": "self-distilled"}
    assert found.experiment.is_privileged(next(arm for arm in found.experiment.arms if arm.name == "one-neighbour"))


def test_forecasts_from_a_file_are_scaled_and_their_deviations_are_not_moved(tmp_path: Path) -> None:
    """Each by its own component, in any order."""
    path = tmp_path / "told.csv"
    pd.DataFrame(
        {"origin": [4, 4], "step": [1, 1], "component": ["b", "a"], "value": [30.0, 5.0], "std": [20.0, 3.0]}
    ).to_csv(path, index=False)
    frame = given_forecasts(str(path), ["a", "b"], Scale(np.array([1.0, 10.0]), np.array([2.0, 5.0])))
    assert frame["value"].tolist() == [4, 2] and frame["std"].tolist() == [4, 1.5]
    assert frame["origin"].tolist() == [4, 4]
