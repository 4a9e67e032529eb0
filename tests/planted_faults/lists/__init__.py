"""The faults, by area of the package."""

from __future__ import annotations

from tests.planted_faults.fault import Fault
from tests.planted_faults.lists import (
    core,
    distillation,
    expected,
    experiment,
    losses,
    pages,
    privileged,
    statistics,
    teachers,
    theory,
    weighting,
)

AREAS: dict[str, tuple[Fault, ...]] = {
    "core": core.FAULTS,
    "privileged": privileged.FAULTS,
    "teachers": teachers.FAULTS,
    "distillation": distillation.FAULTS,
    "expected": expected.FAULTS,
    "weighting": weighting.FAULTS,
    "losses": losses.FAULTS,
    "theory": theory.FAULTS,
    "experiment": experiment.FAULTS,
    "statistics": statistics.FAULTS,
    "pages": pages.FAULTS,
}

FAULTS = tuple(fault for faults in AREAS.values() for fault in faults)
