"""How many files one has to read to follow an experiment cell from the call to what it returns."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tskd
from tests.helpers.experiments import toy_config, toy_model
from tskd.distillation.model import DistilledModel
from tskd.experiment import Experiment
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.plan import Block, planned

PACKAGE = Path(tskd.__file__).parent
MOST, MOST_OF_EXPERIMENT = 18, 9


@pytest.fixture(scope="module")
def entered() -> set[str]:
    """Files of tskd that are entered by a student cell with one fitted teacher, but for the distillation itself."""
    future = {"class": "FutureHorizon", "kwargs": {"end": 2}}
    config = toy_config(
        teachers={"future": {"model": toy_model(), "privileged": future}},
        arms=[{"name": "taught", "teachers": "future", "balance": [0.5, 0.25]}],
        seeds=[3],
    )
    experiment = Experiment(**config)
    run = BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))
    first, second = (cell for cell in planned(run.block, "") if cell.name == "taught")
    run.cell(first)
    files, depth, fit = set(), 0, DistilledModel.fit.__code__

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal depth
        if frame.f_code is fit:
            depth += (event == "call") - (event == "return")
        path = Path(frame.f_code.co_filename)
        if event == "call" and not depth and path.is_relative_to(PACKAGE):
            files.add(path.relative_to(PACKAGE).as_posix())

    sys.setprofile(watch)
    try:
        run.cell(second)
    finally:
        sys.setprofile(None)
    return files


def test_a_cell_enters_few_files_of_an_experiment(entered: set[str]) -> None:
    own = {path for path in entered if path.startswith("experiment/")}
    assert len(own) <= MOST_OF_EXPERIMENT, sorted(own)


def test_a_cell_enters_few_files(entered: set[str]) -> None:
    assert len(entered) <= MOST, sorted(entered)
