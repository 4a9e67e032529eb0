"""Forecasts of some test windows, in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from tskd.experiment.report.colours import TEACHER, colours
from tskd.experiment.report.figures.style import INK, QUIET, Drawing, canvas, drawing, legend, named, wrapped
from tskd.experiment.results.selection import shown_arm, shown_teacher

if TYPE_CHECKING:
    import pandas as pd

    from tskd.experiment.results.measurements import Measurements


def forecasts(results: Measurements, salt: str, most: int = 3) -> Drawing | None:
    """Truth, and the forecasts of teacher, distilled student and student alone, of at most `most` windows; of several
    series one of each of the first."""
    info, table, horizon = results.info, results.forecasts, results.info.horizon
    arm, teacher = str(shown_arm(results)), shown_teacher(results)
    known = set(table.line)
    series, windows = table.drop_duplicates("window").set_index("window").series, _chosen(table, most)
    # the student alone comes last, on top: it may all but coincide with the distilled one
    styles = [(f"teacher {teacher}", TEACHER, (0, (1.5, 1.2)), 1.6), (arm, colours(results).get(arm), "-", 2.0)]
    styles = [style for style in [*styles, (info.alone, INK, (0, (5, 2)), 1.2)] if style[0] in known]
    if not windows or not styles:
        return None
    unit, component = info.data.unit, info.data.components[0]
    many = len(info.data.components) > 1
    figure = canvas(
        1.6 * len(windows) + 0.6, f"Forecasts of {_windows(len(windows))}{f', {component}' if many else ''}"
    )
    for axis, window in zip(np.atleast_1d(figure.subplots(len(windows), 1)), windows, strict=True):
        mine = table[table.window == window]
        truth = mine[mine.line == "truth"].tail(2 * horizon)
        axis.plot(truth.time, truth.value, color=QUIET, linewidth=3.4, alpha=0.6, label=named("truth"))
        for line, colour, style, width in styles:
            values = mine[mine.line == line]
            axis.plot(values.time, values.value, color=colour, linestyle=style, linewidth=width, label=named(line))
        axis.axvline(truth.time.iloc[-horizon - 1], color=QUIET, linewidth=0.9, linestyle=":")
        axis.margins(x=0.01)
        beside = {"transform": axis.transAxes, "rotation": 270, "va": "center", "fontsize": 9}
        axis.text(1.01, 0.5, "\n".join(wrapped(series[window], 20)), **beside)
        axis.tick_params(axis="x", bottom=True)
        locator = AutoDateLocator(maxticks=6)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        if window == windows[0]:
            legend(axis)
    if unit:
        figure.supylabel(unit, fontsize=10)
    return drawing(
        figure,
        "forecasts",
        f"Truth and forecasts of {', '.join(style[0] for style in styles)} for {_windows(len(windows))}"
        f"{''.join(f', {series[window]}' for window in windows if series[window])}.",
        f"{'Windows' if len(windows) > 1 else 'A window'} of the test part{_which(info.data.series, len(windows))}, "
        "forecast with the first seed; the dotted line is the forecast origin."
        + (
            f" ‘{arm}’ has the lowest validation error of the arms with privileged information." if arm in known else ""
        ),
        salt,
    )


def _chosen(table: pd.DataFrame, most: int) -> list[int]:
    """Numbers of the windows: the middle one and those after it, of several series the middle one of each."""
    known = table.drop_duplicates("window")
    each = [list(own.window) for _, own in known.groupby("series", sort=False)]
    if len(each) > 1:
        return [own[len(own) // 2] for own in each][:most]
    windows = list(known.window)
    return windows if len(windows) <= most else windows[len(windows) // 2 :][:most]


def _which(series: Sequence[str], count: int) -> str:
    if series:
        return ", one of each series" if count == len(series) else f", one of each of {count} of {len(series)} series"
    return ", evenly spaced over it" if count > 1 else ""


def _windows(count: int) -> str:
    return f"{count} test windows" if count > 1 else "a test window"
