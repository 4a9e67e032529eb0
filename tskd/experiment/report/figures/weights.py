"""How an arm's teachers are weighed: over the epochs of training, by step of the horizon, by hour of the day."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tskd.experiment.report.colours import CONTROL, PRIVILEGED
from tskd.experiment.report.figures.style import DASHES, INK, MARKERS, Drawing, canvas, drawing, grid, legend, named
from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.selection import few, finished, largest

COLOURS = (PRIVILEGED[0], CONTROL[0], PRIVILEGED[1], CONTROL[3], PRIVILEGED[2], CONTROL[1])
# a difference between weights that can be seen
SEEN = 0.01
LABELS = {"step": "step of the horizon", "hour": "hour of the day"}


def weights(results: Measurements, salt: str, most: int = 4) -> Drawing | None:
    """Weights over the epochs, one panel an arm that has several teachers."""
    table = of_size(results.weights, largest(results))
    arms = [name for name in few(results) if name in _weighing(results)][:most]
    if not arms:
        return None
    figure = canvas(0.6 + 1.75 * len(arms), "Weights of the teachers over the epochs")
    axes, described = np.atleast_1d(figure.subplots(len(arms), 1, sharex=True)), []
    for axis, arm in zip(axes, arms, strict=True):
        own = table[(table.arm == arm) & (table.by == "all")]
        bands = own.groupby(["teacher", "epoch"]).weight.agg(["mean", "min", "max"])
        for i, teacher in enumerate(_teachers(results, arm)):
            band, style = bands.loc[teacher], DASHES[i % len(DASHES)]
            axis.fill_between(band.index, band["min"], band["max"], color=COLOURS[i % 6], alpha=0.18, linewidth=0)
            marker = MARKERS[i % 6] if len(band) < 2 else None
            axis.plot(
                band.index,
                band["mean"],
                marker=marker,
                color=COLOURS[i % 6],
                linestyle=style,
                linewidth=1.7,
                label=named(teacher),
            )
            described.append(f"{arm}: {teacher} from {band['mean'].iloc[0]:.2f} to {band['mean'].iloc[-1]:.2f}")
        _finish(axis, f"weight in ‘{arm}’", len(_teachers(results, arm)))
    axes[-1].set_xlabel("epoch")
    return drawing(
        figure,
        "weights",
        f"Weights of the teachers over the epochs. {'; '.join(described)}.",
        "Lines: mean over the seeds of the weight each teacher has in an epoch, at the balance used; bands: from the "
        "lowest to the highest seed. The thin line marks equal weights.",
        salt,
    )


def profiles(results: Measurements, salt: str) -> Drawing | None:
    """Weights by step of the horizon and by hour of the day at the last epoch, of one arm whose weights vary so."""
    table = of_size(results.weights, largest(results))
    arms = [name for name in few(results) if name in _weighing(results)]
    last = table[table.arm.isin(arms) & (table.epoch == table.groupby("arm").epoch.transform("max"))]
    means = last[last.by.isin(list(LABELS))].groupby(["arm", "by", "teacher", "at"]).weight.mean()
    varying = {arm: [by for by in LABELS if _varies(means, arm, by)] for arm in arms}
    arm = max(arms, key=lambda name: len(varying[name]), default=None)
    if arm is None or not varying[arm]:
        return None
    panels = varying[arm]
    figure = canvas(
        0.6 + 1.9 * len(panels), f"Weights of the teachers of ‘{arm}’ by {' and by '.join(LABELS[by] for by in panels)}"
    )
    for axis, by in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, strict=True):
        teachers = _teachers(results, arm)
        for i, teacher in enumerate(teachers):
            own = means[arm, by, teacher].sort_index()
            axis.plot(
                own.index,
                own,
                color=COLOURS[i % 6],
                linestyle=DASHES[i % len(DASHES)],
                linewidth=1.7,
                label=named(teacher),
            )
        _finish(axis, "weight", len(teachers), first=by == panels[0])
        axis.set_xlabel(LABELS[by])
    return drawing(
        figure,
        "profiles",
        f"Weights of the teachers of {arm} at the last epoch by {' and by '.join(LABELS[by] for by in panels)}.",
        "Mean over the seeds, at the last epoch and the balance used. The thin line marks equal weights.",
        salt,
    )


def _weighing(results: Measurements) -> set[str]:
    """Arms that have several teachers, whose known weights are not the same all the time."""
    table = results.weights[results.weights.by.isin(["all", *LABELS])]
    spans = table.groupby(["arm", "teacher"]).weight.agg(lambda weights: weights.max() - weights.min())
    moving = set(spans[spans > SEEN].index.get_level_values("arm"))
    several = {arm.name for arm in results.info.arms if len(arm.teachers) > 1 and arm.name in moving}
    return several & set(finished(results))


def _teachers(results: Measurements, arm: str) -> tuple[str, ...]:
    return next(a.teachers for a in results.info.arms if a.name == arm)


def _varies(means: pd.Series, arm: str, by: str) -> bool:
    own = means[means.index.isin([arm], level="arm") & means.index.isin([by], level="by")].groupby("teacher")
    return bool((own.max() - own.min()).max() > SEEN)


def _finish(axis: Axes, label: str, teachers: int, first: bool = True) -> None:
    axis.axhline(1 / teachers, color=INK, linewidth=0.6, alpha=0.6, zorder=1)
    axis.set_ylim(0, 1)
    axis.set_ylabel(label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid(axis, "y")
    if first:
        legend(axis)
