"""Blocks in parts: every cell once, what shares a teacher together, and the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.experiments import toy_config, toy_model
from tskd.experiment import Experiment
from tskd.experiment.config.arm import Arm
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.run import scheduler
from tskd.experiment.run.engines.base import Ended, Made
from tskd.experiment.run.plan import PlannedCell
from tskd.experiment.run.split import split
from tskd.experiment.run.worker import Task, work

ARMS: list[dict[str, Any]] = [
    {"name": "alone"},
    {"name": "tuned", "students": [{}, {"batch_size": 7}]},
    {"name": "both", "teachers": ["future", "fine"], "balance": [0.25, 0.5]},
    {"name": "self", "teachers": "equal", "balance": 0.5},
    {"name": "future only", "teachers": "future", "balance": 0.75},
]


def cell(key: str, *teachers: str, placebo: bool = False) -> PlannedCell:
    arm = Arm(name=key, teachers=teachers, placebo=placebo)
    return PlannedCell(key, "student", key, arm, 0, bool(teachers), {})


def keys(parts: list[tuple[PlannedCell, ...]]) -> list[str]:
    return ["".join(one.key for one in part) for part in parts]


def test_cells_of_one_teacher_stay_together_also_by_way_of_a_third() -> None:
    """a and c share no teacher, but b has those of both; a placebo is another teacher."""
    cells = [cell("a", "x"), cell("c", "y"), cell("p", "x", placebo=True), cell("b", "x", "y"), cell("q"), cell("r")]
    assert keys(split(cells, 2)) == ["acb", "pqr"]
    assert keys(split(cells, 1)) == ["acpbqr"]


def test_a_part_is_no_larger_than_its_share_though_a_teacher_is_then_needed_twice() -> None:
    """Eleven cells of one teacher, its own among them, and one without: six in each of two parts."""
    itself = PlannedCell("t", "teacher", "x", TeacherVariant("x"), 0, False, {})
    cells = [itself, *(cell(key, "x") for key in "abcdefghij"), cell("q")]
    assert keys(split(cells, 2)) == ["tabcde", "fghijq"]
    assert [len(part) for part in split(cells, 5)] == [3, 3, 3, 2, 1]
    assert [len(part) for part in split(cells, 9)] == [2, 2, 2, 2, 2, 1, 1]
    assert sorted(key for part in keys(split(cells, 7)) for key in part) == sorted("tabcdefghijq")


def test_the_teacher_itself_is_with_its_students() -> None:
    itself = PlannedCell("t", "teacher", "x", TeacherVariant("x"), 0, False, {})
    shuffled = PlannedCell("s", "teacher", "x", TeacherVariant("x", True), 0, False, {})
    cells = [cell("a", "x"), itself, shuffled, cell("b", "x", placebo=True)]
    assert keys(split(cells, 2)) == ["at", "sb"]


class TwoAtOnce:
    """An engine that computes a cell of each of two tasks in turn."""

    capacity, local = 2, True
    most = 0

    def __init__(self) -> None:
        self.works: dict[Task, Iterator[tuple[str, bytes]]] = {}

    def submit(self, task: Task) -> None:
        self.works[task] = work(task)
        TwoAtOnce.most = max(TwoAtOnce.most, len(self.works))

    def events(self) -> Iterator[Any]:
        for task, going in list(self.works.items()):
            made = next(going, None)
            if made is None:
                del self.works[task]
            yield Ended(task) if made is None else Made(task, *made)

    def close(self) -> None:
        pass


def test_one_seed_uses_two_workers_and_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teachers = {**toy_config()["teachers"], "equal": {"model": toy_model()}}
    experiment = Experiment(**toy_config(arms=ARMS, seeds=[3], teachers=teachers))
    expected = experiment.run(progress=False)
    monkeypatch.setattr(scheduler, "start_engine", lambda options: TwoAtOnce())
    found = experiment.run(tmp_path, workers=2, progress=False)
    assert TwoAtOnce.most == 2
    rows, others = (one.rows.drop(columns=["seconds", "inference_seconds"]) for one in (found, expected))
    pd.testing.assert_frame_equal(rows, others, check_exact=True)
    # the lock of the block is let go: another run gets it
    assert experiment.run(tmp_path, progress=False).facts["cells"] == expected.facts["cells"]
