"""Figures of an experiment, as SVG whose text stays text."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from tskd.experiment.results import Results

INK, QUIET, TEACHER = "#2b2f36", "#9aa0a8", "#c4512d"
PRIVILEGED = ("#1b6ca8", "#1f9482", "#7a4fa3", "#0f4c75")
CONTROL = ("#b98524", "#8a6d52", "#c9a227")
WIDTH = 5.0
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
}


def figures(results: Results) -> dict[str, str]:
    """All figures of an experiment as SVG, by name."""
    drawn = {"arms": _arms, "steps": _steps, "forecasts": _forecasts}
    # rc_context restores the user's own settings
    with matplotlib.rc_context(STYLE):
        return {name: _svg(draw(results), f"{results.facts['name']}-{name}") for name, draw in drawn.items()}


def shown_arm(results: Results) -> str | None:
    """The arm whose forecasts are drawn: of those with privileged teachers the one with the lowest validation error."""
    arms = [arm["name"] for arm in results.facts["arms"] if arm["teachers"]]
    preferred = [arm["name"] for arm in results.facts["arms"] if arm["privileged"]] or arms
    rows = results.rows[(results.rows.kind == "student") & results.rows.name.isin(preferred)]
    return str(rows.groupby("name", sort=False).validation_mse.mean().idxmin()) if preferred else None


def shown_teacher(results: Results) -> str | None:
    """The teacher whose forecasts are drawn: the first one of the arm that is."""
    arm = shown_arm(results)
    return next((a["teachers"][0] for a in results.facts["arms"] if a["name"] == arm), None)


def _arms(results: Results) -> Figure:
    """Difference from the student alone: interval over windows and seeds, and a dot for each seed."""
    arms = [arm["name"] for arm in results.facts["arms"] if arm["teachers"]]
    teachers = list(results.rows.name[results.rows.kind == "teacher"].unique())
    panels = [("student", arms, "students")] * bool(arms) + [("teacher", teachers, "teachers")] * bool(teachers)
    heights = [len(names) for _, names, _ in panels] or [1]
    figure = Figure(figsize=(WIDTH, 0.9 * len(heights) + 0.3 * sum(heights)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}))
    colours = _colours(results)
    for axis, (kind, names, title) in zip(axes, panels, strict=True):
        alone = results.errors(results.facts["alone"])
        axis.axvline(0, color=INK, linewidth=1)
        for row, name in enumerate(names):
            colour = colours.get(name, INK) if kind == "student" else TEACHER
            errors, comparison = results.errors(name, kind), results.compare(name, kind=kind)
            seeds = 100 * (np.nanmean(errors, axis=1) / np.nanmean(alone, axis=1) - 1)
            spread = np.linspace(-0.3, 0.3, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            axis.plot(seeds, row + spread, "o", color=colour, alpha=0.5, markersize=3.2, markeredgewidth=0)
            axis.plot([100 * comparison.low, 100 * comparison.high], [row, row], color=colour, linewidth=2.2)
            axis.plot(100 * comparison.relative, row, "o", color=colour, markersize=6, markeredgecolor="white")
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.45, -0.55)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
        axis.set_title(title)
    axes[-1].set_xlabel("MSE against the student alone, %")
    return figure


def _steps(results: Results) -> Figure:
    """Error by step of the horizon: the student alone and the teachers, and the arms as difference from the former."""
    means = results.steps.groupby(["kind", "name", "step"], as_index=False, sort=False).mse.mean()
    errors = {key: own.set_index("step").mse for key, own in means.groupby(["kind", "name"])}
    alone = errors["student", results.facts["alone"]]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(alone.index, alone, color=INK, linewidth=1.8, label=results.facts["alone"])
    for teacher, line in zip(results.facts["teachers"], _dashes(len(results.facts["teachers"])), strict=True):
        own = errors["teacher", teacher["name"]]
        above.plot(own.index, own, color=TEACHER, linestyle=line, linewidth=1.2, label=f"teacher {teacher['name']}")
    above.set_ylim(bottom=0)
    above.set_ylabel("MSE")
    below.axhline(0, color=INK, linewidth=1)
    for name, colour in _colours(results).items():
        arm = next(arm for arm in results.facts["arms"] if arm["name"] == name)
        own = errors["student", name]
        style = "-" if arm["privileged"] else "--"
        below.plot(own.index, 100 * (own / alone - 1), style, color=colour, linewidth=1.4, label=name)
    below.set_ylabel("MSE against alone, %")
    below.set_xlabel("step of the horizon")
    below.xaxis.get_major_locator().set_params(integer=True)
    for axis in (above, below):
        axis.grid(axis="y", color=QUIET, alpha=0.25, linewidth=0.6)
        _legend(axis)
    return figure


def _forecasts(results: Results) -> Figure:
    """Truth, and the forecasts of teacher, distilled student and student alone, in the units of the data."""
    arm, teacher, alone = shown_arm(results), shown_teacher(results), results.facts["alone"]
    table, horizon = results.forecasts, results.facts["horizon"]
    windows = table.window.unique()
    figure = Figure(figsize=(WIDTH, 1.75 * len(windows) + 0.5), layout="constrained")
    styles = [(alone, INK, "--", 1.1)]
    if arm is not None:
        # the student alone comes last, on top: it may all but coincide with the distilled one
        styles = [(f"teacher {teacher}", TEACHER, "-", 1.2), (arm, _colours(results)[arm], "-", 1.8), *styles]
    for axis, window in zip(np.atleast_1d(figure.subplots(len(windows), 1)), windows, strict=True):
        mine = table[table.window == window]
        truth = mine[mine.line == "truth"].tail(2 * horizon)
        axis.plot(truth.time, truth.value, color=QUIET, linewidth=3.2, alpha=0.6, label="truth")
        for line, colour, style, width in styles:
            values = mine[mine.line == line]
            axis.plot(values.time, values.value, style, color=colour, linewidth=width, label=line)
        axis.axvline(truth.time.iloc[-horizon - 1], color=QUIET, linewidth=0.8, linestyle=":")
        locator = AutoDateLocator(maxticks=8)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        if window == windows[0]:
            _legend(axis)
    figure.supylabel(results.facts["data"]["unit"], fontsize=9)
    return figure


def _legend(axis: Axes) -> None:
    """A legend above the axis, in as many columns as the width of the figure holds."""
    longest = max(len(label) for label in axis.get_legend_handles_labels()[1])
    columns = max(1, int(13 * WIDTH / (longest + 5)))
    axis.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, handlelength=1.6, columnspacing=1.2, borderaxespad=0.2
    )


def _colours(results: Results) -> dict[str, str]:
    """A colour for each arm that has teachers: cool ones for privileged information, warm ones for controls."""
    arms = [arm for arm in results.facts["arms"] if arm["teachers"]]
    cool = [arm["name"] for arm in arms if arm["privileged"]]
    warm = [arm["name"] for arm in arms if not arm["privileged"]]
    pairs = [(names, palette) for names, palette in ((cool, PRIVILEGED), (warm, CONTROL))]
    found = {name: palette[i % len(palette)] for names, palette in pairs for i, name in enumerate(names)}
    return {arm["name"]: found[arm["name"]] for arm in arms}


def _dashes(count: int) -> list[str]:
    return [("-", "--", ":", "-.")[i % 4] for i in range(count)]


def _svg(figure: Figure, salt: str) -> str:
    """The `<svg>` element, the same in every run, with no id that another figure of the page has."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = stream.getvalue()
    # nothing refers to the ids of groups, which are the same in every figure
    return re.sub(r'<g id="[^"]*"', "<g", text[text.index("<svg") :])
