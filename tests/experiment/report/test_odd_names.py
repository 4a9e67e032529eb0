"""Every name that a configuration may give is drawn as it is, and costs no page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import matplotlib
import pandas as pd
import pytest

from tests.helpers.page import Text
from tests.helpers.results import made_up_results, with_info
from tskd.experiment import Results
from tskd.experiment.report.figures.style import STYLE, canvas, drawing, legend, named, names_of_rows
from tskd.experiment.report.page import render
from tskd.experiment.results.tables import TABLES

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


RENAMED = {
    "future": "_base",
    "both": r"$\frac$",
    "placebo": "a_{b}^2",
    "season": "__",
    "weekly": "x$y$",
    "alone": r"\alpha",
    "\N{DEGREE SIGN}C": "$m^3",
}


def renamed(found: Results, names: Mapping[str, str]) -> Results:
    """The same results under other names of arms, teachers and units."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: other(one) for key, one in value.items()}
        if isinstance(value, list):
            return [other(one) for one in value]
        return names.get(value, value) if isinstance(value, str) else value

    spoken = dict(names) | {f"teacher {old}": f"teacher {new}" for old, new in names.items()}
    tables: dict[str, Any] = {}
    for table in TABLES:
        one: pd.DataFrame = getattr(found, table)
        columns = [column for column in ("name", "arm", "teacher", "line") if column in one]
        tables[table] = one.assign(**{column: one[column].replace(spoken) for column in columns})
    controls = {names.get(arm, arm): kind for arm, kind in found.facts["controls"].items()}
    return with_info(replace(found, **tables), **other(found.facts) | {"controls": controls})


SHOWN = {
    "arms": ("future", "both", "placebo", "season", "weekly", "self"),
    "lift": ("future", "both"),
    "sizes": ("future", "both", "placebo"),
    "steps": ("alone", "future", "both", "placebo", "teacher season", "teacher weekly", "teacher self"),
    "forecasts": ("truth", "alone", "both", "teacher season", "\N{DEGREE SIGN}C"),
    "weights": ("season", "weekly"),
    "profiles": ("season", "weekly"),
}


def test_a_page_of_odd_names_shows_all_of_them() -> None:
    """matplotlib leaves out what begins with an underscore, and fails at TeX that it cannot read."""
    effects = {"alone": 1.0, "future": 0.93, "both": 0.9, "placebo": 0.975}
    page = render(renamed(made_up_results(effects=effects, windows=300, seeds=2, sizes=(900, None)), RENAMED))
    assert list(page.drawings) == list(SHOWN)
    for figure, names in SHOWN.items():
        for name in names:
            before, _, last = name.rpartition(" ")
            written = html.escape(f"{before} {RENAMED.get(last, last)}".strip(), quote=False)
            assert f">{written}<" in page.drawings[figure].svg, (figure, written)
    text = Text(page.html).text
    assert all(name in text for name in RENAMED.values())
