"""Processor time of a training step under each weighting, over that under `Uniform`.

    python benchmarks/weighting_cost.py

A TiDE student, L = 96, H = 24, 7 components, batches of 64, 3 epochs, one thread, 2, 4 and 8 linear teachers whose
answers are cached. What a weighting does before every epoch counts, what it does once before the training does not.
Each training is timed directly after one under `Uniform`; the median of 15 such ratios is written into
`benchmarks/results/weighting_cost.csv` and `benchmarks/README.md`.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel
from small_networks import QUIET
from speed_timing import ratios
from tables import markdown, write_section
from tqdm import tqdm
from training_clock import Clock

from tskd import DistilledModel, Teacher, weighting
from tskd.weighting.base import Variation

HERE = Path(__file__).parent
ROWS, HELD_OUT = 2_000, 500
TEACHERS = (2, 4, 8)
PREAMBLE = """## Cost of the weightings

`python benchmarks/weighting_cost.py`

Processor time of a training over one under `Uniform` directly before it, median of 15: a TiDE student (hidden size
64), L = 96, H = 24, 7 components, batches of 64, one thread, by number of teachers, whose answers are cached. What a
weighting does before every epoch counts; what it does once, before the training, does not. Under `Uniform` several
teachers are blended beforehand; under weights that vary by step, each is read and compared in every step, which the
first row shows by itself. Some weightings need gradients: `AEKD(space='parameters')` a backward pass for each teacher,
some .2 of a step here, and so at least 1.4 at K = 2 and 2.6 at K = 8; `space='head'` the part of these behind the last
layers, .1 to .3; `MMKD` in every fifth step a step of the student and its gradient by the weights, .3 to .4."""


class InEveryStep(weighting.Uniform):
    """Equal weights, computed in every step: what each weighting costs that varies by step."""

    @property
    def varies(self) -> Variation:
        return "step"


def main() -> None:
    """Time all, and write the table."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    series, held_out = (noise(rows, seed) for seed, rows in enumerate((ROWS, HELD_OUT)))
    teachers = [
        Teacher(linear(number), name=f"t{number}").fit(series, verbose=False) for number in range(max(TEACHERS))
    ]
    made = methods()
    rows: dict[str, dict[str, Any]] = {method: {"weighting": method} for method in made}
    with tempfile.TemporaryDirectory() as cache:
        for count in tqdm(TEACHERS, desc="numbers of teachers"):
            fits = {
                name: partial(seconds, one, teachers[:count], series, held_out, cache)
                for name, one in {"Uniform": weighting.Uniform(), **made}.items()
            }
            found = ratios(fits, turns=15)
            for method, row in rows.items():
                row[f"K = {count}"] = f"{found[method]:.2f}"
    pd.DataFrame(rows.values()).to_csv(HERE / "results" / "weighting_cost.csv", index=False)
    text = markdown(["weighting", *(f"K = {count}" for count in TEACHERS)], rows.values())
    write_section(HERE / "README.md", "weighting_cost", f"{PREAMBLE}\n\n{text}")


def methods() -> dict[str, weighting.Weighting]:
    """The weightings that need no arguments, but for `Uniform`; and `AEKD` in its other spaces."""
    kinds = {name: getattr(weighting, name) for name in weighting.__all__}
    names = [name for name, kind in kinds.items() if issubclass(kind, weighting.Weighting)]
    made = {name: kinds[name]() for name in sorted(names) if name not in ("Fixed", "Uniform", "Weighting")}
    others = [weighting.AEKD(space="head"), weighting.AEKD(space="parameters")]
    by_name = sorted({**made, **{repr(one): one for one in others}}.items())
    return {"`Uniform`, in every step": InEveryStep(), **{f"`{name}`": one for name, one in by_name}}


def noise(rows: int, seed: int) -> TimeSeries:
    values = np.random.default_rng(seed).normal(size=(rows, 7)).astype("float32")
    return TimeSeries.from_times_and_values(pd.date_range("2020-01-01", periods=rows, freq="h"), values)


def linear(seed: int) -> DLinearModel:
    return DLinearModel(96, 24, n_epochs=1, batch_size=256, random_state=seed, pl_trainer_kwargs=QUIET)


def seconds(
    method: weighting.Weighting, teachers: list[Teacher], series: TimeSeries, held_out: TimeSeries, cache: str
) -> float:
    """Of the training of one student."""
    clock = Clock()
    student = TiDEModel(
        96,
        24,
        hidden_size=64,
        n_epochs=3,
        batch_size=64,
        random_state=0,
        pl_trainer_kwargs={**QUIET, "callbacks": [clock]},
    )
    model = DistilledModel(student, teachers, weighting=method)
    # of the same validation, whether a weighting asks for it or not
    model.fit(series, val_series=held_out, cache=cache, verbose=False)
    return clock.seconds


if __name__ == "__main__":
    main()
