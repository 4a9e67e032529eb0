"""Seconds of distilling from a cached teacher, against darts' own fit of the same student.

    python benchmarks/speed.py

8,640 hours of 7 components, L = H = 96, 2 epochs, one thread, bar and loggers off. Timings are noisy: the two are timed
in turn, and the median of the ratios of each turn is recorded in `benchmarks/results/speed.json`.
"""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tskd import DistilledModel, Teacher

TURNS = 3
SETTINGS: dict[str, Any] = {
    "input_chunk_length": 96,
    "output_chunk_length": 96,
    "random_state": 0,
    "pl_trainer_kwargs": {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    },
}
STUDENTS: dict[str, Any] = {
    "DLinear, shared": (DLinearModel, {"shared_weights": True}),
    "DLinear": (DLinearModel, {}),
    "TiDE": (TiDEModel, {}),
}


def seconds(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    times = pd.date_range("2016-07-01", periods=8_640, freq="h")
    values = np.random.default_rng(0).normal(size=(8_640, 7)).astype("float32")
    series = TimeSeries.from_times_and_values(times, values)
    teacher = Teacher(DLinearModel(shared_weights=True, n_epochs=1, batch_size=256, **SETTINGS), name="t").fit(series)
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name, (kind, options) in STUDENTS.items():
            for batch in (32, 256):

                def student(kind: Any = kind, options: Any = options, batch: int = batch) -> Any:
                    return kind(n_epochs=2, batch_size=batch, **options, **SETTINGS)

                def distil(student: Any = student) -> None:
                    DistilledModel(student(), teacher).fit(series, cache=cache, verbose=False)

                distil()
                pairs = [(seconds(lambda: student().fit(series, verbose=False)), seconds(distil)) for _ in range(TURNS)]
                rows.append(
                    {
                        "student": name,
                        "batch": batch,
                        "darts_seconds": round(statistics.median(plain for plain, _ in pairs), 2),
                        "ratio": round(statistics.median(ours / plain for plain, ours in pairs), 2),
                    }
                )
                print(rows[-1], flush=True)
    path = Path(__file__).parent / "results" / "speed.json"
    path.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
