"""Figures: drawings with text and ids of their own, drawn only where they have something to say."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest

from tests.helpers.extras import needs_statistics
from tests.helpers.results import TEACHERS, made_up_results, with_info
from tskd.experiment import Results
from tskd.experiment.report.figures import Drawing, cases, figures
from tskd.experiment.report.figures.sizes import size_labels
from tskd.experiment.report.figures.style import STYLE, _short, _ungrouped, inline
from tskd.experiment.results.selection import few, shown_arm, shown_teacher
from tskd.experiment.statistics.rank_tests import RankTest


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up_results(windows=360, seeds=2, sizes=(1000, None))


@pytest.fixture(scope="module")
def drawn(results: Results) -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in figures(results)}


def names(results: Results) -> list[str]:
    return [drawing.name for drawing in figures(results)]


@needs_statistics
def test_all_that_has_something_to_say_is_drawn(drawn: dict[str, Drawing]) -> None:
    assert list(drawn) == ["arms", "lift", "sizes", "steps", "forecasts", "weights", "profiles"]
    for drawing in drawn.values():
        root = ElementTree.fromstring(drawing.svg)
        assert root.tag.endswith("svg") and drawing.png.startswith(b"\x89PNG")
        kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
        assert "text" in kinds and "path" in kinds
        # what is 10 units high is at least 9.9 pixels high where the figure is as wide as a phone leaves it
        assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", drawing.svg)) * 356 / 360 > 9.3
        assert drawing.alt and drawing.caption.endswith(".")


def test_nothing_is_drawn_that_has_nothing_to_say() -> None:
    found = made_up_results(effects={"alone": 1.0, "future": 0.9}, windows=300, seeds=1)
    # one size, one teacher, no control
    assert names(with_info(found, controls={})) == ["arms", "steps", "forecasts"]
    even = found.weights.assign(weight=1.0)
    assert "profiles" not in names(replace(found, weights=even))
    only = made_up_results(effects={"alone": 1.0}, windows=300, seeds=1)
    assert names(only) == ["arms", "steps", "forecasts"]


def test_figures_show_every_arm_and_teacher(results: Results, drawn: dict[str, Drawing]) -> None:
    for arm in ("future", "both", "tuned", "self-distilled", "placebo"):
        assert all(f">{arm}<" in drawn[name].svg for name in ("arms", "steps", "sizes"))
    for teacher in TEACHERS:
        assert f">{teacher}<" in drawn["arms"].svg and f">teacher {teacher}<" in drawn["steps"].svg
    assert shown_arm(results) == "both" and shown_teacher(results) == "season"
    assert all(f">{line}<" in drawn["forecasts"].svg for line in ("truth", "alone", "both", "teacher season", "°C"))
    best = results.lift("both").baseline
    assert f">against {best}<" in drawn["lift"].svg
    assert "from 1000 to 4000 training windows" in drawn["sizes"].alt
    assert "season from 0.5" in drawn["weights"].alt


def test_where_lines_would_be_too_many_those_with_privilege_come_first(results: Results) -> None:
    assert few(results, 3) == ["future", "both", "self-distilled"]
    assert few(results) == ["future", "both", "tuned", "self-distilled", "placebo"]


def test_an_arm_without_results_is_left_out() -> None:
    found = made_up_results(windows=300, seeds=1, failing=("both", "weekly"))
    assert shown_arm(found) == "future"
    drawn = {drawing.name: drawing.svg for drawing in figures(found)}
    assert "weights" not in drawn and not any(">both<" in svg for svg in drawn.values())


def test_paths_are_short_and_stay_where_they_are() -> None:
    assert _short("M 1.04 2 \nL 3.06 4.96 \nL 0 0 \n") == "M1 2l2.1 3-3.1-5"
    assert _short("M 0 1.58 \nC 0.42 1.5811 0.82 1 1.11 -1.118 \nz") == "M0 1.6C0.4 1.6 0.8 1 1.1 -1.1z"
    assert _short("12.345") == "12.3"
    # many small steps add up to where the line ends
    line = "M 0 0 " + " ".join(f"L {0.04 * i:.2f} {0.26 * i:.2f}" for i in range(1, 1001))
    steps = [float(number) for number in re.findall(r"-?[\d.]+", _short(line))]
    assert sum(steps[::2]) == pytest.approx(40, abs=0.05) and sum(steps[1::2]) == pytest.approx(260, abs=0.05)


def test_a_line_without_the_points_that_are_not_seen_passes_by_them() -> None:
    """Of a wave with one spike: every point is within a tenth of a point of what is drawn, which is much less."""
    x = np.arange(200.0)
    y = 20 * np.sin(x / 25)
    y[77] += 30
    path = "M " + " L ".join(f"{a:.2f} {b:.4f}" for a, b in zip(x, y, strict=True))
    drawn = np.cumsum(np.array(re.findall(r"-?[\d.]+", _short(path)), dtype=float).reshape(-1, 2), axis=0)
    assert len(drawn) < 70
    np.testing.assert_allclose(np.interp(x, drawn[:, 0], drawn[:, 1]), y, atol=0.2)
    # few points are all kept
    few = "M " + " L ".join(f"{a} {a}" for a in range(9))
    assert _short(few).count("1 1") == 8


def test_groups_that_say_nothing_are_gone() -> None:
    text = '<svg><g><g clip-path="url(#a)"><g/><path/></g></g><g><text>x</text></g></svg>'
    assert _ungrouped(text) == '<svg><g clip-path="url(#a)"><path/></g><text>x</text></svg>'


def test_on_the_page_ink_is_that_of_the_page(drawn: dict[str, Drawing]) -> None:
    for drawing in drawn.values():
        shown = inline(drawing)
        assert "#2b2f36" not in shown and "font-family" not in shown
        assert shown.startswith("<svg") and " width=" not in shown[: shown.index(">")] and "viewBox=" in shown


def test_critical_differences_are_drawn_to_scale() -> None:
    mean = pd.Series({"a": 1.0, "b": 2.0, "c": 3.5, "d": 3.5})
    ranks = RankTest(mean, 0.0004, 1.2, pd.DataFrame(), [["a", "b"], ["b"], ["c", "d"]])
    with matplotlib.rc_context(STYLE):
        svg = cases.critical_difference(ranks, 9).svg
    bars = re.findall(r'<path d="M([\d.]+) [\d.]+l([\d.]+) 0" [^>]*stroke-width: 4', svg)
    axis = re.search(r'<path d="M([\d.]+) [\d.]+l([\d.]+) 0" [^>]*stroke-width: 1.2', svg)
    assert axis is not None and len(bars) == 2
    rank = float(axis[2]) / 3
    # the bar of a and b spans one rank, that of c and d none, beside what they stick out
    assert float(bars[0][1]) - float(bars[1][1]) == pytest.approx(rank, abs=0.3)
    assert float(bars[1][0]) - float(bars[0][0]) == pytest.approx(2.5 * rank, abs=0.3)
    assert all(f">{label}<" in svg for label in ("a 1.0", "b 2.0", "c 3.5", "d 3.5", "critical difference"))


def test_drawing_again_gives_the_same_and_leaves_matplotlib_as_it_was(
    results: Results, drawn: dict[str, Drawing]
) -> None:
    before = dict(matplotlib.rcParams)
    assert [drawing.svg for drawing in figures(results)] == [drawing.svg for drawing in drawn.values()]
    assert dict(matplotlib.rcParams) == before
    code = "import sys, tskd.experiment.report.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_weights_that_never_change_are_not_drawn(results: Results) -> None:
    """Fixed weights, equal or not; one that moves is enough."""
    fixed = results.weights.copy()
    fixed["weight"] = (fixed.teacher == fixed.teacher.iloc[0]).map({True: 0.7, False: 0.3})
    assert not {"weights", "profiles"}.intersection(names(replace(results, weights=fixed)))
    last = fixed.index[(fixed.by == "all") & (fixed.arm == "both")][-1]
    fixed.loc[last, "weight"] += 0.05
    assert "weights" in names(replace(results, weights=fixed))


def test_lines_are_told_apart_without_their_colours(drawn: dict[str, Drawing]) -> None:
    """Of five arms each has a marker of its own in the figures of lines."""
    for name in ("sizes", "steps"):
        symbols = {re.sub(r'id="[^"]*"', "", path) for path in re.findall(r"<path[^>]*id=[^>]*>", drawn[name].svg)}
        assert len(symbols) >= 5, name


def test_labels_of_near_training_sizes_do_not_overlap() -> None:
    assert size_labels([500, 2000, None], [500, 2000, 4000]) == ["500", "2\u2009000", "all 4\u2009000"]
    near = size_labels([100, 3000, 3600, None], [100, 3000, 3600, 4000])
    assert near == ["100", "\n3\u2009000", "3\u2009600", "\nall 4\u2009000"]
