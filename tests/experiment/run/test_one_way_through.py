"""How many files one has to read to follow an experiment cell from the call to what it returns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import tskd
from tests.helpers.experiments import toy_config, toy_model
from tskd.distillation.model import DistilledModel
from tskd.experiment import Experiment
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.plan import Block, planned
from tskd.experiment.run.worker import Task, work

PACKAGE = Path(tskd.__file__).parent
MOST, MOST_OF_EXPERIMENT = 18, 9


@pytest.fixture(scope="module")
def task() -> Task:
    """The cells of the student alone, of one teacher and of the arm that it teaches."""
    future = {"class": "FutureHorizon", "kwargs": {"end": 2}}
    config = toy_config(
        teachers={"future": {"model": toy_model(), "privileged": future}},
        arms=[{"name": "alone"}, {"name": "taught", "teachers": "future", "balance": [0.5, 0.25]}],
        seeds=[3],
    )
    experiment = Experiment(**config)
    block, loaded = Block("toy", experiment, 1, None, 3), load(experiment)
    return Task(block, tuple(planned(block, loaded.fingerprint)), loaded.fingerprint, None)


def entered(call: Callable[[], Any], beside: CodeType | None = None) -> set[str]:
    """Files of tskd in which a function is called, but for those that are called within the code `beside`."""
    files, depth = set(), 0

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal depth
        if frame.f_code is beside:
            depth += (event == "call") - (event == "return")
        path = Path(frame.f_code.co_filename)
        if event == "call" and not depth and path.is_relative_to(PACKAGE):
            files.add(path.relative_to(PACKAGE).as_posix())

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files


def test_a_cell_enters_few_files(task: Task) -> None:
    """That of the student alone, from its task to what is stored of it, in a process that has computed others."""
    alone = replace(task, cells=tuple(cell for cell in task.cells if cell.name == "alone"))
    assert len(list(work(alone))) == 1
    files = entered(lambda: list(work(alone)))
    assert {"experiment/run/worker.py", "experiment/run/block.py", "experiment/run/cell_record.py"} <= files
    assert len(files) <= MOST, " ".join(sorted(files))


def test_a_cell_with_teachers_enters_few_files_of_an_experiment(task: Task) -> None:
    """A student cell whose teacher is fitted, but for the distillation itself."""
    run = BlockRun(task.block, load(task.block.experiment))
    first, second = (cell for cell in task.cells if cell.name == "taught")
    run.cell(first)
    files = entered(lambda: run.cell(second), DistilledModel.fit.__code__)
    own = {path for path in files if path.startswith("experiment/")}
    assert len(own) <= MOST_OF_EXPERIMENT, sorted(own)
