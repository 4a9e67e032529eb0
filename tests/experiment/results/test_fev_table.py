"""Rows for fev: values by hand, one row a model and task, and nothing that would pass for a task of fev's own."""

from __future__ import annotations

import ast
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from packaging.version import parse

from tests.helpers.experiments import toy_config, toy_model
from tests.helpers.panels import panel_experiment
from tests.helpers.results import experiment_info
from tskd.experiment import Experiment, Results, Study, StudyResults
from tskd.experiment.results.fev_table import fev_rows_of_cases
from tskd.experiment.results.results import INFO_FILE
from tskd.experiment.results.tables import TABLES, table
from tskd.experiment.run.distribution_scoring import distribution_scores

# columns by which fev 0.10 tells tasks apart: no model has two rows on one task
IDENTITY = [
    *("dataset_path", "dataset_config", "horizon", "initial_cutoff", "min_context_length", "max_context_length"),
    *("seasonality", "eval_metric", "extra_metrics", "quantile_levels", "id_column", "timestamp_column", "target"),
    *("generate_univariate_targets_from", "known_dynamic_columns", "past_dynamic_columns", "static_columns"),
]
# those that it casts
NUMBERS = ["test_error", "training_time_s", "inference_time_s", "horizon", "seasonality", "num_forecasts"]
# its metrics
OFFERED = {"MAE", "WAPE", "MASE", "MSE", "RMSE", "RMSSE", "MAEB", "WAPEB", "RMSLE", "MAPE", "SMAPE"}
OFFERED |= {"MQL", "WQL", "SQL"}
NAN = float("nan")


def made(
    rows: list[tuple[Any, ...]], starts: dict[int, list[Any]], data: dict[str, Any] | None = None, **info: Any
) -> Results:
    """Results of rows (kind, name, fold, size, seed, mse, mae, crps, seconds, inference seconds) and first targets of
    windows by fold."""
    names = ("kind", "name", "fold", "size", "seed", "mse", "mae", "crps", "seconds", "inference_seconds")
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    blank = dict.fromkeys(TABLES["rows"], "")
    known = experiment_info().data.model_dump() | (data or {})
    return Results(
        **{name: table(name, []) for name in TABLES if name not in ("rows", "windows")},
        rows=table(
            "rows",
            [
                blank
                | dict.fromkeys(("pinball", "coverage", "width", "validation_mse"), NAN)
                | cell
                | {"windows": len(starts[cell["fold"]])}
                for cell in cells
            ],
        ),
        windows=table(
            "windows",
            [
                {**{name: cell[name] for name in names[:5]}, "start": start, "mse": 1.0, "mae": 1.0}
                for cell in cells
                for start in starts[cell["fold"]]
            ],
        ),
        info=experiment_info(**{"data": known, **info}),
    )


def hours(first: str, count: int) -> list[pd.Timestamp]:
    return list(pd.date_range(first, periods=count, freq="h"))


@pytest.fixture
def by_hand() -> Results:
    """Two folds of unequal lengths, two sizes, an arm that lacks a seed, a ridge, a teacher and a bound."""
    return made(
        [
            ("student", "alone", 1, None, 0, 4.0, 1.0, NAN, 10.0, 0.5),
            ("student", "alone", 1, None, 7, 2.0, 2.0, NAN, 30.0, NAN),
            ("student", "taught", 1, None, 7, 1.5, 0.5, NAN, 8.0, NAN),
            ("student", "line", 1, None, 0, 3.0, 1.5, NAN, 0.25, 0.125),
            ("teacher", "future", 1, None, 0, 0.5, 0.1, NAN, 99.0, 9.0),
            ("bound", "oracle", 1, None, 0, 0.25, 0.1, NAN, 99.0, 9.0),
            ("student", "alone", 2, None, 0, 8.0, 3.0, NAN, 20.0, 2.0),
            ("student", "alone", 2, 50, 0, 16.0, 5.0, NAN, 1.0, 3.0),
            ("student", "alone", 2, 50, 7, 18.0, 6.0, NAN, 2.0, 4.0),
        ],
        {1: hours("2024-03-01 05:00", 3), 2: hours("2024-03-02", 5)},
        {"name": "plant", "components": ["b", "a"], "past_covariates": ["z", "c"], "future_covariates": []},
        name="e",
        case="one",
        student="pkg.Net(input_chunk_length=96, widths=(2, 3))",
        sizes=[50, None],
        seeds=[0, 7],
        folds=2,
        horizon=24,
        scored=[1, 24],
        controls={"line": "linear"},
        fingerprint="f1",
    )


