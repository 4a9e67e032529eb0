"""Studies: the cases of a grid; and lookback and horizon that are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.helpers.experiments import darts_model, toy_config, toy_model
from tskd.experiment import ConfigError, Experiment, Study
from tskd.experiment.controls.registry import CONTROL_NAMES

BASE = """
name: small
data: co2
student: {class: NLinearModel, kwargs: {optimizer_kwargs: {lr: 1e-3}}}
lookback: 8
horizon: 4
teachers:
  season: {model: {class: NLinearModel}, privileged: {class: FutureHorizon, kwargs: {start: 1, end: 2}}}
arms:
  - {name: distilled, teachers: season, balance: [0, .5]}
seeds: 2
"""
GRID = """
grid:
  horizon:
    4: {}
    H=6: {horizon: 6}
  model:
    fast: {student: {kwargs: {optimizer_kwargs: {lr: 1e-2}}}}
    decayed: {student: {kwargs: {optimizer_kwargs: {weight_decay: 0.5}}}, seeds: [7]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text)
    return path


def test_the_product_of_all_axes_gives_the_cases(tmp_path: Path) -> None:
    study = Study.from_yaml(write(tmp_path, BASE + GRID))
    assert study.name == "small"
    assert list(study.cases) == ["4 · fast", "4 · decayed", "H=6 · fast", "H=6 · decayed"]
    cases = study.cases.values()
    assert [case.student.kwargs["output_chunk_length"] for case in cases] == [4, 4, 6, 6]
    assert [darts_model(case.teachers["season"]).kwargs["output_chunk_length"] for case in cases] == [4, 4, 6, 6]
    # overlays are merged key by key
    assert [case.student.kwargs["optimizer_kwargs"] for case in cases] == [
        *({"lr": 0.01}, {"lr": 0.001, "weight_decay": 0.5}, {"lr": 0.01}, {"lr": 0.001, "weight_decay": 0.5})
    ]
    assert [case.seeds for case in cases] == [(0, 1), (7,), (0, 1), (7,)]


@pytest.mark.parametrize("text", [BASE, BASE + GRID])
def test_a_study_reads_back_equal(tmp_path: Path, text: str) -> None:
    study = Study.from_yaml(write(tmp_path, text))
    assert Study.from_yaml(write(tmp_path, study.to_yaml())) == study


TRAPS = ("1e-3", "1e3", "-1E+3", "1.e5", "1.5", "12", "0x1", "0o7", "1_000", ".inf", "yes", "null", "~", "2024-01-01")
"""Texts that YAML takes for something else where they are not quoted."""


def test_names_that_look_like_something_else_read_back_equal(tmp_path: Path) -> None:
    arms = [{"name": name, "teachers": name, "balance": 1} for name in TRAPS]
    config = toy_config(data="co2", arms=arms, teachers={name: {"model": toy_model()} for name in TRAPS})
    made = Experiment(**config)
    assert [arm.name for arm in made.arms[1:]] == list(TRAPS)
    for name in TRAPS:
        if name not in ("~", "-1E+3", ".inf"):
            study = Study(name, {name: made.model_copy(update={"name": name})})
            assert Study.from_yaml(write(tmp_path, study.to_yaml())) == study
    study = Study("all", dict.fromkeys((*TRAPS, ""), made))
    read = Study.from_yaml(write(tmp_path, study.to_yaml()))
    assert list(read.cases) == [*TRAPS, ""] and read == study


def test_one_case_without_a_label_keeps_it(tmp_path: Path) -> None:
    study = Study("s", {"": Experiment(**toy_config(data="co2"))})
    assert Study.from_yaml(write(tmp_path, study.to_yaml())) == study


def test_a_file_without_a_grid_is_a_study_of_one_case(tmp_path: Path) -> None:
    path = write(tmp_path, BASE)
    study = Study.from_yaml(path)
    assert study.cases == {"small": Experiment.from_yaml(path)} and study.to_yaml() == study.cases["small"].to_yaml()


