"""Runs that are killed or interrupted, and two runs at once on one folder."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import killing
from tests.helpers.killing import finished, kill, start, wait_for
from tskd.experiment import Experiment, Results
from tskd.experiment.results.tables import TABLES
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore

SEEDS = 3
CELLS = SEEDS * killing.CELLS


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killing.config(tmp_path_factory.mktemp("config"), SEEDS)


@pytest.fixture(scope="module")
def whole(config: Path) -> Results:
    """Without an interruption, in this process."""
    return Experiment.from_yaml(config).run(progress=False)


def same(one: Results, other: Results) -> None:
    """All tables are identical, timings aside, and the state of a checkout that is being edited."""
    for name in TABLES:
        differ = ["seconds", "inference_seconds", "commit"]
        a, b = (getattr(results, name).drop(columns=differ, errors="ignore") for results in (one, other))
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_dtype=len(a) > 0)


def parts_in(folder: Path) -> list[Path]:
    return sorted((folder / "parts").glob("*.npz"))


def plant(folder: Path) -> None:
    """A torn, an edited and a duplicated part."""
    torn, edited, twice = parts_in(folder)[:3]
    torn.write_bytes(torn.read_bytes()[:-1])
    content = bytearray(edited.read_bytes())
    content[len(content) // 2] ^= 1
    edited.write_bytes(content)
    part = StoredCell.from_bytes(twice.read_bytes())
    CellStore(folder / "parts").write(part.key, StoredCell({**part.row, "seconds": 1e6}, part.arrays).to_bytes())


def check_goes_on(config: Path, folder: Path, whole: Results) -> None:
    """The same call goes on, with the parts that are planted seen; everything is as if it had never been killed."""
    plant(folder)
    with pytest.warns(UserWarning, match="2 of the files"):
        results = Experiment.from_yaml(config).run(folder, progress=False)
    same(results, whole)
    same(Results.load(folder), whole)
    # the duplicate
    assert finished(folder) == results.facts["cells"]["planned"] + 1


@pytest.mark.slow
def test_a_run_that_is_killed_twice_goes_on(config: Path, whole: Results, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for parts, delay in ((4, 0.0), (9, 0.03)):
        process = start("run", str(config), "--out", str(folder), "--workers", "1")
        wait_for(process, folder, parts)
        time.sleep(delay)
        kill(process)
        assert parts <= finished(folder) < CELLS
    check_goes_on(config, folder, whole)


@pytest.mark.slow
def test_a_run_that_is_killed_at_twenty_random_moments_goes_on(tmp_path: Path) -> None:
    seeds = 20
    config = killing.config(tmp_path, seeds)
    whole = Experiment.from_yaml(config).run(progress=False)
    moments = random.Random(7)
    folder, kills, to_begin = tmp_path / "run", 0, 0.0
    while kills < 20:
        before, began = finished(folder), time.monotonic()
        process = start("run", str(config), "--out", str(folder), "--workers", str(moments.choice([1, 2])))
        if kills % 4 == 3:
            # whatever it is at: importing, starting workers, computing
            time.sleep(moments.uniform(0.1, 1.1 * to_begin))
        else:
            wait_for(process, folder, before + 1)
            to_begin = time.monotonic() - began
            wait_for(process, folder, before + moments.randint(1, 4))
            time.sleep(moments.uniform(0, 0.3))
        assert process.poll() is None, process.communicate()
        kill(process)
        kills += 1
        assert before <= finished(folder) < seeds * killing.CELLS
    assert finished(folder) > 20
    check_goes_on(config, folder, whole)


def test_an_interrupt_ends_a_run_with_how_to_go_on(config: Path, whole: Results, tmp_path: Path) -> None:
    """Ctrl-C at a terminal reaches the workers too."""
    folder = tmp_path / "run"
    process = start("run", str(config), "--out", str(folder), "--workers", "2")
    wait_for(process, folder, 3)
    os.killpg(process.pid, signal.SIGINT)
    shown, error = process.communicate(timeout=300)
    assert process.returncode == 130 and shown == ""
    assert error.splitlines()[-1] == (f"tskd: interrupted; what is finished is kept. To go on: tskd resume {folder}")
    assert "Traceback" not in error and "leaked" not in error
    # no process of the group is left, but for a moment the one that Python keeps for tidying up
    last = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < last:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    assert 3 <= finished(folder) < CELLS
    same(Experiment.from_yaml(config).run(folder, progress=False), whole)


@pytest.mark.slow
def test_two_runs_at_once_on_one_folder(config: Path, whole: Results, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    processes = [start("run", str(config), "--out", str(folder), "--workers", "1") for _ in range(2)]
    for process in processes:
        _, error = process.communicate(timeout=600)
        assert process.returncode == 0 and "leaked" not in error, error
    # nothing was computed twice
    assert finished(folder) == CELLS and not (folder / "parts" / "rejected").exists()
    same(Results.load(folder), whole)
