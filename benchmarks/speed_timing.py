"""How the parts of `speed.py` are timed, and on what."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

TURNS = 5


def cpu_seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def wall_seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def noise(rows: int, components: int = 7) -> TimeSeries:
    """Hours of random numbers."""
    values = np.random.default_rng(0).normal(size=(rows, components)).astype("float32")
    return TimeSeries.from_times_and_values(pd.date_range("2016-07-01", periods=rows, freq="h"), values)


def ratios(calls: Mapping[str, Callable[[], float]], turns: int = TURNS) -> dict[str, float]:
    """Medians over turns of the seconds of each call over those of the first directly before it, since the machine's
    own speed drifts within a minute; and the median of the seconds of the first."""
    for call in calls.values():
        call()
    (first, reference), *others = calls.items()
    seconds, found = [], {first: 1.0}
    taken: dict[str, list[float]] = {name: [] for name, _ in others}
    for _ in range(turns):
        for name, call in others:
            seconds.append(reference())
            taken[name].append(call() / seconds[-1])
    found |= {name: round(statistics.median(own), 2) for name, own in taken.items()}
    return {f"seconds of {first}": round(statistics.median(seconds), 3), **found}
