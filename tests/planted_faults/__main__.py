"""`python -m tests.planted_faults [area …]`: plant all faults, or those of some areas, and list what survives."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.planted_faults.lists import AREAS
from tests.planted_faults.planting import Planting


def main() -> int:
    """Report what became of each fault; 1 unless all are noticed, by tests that pass without them."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted_faults", description=main.__doc__)
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], metavar="area", help=", ".join(AREAS))
    parser.add_argument("--only", default="", help="only faults in files whose path holds this text")
    parser.add_argument("--trust-tests", action="store_true", help="do not run the tests without a fault first")
    given = parser.parse_args()
    faults = [one for area in given.areas or AREAS for one in AREAS[area] if given.only in one.file]
    counts = dict.fromkeys(("noticed", "survived", "stale", "broken"), 0)
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        planting = Planting(Path(folder))
        failing = [] if given.trust_tests else planting.failing_without_a_fault(faults)
        for file in failing:
            print(f"fails without a fault: {file}", flush=True)
        for number, fault in enumerate(faults, 1):
            began = time.perf_counter()
            found = planting.outcome(fault)
            counts[found] += 1
            seconds = time.perf_counter() - began
            print(f"{number}/{len(faults)} {found} ({seconds:.0f} s): {fault}", flush=True)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return int(bool(failing) or counts["noticed"] < len(faults))


if __name__ == "__main__":
    sys.exit(main())
