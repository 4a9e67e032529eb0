"""Figures over the cases of a benchmark: mean ranks, and the net privileged lift of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tskd.experiment.report.colours import CONTROL, PRIVILEGED
from tskd.experiment.report.figures.style import (
    INK,
    QUIET,
    WIDTH,
    Drawing,
    canvas,
    drawing,
    grid,
    names_of_rows,
    wrapped,
)
from tskd.experiment.statistics.intervals import Comparison
from tskd.experiment.statistics.verdict import percent, without

if TYPE_CHECKING:
    from tskd.experiment.statistics.rank_tests import RankTest


def critical_difference(ranks: RankTest, cases: int) -> Drawing:
    """Critical-difference diagram (Demšar 2006): arms on an axis of mean ranks, bars joining those that tie."""
    mean, count = ranks.mean.sort_values(), len(ranks.mean)
    left, right = mean.iloc[: (count + 1) // 2], mean.iloc[(count + 1) // 2 :]
    groups = [group for group in ranks.groups if len(group) > 1]
    # many arms need a long axis more than labels of one line
    width = 18 if count <= 8 else 13
    labels = {
        name: "\n".join([*(lines := wrapped(name, width))[:-1], f"{lines[-1]} {mean[name]:.1f}"]) for name in mean.index
    }
    # inches: beside the axis the labels, above it the critical difference, below it bars and then labels
    beside = 0.2 + 0.078 * max(len(line) for label in labels.values() for line in label.split("\n"))
    first = 0.3 + 0.16 * len(groups)
    row_height = max(0.32, 0.05 + 0.17 * max(label.count("\n") + 1 for label in labels.values()))
    height = first + row_height * len(left)
    scale = max(count - 1, 1) / (WIDTH - 2 * beside)
    apart = next(step for step in (1, 2, 5, 10, 20, count) if step >= 0.22 * scale)
    figure = canvas(height + 0.65, f"Mean rank of the arms over {cases} cases")
    axis = figure.subplots()
    axis.set_xlim(1 - beside * scale, count + beside * scale)
    axis.set_ylim(height - 0.1, -0.65)
    axis.axis("off")
    axis.plot([1, count], [0, 0], color=INK, linewidth=1.2)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, -0.06], color=INK, linewidth=1)
        if rank % apart == 0:
            axis.text(rank, -0.1, str(rank), ha="center", va="bottom")
    if ranks.critical_difference < count - 1:
        axis.plot(
            [1, 1 + ranks.critical_difference], [-0.42, -0.42], color=INK, linewidth=1.2, marker="|", markersize=7
        )
        axis.text(1 + ranks.critical_difference / 2, -0.48, "critical difference", ha="center", va="bottom")
    for side, gap, align, own in ((1, -0.08, "right", left), (count, 0.08, "left", right[::-1])):
        for row, (name, rank) in enumerate(own.items()):
            x, y = side + gap * scale, first + row_height * row
            axis.plot([rank, rank, x], [0, y, y], color=QUIET, linewidth=1, zorder=1)
            axis.plot(rank, 0, "o", color=INK, markersize=4)
            axis.text(x + gap / 2 * scale, y, labels[name], ha=align, va="center")
    for row, group in enumerate(groups):
        ends = mean[group].min() - 0.04 * scale, mean[group].max() + 0.04 * scale
        axis.plot(ends, [0.18 + 0.16 * row] * 2, color=PRIVILEGED[0], linewidth=4, zorder=3)
    p = "p < 0.001" if ranks.friedman_p < 0.001 else f"p = {ranks.friedman_p:.3f}"
    return drawing(
        figure,
        "ranks",
        f"Mean ranks over {cases} cases, best first: {', '.join(f'{name} {x:.2f}' for name, x in mean.items())}.",
        "Rank 1 is the lowest test error of a case. Arms joined by a bar cannot be told apart over these cases "
        f"(Nemenyi, 5 %, critical difference {ranks.critical_difference:.2f}). "
        f"That all are alike, by Friedman's test: {p}. "
        "Both take cases as independent, which horizons of one data set hardly are.",
        "overview-ranks",
    )


def lifts(found: Mapping[str, Comparison]) -> Drawing:
    """Net privileged lift of the arm that validation prefers, by case."""
    # inches: labels of several lines need higher rows
    row_height = max(0.3, 0.05 + 0.17 * max(len(wrapped(label)) for label in found))
    figure = canvas(0.6 + row_height * len(found), "Net privileged lift in every case")
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
    described = "; ".join(f"{label}: {c.arm} {percent(c.relative)}{without(c)}" for label, c in found.items())
    return drawing(
        figure,
        "lifts",
        f"Net privileged lift by case, below zero beyond doubt in {lower} of {len(found)}. {described}.",
        "In each case the arm with privileged information that has the lowest validation error, against the best of "
        "its controls, of which the student alone is one; bars are 95 % intervals. Blue: distinguishably better; "
        "hollow: neither; brown: worse.",
        "overview-lifts",
    )
