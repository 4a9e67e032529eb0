"""Two processes that train one student do what one does with their batches together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import two_processes

# teachers that say NaN are meant
pytestmark = pytest.mark.filterwarnings("ignore:teacher .* forecasts NaN:UserWarning")
ROOT = Path(__file__).parents[1]


def by_two(scenario: str, folder: Path) -> list[dict[str, Any]]:
    """What each of two processes has found; one that waits for the other in vain is a failure."""
    script = Path(two_processes.__file__)
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(script), scenario, str(folder)],
        cwd=folder,
        env=settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=150)
    finally:
        # the second process too
        if process.poll() is None:
            os.killpg(process.pid, 9)
    assert process.returncode == 0, errors[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def assert_alike(one: Any, other: Any, where: str = "") -> None:
    """Numbers to 1e-5, in whatever they are."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_alike(one[key], other[key], f"{where} {key}")
    elif isinstance(one, list) and one and isinstance(one[0], dict):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, f"{where} {number}")
    elif isinstance(one, list) and one and isinstance(one[0], list):
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, f"{where} {number}")
    else:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=where)


@pytest.mark.parametrize("scenario", ["weighted", "compared"])
def test_two_processes_do_what_one_does(scenario: str, tmp_path: Path) -> None:
    """Student, state of the weighting, history and logs, although the processes have unlike many valid windows."""
    first, second = by_two(scenario, tmp_path)
    alone = two_processes.SCENARIOS[scenario](1)
    for name, expected in alone.items():
        assert_alike(first[name], second[name], f"{name}, rank 0 and rank 1:")
        assert_alike(first[name], expected, f"{name}, two processes and one:")
    # there is something to be told apart
    students = {json.dumps(found["student"]) for found in alone.values()}
    assert len(students) == len(alone)


def test_what_every_process_draws_for_itself_becomes_the_same(tmp_path: Path) -> None:
    """The rehearsals of a process without a teacher do not leave the other waiting, nor do projectors."""
    first, second = by_two("unseeded", tmp_path)
    assert set(first) == {"MMKD", "labels", "projectors"}
    for name, found in first.items():
        assert_alike(found, second[name], name)
        assert found["trained"] == 2
    assert [name for name in first["MMKD"]["state"] if "scorer" in name]
    assert len(first["projectors"]["state"]) > len(first["labels"]["history"]) == 0
    weights = first["MMKD"]["history"][-1]["weights"]
    assert max(weights.values()) > min(weights.values()) + 1e-3
