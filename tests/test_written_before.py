"""Files that an older version wrote are still read: those of a run (`tests/helpers/written/write.py` made them)."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tskd.experiment import Study
from tskd.experiment.results import tables
from tskd.experiment.results.collect import results_so_far
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import PlannedCell
from tskd.teachers.teacher import Teacher

WRITTEN = Path(__file__).parent / "helpers" / "written"
FAILED = 2 * 2
"""With both seeds a teacher cannot be fitted, and so an arm cannot be trained."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN / "run", tmp_path / "run"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each cell is computed, by its key."""
    counts: Counter[str] = Counter()
    original = BlockRun.cell

    def cell(self: BlockRun, planned: PlannedCell) -> Cell:
        counts[planned.key] += 1
        return original(self, planned)

    monkeypatch.setattr(BlockRun, "cell", cell)
    return counts


def rows_of(results: StudyResults) -> pd.DataFrame:
    (case,) = results.cases.values()
    return case.rows.reset_index(drop=True)


def test_a_run_is_reported_without_computing_anything(folder: Path, computed: Counter[str]) -> None:
    results = results_so_far(Study.from_yaml(folder / "config.yaml"), folder)
    pd.testing.assert_frame_equal(rows_of(results), tables.read("rows", folder), check_exact=True)
    assert not computed and results.info.cells.failed == FAILED and results.info.cells.missing == 0


def test_of_a_run_only_what_failed_is_computed_again(folder: Path, computed: Counter[str]) -> None:
    expected = tables.read("rows", folder)
    results = Study.from_yaml(folder / "config.yaml").run(folder, progress=False)
    assert len(computed) == FAILED and set(computed.values()) == {1}
    pd.testing.assert_frame_equal(rows_of(results), expected, check_exact=True)
    assert results.info.cells.failed == FAILED


def test_kept_teachers_are_used_under_their_keys(
    folder: Path, computed: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tables.read("rows", folder)
    keys = {path.name for path in (folder / "models").iterdir()}
    assert keys == set(expected.key[expected.kind == "teacher"])
    for path in (folder / "parts").iterdir():
        if path.name.partition(".")[0] in keys:
            path.unlink()
    original = Teacher.fit

    def fit(self: Teacher, *args: Any, **kwargs: Any) -> Teacher:
        assert self.name == "broken", f"{self.name} is fitted again"
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Teacher, "fit", fit)
    results = Study.from_yaml(folder / "config.yaml").run(folder, progress=False)
    assert keys < set(computed) and len(computed) == len(keys) + FAILED
    columns = ["kind", "name", "seed", "key", "seconds"]
    pd.testing.assert_frame_equal(rows_of(results)[columns], expected[columns], check_exact=True)
    pd.testing.assert_series_equal(rows_of(results).mse, expected.mse, rtol=1e-6)
