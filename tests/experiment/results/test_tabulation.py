"""Rows of the tables, from cells by hand: each window, each step, each example its own."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.preparation import Scale
from tskd.experiment.data.summary import ExampleWindow
from tskd.experiment.results.tabulation import _forecasts, _row, _steps, _weights, _windows
from tskd.experiment.run.cell import Cell

LOOKBACK, HORIZON = 3, 2
TIMES = pd.date_range("2024-01-01", periods=20, freq="h")
NAN = float("nan")
CELL = Cell(
    key="k",
    kind="student",
    name="a",
    fold=2,
    size=None,
    seed=7,
    candidate=0,
    seconds=1.23456,
    validation_mse=0.5,
    mse=np.array([1.0, NAN, 3.0, 8.0]),
    mae=np.array([0.1, NAN, 0.3, 0.8]),
    step_mse=np.array([2.0, 4.0]),
    step_mae=np.array([0.2, 0.4]),
    forecasts=np.array([[0.0, 1.0], [2.0, 3.0]]),
    weights=(
        {
            **{"epoch": 4, "weights": {"t": 0.25, "u": 0.75}, "effective": 1.6, "masked": 0.125},
            **{"by_step": {"t": [0.1, 0.4], "u": [0.9, 0.6]}, "by_hour": {"t": [0.5] * 24}},
        },
    ),
)
EXAMPLES = tuple(
    ExampleWindow(
        TIMES[first : first + LOOKBACK + HORIZON],
        np.arange(first, first + LOOKBACK + HORIZON, dtype=float),
        Scale(np.array([10.0, 0.0]), np.array([2.0, 1.0])),
    )
    for first in (2, 9)
)


def test_each_example_is_of_a_series() -> None:
    experiment: Any = SimpleNamespace(chunk_lengths=lambda _: (LOOKBACK, HORIZON), student=None, seeds=[7])
    examples = tuple(replace(one, series=name) for one, name in zip(EXAMPLES, ("north", "east"), strict=True))
    frame = _forecasts(experiment, [CELL], {FoldSize(2, None): SimpleNamespace(examples=examples)})  # type: ignore[dict-item]
    found = frame.drop_duplicates(["line", "window"])[["line", "window", "series"]]
    assert found.to_numpy().tolist() == [
        *(["truth", 0, "north"], ["a", 0, "north"]),
        *(["truth", 1, "east"], ["a", 1, "east"]),
    ]


def summary(**given: Any) -> Any:
    return SimpleNamespace(examples=EXAMPLES, **given)


def test_each_example_has_its_own_forecasts() -> None:
    experiment: Any = SimpleNamespace(chunk_lengths=lambda _: (LOOKBACK, HORIZON), student=None, seeds=[7, 8])
    teacher = replace(CELL, kind="teacher", name="t", forecasts=CELL.forecasts + 10)
    others = [replace(CELL, name="b", fold=1), replace(CELL, name="c", seed=8)]
    frame = _forecasts(
        experiment, [CELL, teacher, *others], {FoldSize(1, None): summary(), FoldSize(2, None): summary()}
    )
    lines = frame["line"].unique().tolist()
    assert len(lines) == 3 and lines[1] == "a"
    truth = frame[frame.line == lines[0]]
    assert truth["time"].tolist() == [time for one in EXAMPLES for time in one.times]
    assert truth["value"].tolist() == [10 + 2 * value for one in EXAMPLES for value in one.values]
    for name, added in ((lines[1], 0), (lines[2], 10)):
        said = frame[frame.line == name]
        assert said["window"].tolist() == [0, 0, 1, 1]
        assert said["time"].tolist() == [TIMES[5], TIMES[6], TIMES[12], TIMES[13]]
        assert said["value"].tolist() == [10 + 2 * (value + added) for value in (0, 1, 2, 3)]


def test_windows_that_are_scored_and_steps_from_one_on() -> None:
    windows = _windows(CELL, summary(starts=TIMES[[4, 6, 7]], scored=np.array([0, 2, 3]), series=np.full(3, "")))
    assert windows["mse"].tolist() == [1, 3, 8] and windows["mae"].tolist() == [0.1, 0.3, 0.8]
    assert windows["start"].tolist() == [TIMES[4], TIMES[6], TIMES[7]]
    steps = _steps(CELL)
    assert steps[["step", "mse", "mae"]].to_numpy().tolist() == [[1, 2, 0.2], [2, 4, 0.4]]


def test_a_row_has_means_over_the_windows_that_have_an_error() -> None:
    row = _row(SimpleNamespace(cell=CELL, versions={"pytorch-lightning": "2"}, commit="c"), "0.5", "data")  # type: ignore[arg-type]
    assert (row["mse"], row["mae"]) == pytest.approx((4, 0.4)) and row["windows"] == 3
    assert (row["seconds"], row["validation_mse"], row["pytorch_lightning"]) == (1.235, 0.5, "2")


def test_weights_by_step_begin_with_one_and_by_hour_with_nought() -> None:
    rows = list(_weights(CELL))

    def of(by: str) -> list[tuple[int, str, float]]:
        return [(row["at"], row["teacher"], row["weight"]) for row in rows if row["by"] == by]

    assert of("all") == [(0, "t", 0.25), (0, "u", 0.75)]
    assert of("step") == [(1, "t", 0.1), (2, "t", 0.4), (1, "u", 0.9), (2, "u", 0.6)]
    assert of("hour") == [(hour, "t", 0.5) for hour in range(24)]
    assert of("effective") == [(0, "", 1.6)] and of("masked") == [(0, "", 0.125)]
    assert {row["epoch"] for row in rows} == {4}
