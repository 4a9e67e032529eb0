"""Peak memory of distilling two teachers beside that of darts' own fit of the same student, at the size of a week.

    python benchmarks/memory_beside_darts.py

207 components × 2,016 steps of random numbers, L = 96, H = 24, a TiDE as darts sets it up, two epochs; two teachers of
the same kind, which also see 8 sensors, are fitted in `DistilledModel.fit`. Each fit is a process of its own, and what
it holds after the imports does not count. Writes its part of `benchmarks/results/memory.json`, and of
`benchmarks/README.md`.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import TiDEModel
from small_networks import QUIET
from tables import markdown, write_section

from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "memory.json"
TURNS = 3
SIZES = (32, 256)
FITS = ("darts", "distilled")
KINDS = {"VmRSS": "resident", "RssAnon": "anonymous"}
PREAMBLE = """## Memory beside darts

`python benchmarks/memory_beside_darts.py`

Peak memory beyond the imports, in MiB, of a fit in a process of its own, medians of 3: 207 components × 2,016 steps,
L = 96, H = 24, a TiDE as darts sets it up, two epochs. *Distilled* fits two teachers of the same kind on the way.
Anonymous memory leaves out mapped files, whose pages can go."""


def main() -> None:
    """Measure each fit in turn, and write the table."""
    rows = []
    for size in SIZES:
        peaks: dict[str, list[dict[str, float]]] = {fit: [] for fit in FITS}
        for _ in range(TURNS):
            for fit in FITS:
                command = [sys.executable, __file__, fit, str(size)]
                out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                peaks[fit].append(json.loads(out.splitlines()[-1]))
        for kind in KINDS.values():
            darts, distilled = (statistics.median(one[kind] for one in peaks[fit]) for fit in FITS)
            rows.append(
                {"batch": size, "memory": kind, "darts": round(darts), "distilled": round(distilled)}
                | {"ratio": round(distilled / darts, 2)}
            )
    results = json.loads(RESULTS.read_text())
    RESULTS.write_text(json.dumps({**results, "beside_darts": rows}, indent=2) + "\n")
    write_section(HERE / "README.md", "memory_beside_darts", f"{PREAMBLE}\n\n{markdown(rows[0], rows)}")


def measure(fit: str, size: int) -> dict[str, float]:
    """Peak memory of a fit in this process beyond what it holds now, in MiB, by kind."""
    times = pd.date_range("2024-01-01", periods=2016, freq="5min")
    numbers = np.random.default_rng(0).normal(size=(2016, 215)).astype("float32")
    series, lab = (TimeSeries.from_times_and_values(times, part) for part in (numbers[:, :207], numbers[:, 207:]))

    def model() -> TiDEModel:
        return TiDEModel(96, 24, batch_size=size, n_epochs=2, random_state=0, pl_trainer_kwargs=QUIET)

    def run() -> None:
        if fit == "darts":
            model().fit(series, verbose=False)
            return
        teachers = [Teacher(model(), CostlySensors("lab"), name=f"teacher {k}") for k in range(2)]
        DistilledModel(model(), teachers).fit(series, privileged={"lab": lab}, verbose=False)

    return peaks(run)


def peaks(run: Callable[[], None]) -> dict[str, float]:
    """Peak memory of a call beyond what this process holds before it, in MiB, by kind."""
    before, stop = _held(), threading.Event()
    most = dict(before)

    def watch() -> None:
        while not stop.wait(0.004):
            for kind, held in _held().items():
                most[kind] = max(most[kind], held)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    run()
    stop.set()
    watcher.join()
    return {kind: round(most[kind] - before[kind], 1) for kind in before}


def _held() -> dict[str, float]:
    """Memory that this process holds, in MiB, by kind."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {KINDS[line[0][:-1]]: int(line[1]) / 1024 for line in lines if line[0][:-1] in KINDS}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