def test_an_experiment_refuses_a_grid(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has a grid, and is a study"):
        Experiment.from_yaml(write(tmp_path, BASE + GRID))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("H=6: {horizon: 6}", "H=6: {horizont: 6}", "case 'H=6 · fast':\n  unknown key 'horizont'. Did you mean"),
        ("H=6: {horizon: 6}", "H=6: 6", "grid.horizon.H=6: give a part of a configuration, not 6"),
        ("H=6: {horizon: 6}", "4: {horizon: 6}", "the key '4' is given twice"),
        (GRID, "grid: {}", "grid: give axes"),
        (GRID, "grid: {axis: {}}", "grid.axis: give labels"),
        (GRID, "grid: {axis: {one: {grid: {}}}}", "grid.axis.one: give a part of a configuration"),
        (GRID, "grid: {a: {x · y: {}, x: {}}, b: {y · z: {}, z: {}}}", "two cases have the same label"),
        ("name: small", "nam: small", "case '4 · fast':\n  unknown key 'nam'"),
    ],
)
def test_a_mistake_in_a_grid_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = BASE + GRID
    assert old in text
    path = write(tmp_path, text.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        Study.from_yaml(path)
    assert str(raised.value).startswith(str(path)) and message in str(raised.value)


def test_a_study_is_named_beside_its_grid(tmp_path: Path) -> None:
    text = (BASE + GRID).replace("name: small\n", "")
    named = text.replace("{horizon: 6}", "{horizon: 6, name: six}").replace("4: {}", "4: {name: four}")
    with pytest.raises(ConfigError, match=r"some.yaml: name: the study needs one, beside its grid"):
        Study.from_yaml(write(tmp_path, named))
    for name in ("../up", "5", "''"):
        with pytest.raises(ConfigError, match="name: "):
            Study.from_yaml(write(tmp_path, f"name: {name}\n{named}"))
    study = Study.from_yaml(write(tmp_path, f"name: whole\n{named}"))
    assert study.name == "whole" and [case.name for case in study.cases.values()] == ["four", "four", "six", "six"]


def test_a_study_in_python_has_experiments_by_label() -> None:
    experiment = Experiment(**toy_config())
    assert Study("s", {"one": experiment}).cases["one"] is experiment
    wrong: list[tuple[Any, str]] = [
        ({}, "has no case"),
        ({"one": {}}, "not 'one': dict"),
        ({1: experiment}, "not 1: Experiment"),
    ]
    for cases, message in wrong:
        with pytest.raises(ValueError, match=message):
            Study("s", cases)
    for name in ("", " ", "../up"):
        with pytest.raises(ValueError, match=f"study '{name}': it names a folder: give letters"):
            Study(name, {"one": experiment})


# ---- lookback and horizon --------------------------------------------------------------------------------------------


def filled(student: Any = "NLinearModel", **teachers: Any) -> Experiment:
    made = {name: {"model": model} for name, model in teachers.items()}
    return Experiment(**toy_config(student=student, teachers=made, arms=[]), lookback=10, horizon=3)


def test_lookback_and_horizon_fill_what_models_leave_out() -> None:
    members = [{"class": "LinearRegressionModel"}, {"class": "LinearRegressionModel", "kwargs": {"lags": 4}}]
    found = filled(
        tide={"class": "TiDEModel", "kwargs": {"input_chunk_length": 12}},
        linear="LinearRegressionModel",
        given={"class": "LinearRegressionModel", "kwargs": {"lags": [-1, -3], "output_chunk_length": 5}},
        covariates={"class": "LinearRegressionModel", "kwargs": {"lags_future_covariates": [0]}},
        ensemble={"class": "NaiveEnsembleModel", "kwargs": {"forecasting_models": members}},
    )
    assert found.student.kwargs == {"input_chunk_length": 10, "output_chunk_length": 3}
    kwargs = {name: darts_model(teacher).kwargs for name, teacher in found.teachers.items()}
    assert kwargs["tide"] == {"input_chunk_length": 12, "output_chunk_length": 3}
    assert kwargs["linear"] == {"lags": 10, "output_chunk_length": 3}
    assert kwargs["given"] == {"lags": [-1, -3], "output_chunk_length": 5}
    # lags of covariates alone are a choice
    assert kwargs["covariates"] == {"lags_future_covariates": [0], "output_chunk_length": 3}
    assert [member["kwargs"] for member in kwargs["ensemble"]["forecasting_models"]] == [
        *({"lags": 10, "output_chunk_length": 3}, {"lags": 4, "output_chunk_length": 3})
    ]
    assert found.longest == 12 and found.steps == (1, 3)


def test_what_is_filled_in_is_in_the_configuration_that_is_kept() -> None:
    found = yaml.safe_load(filled().to_yaml())
    assert found["student"]["kwargs"] == {"input_chunk_length": 10, "output_chunk_length": 3}
    assert found["lookback"] == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lookback": 0}, "lookback"),
        ({"lookback": "ten"}, "lookback"),
        ({"horizon": 2}, "teacher 'linear': it forecasts 2 steps, the student 3"),
        ({"student": "NLinerModel"}, "Did you mean 'NLinearModel'"),
        ({"student": {"class": "NLinearModel", "kwarg": {}}}, "unknown key 'kwarg'"),
        ({"lookback": None}, "input_chunk_length"),
    ],
)
def test_lengths_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    student = {"class": "NLinearModel", "kwargs": {"output_chunk_length": 3}}
    teachers = {"linear": {"model": {"class": "LinearRegressionModel", "kwargs": {"lags": 3}}}}
    config = toy_config(student=student, teachers=teachers, arms=[]) | {"lookback": 10, "horizon": 3}
    with pytest.raises(ValidationError, match=message):
        Experiment(**config | change)


def test_controls_are_read_by_name_or_all_at_once() -> None:
    assert Experiment(**toy_config(), controls="all").controls == CONTROL_NAMES
    assert Experiment(**toy_config(), controls=["placebo", "tuned", "placebo"]).controls == ("placebo", "tuned")
