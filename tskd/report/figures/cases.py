"""Figures over the cases of a benchmark: mean ranks, and the net privileged lift of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tskd.experiment.statistics import Comparison
from tskd.experiment.verdict import percent
from tskd.report.figures.style import INK, QUIET, WIDTH, Drawing, canvas, drawing, grid, names_of_rows
from tskd.report.shown import CONTROL, PRIVILEGED

if TYPE_CHECKING:
    from tskd.experiment.ranks import Ranks


def critical_difference(ranks: Ranks, cases: int) -> Drawing:
    """Critical-difference diagram (Demšar 2006): arms on an axis of mean ranks, bars joining those that tie."""
    mean = ranks.mean.sort_values()
    left, right = mean.iloc[: (len(mean) + 1) // 2], mean.iloc[(len(mean) + 1) // 2 :]
    groups = [group for group in ranks.groups if len(group) > 1]
    room = 0.55 + 0.17 * len(groups)
    height = room + 0.28 * len(left)
    figure = canvas(height + 0.5, f"Mean rank of the arms over {cases} cases")
    axis = figure.subplots()
    # one unit of the axis is a rank across and an inch down
    span, count = max(len(mean) - 1, 1), len(mean)
    reach = 0.5 * span * (WIDTH / 2.6 - 1)
    axis.set_xlim(1 - reach, count + reach)
    axis.set_ylim(height, -0.5)
    axis.axis("off")
    axis.plot([1, count], [0, 0], color=INK, linewidth=1.2)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, -0.07], color=INK, linewidth=1)
        axis.text(rank, -0.1, str(rank), ha="center", va="bottom")
    if ranks.critical_difference <= span:
        axis.plot([1, 1 + ranks.critical_difference], [0.2, 0.2], color=QUIET, linewidth=1, marker="|", markersize=7)
        axis.text(1 + ranks.critical_difference + 0.03 * span, 0.2, "critical difference", va="center", color=INK)
    for side, names in ((1 - 0.04 * span, left), (count + 0.04 * span, right[::-1])):
        for row, (name, rank) in enumerate(names.items()):
            y = room + 0.28 * row + 0.1
            axis.plot([rank, rank, side], [0, y, y], color=QUIET, linewidth=1, zorder=1)
            axis.plot(rank, 0, "o", color=INK, markersize=4)
            axis.text(side, y, f" {name} {rank:.1f} ", ha="right" if names is left else "left", va="center")
    for row, group in enumerate(groups):
        own = mean[group]
        y = 0.38 + 0.17 * row
        axis.plot([own.min() - 0.02 * span, own.max() + 0.02 * span], [y, y], color=PRIVILEGED[0], linewidth=4)
    return drawing(
        figure,
        "ranks",
        f"Mean ranks over {cases} cases, best first: {', '.join(f'{name} {rank:.2f}' for name, rank in mean.items())}. "
        f"Critical difference {ranks.critical_difference:.2f}.",
        "Rank 1 is the lowest test error of a case. Arms joined by a bar cannot be told apart over these cases (Nemenyi, "
        f"5 %); Friedman's test that all are alike has p = {ranks.friedman_p:.2g}.",
        "overview",
    )


def lifts(found: Mapping[str, Comparison]) -> Drawing:
    """Net privileged lift of the arm that validation prefers, by case."""
    figure = canvas(0.6 + 0.3 * len(found), "Net privileged lift in every case")
    axis = figure.subplots()
    for row, comparison in enumerate(found.values()):
        colour = PRIVILEGED[0] if comparison.lower else CONTROL[0] if comparison.higher else QUIET
        axis.plot([100 * comparison.low, 100 * comparison.high], [row, row], color=colour, linewidth=2)
        face = colour if comparison.lower or comparison.higher else "white"
        axis.plot(100 * comparison.relative, row, "o", color=colour, markerfacecolor=face, markersize=5)
    axis.axvline(0, color=INK, linewidth=1, zorder=1)
    names_of_rows(axis, list(found))
    grid(axis, "x")
    axis.set_xlabel("MSE against the best control, % (left is better)")
    lower = sum(comparison.lower for comparison in found.values())
    said = "; ".join(f"{label}: {c.arm} {percent(c.relative)}" for label, c in found.items())
    return drawing(
        figure,
        "lifts",
        f"Net privileged lift by case, below zero beyond doubt in {lower} of {len(found)}. {said}.",
        "In each case the arm with privileged information that has the lowest validation error, against the best of its "
        "controls, of which the student alone is one; bars are 95 % intervals. Blue: distinguishably better; hollow: "
        "neither; brown: worse.",
        "overview",
    )
