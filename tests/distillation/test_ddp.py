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

from tests.helpers import two_processes

# teachers that say NaN are meant
pytestmark = pytest.mark.filterwarnings("ignore:teacher .* forecasts NaN:UserWarning")
ROOT = Path(__file__).parents[2]


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
        _, errors = process.communicate(timeout=400)
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


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return by_two("alike", tmp_path_factory.mktemp("alike"))


@pytest.mark.parametrize("case", two_processes.ALIKE)
def test_two_processes_do_what_one_does(alike: list[dict[str, Any]], case: str) -> None:
    """Student, state of the weighting, history and logs, although the processes have unlike many valid windows."""
    first, second = (found[case] for found in alike)
    assert_alike(first, second, "rank 0 and rank 1:")
    assert_alike(first, two_processes.ALIKE[case](1), "two processes and one:")


def test_the_cases_differ(alike: list[dict[str, Any]]) -> None:
    students = {json.dumps(found["student"]): case for case, found in alike[0].items()}
    assert set(students.values()) == set(two_processes.ALIKE)


@pytest.mark.slow
def test_what_every_process_draws_for_itself_becomes_the_same(tmp_path: Path) -> None:
    """Those whose step has nothing to learn do not leave the other waiting, nor do projectors that are not in it."""
    first, second = by_two("drawn", tmp_path)
    assert set(first) == set(two_processes.DRAWN)
    for case, found in first.items():
        assert_alike(found, second[case], case)
        assert found["trained"] == two_processes.EPOCHS
    assert any("scorer" in name for name in first["MMKD"]["state"])
    weights = first["MMKD"]["history"][-1]["weights"].values()
    assert max(weights) > min(weights) + 1e-3
    # both have projectors, but one of them has not trained them
    assert first["projectors"]["state"].keys() == first["projectors that are in no step"]["state"].keys()
    assert first["projectors"]["history"] and not first["projectors that are in no step"]["history"]
