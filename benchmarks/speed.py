"""Processor time of distilling, of teachers' outputs and of evaluation, over that of darts and of bare PyTorch.

    python benchmarks/speed.py                 # goes on where it was stopped
    python benchmarks/speed.py --table-only    # the table from the parts that are done

8,640 hours of 7 components, L = H = 96, one thread, bar and loggers off; answers of teachers are cached. Everything
that is compared is timed in turn within one process, and the median of the ratios of each turn counts. Each part is an
entry of `benchmarks/results/speed.json`, with the load of the machine; the table goes into `benchmarks/README.md`.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from darts.models import DLinearModel, NHiTSModel, TiDEModel, TSMixerModel
from small_networks import QUIET
from speed_parts import bare, cpu_seconds, evaluation, noise, outputs, shuffled
from tables import markdown, write_section
from tqdm import tqdm
from training_clock import Clock

from tskd import DistilledModel, Teacher
from tskd.weighting import CAMKD, Uniform

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "speed.json"
TURNS = 5
STUDENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DLinear, shared": (DLinearModel, {"shared_weights": True}),
    "DLinear": (DLinearModel, {}),
    "TiDE": (TiDEModel, {}),
    "NHiTS": (NHiTSModel, {}),
    "TSMixer": (TSMixerModel, {}),
}
SETTINGS: dict[str, Any] = {"input_chunk_length": 96, "output_chunk_length": 96, "random_state": 0}
PREAMBLE = """## Speed

`python benchmarks/speed.py`

Processor time over that of darts' own fit of the same student in the same process, one thread, median of 5 turns;
8,640 × 7, L = H = 96, default Adam; K teachers, whose answers are cached. *Adapts* is `CAMKD`, the others `Uniform`;
*bare* is a PyTorch loop over tensors that were gathered before. *Load* is that of the machine, which had two cores and
other work."""


def main() -> None:
    """Time what is not timed yet, and write the table."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    done: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if "--table-only" not in sys.argv:
        with tempfile.TemporaryDirectory() as cache:
            parts = _parts(cache)
            for name in tqdm([one for one in parts if one not in done], desc="parts"):
                done[name] = {**parts[name](), "load": round(os.getloadavg()[0], 1)}
                RESULTS.write_text(json.dumps(done, indent=2) + "\n")
    write_section(HERE / "README.md", "speed", f"{PREAMBLE}\n\n{_tables(done)}")


def _parts(cache: str) -> dict[str, Callable[[], dict[str, float]]]:
    series = noise(8_640)
    teachers = [
        Teacher(_model("DLinear, shared", 256, random_state=seed), name=f"t{seed}").fit(series) for seed in range(3)
    ]

    def epochs(name: str, batch: int) -> dict[str, float]:
        """Of one epoch."""

        def training(count: int | None, weighting: Any = None) -> float:
            clock = Clock()
            student = _model(name, batch, callbacks=[clock])
            if count is None:
                student.fit(series, verbose=False)
            else:
                distilled = DistilledModel(student, teachers[:count], weighting=weighting or Uniform())
                distilled.fit(series, cache=cache, verbose=False)
            return clock.seconds

        fitted = _model(name, batch).fit(series[:300], verbose=False)
        return _ratios(
            {
                "darts": lambda: training(None),
                "K = 0": lambda: training(0),
                "K = 1": lambda: training(1),
                "K = 3": lambda: training(3),
                "K = 3, adapts": lambda: training(3, CAMKD()),
                "bare": lambda: bare(fitted, series, batch, fused=False),
                "bare, fused": lambda: bare(fitted, series, batch, fused=True),
            }
        )

    def fixed() -> dict[str, float]:
        """Seconds of a fit of one epoch that are not training, beyond those of darts."""

        def beside(distils: bool, folder: str | None = None) -> float:
            clock = Clock()
            student = _model("DLinear, shared", 256, callbacks=[clock])
            model = DistilledModel(student, teachers[:1]) if distils else student
            options = {"cache": folder} if distils else {}
            return cpu_seconds(lambda: model.fit(series, verbose=False, **options)) - clock.seconds

        warm, cold = [], []
        beside(True, cache)
        for _ in range(TURNS):
            own = beside(False)
            warm.append(beside(True, cache) - own)
            cold.append(beside(True) - own)
        return {"warm": round(statistics.median(warm), 3), "cold": round(statistics.median(cold), 3)}

    parts: dict[str, Callable[[], dict[str, float]]] = {
        f"epochs, {name}, {batch}": lambda name=name, batch=batch: epochs(name, batch)  # type: ignore[misc]
        for batch in (32, 256)
        for name in STUDENTS
    }
    parts["fixed"] = fixed
    for name in STUDENTS:
        fitted = _model(name, 256).fit(series[:300], verbose=False)
        parts[f"outputs, {name}"] = lambda fitted=fitted: _ratios(outputs(fitted, series))  # type: ignore[misc]
        parts[f"evaluation, {name}"] = lambda fitted=fitted: _ratios(evaluation(fitted, series))  # type: ignore[misc]
    for width in (7, 132):
        parts[f"batches, {width} components"] = lambda width=width: _ratios(shuffled(width))  # type: ignore[misc]
    return parts


def _model(name: str, batch: int, callbacks: list[Any] | None = None, random_state: int = 0) -> Any:
    kind, options = STUDENTS[name]
    trainer = {**QUIET, "callbacks": callbacks or []}
    settings = {**SETTINGS, "random_state": random_state}
    return kind(n_epochs=1, batch_size=batch, pl_trainer_kwargs=trainer, **options, **settings)


def _ratios(calls: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Medians over turns of the seconds of each call over those of the first, and the seconds of the first."""
    for call in calls.values():
        call()
    turns = [{name: call() for name, call in calls.items()} for _ in range(TURNS)]
    first = next(iter(calls))
    found = {name: round(statistics.median(turn[name] / turn[first] for turn in turns), 2) for name in calls}
    return {f"seconds of {first}": round(statistics.median(turn[first] for turn in turns), 3), **found}


def _tables(done: Mapping[str, Mapping[str, Any]]) -> str:
    """The tables of the parts that are done."""
    titles = {
        "epochs": "An epoch, batches of 32 and 256, over darts' own",
        "outputs": "A teacher's outputs over all windows, over the batched forward pass",
        "evaluation": "Forecasts of 2,785 windows and both errors, by experiments and users, over the forward pass",
        "batches": "A shuffled batch of 256 windows and three teachers, over `index_select` of each",
        "fixed": "Seconds of a fit beside its training, beyond darts' own",
    }
    text = []
    for kind, title in titles.items():
        rows = [{"": name.partition(", ")[2], **part} for name, part in done.items() if name.split(",")[0] == kind]
        if rows:
            text.append(f"**{title}**\n\n{markdown(rows[0], rows)}")
    return "\n\n".join(text)


if __name__ == "__main__":
    main()
