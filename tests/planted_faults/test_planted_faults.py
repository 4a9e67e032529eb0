"""Faults planted in the package are noticed by its tests; `python -m tests.planted_faults` plants them all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.planted_faults.fault import ROOT
from tests.planted_faults.lists import FAULTS
from tests.planted_faults.planting import Planting

SAMPLE = 8


def test_the_list_is_true() -> None:
    """Each fault's old text is in its file once, and its test files are there."""
    for fault in FAULTS:
        fault.planted_in((ROOT / fault.file).read_text(encoding="utf-8"))
        assert fault.tests and all((ROOT / name).is_file() for name in fault.tests), fault
    assert len({(fault.file, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS) >= 120


@pytest.mark.slow
def test_a_sample_is_noticed(tmp_path: Path) -> None:
    planting = Planting(tmp_path)
    sample = random.Random(17).sample(FAULTS, SAMPLE)
    assert not planting.failing_without_a_fault(sample)
    found = {str(fault): planting.outcome(fault) for fault in sample}
    assert not {name: outcome for name, outcome in found.items() if outcome != "noticed"}
