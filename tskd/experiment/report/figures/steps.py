"""Error by step of the horizon."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

from tskd.experiment.report.colours import TEACHER, colours
from tskd.experiment.report.figures.style import DASHES, INK, MARKERS, Drawing, canvas, drawing, grid, legend, named
from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.selection import compared, few, finished, largest

# markers of a line
MARKED = 8


def steps(results: Measurements, salt: str) -> Drawing | None:
    """The student alone and the teachers, and below it the arms as difference from the student alone."""
    alone, names = results.info.alone, few(results)
    # steps that are not scored have no error
    table = of_size(results.steps, largest(results)).dropna(subset="mse")
    if alone not in finished(results) or table.step.nunique() < 2:
        return None
    means = table.groupby(["kind", "name", "step"]).mse.mean()
    base = means["student", alone]
    teachers = finished(results, "teacher")
    figure = canvas(4.6 if names else 2.6, "Test error by step of the horizon")
    axes = figure.subplots(2, 1, sharex=True) if names else [figure.subplots()]
    axes[0].plot(base.index, base, color=INK, linewidth=1.8, label=named(alone))
    for i, teacher in enumerate(teachers):
        own = means["teacher", teacher]
        axes[0].plot(
            own.index,
            own,
            color=TEACHER,
            linestyle=DASHES[i % len(DASHES)],
            linewidth=1.3,
            label=named(f"teacher {teacher}"),
        )
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("MSE")
    if names:
        axes[1].axhline(0, color=INK, linewidth=1)
        axes[1].set_ylabel(f"MSE against {alone}, %")
    palette, cool = colours(results), results.info.privileged
    for i, name in enumerate(names):
        own = 100 * (means["student", name] / base - 1)
        style, every = DASHES[0 if name in cool else 1], max(1, len(own) // MARKED)
        axes[1].plot(
            own.index,
            own,
            color=palette[name],
            linestyle=style,
            linewidth=1.6,
            # so that lines are told apart without their colours
            marker=MARKERS[i % len(MARKERS)],
            markevery=(i * every // len(names), every),
            markersize=4.5,
            label=named(name),
        )
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        grid(axis, "y")
        legend(axis)
    axes[-1].tick_params(axis="x", bottom=True)
    axes[-1].set_xlabel(f"step of the horizon ({results.info.data.step})")
    return drawing(
        figure,
        "steps",
        f"Test error by step of the horizon: the student alone from {base.iloc[0]:.3g} at step {base.index[0]} to "
        f"{base.iloc[-1]:.3g} at step {base.index[-1]}; below, the other students against it.",
        "Mean over seeds and windows. Above: the student alone and the teachers."
        + (" Below: the other students against the student alone; controls are dashed." if names else "")
        + (f" {len(names)} of {len(compared(results))} are drawn." if len(names) < len(compared(results)) else ""),
        salt,
    )
