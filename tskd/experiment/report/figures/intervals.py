"""Differences with their intervals: arms and teachers against the student alone, and arms against the best control."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tskd.experiment.controls.registry import CONTROL_RULES
from tskd.experiment.report.colours import TEACHER, colours
from tskd.experiment.report.figures.style import INK, Drawing, canvas, drawing, grid, names_of_rows
from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.selection import compared, largest
from tskd.experiment.statistics.intervals import Comparison
from tskd.experiment.statistics.verdict import interval, percent, without

TITLES = {"student": "students", "teacher": "teachers", "bound": "trained on all labels"}
"""Of the panels, by what is in them."""


def arms(results: Measurements, salt: str) -> Drawing | None:
    """Difference of every arm, teacher and bound from the student alone: interval, and a dot for each seed."""
    panels = [(kind, names) for kind in TITLES if (names := compared(results, kind))]
    if not panels:
        return None
    heights = [len(names) for _, names in panels]
    figure = canvas(0.45 + 0.45 * len(heights) + 0.3 * sum(heights), "Test error against that of the student alone")
    axes = np.atleast_1d(figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}))
    palette, described = colours(results), []
    for axis, (kind, names) in zip(axes, panels, strict=True):
        found = [results.compare(name, kind=kind) for name in names]
        for row, (name, comparison) in enumerate(zip(names, found, strict=True)):
            colour = palette[name] if kind == "student" else TEACHER
            seeds = _by_seed(results, name, kind)
            spread = np.linspace(-0.28, 0.28, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            axis.plot(seeds, row + spread, "o", color=colour, alpha=0.5, markersize=3.2, markeredgewidth=0)
            _bar(axis, row, comparison, colour)
        _finish(axis, names)
        if len(panels) > 1:
            axis.set_title(TITLES[kind], pad=7)
        described += [f"{'teacher ' * (kind == 'teacher')}{in_words(c)}" for c in found]
    axes[-1].set_xlabel("MSE against the student alone, % (left is better)")
    return drawing(
        figure,
        "arms",
        f"Test error of every arm and teacher against the student alone: {'; '.join(described)}.",
        "Large dot and bar: mean and 95 % interval; small dots: single seeds, each against the student alone with the "
        "same seed. Left of the line is better. Blue to violet: arms with privileged information; brown to yellow: "
        "controls.",
        salt,
    )


def lift(results: Measurements, salt: str) -> Drawing | None:
    """Net privileged lift: the arms with privileged information against the best of their controls."""
    cool = results.info.privileged
    names = [name for name in compared(results) if name in cool]
    if not names or not set(results.info.controls.values()).intersection(CONTROL_RULES.counting):
        return None
    found = [comparison for name in names if (comparison := results.lift(name)).windows]
    if not found:
        return None
    figure = canvas(0.7 + 0.42 * len(found), "Net privileged lift: test error against the best control")
    axis = figure.subplots()
    palette = colours(results)
    for row, comparison in enumerate(found):
        _bar(axis, row, comparison, palette[comparison.arm])
    _finish(axis, [f"{c.arm}\nagainst {c.baseline}{without(c)}" for c in found])
    axis.set_xlabel("MSE against the best control, % (left is better)")
    return drawing(
        figure,
        "lift",
        f"Net privileged lift: {'; '.join(f'{in_words(c)} against {c.baseline}{without(c)}' for c in found)}.",
        "What is left of a gain after the best of the controls is taken off, of which the student alone is one. "
        "Bar: 95 % interval. Only a bar that lies left of the line as a whole is a gain from privileged information. "
        "The best control is chosen by its test error, against the arm.",
        salt,
    )


def in_words(comparison: Comparison) -> str:
    """'future −3.1 % [−5.1, −1.6]'."""
    return f"{comparison.arm} {percent(comparison.relative)} {interval(comparison)}".strip()


def _by_seed(results: Measurements, name: str, kind: str) -> np.ndarray:
    """Difference from the student alone, in %, for each seed, over the folds that both have with it."""
    rows = of_size(results.rows, largest(results)).set_index(["kind", "name", "fold", "seed"]).mse.sort_index()
    pair = pd.concat([rows[kind, name], rows["student", results.info.alone]], axis=1, join="inner")
    means = pair.groupby("seed").mean().to_numpy()
    return 100 * (means[:, 0] / means[:, 1] - 1)


def _bar(axis: Axes, row: float, comparison: Comparison, colour: str) -> None:
    # a NaN, where there are too few windows for an interval, is not drawn
    axis.plot([100 * comparison.low, 100 * comparison.high], [row, row], color=colour, linewidth=2.2)
    axis.plot(100 * comparison.relative, row, "o", color=colour, markersize=6.5, markeredgecolor="white")


def _finish(axis: Axes, names: Sequence[str]) -> None:
    axis.axvline(0, color=INK, linewidth=1, zorder=1)
    names_of_rows(axis, names)
    grid(axis, "x")
