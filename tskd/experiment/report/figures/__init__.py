"""Figures of an experiment; each is drawn only where it has something to say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import matplotlib

from tskd.experiment.report.figures import cases, forecasts, intervals, sizes, steps, weights
from tskd.experiment.report.figures.style import STYLE, Drawing

if TYPE_CHECKING:
    from tskd.experiment.results.measurements import Measurements
    from tskd.experiment.results.overview import Overview

__all__ = ["Drawing", "figures", "overview_figures"]

Draw = Callable[["Measurements", str], Drawing | None]


def figures(results: Measurements, label: str = "", brief: bool = False) -> list[Drawing]:
    """The figures of one case. `label` keeps their ids apart from other cases'; `brief`: as one of many."""
    draw: list[Draw] = [intervals.arms, intervals.lift, sizes.sizes, steps.steps]
    draw += [partial(forecasts.forecasts, most=1 if brief else 3), partial(weights.weights, most=1 if brief else 4)]
    draw += [] if brief else [weights.profiles]
    # rc_context restores the user's own settings
    with matplotlib.rc_context(STYLE):
        drawn = [one(results, f"{label}-{number}") for number, one in enumerate(draw)]
    return [drawing for drawing in drawn if drawing is not None]


def overview_figures(overview: Overview) -> list[Drawing]:
    """The figures over all cases."""
    with matplotlib.rc_context(STYLE):
        ranked = overview.ranks and [cases.critical_difference(overview.ranks, len(overview.complete))]
        return [*(ranked or []), *([cases.lifts(overview.lifts)] if overview.lifts else [])]