def test_rows_by_hand(by_hand: Results) -> None:
    found = by_hand.fev_rows()
    columns = ["model_name", "initial_cutoff", "num_windows", "num_forecasts", "test_error", "z-scored MAE"]
    assert found[columns].to_numpy().tolist() == [
        # training windows: 50; two components
        ["alone · pkg.Net", "2024-03-01T23:00:00", 5, 10, 17.0, 5.5],
        ["alone · pkg.Net", "2024-03-01T04:00:00", 3, 6, 3.0, 1.5],
        ["taught · pkg.Net", "2024-03-01T04:00:00", 3, 6, 1.5, 0.5],
        ["line · ridge", "2024-03-01T04:00:00", 3, 6, 3.0, 1.5],
        ["alone · pkg.Net", "2024-03-01T23:00:00", 5, 10, 8.0, 3.0],
    ]
    assert found.training_time_s.tolist() == [1.5, 20.0, 8.0, 0.25, 20.0]
    # seconds that were not measured are no zeros
    np.testing.assert_array_equal(found.inference_time_s, [3.5, 0.5, NAN, 0.125, 2.0])
    assert found.num_seeds.tolist() == [2, 2, 1, 1, 1]
    assert found["z-scored MSE"].tolist() == found.test_error.tolist() and found["z-scored MQL"].isna().all()
    common = {
        **{"dataset_path": "plant", "horizon": 24, "window_step_size": 1, "seasonality": 1, "case": "one"},
        **{"eval_metric": "z-scored MSE", "extra_metrics": "['z-scored MAE']", "quantile_levels": "[]"},
        **{"target": "['a', 'b']", "past_dynamic_columns": "['c', 'z']", "known_dynamic_columns": "[]"},
        **{"dataset_fingerprint": "f1", "trained_on_this_dataset": False},
    }
    assert {name: found[name].unique().tolist() for name in common} == {name: [one] for name, one in common.items()}


def test_tasks_say_what_is_unlike_those_of_fev(by_hand: Results) -> None:
    found = by_hand.fev_rows()
    assert found.dataset_config.iloc[[0, 1, 4]].tolist() == [
        "z-scored by the training part, all 5 test windows, 50 training windows",
        "z-scored by the training part, all 3 test windows",
        "z-scored by the training part, all 5 test windows",
    ]
    assert found.task_name[0] == (
        "plant · 24 steps · z-scored by the training part · all 5 test windows · 50 training windows · fold 2 of 2"
    )
    other = replace(
        by_hand,
        info=by_hand.info.model_copy(
            update={"scored": (3, 24), "labels": "a label every 25 steps", "soft_sensor": True}
        ),
    ).fev_rows()
    assert other.dataset_config[1] == (
        "z-scored by the training part, all 3 test windows, scored from step 3 on, a label every 25 steps, "
        "past of the target hidden"
    )
    # no metric of fev's own is claimed
    assert not OFFERED & {*found.columns, *found.eval_metric}


@pytest.mark.parametrize(
    ("step", "first", "start", "cutoff"),
    [
        ("15min", "2024-01-01", "2024-02-01", "2024-01-31T23:45:00"),
        ("MS", "2020-01-01", "2024-03-01", "2024-02-01T00:00:00"),
        ("B", "2024-01-01", "2024-03-04", "2024-03-01T00:00:00"),
        # rows 10, 13, ..., 40: ten before the first target
        ("3", "10", 40, "10"),
        ("1", "0", 7, "7"),
    ],
)
def test_the_cutoff_is_the_last_row_of_the_past_or_the_number_of_its_rows(
    step: str, first: str, start: Any, cutoff: str
) -> None:
    stamp = pd.Timestamp(start) if isinstance(start, str) else start
    row = ("student", "alone", 1, None, 0, 1.0, 1.0, NAN, 1.0, NAN)
    found = made([row], {1: [stamp]}, {"step": step, "first": first}, seeds=[0]).fev_rows()
    assert found.initial_cutoff.tolist() == [cutoff] and found.target.tolist() == ["y"]


