"""Gain against training size: how much distilling helps where there is little to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from tskd.experiment.controls.registry import CONTROL_RULES
from tskd.experiment.report.colours import colours
from tskd.experiment.report.figures.style import DASHES, INK, MARKERS, Drawing, canvas, drawing, grid, legend, named
from tskd.experiment.results.selection import compared, few, in_order, windows_of
from tskd.experiment.statistics.intervals import Comparison
from tskd.experiment.statistics.verdict import percent

if TYPE_CHECKING:
    from tskd.experiment.results.measurements import Measurements


# share of the axis that a label needs
NEAR = 0.18


def sizes(results: Measurements, salt: str) -> Drawing | None:
    """Difference from the student alone, and net privileged lift, against the number of training windows."""
    every, names, cool = in_order(results), few(results), results.info.privileged
    if len(every) < 2 or not names:
        return None
    gains = {
        name: [(s, results.compare(name, size=s)) for s in every if name in compared(results, size=s)] for name in names
    }
    lifts = {
        name: [(s, results.lift(name, size=s)) for s in every if name in compared(results, size=s)]
        for name in names
        if name in cool and set(results.info.controls.values()).intersection(CONTROL_RULES.counting)
    }
    panels = [(gains, "MSE against alone, %"), (lifts, "MSE against best control, %")][: 2 if lifts else 1]
    figure = canvas(0.8 + 2.1 * len(panels), "Gain against training size")
    axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
    styles = {
        name: {"color": colour, "marker": MARKERS[i % len(MARKERS)], "linestyle": DASHES[0 if name in cool else 1]}
        for i, (name, colour) in enumerate(colours(results).items())
    }
    for axis, (found, label) in zip(axes, panels, strict=True):
        for i, (name, pairs) in enumerate(found.items()):
            # side by side, so that no bar hides another
            aside = 1 + 0.03 * (i - (len(found) - 1) / 2)
            x = [aside * windows_of(results, size) for size, _ in pairs]
            y = np.array([c.relative for _, c in pairs])
            ends = np.abs(np.array([[c.low for _, c in pairs], [c.high for _, c in pairs]]) - y)
            axis.errorbar(
                x, 100 * y, 100 * np.nan_to_num(ends), markersize=5, linewidth=1.4, label=named(name), **styles[name]
            )
        axis.axhline(0, color=INK, linewidth=1, zorder=1)
        axis.set_ylabel(label)
        grid(axis, "y")
    _size_axis(axes[-1], results, every)
    legend(axes[0])
    lacking = dict.fromkeys(name for found in lifts.values() for _, c in found for name in c.lacking)
    first, last = (max(every, key=lambda s: sign * windows_of(results, s)) for sign in (-1, 1))
    described = [f"{name} {_at(gains[name], first)} to {_at(gains[name], last)}" for name in names]
    return drawing(
        figure,
        "sizes",
        f"Gain against training size, from {windows_of(results, first)} to {windows_of(results, last)} training "
        f"windows: {'; '.join(described)}.",
        "Test error against the student alone that was trained on as many windows, the newest ones; bars are 95 % "
        "intervals. Below the line is better."
        + (" Below: the same against the best control at that size." if lifts else "")
        + (f" Controls of which some size has no result: {', '.join(lacking)}." if lacking else "")
        + (f" {len(names)} of {len(compared(results))} arms are drawn." if len(names) < len(compared(results)) else ""),
        salt,
    )


def _at(pairs: list[tuple[int | None, Comparison]], size: int | None) -> str:
    return next((percent(c.relative) for s, c in pairs if s == size), "without result")


def size_labels(every: list[int | None], places: list[int]) -> list[str]:
    """A label for each training size; where some are near each other, every second one a line lower."""
    labels = [f"{'all ' * (s is None)}{n:,}".replace(",", "\u2009") for s, n in zip(every, places, strict=True)]
    gaps = np.diff(np.log(places))
    if gaps.min() >= NEAR * gaps.sum():
        return labels
    return ["\n" * (i % 2) + label for i, label in enumerate(labels)]


def _size_axis(axis: Axes, results: Measurements, every: list[int | None]) -> None:
    places = [windows_of(results, size) for size in every]
    axis.set_xscale("log")
    axis.set_xticks(places, size_labels(every, places))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("training windows")
