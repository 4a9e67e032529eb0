"""The page of the files of a run: a run writes what it says, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from darts.models import LinearRegressionModel

from tests.helpers.experiments import toy_config, toy_data, toy_model
from tests.helpers.reference import PAGES
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.experiment import Experiment, Study
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.roles import MODEL
from tskd.experiment.report import write_page
from tskd.experiment.results.fev_table import COLUMNS
from tskd.experiment.results.tables import TABLES

TEXT = (PAGES / "outputs.md").read_text(encoding="utf-8")
ARMS = [
    {"name": "alone"},
    {"name": "both", "teachers": ["future", "equal"], "balance": [0.5, 1]},
    {"name": "chosen", "teachers": "equal", "balance": "AutoBalance"},
]


def part(title: str) -> list[list[str]]:
    """The names in the first cells of the table below a heading, row by row."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert found, f"the page has no part {title!r}"
    rows = re.findall(r"^\| (`.+?) \|", found[1], flags=re.MULTILINE)
    return [re.findall("`(.+?)`", row) for row in rows]


def names(title: str) -> list[str]:
    return [name for row in part(title) for name in row]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a study of two cases, and in `one` that of one of them."""
    place = tmp_path_factory.mktemp("run")
    config = toy_config(arms=ARMS, seeds=[3])
    config["teachers"] = {name: config["teachers"][name] for name in ("future", "equal")}
    cases = {"first": Experiment(**config), "second": Experiment(**{**config, "seeds": [5]})}
    write_page(cases["first"].run(place / "one", progress=False), place / "one")
    Study("toy", cases).run(place, progress=False)
    return place


def patterns(title: str) -> dict[str, re.Pattern[str]]:
    """Paths that a table of files names, each as a pattern: what stands in angle brackets may be anything."""
    found = {}
    for path in names(title):
        if not path.startswith(("run", "tskd")):
            end = ".+" if path.endswith("/") else ""
            found[path] = re.compile(re.sub(r"<.+?>", "[^/]+", re.escape(path).replace(r"\<", "<")) + end)
    return found


def test_every_file_of_a_run_is_told_and_every_told_one_is_written(folder: Path) -> None:
    written = {
        str(path.relative_to(run))
        for run in (folder, folder / "one")
        for path in run.rglob("*")
        if path.is_file() and (run != folder or folder / "one" not in path.parents)
    }
    told = patterns("Folder")
    assert not [path for path in written if not any(one.fullmatch(path) for one in told.values())]
    # nothing was rejected in this run
    assert [name for name, one in told.items() if not any(map(one.fullmatch, written))] == ["parts/rejected/"]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_told(table: str, folder: Path) -> None:
    written = list(pd.read_csv(folder / "one" / f"{table}.csv").columns)
    assert names(f"{table}.csv") == written == list(TABLES[table])
    assert list(pd.read_csv(folder / "cases" / "first" / f"{table}.csv").columns) == written


def test_every_column_of_the_rows_for_fev_is_told(folder: Path) -> None:
    for run in (folder, folder / "one"):
        written = list(pd.read_csv(run / "fev.csv").columns)
        assert sorted(names("fev.csv")) == sorted(written) == sorted(COLUMNS)


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"failures", "series"}))
def test_the_run_fills_the_table(table: str, folder: Path) -> None:
    assert len(pd.read_csv(folder / "one" / f"{table}.csv"))


def test_every_key_of_the_facts_is_told(folder: Path) -> None:
    facts: dict[str, Any] = json.loads((folder / "one" / "facts.json").read_text())
    assert sorted(names("facts.json")) == sorted(facts)
    below = re.search(r"^## facts.json\n(.*?)^## ", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert below
    rows = {key: row for row in below[1].splitlines() for key in re.findall("`(.+?)`", row.split(" | ")[0])}
    for key in ("teachers", "arms", "data", "cells"):
        content = facts[key][0] if isinstance(facts[key], list) else facts[key]
        assert set(re.findall("`(.+?)`", rows[key])) >= set(content) - {key}, key


def test_every_key_of_the_study_is_told(folder: Path) -> None:
    study: dict[str, Any] = json.loads((folder / "study.json").read_text())
    assert names("study.json") == list(study)
    row = next(row for row in TEXT.splitlines() if row.startswith("| `facts` "))
    assert set(re.findall("`([a-z_]+)`", row)) == {"facts", *study["facts"]}


def test_every_file_of_a_saved_model_is_told(tmp_path: Path) -> None:
    data = toy_data()
    series = data.series[:80]
    networks = [Spec.model_validate(toy_model(random_state=seed)).build(MODEL) for seed in (0, 1)]
    linear = LinearRegressionModel(lags=8, output_chunk_length=4)
    model = DistilledModel(networks[0], [Teacher(networks[1]), Teacher(linear), Reconstruction("sensor")])
    model.fit(series, privileged={"sensor": data.privileged["sensor"]})
    model.save(tmp_path / "model")
    written = {path.name for path in (tmp_path / "model").iterdir()}
    told = patterns("Folder of a saved model")
    assert not [path for path in written if not any(one.fullmatch(path) for one in told.values())]
    assert not [name for name, one in told.items() if not any(map(one.fullmatch, written))]
