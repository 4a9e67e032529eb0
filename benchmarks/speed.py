"""Processor time of distilling, of outputs, evaluation and experiments, over that of darts and of bare PyTorch.

    python benchmarks/speed.py                 # goes on where it was stopped
    python benchmarks/speed.py --only epochs   # the parts whose name begins so
    python benchmarks/speed.py --table-only    # the tables from the parts that are done

8,640 hours of 7 components, L = H = 96, one thread, bar and loggers off; answers of teachers are cached. Everything
that is compared is timed in turn within one process, each directly after what it is compared with, and the median of
these ratios counts. Each part is an entry of `benchmarks/results/speed.json`, with the load of the machine; the tables
go into `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from speed_experiments import experiment_parts
from speed_fits import fit_parts
from speed_forecasts import forecast_parts
from speed_gpu import gpu_parts
from speed_growth import draw_growth, growth_parts
from tables import markdown, write_section
from tqdm import tqdm

HERE = Path(__file__).parent
RESULTS, FIGURE = HERE / "results" / "speed.json", HERE / "results" / "speed_growth.png"
TITLES = {
    "epochs": "An epoch, batches of 32 and 256, over darts' own",
    "fused": "The same in batches of 32 with one teacher and a fused Adam, over a bare loop with one",
    "losses": "An epoch of a TiDE with three teachers in batches of 32, over that under the cheapest, `OutputKD`",
    "profile": "Of a step of a shared DLinear in batches of 32 with one teacher, profiled, milliseconds; another day, "
    "before steps were taken in bulk, 3.1 for logging, 2.1 for the teachers, 1.0 for the gather, of 14.7",
    "fixed": "Seconds of a fit beside its training, beyond darts' own",
    "outputs": "A teacher's outputs over all windows, over the batched forward pass (regression models: over darts' "
    "`historical_forecasts`)",
    "kept": "Peak of what is allocated while the outputs of one teacher are made, over their size",
    "evaluation": "Forecasts of 2,785 windows and both errors, by experiments and users, over the forward pass",
    "batches": "A shuffled batch of 256 windows and three teachers, over `index_select` of each",
    "experiment": "An experiment over a plain loop of as many fits and forecasts of darts; wall time",
    "workers": "Two workers, how many times as fast as one; wall time; one seed: arms that share a teacher",
    "start-up": "Start-up of a command, seconds of wall time, and of importing darts",
    "gpu": "On a GPU: a fit over darts' own, wall time, by a teacher of Chronos-2's size with random weights",
    "growth": "Exponents of time and memory of a distilled fit, of the two largest of three sizes",
}
PREAMBLE = """## Speed

`python benchmarks/speed.py`

Processor time unless said otherwise, in one process, one thread; medians of 5 ratios (losses 9), each to a time taken
directly before; 8,640 × 7, L = H = 96, default Adam; K teachers, whose answers are cached. *Adapts* is `CAMKD`, the
others `Uniform`; *bare* is a PyTorch loop over tensors that were gathered before. *Load* is that of the machine, which
had two cores; rows at a load above 5 are of other days, timed in turn."""


def main() -> None:
    """Time what is not timed yet, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default="", help="the parts whose name begins so")
    parser.add_argument("--table-only", action="store_true", help="time nothing")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    done: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.table_only:
        with tempfile.TemporaryDirectory() as folder:
            parts = _parts(folder)
            order = {one: place for place, one in enumerate(parts)}
            for name in tqdm([one for one in parts if one not in done and one.startswith(options.only)], desc="parts"):
                done[name] = {**parts[name](), "load": round(os.getloadavg()[0], 1)}
                done = dict(sorted(done.items(), key=lambda part: order.get(part[0], len(order))))
                RESULTS.write_text(json.dumps(done, indent=2) + "\n")
    growth = {name: part for name, part in done.items() if name.startswith("growth")}
    if growth:
        draw_growth(growth, FIGURE)
    write_section(HERE / "README.md", "speed", f"{PREAMBLE}\n\n{_tables(done)}")


def _parts(folder: str) -> dict[str, Callable[[], dict[str, Any]]]:
    return {
        **fit_parts(folder),
        **forecast_parts(),
        **experiment_parts(folder),
        **growth_parts(folder),
        **gpu_parts(folder),
    }


def _tables(done: Mapping[str, Mapping[str, Any]]) -> str:
    """The tables of the parts that are done."""
    text = []
    for kind, title in TITLES.items():
        rows = [{"": name.partition(", ")[2], **part} for name, part in done.items() if name.split(",")[0] == kind]
        shown = [{key: value for key, value in row.items() if not isinstance(value, list)} for row in rows]
        if shown:
            text.append(f"**{title}**\n\n{markdown(shown[0], shown)}")
    if not any(name.startswith("gpu") for name in done):
        text.append("On a GPU nothing has been measured: none could be had. `--only gpu` does it where there is one.")
    if any(name.startswith("growth") for name in done):
        text.append("![Time and memory by size](results/speed_growth.png)")
    return "\n\n".join(text)


if __name__ == "__main__":
    main()