def test_scores_of_a_distribution_are_fevs_mean_quantile_loss() -> None:
    rng = np.random.default_rng(2)
    quantiles, truth, levels = rng.normal(size=(6, 4, 3, 3)), rng.normal(size=(6, 4, 3)), (0.2, 0.5, 0.9)
    crps = 2 * distribution_scores(quantiles, truth, levels, (0, 2))[0].mean()
    # fev's definition, a level at a time: mean over targets of 2 |(y - q) (1[y <= q] - level)|
    each = [
        2 * np.abs((truth - q) * ((truth <= q) - level)).mean()
        for q, level in zip(np.moveaxis(quantiles, -1, 0), levels, strict=True)
    ]
    assert crps == pytest.approx(np.mean(each), rel=1e-12)
    rows: list[tuple[Any, ...]] = [
        ("student", "alone", 1, None, seed, 1.0, 1.0, crps + seed, 1.0, 1.0) for seed in (0, 3)
    ]
    point = ("student", "line", 1, None, 0, 2.0, 2.0, NAN, 1.0, 1.0)
    how = {"levels": list(levels), "nominal": 0.7, "point": "median"}
    found = made([*rows, point], {1: hours("2024-01-01", 2)}, seeds=[0, 3], distribution=how).fev_rows()
    assert found["z-scored MQL"].tolist() == [pytest.approx(crps + 1.5), pytest.approx(NAN, nan_ok=True)]
    assert found.quantile_levels.tolist() == ["[0.2, 0.5, 0.9]"] * 2
    assert found.extra_metrics.tolist() == ["['z-scored MAE', 'z-scored MQL']"] * 2
    # who forecasts points has not failed the task
    assert found.test_error.tolist() == [1.0, 2.0]


