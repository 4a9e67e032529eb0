"""Peak resident memory of distilling three teachers at the size of Beijing's air quality: 132 components, 35,064 hours.

    python benchmarks/memory.py            # needs TSKD_DATA with the Beijing file, and pyarrow
    python benchmarks/memory.py --random   # random numbers of the same size

L = 96, H = 24. What the teachers know is larger than the memory that knowledge may take, so it lies on disk. One epoch;
writes its part of `benchmarks/results/memory.json`. `memory_beside_darts.py` compares with darts' own fit.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tskd import DistilledModel, Teacher, __version__
from tskd.privileged import CostlySensors

HOURS, STATIONS, VARIABLES = 35_064, 12, 11


def series(random: bool) -> TimeSeries:
    """132 components on one hourly grid, float32, gaps filled from the past."""
    times = pd.date_range("2013-03-01", periods=HOURS, freq="h")
    if random:
        values = np.random.default_rng(0).normal(size=(HOURS, STATIONS * VARIABLES)).astype("float32")
        return TimeSeries.from_times_and_values(times, values)
    frame = pd.read_parquet(Path(os.environ["TSKD_DATA"]) / "beijing_multisite_air.parquet")
    numbers = frame.set_index(["datetime", "station"]).select_dtypes("number").unstack("station")
    numbers = numbers.reindex(times).ffill().fillna(0.0)
    numbers = (numbers - numbers.mean()) / numbers.std().replace(0, 1)
    columns = [f"{variable}@{place}" for variable, place in numbers.columns]
    return TimeSeries.from_times_and_values(times, numbers.to_numpy("float32"), columns=columns)


def watch(peak: list[float], stop: threading.Event) -> None:
    """Anonymous and file-backed resident memory, sampled: pages of the mapped file count too, though they can go."""
    while not stop.wait(0.05):
        status = Path("/proc/self/status").read_text()
        values = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Rss")}
        peak[0] = max(peak[0], values["RssAnon"] / 2**20)


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    random = "--random" in sys.argv
    target = series(random)
    lab = target[target.components[:8].tolist()]
    settings = {
        "input_chunk_length": 96,
        "output_chunk_length": 24,
        "batch_size": 256,
        "n_epochs": 1,
        "random_state": 0,
        "pl_trainer_kwargs": {"accelerator": "cpu", "logger": False, "enable_checkpointing": False},
    }
    started = time.perf_counter()
    peak, stop = [0.0], threading.Event()
    watcher = threading.Thread(target=watch, args=(peak, stop), daemon=True)
    watcher.start()
    small = {"hidden_size": 16, "decoder_output_dim": 4, "temporal_decoder_hidden": 8}
    teachers = [Teacher(TiDEModel(**settings, **small), CostlySensors("lab"), name=f"teacher {k}") for k in range(3)]
    model = DistilledModel(DLinearModel(shared_weights=True, **settings), teachers)
    model.fit(target, privileged={"lab": lab}, verbose=False)
    stop.set()
    watcher.join()
    result = {
        "data": "random" if random else "Beijing",
        "components": target.n_components,
        "hours": len(target),
        "teachers": len(teachers),
        "peak_resident_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "peak_anonymous_gib": round(peak[0], 2),
        "seconds": round(time.perf_counter() - started),
        "tskd": __version__,
        "torch": torch.__version__,
    }
    path = Path(__file__).parent / "results" / "memory.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**results, "beijing": result}, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
