"""Several processes on one cache of teacher outputs, one of which is killed."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.caching import entries, run, student, teacher
from tskd.teachers import output_cache as store

PROCESSES, WINDOWS = 4, 109


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_four_processes_on_one_cache_of_which_one_is_killed(delay: float, tmp_path: Path) -> None:
    """The one that is first to write dies while it does, or while it computes checksums."""
    expected = student(teacher(), None).numpy()
    cache = tmp_path / "shared"
    cache.mkdir()
    folders = [tmp_path / str(number) for number in range(PROCESSES)]
    for folder in folders:
        folder.mkdir()
        (folder / "cache").symlink_to(cache)
    processes = [run(folder, "0.15") for folder in folders]
    said: list[Any] = [process.stdout for process in processes]
    writing = select.select(said, [], [], 300)[0][0]
    first = said.index(writing)
    assert writing.readline() == "writing\n"
    time.sleep(delay)
    os.kill(processes[first].pid, signal.SIGKILL)
    for process in processes:
        process.communicate(timeout=300)
    ended = [process.returncode for process in processes]
    assert ended.pop(first) == -signal.SIGKILL and ended == [0, 0, 0]
    lost = folders.pop(first)
    for folder in folders:
        np.testing.assert_array_equal(np.load(folder / "student.npy"), expected)
    (entry,) = entries(cache)
    assert store._verified(entry, WINDOWS) is not None
    late = run(lost)
    assert late.communicate(timeout=300)[1].strip().endswith("complete")
    np.testing.assert_array_equal(np.load(lost / "student.npy"), expected)
