"""Parts of `speed.py`: how a distilled fit grows with windows, components, teachers and the horizon."""

from __future__ import annotations

import json
import logging
import math
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from darts.models import DLinearModel
from memory_beside_darts import peaks
from small_networks import QUIET
from speed_timing import cpu_seconds, noise

from tskd import DistilledModel, Teacher

SMALLEST: dict[str, int] = {"windows": 4_000, "components": 14, "teachers": 2, "horizon": 48}
GROWTH: dict[str, tuple[int, ...]] = {
    "windows": (1, 3, 10),
    "components": (1, 3, 10),
    "teachers": (1, 2, 4),
    "horizon": (1, 2, 4),
}
TURNS = 3


def measured(size: Mapping[str, int]) -> dict[str, float]:
    """Seconds of a distilled fit of one epoch, and peak memory in MiB of it and of the fits of its teachers."""
    lengths = 96, size["horizon"]
    series = noise(size["windows"] + sum(lengths) - 1, size["components"])

    def model(seed: int) -> DLinearModel:
        return DLinearModel(
            *lengths, shared_weights=True, n_epochs=1, batch_size=256, random_state=seed, pl_trainer_kwargs=QUIET
        )

    seconds = []

    def run() -> None:
        few = series[: sum(lengths) + 50]
        teachers = [Teacher(model(k), name=f"t{k}").fit(few, verbose=False) for k in range(size["teachers"])]
        distilled = DistilledModel(model(9), teachers)
        seconds.append(cpu_seconds(lambda: distilled.fit(series, verbose=False)))

    memory = peaks(run)["resident"]
    return {"seconds": seconds[0], "MiB": memory}


def in_a_process(size: Mapping[str, int]) -> dict[str, float]:
    """Medians of what is measured in processes of their own, whose memory nothing else has grown."""
    command = [sys.executable, __file__, json.dumps(size)]
    taken = [subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout for _ in range(TURNS)]
    found = [json.loads(out.splitlines()[-1]) for out in taken]
    return {key: statistics.median(one[key] for one in found) for key in ("seconds", "MiB")}


def growth_parts(folder: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is measured of growth, by name."""

    def along(what: str) -> dict[str, Any]:
        times = GROWTH[what]
        found = [in_a_process({**SMALLEST, what: SMALLEST[what] * k}) for k in times]
        seconds, memory = ([one[key] for one in found] for key in ("seconds", "MiB"))
        span = math.log(times[-1] / times[-2])
        return {
            "from": SMALLEST[what],
            "times": times[-1],
            "exponent of time": round(math.log(seconds[-1] / seconds[-2]) / span, 2),
            "exponent of memory": round(math.log(memory[-1] / memory[-2]) / span, 2),
            "seconds": [round(value, 2) for value in seconds],
            "MiB": [round(value) for value in memory],
        }

    return {f"growth, {what}": lambda what=what: along(what) for what in GROWTH}  # type: ignore[misc]


def draw_growth(parts: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw time and memory over size, relative to the smallest, beside proportional growth."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained", sharey=True)
    for axis, key, title in zip(axes, ("seconds", "MiB"), ("time", "memory"), strict=True):
        for name, part in parts.items():
            what = name.partition(", ")[2]
            axis.plot(GROWTH[what], [value / part[key][0] for value in part[key]], marker="o", label=what)
        axis.plot((1, 10), (1, 10), color="0.6", linestyle="--", label="in proportion")
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="size, times the smallest",
            title=title,
        )
    axes[0].set_ylabel("times that of the smallest")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    print(json.dumps(measured(json.loads(sys.argv[1]))))
