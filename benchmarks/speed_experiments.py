"""Parts of `speed.py`: an experiment beside a plain loop, two workers beside one, the start-up of commands."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darts.metrics import mae, mse
from darts.models import TiDEModel
from small_networks import QUIET
from speed_timing import TURNS, noise, ratios, wall_seconds

from tskd.datasets import DataSet
from tskd.experiment import Experiment

SERIES, SEEDS = noise(4_320), 3
LENGTHS: dict[str, Any] = {"input_chunk_length": 96, "output_chunk_length": 96}
MODEL: dict[str, Any] = {**LENGTHS, "n_epochs": 3, "batch_size": 64}


def experiment(seeds: int, balances: tuple[float, ...] = (0.5,), epochs: int = 3) -> Experiment:
    """A TiDE alone and under a TiDE of the same kind that sees the same, on random numbers."""
    model = {"class": "TiDEModel", "kwargs": {**MODEL, "n_epochs": epochs}}
    arms = [{"name": f"distilled {balance}", "teachers": "equal", "balance": balance} for balance in balances]
    return Experiment(
        name="speed",
        data=DataSet("noise", SERIES, validation_start=0.7, test_start=0.85),
        student=model,
        teachers={"equal": {"model": model}},
        arms=[{"name": "alone"}, *arms],
        seeds=seeds,
    )


def in_a_folder(made: Experiment, workers: int = 1) -> float:
    """Seconds of a run."""
    with tempfile.TemporaryDirectory() as folder:
        return wall_seconds(lambda: made.run(Path(folder) / "run", workers=workers, progress=False))


def plain_loop() -> float:
    """Seconds of as many fits and rolling evaluations: for each seed the student, the teacher and the student again."""
    train, rest = SERIES[: int(0.7 * len(SERIES))], SERIES[int(0.7 * len(SERIES)) - 96 :]
    validation, test = rest[: int(0.15 * len(SERIES)) + 96], SERIES[int(0.85 * len(SERIES)) - 96 :]

    def run() -> None:
        for seed in range(SEEDS):
            for arm in ("teacher", "alone", "distilled"):
                model = TiDEModel(**MODEL, random_state=seed, pl_trainer_kwargs=QUIET)
                model.fit(train, verbose=False)
                for part in (validation, test) if arm != "teacher" else ():
                    rolled = {"retrain": False, "last_points_only": False, "verbose": False}
                    forecasts = model.historical_forecasts(part, forecast_horizon=96, **rolled)
                    for metric in (mse, mae):
                        metric([part] * len(forecasts), forecasts)

    return wall_seconds(run)


def start_up() -> dict[str, float]:
    """Seconds of wall time."""
    program = [sys.executable, "-m", "tskd"]
    with tempfile.TemporaryDirectory() as folder:
        made = experiment(1, epochs=1)
        made.run(Path(folder) / "run", progress=False)
        demo = str(Path(__file__).parents[1] / "configs" / "demo.yaml")
        calls = {
            "import darts": [sys.executable, "-c", "import darts, darts.models, torch, pytorch_lightning"],
            "`tskd --help`": [*program, "--help"],
            "`tskd report`": [*program, "report", str(Path(folder) / "run")],
            "`tskd run --dry-run`": [*program, "run", "--dry-run", demo],
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(TURNS):
            for name, command in calls.items():
                taken[name].append(wall_seconds(lambda command=command: subprocess.run(command, capture_output=True)))  # type: ignore[misc]
    return {name: round(statistics.median(each), 2) for name, each in taken.items()}


def experiment_parts(folder: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is timed of experiments, by name."""

    def workers(made: Experiment) -> dict[str, float]:
        one, two = (in_a_folder(made, count) for count in (1, 2))
        return {"seconds of one": round(one, 1), "times as fast": round(one / two, 2)}

    return {
        "experiment": lambda: ratios(
            {"loop": plain_loop, "experiment": lambda: in_a_folder(experiment(SEEDS))}, turns=3
        ),
        "workers, six seeds": lambda: workers(experiment(6, epochs=16)),
        "workers, one seed": lambda: workers(experiment(1, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), epochs=16)),
        "start-up": start_up,
    }
