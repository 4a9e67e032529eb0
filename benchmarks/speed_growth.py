"""Parts of `speed.py`: how a distilled fit grows with windows, components, teachers and the horizon."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from darts.models import DLinearModel
from memory_beside_darts import peaks
from small_networks import QUIET
from speed_timing import cpu_seconds, noise

from tskd import DistilledModel, Teacher

SMALLEST: dict[str, int] = {"windows": 2_000, "components": 14, "teachers": 2, "horizon": 48}
GROWTH: dict[str, tuple[int, ...]] = {
    "windows": (1, 3, 10),
    "components": (1, 3, 10),
    "teachers": (1, 2, 4),
    "horizon": (1, 2, 4),
}
TURNS = 3


def measured(size: Mapping[str, int]) -> tuple[float, float]:
    """Seconds of processor time and peak memory in MiB of a distilled fit of one epoch by fitted teachers."""
    lengths = 96, size["horizon"]
    series = noise(size["windows"] + sum(lengths) - 1, size["components"])

    def model(seed: int) -> DLinearModel:
        return DLinearModel(
            *lengths, shared_weights=True, n_epochs=1, batch_size=256, random_state=seed, pl_trainer_kwargs=QUIET
        )

    few = series[: sum(lengths) + 50]
    teachers = [Teacher(model(k), name=f"t{k}").fit(few, verbose=False) for k in range(size["teachers"])]
    seconds = []

    def run() -> None:
        distilled = DistilledModel(model(9), teachers)
        seconds.append(cpu_seconds(lambda: distilled.fit(series, verbose=False)))

    found = [peaks(run)["resident"] for _ in range(TURNS)]
    return statistics.median(seconds), statistics.median(found)


def growth_parts(folder: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is measured of growth, by name."""

    def along(what: str) -> dict[str, Any]:
        times = GROWTH[what]
        seconds, memory = zip(*(measured({**SMALLEST, what: SMALLEST[what] * k}) for k in times), strict=True)
        span = math.log(times[-1] / times[0])
        return {
            "from": SMALLEST[what],
            "times": times[-1],
            "exponent of time": round(math.log(seconds[-1] / seconds[0]) / span, 2),
            "exponent of memory": round(math.log(memory[-1] / memory[0]) / span, 2),
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
