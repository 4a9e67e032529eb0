"""Windows, and those of them with all inputs and a label, are counted alike in table, page, files and dry run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_stations
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Results, Study
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.report import page
from tskd.experiment.report.page import render
from tskd.experiment.run.dry_run import dry_run
from tskd.experiment.run.engines import EngineOptions

EVERY, FIRST, GAP = 19, 5, TEST + 40
"""Rows that have a label are 5, 24, 43, …; at row 360 an input is missing."""


def sparse() -> DataSet:
    data = toy_stations()
    assert data.past_covariates is not None
    labels, inputs = data.series.values(copy=True), data.past_covariates.values(copy=True)
    labels[np.arange(STEPS) % EVERY != FIRST] = np.nan
    inputs[GAP, 0] = np.nan
    series, covariates = data.series.with_values(labels), data.past_covariates.with_values(inputs)
    return replace(data, series=series, past_covariates=covariates, archive=())


def soft_sensor(**changes: Any) -> Experiment:
    kwargs = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "n_epochs": 1, "kernel_size": 3}
    student = {"class": "DLinearModel", "kwargs": kwargs}
    config = {"data": sparse(), "teachers": {}, "arms": [], "soft_sensor": True, "seeds": [0], "student": student}
    return Experiment(**toy_config(**config | changes))


def counted(first: int, end: int) -> tuple[int, int]:
    """Windows whose targets lie between two rows, and those that have a label and no missing input."""
    starts = range(first, end - HORIZON + 1)
    whole = [start for start in starts if not start - LOOKBACK <= GAP < start]
    return len(starts), sum(any(row % EVERY == FIRST for row in range(start, start + HORIZON)) for start in whole)


PARTS = {
    "training": counted(LOOKBACK, VALIDATION),
    "validation": counted(VALIDATION, TEST),
    "test": counted(TEST, STEPS),
}


@pytest.fixture(scope="module")
def results() -> Results:
    return soft_sensor().run(progress=False)


def test_the_table_counts_the_test_windows_that_it_is_a_mean_over(results: Results) -> None:
    windows, scored = PARTS["test"]
    assert len({count for part in PARTS.values() for count in part}) == 5  # as many windows to validate as to test
    assert set(results.rows.windows) == {scored} and results.errors("alone").shape == (1, scored)
    assert f", {scored} of {windows} test windows" in str(results).split("\n\n")[0]


def test_the_page_and_the_files_tell_windows_from_those_with_a_label(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    text = " ".join(render(results).html.split())
    (training, learnt), (validation, judged), (test, scored) = PARTS.values()
    assert f"{scored} of {test} test windows of {HORIZON} steps" in text
    assert f"({training}, {validation} and {test} windows of" in text
    assert f"a label: {learnt} of {training} training windows, {judged} of {validation} validation windows, " in text
    assert "Labels are scarce" not in text and "all labels" not in text
    found = results.info.data.windows
    assert (found.labelled, found.validation_labelled, found.scored) == (learnt, judged, scored)


def test_labels_that_an_experiment_hides_are_said_to_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    hidden = soft_sensor(data=replace(toy_stations(), archive=()), labels={"every": 9}).run(progress=False)
    text = " ".join(render(hidden).html.split())
    assert "Labels are scarce: a label every 9 steps. Scaling, training and selection see no others; errors are" in text
    windows, _ = PARTS["test"]
    assert f"{windows} of {windows} test windows. Labels train" in text
    assert str(hidden).split("\n\n")[0].endswith(f", {windows} test windows, a label every 9 steps")


def test_where_every_window_has_a_label_nothing_is_said_of_it(results: Results) -> None:
    whole = results.info.data.windows.model_copy(update={"labelled": 7, "training": 7, "scored": None, "test": 5})
    whole = whole.model_copy(update={"validation_labelled": None})
    assert (whole.labelled_text, whole.scored_text) == ("", "5 test windows")


def test_a_dry_run_counts_as_the_run_does(tmp_path: Path) -> None:
    experiment = soft_sensor()
    study = Study(experiment.name, {experiment.name: experiment})
    assert isinstance(study, StudyConfig)
    said = " ".join(dry_run(study, tmp_path, EngineOptions()).split())
    (training, learnt), (validation, judged), (test, scored) = PARTS.values()
    assert f"{training} to train ({learnt} with inputs and a label), " in said
    assert f"{validation} to validate ({judged} with inputs and a label), " in said
    assert f"{test} to test ({scored} with inputs and a label)" in said
    inside = {
        name: len(range(FIRST, end, EVERY)) for name, end in (("train", VALIDATION), ("both", TEST), ("all", STEPS))
    }
    assert f"{VALIDATION} steps with {inside['train']} labels to train, " in said
    assert f"{TEST - VALIDATION} with {inside['both'] - inside['train']} labels to validate from" in said
    assert f"{STEPS - TEST} with {inside['all'] - inside['both']} labels to test from" in said


def test_a_dry_run_counts_the_labels_that_an_experiment_leaves(tmp_path: Path) -> None:
    """Those of each ninth row of training and validation part, and all of the test part."""
    experiment = soft_sensor(data=replace(toy_stations(), archive=()), labels={"every": 9})
    said = " ".join(dry_run(Study("hidden", {"hidden": experiment}), tmp_path, EngineOptions()).split())
    assert f"{VALIDATION} steps with {len(range(0, VALIDATION, 9))} labels to train, " in said
    assert f"{STEPS - TEST} to test from" in said
