"""What figures draw, number by number, against the tables; unequal everywhere: two folds, three seeds, three sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib
import matplotlib.dates
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure

from tests.helpers.results import TEACHERS, made_up_results, with_info
from tskd.experiment import Results
from tskd.experiment.report import figures
from tskd.experiment.report.colours import CONTROL, PRIVILEGED, TEACHER, colours
from tskd.experiment.report.figures.style import QUIET, STYLE
from tskd.experiment.results.selection import few
from tskd.experiment.statistics.intervals import Comparison

Drawn = Callable[..., Figure]
ARMS = ("future", "both", "tuned", "self-distilled", "placebo")


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up_results(windows=300, folds=2, seeds=3, sizes=(500, 1000, None))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Calls a function of a module of figures, and gives the figure in place of the files."""

    def draw(module: str, name: str, *given: Any) -> Figure:
        place = getattr(figures, module)
        monkeypatch.setattr(place, "drawing", lambda figure, *_: figure)
        with matplotlib.rc_context(STYLE):
            figure = getattr(place, name)(*given)
        assert isinstance(figure, Figure)
        return figure

    return draw


def line(axis: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of the line of that name."""
    (found,) = (one for one in axis.lines if one.get_label() == f"={label}")
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def whole(table: pd.DataFrame, kind: str = "student") -> pd.DataFrame:
    """Of the largest training size."""
    return table[table["size"].isna() & (table.kind == kind)]


def test_each_seed_is_held_against_the_student_alone_of_the_same_seed(results: Results, drawn: Drawn) -> None:
    """Without the first fold of one seed: its mean is of the other."""
    lost = (results.rows.name == "both") & (results.rows.fold == 1) & (results.rows.seed == 2)
    students, teachers = drawn("intervals", "arms", replace(results, rows=results.rows[~lost]), "").axes
    for axis, kind, names in ((students, "student", ARMS), (teachers, "teacher", tuple(TEACHERS))):
        assert [text.get_text() for text in axis.get_yticklabels()] == list(names)
        dots = [one for one in axis.lines if one.get_markersize() == 3.2]
        for row, (name, found) in enumerate(zip(names, dots, strict=True)):
            own = whole(results.rows, kind).set_index(["name", "seed", "fold"]).mse.sort_index()
            alone = whole(results.rows).set_index(["name", "seed", "fold"]).mse.sort_index()
            expected = []
            for seed in range(3):
                folds = [2] if (name, seed) == ("both", 2) else [1, 2]
                mine, base = ([one[who, seed, fold] for fold in folds] for one, who in ((own, name), (alone, "alone")))
                expected.append(100 * (sum(mine) / sum(base) - 1))
            assert np.asarray(found.get_xdata()) == pytest.approx(expected)
            assert np.asarray(found.get_ydata()) == pytest.approx(row + np.array([-0.28, 0, 0.28]))
            assert same_color(found.get_color(), colours(results)[name] if kind == "student" else TEACHER)


def test_bars_are_the_intervals(results: Results, drawn: Drawn) -> None:
    students, _ = drawn("intervals", "arms", results, "").axes
    (against,) = drawn("intervals", "lift", results, "").axes
    for axis, names, found in (
        (students, ARMS, [results.compare(name) for name in ARMS]),
        (against, ARMS[:2], [results.lift(name) for name in ARMS[:2]]),
    ):
        bars = [one for one in axis.lines if one.get_linewidth() == 2.2]
        for row, (name, bar, comparison) in enumerate(zip(names, bars, found, strict=True)):
            assert np.asarray(bar.get_xdata()) == pytest.approx([100 * comparison.low, 100 * comparison.high])
            assert list(np.asarray(bar.get_ydata())) == [row, row]
            assert same_color(bar.get_color(), colours(results)[name])


def test_gains_and_lifts_are_of_their_training_size(results: Results, drawn: Drawn) -> None:
    gains, lifts = drawn("sizes", "sizes", results, "").axes
    for axis, compare, names in ((gains, results.compare, ARMS), (lifts, results.lift, ARMS[:2])):
        for name, bars in zip(names, axis.containers, strict=True):
            points: Any = bars[0]
            values = [100 * compare(name, size=size).relative for size in (500, 1000, None)]
            assert len(set(np.round(values, 3))) == 3
            assert points.get_ydata() == pytest.approx(values)
            # a little aside, so that no bar hides another
            assert points.get_xdata() == pytest.approx([500, 1000, 4000], rel=0.07)
            spans: Any = bars[2][0]
            for size, span in zip((500, 1000, None), spans.get_segments(), strict=True):
                found = compare(name, size=size)
                assert span[:, 1] == pytest.approx([100 * found.low, 100 * found.high])
            assert (points.get_linestyle() == "-") == (name in ARMS[:2])
    assert list(gains.get_xticks()) == [500, 1000, 4000]


def test_errors_by_step_are_of_those_that_are_scored(results: Results, drawn: Drawn) -> None:
    unscored = results.steps.step.isin([1, 2, 24])
    known = results.steps.assign(mse=results.steps.mse.mask(unscored))
    above, below = drawn("steps", "steps", replace(results, steps=known), "").axes
    means = {
        kind: whole(results.steps[~unscored], kind).groupby(["name", "step"]).mse.mean()
        for kind in ("student", "teacher")
    }
    alone = means["student"]["alone"].to_numpy()
    found = line(above, "alone")
    assert list(found[0]) == list(range(3, 24)) and found[1] == pytest.approx(alone)
    for name in TEACHERS:
        assert line(above, f"teacher {name}")[1] == pytest.approx(means["teacher"][name].to_numpy())
    for name in few(results):
        assert line(below, name)[1] == pytest.approx(100 * (means["student"][name].to_numpy() / alone - 1))
        (drawn_as,) = (one for one in below.lines if one.get_label() == f"={name}")
        # controls are dashed
        assert (drawn_as.get_linestyle() == "-") == (name in ARMS[:2])


def test_weights_over_the_epochs_with_the_lowest_and_the_highest_seed(results: Results, drawn: Drawn) -> None:
    (axis,) = drawn("weights", "weights", results, "").axes
    own = results.weights[results.weights["size"].isna() & (results.weights.arm == "both")]
    own = own[own.by == "all"]
    for band, teacher in zip(axis.collections, ("season", "weekly"), strict=True):
        of_teacher = own[own.teacher == teacher].groupby("epoch").weight
        found = line(axis, teacher)
        assert list(found[0]) == list(range(12)) and found[1] == pytest.approx(of_teacher.mean().to_numpy())
        edge = np.asarray(band.get_paths()[0].vertices)
        for epoch in range(12):
            ends = edge[np.isclose(edge[:, 0], epoch), 1]
            assert (ends.min(), ends.max()) == pytest.approx((of_teacher.min()[epoch], of_teacher.max()[epoch]))
    (equal,) = (one for one in axis.lines if one.get_linewidth() == 0.6)
    assert list(np.asarray(equal.get_ydata())) == [0.5, 0.5]


def test_profiles_are_of_the_last_epoch_of_their_arm(results: Results, drawn: Drawn) -> None:
    """An arm that stops early, beside one that does not."""
    weights = results.weights[(results.weights.arm != "both") | (results.weights.epoch < 5)]
    by_step, by_hour = drawn("weights", "profiles", replace(results, weights=weights), "").axes
    own = weights[weights["size"].isna() & (weights.arm == "both") & (weights.epoch == 4)]
    for axis, by, first, count in ((by_step, "step", 1, 24), (by_hour, "hour", 0, 24)):
        for teacher in ("season", "weekly"):
            found = line(axis, teacher)
            expected = own[(own.by == by) & (own.teacher == teacher)].groupby("at").weight.mean()
            assert list(found[0]) == list(range(first, first + count))
            assert found[1] == pytest.approx(expected.to_numpy())


@pytest.mark.parametrize(("most", "windows"), [(1, [1]), (2, [1, 2]), (3, [0, 1, 2])])
def test_forecasts_begin_behind_the_dotted_line(results: Results, drawn: Drawn, most: int, windows: list[int]) -> None:
    axes = drawn("forecasts", "forecasts", results, "", most).axes
    for axis, window in zip(axes, windows, strict=True):
        own = results.forecasts[results.forecasts.window == window]
        for name in ("truth", "alone", "both", "teacher season"):
            values = own[own.line == name]
            # of the truth as many steps before the origin as after it
            values = values.tail(48) if name == "truth" else values
            assert list(line(axis, name)[1]) == list(values.value)
        (origin,) = (one for one in axis.lines if one.get_linestyle() == ":")
        last_seen = own[own.line == "alone"].time.min() - pd.Timedelta(hours=1)
        place: Any = np.asarray(origin.get_xdata())[0]
        assert pd.Timestamp(place if not isinstance(place, float) else matplotlib.dates.num2date(place)) == last_seen


@pytest.mark.parametrize(
    ("most", "windows"),
    [(3, {1: "north", 3: "_$a$ & co", 4: "x"}), (2, {1: "north", 3: "_$a$ & co"})],
)
def test_of_several_series_a_window_of_each_is_drawn_and_named(
    results: Results, drawn: Drawn, most: int, windows: dict[int, str]
) -> None:
    """Of three windows the second, of two the second, and of one that."""
    of_series = {0: "north", 1: "north", 5: "north", 2: "_$a$ & co", 3: "_$a$ & co", 4: "x"}
    one = results.forecasts[results.forecasts.window == 0]
    parts = [one.assign(window=n, series=name, value=one.value + 100 * n) for n, name in of_series.items()]
    data = results.facts["data"] | {"series": ["north", "_$a$ & co", "x"]}
    several = with_info(replace(results, forecasts=pd.concat(parts, ignore_index=True)), data=data)
    axes = drawn("forecasts", "forecasts", several, "", most).axes
    for axis, (window, name) in zip(axes, windows.items(), strict=True):
        assert [text.get_text() for text in axis.texts] == [name]
        expected = one[one.line == "both"].value + 100 * window
        assert list(line(axis, "both")[1]) == list(expected)


@pytest.mark.parametrize("horizon", ["12", "12 · DLinear", "12 · DLinear · labels of the last 5 days"])
def test_labels_of_cases_do_not_overlap(drawn: Drawn, horizon: str) -> None:
    """Of one, two and three lines."""
    found = Comparison("taught", "alone", -0.1, -0.2, -0.05, windows=200, block=10, seeds=2)
    figure = drawn("cases", "lifts", {f"{plant} plant · {horizon}": found for plant in ("north", "east", "south")})
    figure.canvas.draw()
    (axis,) = figure.axes
    boxes = [label.get_window_extent() for label in axis.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_lifts_beyond_doubt_are_filled_and_coloured(drawn: Drawn) -> None:
    ends = {"gain": (-0.1, -0.2, -0.05), "loss": (0.04, 0.01, 0.2), "neither": (0.02, -0.1, 0.3)}
    cases = {
        name: Comparison("future", "placebo", *three, windows=300, block=72, seeds=2) for name, three in ends.items()
    }
    (axis,) = drawn("cases", "lifts", cases).axes
    dots = [one for one in axis.lines if one.get_marker() == "o"]
    bars = [one for one in axis.lines if one.get_linewidth() == 2]
    looks = {"gain": (PRIVILEGED[0], True), "loss": (CONTROL[0], True), "neither": (QUIET, False)}
    for (name, comparison), dot, bar in zip(cases.items(), dots, bars, strict=True):
        colour, filled = looks[name]
        assert to_hex(dot.get_color()) == to_hex(bar.get_color()) == to_hex(colour)
        assert same_color(dot.get_markerfacecolor(), colour if filled else "white")
        assert np.asarray(dot.get_xdata()) == pytest.approx([100 * comparison.relative])
        assert np.asarray(bar.get_xdata()) == pytest.approx([100 * comparison.low, 100 * comparison.high])
