"""Make calls, and count how they end: `python -m tests.bad_calls [N [SEED]]`."""

from __future__ import annotations

import logging
import sys
from collections import Counter

import torch

from tests.bad_calls.generate import calls
from tests.bad_calls.judge import ACCEPTED, Outcome, judge


def main(count: int = 2000, seed: int = 0) -> int:
    """Print the calls that end otherwise than documented, and how many end how."""
    torch.set_num_threads(1)
    for name in ("pytorch_lightning", "lightning.pytorch", "darts", "tskd"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    ends: Counter[tuple[str, str]] = Counter()
    seconds: Counter[str] = Counter()
    slowest: Outcome | None = None
    for call in calls(count, seed):
        outcome = judge(call)
        ends[call.kind, outcome.end] += 1
        seconds[call.kind] += outcome.seconds  # type: ignore[assignment]
        slowest = outcome if slowest is None or outcome.seconds > slowest.seconds else slowest
        if not outcome.documented:
            print(outcome, flush=True)
        elif "-v" in sys.argv and outcome.end == ACCEPTED:
            print(f"accepted: {call}")
    for (kind, end), number in sorted(ends.items()):
        print(f"{number:6} {kind}: {end}")
    print(f"{ {kind: round(taken, 1) for kind, taken in seconds.items()} }\nslowest: {slowest}")
    return sum(number for (_, end), number in ends.items() if end not in ("refused", "accepted"))


if __name__ == "__main__":
    sys.exit(min(main(*map(int, [word for word in sys.argv[1:] if word != "-v"])), 1))
