"""A fit with checkpoints that is killed goes on from the last, and ends with the same student."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.checkpointed import BATCHES, EPOCHS, checkpoints, same, trained
from tskd import DistilledModel

ROOT = Path(__file__).parents[2]
MOMENTS = [(1, 0.0), (3, 0.01), (5, 0.02), (6, 0.0), (6, 0.04), (9, 0.03), (11, 0.0), (14, 0.02), (16, 0.01), (18, 0.0)]
"""Steps that are begun, and seconds after the last of them; an epoch has five."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> DistilledModel:
    """Trained without an interruption."""
    return trained(tmp_path_factory.mktemp("whole"))


def killed(folder: Path, steps: int, delay: float) -> None:
    """A fit in another process, killed once so many steps are begun."""
    program = [sys.executable, "-m", "tests.helpers.checkpointed", str(folder), "0.04"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    begun = 0
    while begun < steps:
        line = process.stdout.readline()
        assert line, process.communicate()
        begun += line == "step\n"
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "delay"), MOMENTS)
def test_killed_at_ten_moments(steps: int, delay: float, whole: DistilledModel, tmp_path: Path) -> None:
    killed(tmp_path, steps, delay)
    finished = (steps - 1) // BATCHES
    assert bool(checkpoints(tmp_path)) == (finished > 0)
    went_on = trained(tmp_path)
    assert same(went_on, whole)
    # and not from the beginning
    assert [entry["epoch"] for entry in went_on.history] == list(range(finished, EPOCHS))


@pytest.mark.slow
def test_killed_again_and_again(whole: DistilledModel, tmp_path: Path) -> None:
    """Each time an epoch further, by whichever process went on."""
    for _ in range(EPOCHS - 1):
        killed(tmp_path, BATCHES + 1, 0.01)
    went_on = trained(tmp_path)
    assert same(went_on, whole)
    assert [entry["epoch"] for entry in went_on.history] == [EPOCHS - 1]
