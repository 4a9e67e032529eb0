"""What a reconstruction costs in time, and what distilling from three of them costs in memory."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import DLinearModel

from tskd import DistilledModel, Reconstruction, Teacher

STEPS = (10_000, 100_000)
NEIGHBOURS, LABELS, REPEATS = 11, 720, 5
WINDOWS, LOOKBACK, HORIZON = 100_000, 48, 24


def synthetic(steps: int) -> tuple[TimeSeries, TimeSeries, TimeSeries]:
    """Target with a label in the last `LABELS` steps, privileged neighbours, and covariates."""
    draw = np.random.default_rng(0)
    times = pd.date_range("2010", periods=steps, freq="h")
    truth = draw.normal(size=steps).cumsum() / 50
    neighbours = truth[:, None] + draw.normal(0, 0.3, (steps, NEIGHBOURS))
    labels = np.where(np.arange(steps) >= steps - LABELS, truth, np.nan)
    covariates = truth[:, None] + draw.normal(0, 1.0, (steps, 5))
    made = (labels[:, None], neighbours, covariates)
    target, privileged, inputs = (TimeSeries.from_times_and_values(times, one.astype(np.float32)) for one in made)
    return target, privileged, inputs


def seconds_by_steps() -> dict[str, Any]:
    """Seconds of fitting a reconstruction and of its answers for every step, the least of some repetitions."""
    found: dict[str, Any] = {}
    for steps in STEPS:
        target, privileged, _ = synthetic(steps)
        took = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            Reconstruction("read").fit(target, {"read": privileged}).filled(target, {"read": privileged})
            took.append(time.perf_counter() - started)
        found[f"seconds of {steps} steps"] = round(min(took), 4)
    small, large = (found[f"seconds of {steps} steps"] for steps in STEPS)
    more = STEPS[1] - STEPS[0]
    return found | {"microseconds a further step": round(1e6 * (large - small) / more, 3)}


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def memory_of_three() -> dict[str, Any]:
    """Peak resident memory over that after the imports, of one epoch of a DLinear with three teachers."""
    before, peak, stop = resident_mib(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], resident_mib())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    target, privileged, inputs = synthetic(WINDOWS + LOOKBACK + HORIZON - 1)
    given = privileged[privileged.components[0]].with_columns_renamed(privileged.components[0], target.components[0])
    teachers = [
        Reconstruction("read", "ridge", name="ridge"),
        Reconstruction("read", "one-neighbour", name="one neighbour"),
        Teacher.from_series(given, name="given"),
    ]
    student = DLinearModel(
        LOOKBACK,
        HORIZON,
        n_epochs=1,
        batch_size=256,
        random_state=0,
        pl_trainer_kwargs={"accelerator": "cpu", "logger": False, "enable_checkpointing": False},
    )
    model = DistilledModel(student, teachers, soft_sensor=True)
    model.fit(target, past_covariates=inputs, privileged={"read": privileged}, verbose=False)
    stop.set()
    watcher.join()
    return {
        "windows": WINDOWS,
        "teachers": len(teachers),
        "lookback": LOOKBACK,
        "horizon": HORIZON,
        "resident after imports, MiB": round(before),
        "peak beyond it, MiB": round(max(peak[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10) - before),
        "seconds": round(time.perf_counter() - started),
    }