def accepted(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What fev reads of a file, after the checks of its leaderboard: errors by task and model."""
    rows.to_csv(folder / "own.csv", index=False)
    read = pd.read_csv(folder / "own.csv")
    assert set(IDENTITY) | set(NUMBERS) | {"model_name", "trained_on_this_dataset"} <= set(read.columns)
    assert not read.duplicated([*IDENTITY, "model_name"]).any()
    assert all(parse(version) >= parse("0.6.0") for version in read.fev_version)
    assert all(isinstance(ast.literal_eval(levels), list) for levels in read.quantile_levels)
    assert read.trained_on_this_dataset.astype("boolean").notna().all()
    read = read.astype(dict.fromkeys(NUMBERS, "float64"))
    # of one task all models make as many forecasts
    assert (read.groupby(IDENTITY, dropna=False).num_forecasts.nunique() == 1).all()
    return read.pivot(index=["dataset_path", "dataset_config", "horizon"], columns="model_name", values="test_error")


def written(rows: pd.DataFrame) -> pd.DataFrame:
    """As a file holds them."""
    return pd.read_csv(StringIO(rows.to_csv(index=False)), float_precision="round_trip")


def case(name: str, error: float, student: str, horizon: int = 24, **info: Any) -> Results:
    rows: list[tuple[Any, ...]] = [
        ("student", "alone", 1, None, 0, error, 1.0, NAN, 1.0, NAN),
        # the ridge does not know the student in whose place it stands
        ("student", "linear", 1, None, 0, 5.0 + horizon, 1.0, NAN, error, NAN),
    ]
    info |= {"case": name, "student": student, "horizon": horizon, "scored": [1, horizon]}
    return made(rows, {1: hours("2024-01-01", 4)}, seeds=[0], controls={"linear": "linear"}, **info)


def test_several_cases_are_one_table_with_each_model_once_a_task(tmp_path: Path) -> None:
    cases = {
        f"{horizon} · {student}": case(f"{horizon} · {student}", error, f"{student}(width={horizon})", horizon)
        for (horizon, student), error in {(24, "A"): 1.0, (24, "B"): 2.0, (96, "A"): 3.0, (96, "B"): 4.0}.items()
    }
    found = accepted(fev_rows_of_cases(cases), tmp_path)
    assert found.columns.tolist() == ["alone · A", "alone · B", "linear · ridge"]
    assert found.to_numpy().tolist() == [[1.0, 2.0, 29.0], [3.0, 4.0, 101.0]]


def test_students_of_one_class_are_told_apart_by_their_cases_on_every_task(tmp_path: Path) -> None:
    cases = {
        f"{horizon} · {width} · full": case(f"{horizon} · {width} · full", error, f"A(width={width})", horizon)
        for (horizon, width), error in {(24, "narrow"): 1.0, (24, "wide"): 2.0, (96, "wide"): 4.0}.items()
    }
    found = accepted(fev_rows_of_cases(cases), tmp_path)
    assert found.columns.tolist() == ["alone · A · narrow", "alone · A · wide", "linear · ridge"]
    np.testing.assert_array_equal(found, [[1.0, 2.0, 29.0], [NAN, 4.0, 101.0]])
    # labels of unequal lengths
    odd = {"a": cases["24 · narrow · full"], "a · b": cases["24 · wide · full"]}
    assert fev_rows_of_cases(odd).model_name.tolist() == ["alone · A", "linear · ridge", "alone · A · b"]


def test_other_labels_are_another_task(tmp_path: Path) -> None:
    cases = {"all": case("all", 1.0, "A()"), "few": case("few", 2.0, "A()", labels="5 % of the labels")}
    found = accepted(fev_rows_of_cases(cases), tmp_path)
    assert found["alone · A"].tolist() == [1.0, 2.0] and len(found.columns) == 2
    assert fev_rows_of_cases({}).columns.tolist() == cases["all"].fev_rows().columns.tolist()


def test_rows_of_a_panel_count_moments_once_and_forecasts_of_all_series(tmp_path: Path) -> None:
    experiment = panel_experiment(teachers={}, arms=[], seeds=[3])
    results = experiment.run(tmp_path, progress=False)
    found = pd.read_csv(tmp_path / "fev.csv", float_precision="round_trip")
    windows = results.windows
    (row,) = found.to_dict("records")
    # north forecasts 30 - 3 targets on, east 22 - 3, south 25 - 3, most at other times
    assert row["num_forecasts"] == len(windows) == 27 + 19 + 22
    assert row["num_windows"] == len(set(windows.start)) < 27 + 19 + 22
    assert row["test_error"] == pytest.approx(windows.mse.mean(), rel=1e-6) and row["inference_time_s"] > 0
    pd.testing.assert_frame_equal(found, written(results.fev_rows()))
    assert accepted(found, tmp_path).to_numpy().tolist() == [[row["test_error"]]]


def test_a_study_writes_one_file_that_its_results_give_again(tmp_path: Path) -> None:
    def of(horizon: int) -> Experiment:
        student = toy_model(output_chunk_length=horizon)
        return Experiment(**toy_config(student=student, teachers={}, arms=[], controls=["linear"], seeds=[3]))

    study = Study("toy", {"two": of(2), "three": of(3)})
    results = study.run(tmp_path, progress=False)
    found = pd.read_csv(tmp_path / "fev.csv", float_precision="round_trip")
    assert [path.name for path in tmp_path.rglob("fev.csv")] == ["fev.csv"] and len(found) == 4
    read = StudyResults.load(tmp_path)
    pd.testing.assert_frame_equal(found, written(read.fev_rows()))
    assert found.case.tolist() == ["two", "two", "three", "three"] and found.horizon.tolist() == [2, 2, 3, 3]
    assert set(found.model_name) == {"alone · NLinearModel", "linear · ridge"}
    for name, own in results.cases.items():
        errors = own.rows.groupby("name", sort=False).mse.mean()
        assert found[found.case == name].test_error.tolist() == pytest.approx(errors.tolist())
    # which covariates there were is not known of what an earlier version wrote
    info = tmp_path / "cases" / "two" / INFO_FILE
    assert '"past_covariates": []' in info.read_text()
    info.write_text(info.read_text().replace('"past_covariates": [],', ""))
    assert Results.load(info.parent).fev_rows().past_dynamic_columns.tolist() == [None, None]
