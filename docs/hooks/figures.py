"""Draws the figures of the documentation from the results of the benchmarks, whenever it is built."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STYLE = {
    # the same file whenever it is drawn, and texts that can be searched and read aloud
    "svg.hashsalt": "tskd",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
BLUE, ORANGE, GREY = "#3f51b5", "#e65100", "#757575"
DAILY = ("daily at 1", "daily at 7", "daily at 13", "daily at 19", "every 25 h")
NUMBER = r"\**(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]\**"


@dataclass(frozen=True)
class Ratio:
    """A ratio of errors with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Iterable[str]) -> Ratio:
        return cls(*map(float, numbers))


@dataclass(frozen=True)
class Situation:
    """Labels that there are, and the error of the taught student over that of others.

    Attributes:
        alone: over the student's that learns from labels alone.
        control: over the best control's.
    """

    group: str
    label: str
    alone: Ratio
    control: Ratio


def few_labels() -> list[Situation]:
    """Ridge students of `scarce.py`."""
    with (BENCHMARKS / "results" / "scarce_summary.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["student"] == "ridge"]
    gases = {row["scheme"]: row for row in rows if row["family"] == "gases"}
    beijing = {row["days"]: row for row in rows if row["family"] == "beijing" and row["scheme"] == "block"}
    chosen = [("Gases in a city's air: one label a day", name.replace("at", "at hour"), gases[name]) for name in DAILY]
    chosen += [
        ("PM2.5 in Beijing: labels of the last days", f"{days} days", beijing[days]) for days in ("7", "30", "120")
    ]
    return [
        Situation(group, label, _read(row, "privileged / labels"), _read(row, "privileged / best control"))
        for group, label, row in chosen
    ]


def all_labels() -> list[Situation]:
    """Students of `neighbours.py`, for the fewest and the most windows."""
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    row = rf"^\| (Beijing|Shanghai) \| (250|2000) \| {NUMBER} \|.*\| {NUMBER} over [\w-]+ \|$"
    return [
        Situation(
            "PM2.5 in two cities: every label",
            f"{place}, {windows} windows",
            Ratio.of(numbers[:3]),
            Ratio.of(numbers[3:]),
        )
        for place, windows, *numbers in re.findall(row, text, re.MULTILINE)
    ]


def noisy_labels() -> dict[str, dict[int, Ratio]]:
    """Errors of ridge students of `noisy.py` over that of the one alone, by number of windows: absolute returns of the
    S&P 500."""
    arms = {
        "ridge, privileged": "taught from the day's range",
        "ridge, smoothed": "labels averaged over time",
        "garch, scaled": "GARCH(1,1)",
    }
    found: dict[str, dict[int, Ratio]] = {label: {} for label in arms.values()}
    wanted = {"index": "sp500", "label": "absolute", "student": "ridge", "against": "ridge, alone"}
    with (BENCHMARKS / "results" / "noisy.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["arm"] in arms and wanted.items() <= row.items():
                found[arms[row["arm"]]][int(row["windows"])] = Ratio.of(row[name] for name in ("ratio", "low", "high"))
    return found


def when_it_helps() -> str:
    """The figure of situations, as SVG."""
    lines = [*few_labels(), *all_labels()]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(1, color=GREY, linewidth=0.8)
        height, group = 0.0, ""
        ticks = []
        for line in lines:
            if line.group != group:
                group, height = line.group, height + 1.2
                axes.text(0.005, height - 0.7, group, transform=axes.get_yaxis_transform(), fontweight="bold")
            ticks.append((height, line.label))
            for ratio, colour, shift in ((line.alone, BLUE, -0.13), (line.control, ORANGE, 0.13)):
                axes.plot([ratio.low, ratio.high], [height + shift] * 2, color=colour, linewidth=1.4)
                axes.plot(ratio.value, height + shift, "o", color=colour, markersize=4)
            height += 1
        axes.plot([], [], "o-", color=BLUE, markersize=4, label="over labels alone")
        axes.plot([], [], "o-", color=ORANGE, markersize=4, label="over the best control")
        axes.set_yticks([at for at, _ in ticks], [label for _, label in ticks])
        axes.set_ylim(height - 0.4, 0.2)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.set_xlabel("test MSE of the taught student, ratio with 95 % interval (below 1: better)")
        axes.legend(loc="lower left", frameon=False)
        return _svg(figure)


def noise() -> str:
    """The figure of noisy labels, as SVG."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(1, color=GREY, linewidth=0.8)
        arms = zip(noisy_labels().items(), (BLUE, ORANGE, GREY), (-1, 0, 1), strict=True)
        for (label, ratios), colour, shift in arms:
            at = [windows * 1.03**shift for windows in ratios]
            axes.plot(at, [ratio.value for ratio in ratios.values()], "o-", color=colour, markersize=4, label=label)
            for place, ratio in zip(at, ratios.values(), strict=True):
                axes.plot([place] * 2, [ratio.low, ratio.high], color=colour, linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(ratios)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.set_xlabel("training windows")
        axes.set_ylabel("test MSE over labels alone")
        axes.legend(frameon=False, loc="lower right")
        return _svg(figure)


def on_files(files: Any, config: Any) -> Any:
    """Add the figures to the files of the site."""
    from mkdocs.structure.files import File

    for name, draw in {"when_it_helps": when_it_helps, "noise": noise}.items():
        files.append(File.generated(config, f"figures/{name}.svg", content=draw()))
    return files


def _read(row: dict[str, str], name: str) -> Ratio:
    return Ratio.of(row[column] for column in (name, f"{name}, low", f"{name}, high"))


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
