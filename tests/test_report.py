"""The table and the page: what they say, that the page needs nothing but itself, and that results survive on disk."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest

from tests.toy import toy_config
from tskd.experiment import Experiment, Results
from tskd.report import terminal_table, write_page
from tskd.report.figures import figures, shown_arm, shown_teacher
from tskd.report.page import render
from tskd.report.table import lines

NO_FIGURES = dict.fromkeys(("arms", "steps", "forecasts"), "")


@pytest.fixture(scope="module")
def results() -> Results:
    found = Experiment(**toy_config()).run(progress=False)
    return replace(found, facts={**found.facts, "command": "tskd run toy.yaml", "warnings": ["a teacher sulked"]})


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return render(results, figures(results))


def with_error(results: Results, arm: str, factor: float) -> Results:
    """The same results, the arm's test errors `factor` times those of the student alone."""
    rows, windows = results.rows.copy(), results.windows.copy()
    for table in (rows, windows):
        own, alone = (
            (table.kind == "student") & (table.name == arm),
            (table.kind == "student") & (table.name == "alone"),
        )
        table.loc[own, "mse"] = factor * table.loc[alone, "mse"].to_numpy()
    return replace(results, rows=rows, windows=windows)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " "))


class Text(HTMLParser):
    """What a reader sees of a page, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    @property
    def text(self) -> str:
        return plain(" ".join(self.seen))


def test_the_table_holds_the_means_over_seeds(results: Results) -> None:
    known = with_error(results, "both", 0.9)
    by_name = {(line.kind, line.name): line for line in lines(known)}
    alone = results.rows[results.rows.name == "alone"].mse.mean()
    assert float(by_name["student", "alone"].mse) == pytest.approx(alone, rel=0.005)
    assert float(by_name["student", "both"].mse) == pytest.approx(0.9 * alone, rel=0.005)
    assert plain(by_name["student", "both"].relative) == "−10.0 %"
    assert plain(by_name["student", "both"].interval) == "[−10.0, −10.0]"
    assert by_name["student", "alone"].relative == "" and by_name["student", "self"].balance == "0.5"
    assert by_name["teacher", "fine"].balance == ""


def test_the_terminal_table_is_aligned_and_fits(results: Results) -> None:
    text = terminal_table(results)
    assert all(len(line) <= 100 for line in text.splitlines())
    head = next(line for line in text.splitlines() if "MSE against alone" in line)
    for name in ("alone", "both", "teacher fine"):
        row = next(line for line in text.splitlines() if re.match(rf"{name} +0\.\d", line))
        assert re.search(r"\d", row[head.index("MSE") :]) and row[head.index("MSE") + 3] == " "
    assert results.verdict.headline in plain(text) and "a teacher sulked" in text
    assert str(results) == text


def test_the_verdict_follows_the_errors(results: Results) -> None:
    worse = with_error(with_error(with_error(results, "both", 1.2), "self", 1.0), "placebo", 1.0)
    assert worse.verdict.outcome == "none" and "higher test error" in worse.verdict.sentences[0]
    better = with_error(with_error(with_error(results, "both", 0.8), "self", 1.0), "placebo", 0.9)
    assert better.verdict.outcome == "privilege"
    control = with_error(better, "placebo", 0.8)
    assert control.verdict.outcome == "gain" and "'placebo'" in control.verdict.sentences[0]


def test_results_survive_on_disk(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path)
    read = Results.load(tmp_path)
    assert read.facts == results.facts
    for table in ("rows", "candidates", "windows", "steps", "forecasts"):
        pd.testing.assert_frame_equal(
            getattr(read, table), getattr(results, table), check_exact=True, check_dtype=False
        )
    assert str(read) == str(results)
    assert render(read, {}.fromkeys(("arms", "steps", "forecasts"), "")) == render(
        results, {}.fromkeys(("arms", "steps", "forecasts"), "")
    )
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".csv", ".json")]


def test_the_page_says_what_was_found_and_how(page: str, results: Results) -> None:
    text = Text(page).text
    for expected in (
        results.verdict.headline,
        *results.verdict.sentences,
        "tskd run toy.yaml",
        "Toy series",
        "public domain",
        "made up",
        f"darts {results.facts['versions']['darts']}",
        results.facts["fingerprint"],
        "a teacher sulked",
        "229, 77 and 77 windows of 8 + 4 steps",
        "2 steps of the test part rest on filled values and are not scored",
        "sees FutureHorizon(end=2)",
        "blocks of 12",
    ):
        assert plain(expected) in text
    used = [attrs for tag, attrs in Text(page).tags if attrs.get("class") == "candidate used"]
    assert len(used) == 3


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    tags = Text(page).tags
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object", "embed")]
    for _, attrs in tags:
        for name in ("src", "href", "xlink:href"):
            assert (attrs.get(name) or "#").startswith("#")
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags
    assert "@media print" in page


def test_figures_are_drawings_with_text_and_ids_of_their_own(results: Results, page: str) -> None:
    drawn = figures(results)
    assert list(drawn) == ["arms", "steps", "forecasts"] and drawn == figures(results)
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert any(element.tag.endswith("text") for element in root.iter())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) > 10 and len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"', page)} <= set(ids)


def test_figures_show_every_arm_and_teacher(results: Results) -> None:
    drawn = figures(results)
    for arm in ("both", "self", "placebo"):
        assert f">{arm}<" in drawn["arms"] and f">{arm}<" in drawn["steps"]
    for teacher in ("future", "fine", "equal"):
        assert f">{teacher}<" in drawn["arms"] and f">teacher {teacher}<" in drawn["steps"]
    assert shown_arm(results) == "both" and shown_teacher(results) == "future"
    assert all(f">{line}<" in drawn["forecasts"] for line in ("truth", "alone", "both", "teacher future", "K"))


def test_example_forecasts_are_in_the_units_of_the_data(results: Results) -> None:
    from tests.toy import HORIZON, LOOKBACK, toy_data

    truth = results.forecasts[results.forecasts.line == "truth"]
    series = toy_data().series.to_series()
    np.testing.assert_allclose(truth.value, series[pd.DatetimeIndex(truth.time)], rtol=1e-5)
    assert len(truth) == 3 * (LOOKBACK + HORIZON) and list(truth.window.unique()) == [0, 1, 2]
    window = results.forecasts[(results.forecasts.window == 1) & (results.forecasts.line == "both")]
    # 77 windows: the middle one is number 38, and its first target 38 steps after the start of the test part
    assert list(window.time) == list(toy_data().series.time_index[320 + 38 : 320 + 38 + HORIZON])
    scale = series.iloc[:240].std(ddof=0)
    steps = np.abs(window.value.to_numpy() - series[pd.DatetimeIndex(window.time)].to_numpy())
    alone = results.windows[(results.windows.name == "both") & (results.windows.seed == 3)]
    assert (steps / scale).mean() == pytest.approx(alone.mae.iloc[38], rel=1e-4)


def test_names_are_text_not_markup(results: Results) -> None:
    facts = {**results.facts, "name": "<script>alert(1)</script>"}
    page = render(replace(results, facts=facts), NO_FIGURES)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_page_without_intervals_can_be_written(results: Results, tmp_path: Path) -> None:
    short = replace(results, windows=results.windows.groupby(["kind", "name", "seed"]).head(40))
    path = write_page(short, tmp_path)
    assert "too few windows" in path.read_text(encoding="utf-8")
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == ["arms.svg", "forecasts.svg", "steps.svg"]


def test_drawing_leaves_matplotlib_as_it_was(results: Results) -> None:
    before = dict(matplotlib.rcParams)
    figures(results)
    assert dict(matplotlib.rcParams) == before
    code = "import sys, tskd.report.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
