"""Every name that a configuration may give is drawn as it is."""

from __future__ import annotations

import html

import matplotlib
import pytest

from tskd.experiment.report.figures.style import STYLE, canvas, drawing, legend, named, names_of_rows

ODD = ["_base", r"$\frac$", "__", "a_{b}^2 $x$", "=", "<b>&", r"\alpha"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    with matplotlib.rc_context(STYLE):
        figure = canvas(2, f"of {name}")
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], label=named(name))
        axis.set_xlabel(f"by {name}")
        legend(axis)
        names_of_rows(axis, [f"row {name}"])
        drawn = drawing(figure, "odd", "", "", "salt")
    written = html.escape(name, quote=False)
    for shown in (f">{written}<", f"of {written}<", f"by {written}<", f"row {written}<"):
        assert shown in drawn.svg, shown
