"""What the page says of one experiment, that it needs nothing but itself, and the table of the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.experiments import HORIZON, LOOKBACK, toy_config, toy_data
from tests.helpers.extras import needs_statistics
from tests.helpers.page import Text, plain
from tests.helpers.results import made_up_results, with_info
from tskd.experiment import Experiment, Results
from tskd.experiment.report import page, write_page
from tskd.experiment.report.page import render
from tskd.experiment.report.significance import confidence, p_values
from tskd.experiment.results.arm_table import by_size, lines
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tables import table

Undrawn = Callable[[Results | StudyResults], str]


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up_results(windows=360, seeds=2)


@pytest.fixture(scope="module")
def shown(results: Results) -> str:
    return render(with_info(results, warnings=["a teacher sulked"])).html


@pytest.fixture(scope="module")
def broken() -> Results:
    """Arm 'tuned' and teacher 'weekly' lack a seed, arm 'both' has none; two folds, three sizes."""
    found = made_up_results(sizes=(500, 1000, None), folds=2, seeds=2, windows=200, failing=("tuned", "weekly"))
    lost = {name: getattr(found, name) for name in ("rows", "windows", "steps")}
    return replace(found, **{name: table[table.name != "both"] for name, table in lost.items()})


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Undrawn:
    """Renders without figures, which take the time."""
    monkeypatch.setattr(page, "figures", lambda *_: [])
    monkeypatch.setattr(page, "overview_figures", lambda *_: [])
    return lambda found: render(found).html


def test_the_table_holds_the_means_over_seeds(results: Results) -> None:
    by_name = {(line.kind, line.name): line for line in lines(results)}
    for (kind, name), rows in results.rows.groupby(["kind", "name"]):
        assert float(by_name[str(kind), str(name)].mse) == pytest.approx(rows.mse.mean(), abs=0.0005)
        assert float(by_name[str(kind), str(name)].mae) == pytest.approx(rows.mae.mean(), abs=0.0005)
    assert by_name["student", "alone"].relative == "" and by_name["student", "both"].balance == "0.5"
    assert by_name["teacher", "weekly"].balance == ""
    difference = float(by_name["student", "both"].relative.removesuffix("\u00a0%").replace("−", "-"))
    means = results.rows[results.rows.kind == "student"].groupby("name").mse.mean()
    assert difference == pytest.approx(100 * (means["both"] / means["alone"] - 1), abs=0.05)
    low, high = re.findall(r"[−+\d.]+", by_name["student", "both"].interval)
    assert float(low.replace("−", "-")) < difference < float(high.replace("−", "-"))


@needs_statistics
def test_the_best_arm_and_those_not_significantly_worse_are_marked(undrawn: Undrawn) -> None:
    effects = {"alone": 1.0, "future": 0.8, "both": 0.8, "placebo": 0.97}
    found = made_up_results(effects=effects, windows=360, seeds=2)
    windows = found.windows.copy()
    both, future = (windows[windows.name == name].index for name in ("both", "future"))
    noise = 1 + 0.05 * np.random.default_rng(0).normal(size=len(both))
    windows.loc[both, "mse"] = noise * windows.mse[future].to_numpy()
    found = replace(found, windows=windows)
    kept, reason = confidence(found)
    assert reason == "" and set(kept) == {"future", "both"}
    marked = {line.name: line for line in lines(found, kept)}
    assert [name for name, line in marked.items() if line.kept] == ["future", "both"]
    best = found.rows[found.rows.kind == "student"].groupby("name").mse.mean().idxmin()
    assert [name for name, line in marked.items() if line.best] == [best]
    seen = Text(undrawn(found))
    for name, line in marked.items():
        if line.kind == "student":
            classes = seen.row(name)[1][1].split()
            assert ("kept" in classes, "best" in classes) == (line.kept, line.best), name
    values = p_values(found)
    assert values["future"] == "<\u20090.001" and "alone" not in values


def test_the_page_marks_what_the_table_says(shown: str, results: Results) -> None:
    kept, _ = confidence(results)
    seen = Text(shown)
    for arm in ("alone", "future", "both", "tuned", "self-distilled", "placebo"):
        text, classes = seen.row(arm)[1]
        assert ("kept" in classes) == (arm in kept) and ("best" in classes) == (arm == "both")
        assert ("in the confidence set" in text) == (arm in kept)


def test_the_page_says_what_was_found_and_how(shown: str, results: Results) -> None:
    text = Text(shown).text
    for expected in (
        results.verdict.headline,
        *results.verdict.sentences,
        "tskd run toy.yaml",
        "Toy series",
        "public domain",
        "made up",
        "darts 0.48.0",
        "0a1b2c3+ (with changes that are not committed)",
        results.facts["fingerprint"],
        "a teacher sulked",
        "4000, 700 and 360 windows of 48 + 24 steps",
        "No steps of the test part are missing or rest on filled values",
        "sees FutureHorizon('season')",
        "blocks of 72 test windows",
        "Control ‘multi-horizon’ does not apply: the student learns every scored step already.",
        "placebo: the same teachers",
        "class: DLinearModel",
    ):
        assert plain(expected) in text, expected
    used = [plain(data) for tag, data in _with_class(shown, "candidate used")]
    assert len(used) == 4 and all(data.startswith("0.5: ") for data in used)


def _with_class(html: str, name: str) -> list[tuple[str, str]]:
    return re.findall(rf'<(\w+) class="{name}">([^<]*)', html)


def test_the_page_needs_nothing_but_itself(shown: str) -> None:
    tags = Text(shown).tags
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "object", "embed", "img")]
    for tag, attrs in tags:
        for name in ("src", "href", "xlink:href"):
            held = tag == "a" and "download" in attrs and str(attrs.get(name)).startswith("data:text/")
            assert held or (attrs.get(name) or "#").startswith("#") or (tag, attrs.get(name)) == ("link", "data:,")
    assert "@import" not in shown and not re.search(r"url\((?!#)", shown)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags
    assert "@media print" in shown and "prefers-color-scheme: dark" in shown


def test_every_figure_says_in_words_what_it_shows(shown: str) -> None:
    labels = [str(attrs["aria-label"]) for _, attrs in Text(shown).tags if attrs.get("role") == "img"]
    assert len(labels) == shown.count("<figure>") == 6
    assert all(len(label) > 40 and "nan" not in label for label in labels)


def test_failures_are_shown_and_never_filled_in(broken: Results, undrawn: Undrawn) -> None:
    html = undrawn(broken)
    seen = Text(html)
    assert [text for text, _ in seen.row("both")][1:] == ["failed", "–", "–", "–", "–"]
    assert seen.row("tuned")[0][0] == "tuned labels only; 2 of 4 fits"
    assert "tuned, seed 1, fold 2, 500 windows, candidate 0: RunError: loss is not finite at epoch 3" in seen.text
    assert "Teacher weekly, seed 1, fold 1, all windows: RunError" in seen.text
    assert html.count("Traceback (most recent call last):") == len(broken.failures) == 12
    assert not re.search(r"\bnan\b|<NA>", seen.text)
    assert "12 fits failed" in seen.text


def test_an_arm_that_shares_no_seed_with_the_student_alone_is_not_compared(results: Results, undrawn: Undrawn) -> None:
    def left(table: pd.DataFrame) -> pd.DataFrame:
        return table[~((table.name == "alone") & (table.seed == 1)) & ~((table.name == "future") & (table.seed == 0))]

    tables: dict[str, Any] = {name: left(getattr(results, name)) for name in ("rows", "windows", "steps")}
    apart = replace(results, **tables)
    line = next(line for line in lines(apart) if line.name == "future")
    assert line.mse and line.relative == line.interval == "" and "1 of 2 fits" in line.note
    text = Text(undrawn(apart)).text
    assert not re.search(r"\bnan\b", text)
    assert "Neither is said of alone, future: other arms have results of more seeds or folds." in text
    assert confidence(apart)[0] and not {"alone", "future"} & {*confidence(apart)[0]}


def without(results: Results, *lost: tuple[str, int | None, int | None]) -> Results:
    """The results without those of arms (or teachers) in a fold and with a seed, None for all."""
    tables = {}
    for name in ("rows", "windows", "steps"):
        table = getattr(results, name)
        gone = pd.Series(False, index=table.index)
        for arm, fold, seed in lost:
            here = (
                (table.name == arm) & ((table.fold == fold) | (fold is None)) & ((table.seed == seed) | (seed is None))
            )
            gone |= here
        tables[name] = table[~gone]
    return replace(results, **tables)


@pytest.fixture(scope="module")
def hard() -> Results:
    """Two folds, of which the second is five times as hard."""
    found = made_up_results(folds=2, seeds=2, windows=300)
    scaled: dict[str, Any] = {
        name: table.assign(mse=table.mse * np.where(table.fold == 2, 5, 1))
        for name, table in (("rows", found.rows), ("windows", found.windows), ("steps", found.steps))
    }
    return replace(found, **scaled)


def test_an_arm_that_failed_in_a_hard_fold_is_not_the_best(hard: Results, undrawn: Undrawn) -> None:
    lost = without(hard, ("tuned", 2, None), ("future", 2, 1))
    marked = {line.name: line for line in lines(lost) if line.kind == "student"}
    assert [name for name, line in marked.items() if line.best] == ["both"]
    assert marked["tuned"].mse == "" and "2 of 4 fits" in marked["tuned"].note
    rows = lost.rows[(lost.rows.name == "future") & (lost.rows.seed == 0)]
    assert len(rows) == 2 and float(marked["future"].mse) == pytest.approx(rows.mse.mean(), abs=0.005)
    # of the others nothing is lost
    assert {n: x.mse for n, x in marked.items() if n not in ("tuned", "future")} == {
        x.name: x.mse for x in lines(hard) if x.kind == "student" and x.name not in ("tuned", "future")
    }
    assert set(confidence(lost)[0]) == set(confidence(hard)[0]) - {"tuned", "future"}
    seen = Text(undrawn(lost))
    assert [text for text, _ in seen.row("tuned")][1:] == ["–", "–", "–", "–", "–"]
    assert "best" not in seen.row("tuned")[1][1] and "Neither is said of future, tuned: " in seen.text


def test_while_a_run_is_at_work_arms_are_compared_on_the_seeds_in_common(hard: Results, undrawn: Undrawn) -> None:
    names = [arm["name"] for arm in hard.facts["arms"]]
    early = without(hard, *((name, 2, 1) for name in names))
    marked = {line.name: line for line in lines(early) if line.kind == "student"}
    first = early.rows[(early.rows.kind == "student") & (early.rows.seed == 0)].groupby("name").mse.mean()
    assert {name: float(line.mse) for name, line in marked.items()} == pytest.approx(first.to_dict(), abs=0.005)
    assert [name for name, line in marked.items() if line.best] == [first.idxmin()]
    assert "on the seed 0, which they have in common" in Text(undrawn(early)).text


def test_what_is_not_computed_yet_has_not_failed(results: Results, undrawn: Undrawn) -> None:
    early = without(results, ("both", None, None), ("tuned", None, None), ("weekly", None, None))
    waiting = [
        {"kind": kind, "name": name, "fold": 1, "size": None, "seed": seed}
        for kind, name in (("student", "both"), ("teacher", "weekly"))
        for seed in (0, 1)
    ]
    early = with_info(early, pending=waiting)
    states = {line.name: line.state for line in lines(early)}
    assert states["both"] == states["weekly"] == "pending" and states["tuned"] == "failed"
    seen = Text(undrawn(early))
    assert seen.row("both")[1][0] == "not yet" and seen.row("tuned")[1][0] == "failed"
    assert re.search(r"^both +not yet$", str(early), re.M)


def test_training_sizes_that_are_not_computed_yet_have_not_failed() -> None:
    found = made_up_results(sizes=(500, None), seeds=2, windows=300)
    early = {name: getattr(found, name) for name in ("rows", "windows", "steps")}
    early = {name: table[table["size"].notna()] for name, table in early.items()}
    named = [("student", arm["name"]) for arm in found.facts["arms"]]
    named += [("teacher", teacher["name"]) for teacher in found.facts["teachers"]]
    waiting = [{"kind": k, "name": n, "fold": 1, "size": None, "seed": s} for k, n in named for s in (0, 1)]
    found = with_info(replace(found, **early), pending=waiting)
    cells = dict(by_size(found)[1])
    assert cells["both"][1] == "not yet" and cells["both"][0].startswith("−")
    seen = Text(render(found).html)
    texts = {text for row in seen.rows for text, _ in row}
    assert "not yet" in texts and "failed" not in texts
    assert not re.search(r"\bnan\b", seen.text) and found.verdict.headline in seen.text
    assert re.search(r"^alone +not yet$", str(found), re.M)


def test_the_page_names_what_the_fits_were_made_with(results: Results, undrawn: Undrawn) -> None:
    """Not what lays out the page, nor the first of them."""
    text = Text(undrawn(results)).text
    assert "darts 0.48.0" in text and "9.9.9" not in text and "9e9e9e9" not in text
    assert "not all made with the same" not in text
    later = results.rows.seed == 1
    mixed = results.rows.assign(
        torch=np.where(later, "2.10.0", "2.9.0"), commit=np.where(later, "5f5f5f5", results.rows.commit)
    )
    text = Text(undrawn(replace(results, rows=mixed))).text
    assert "torch 2.10.0 and 2.9.0" in text and "0a1b2c3+ (with changes" in text and "commit 5f5f5f5" in text
    assert "The fits were not all made with the same" in text


@pytest.mark.parametrize("column", ["commit", "torch", "pandas"])
def test_one_thing_that_differs_between_fits_is_enough_to_say_so(
    results: Results, undrawn: Undrawn, column: str
) -> None:
    rows = results.rows.assign(**{column: np.where(results.rows.seed == 1, "0b0b0b0", results.rows[column])})
    text = Text(undrawn(replace(results, rows=rows))).text
    assert "The fits were not all made with the same" in text and "0b0b0b0" in text


def test_a_run_that_only_its_program_can_reproduce_says_so(results: Results, undrawn: Undrawn) -> None:
    python = with_info(results, command=None)
    assert "the configuration at the end reproduces it" in Text(undrawn(python)).text
    text = Text(undrawn(with_info(python, reproducible=False))).text
    assert "reproduces it with" not in text and "only the program that ran it can reproduce it" in text


def test_a_lift_names_the_controls_that_it_lacks(results: Results) -> None:
    lost = without(results, ("placebo", None, None))
    assert lost.verdict.outcome == "gain"
    drawn = {drawing.name: drawing for drawing in render(lost).drawings.values()}
    assert "both −7" in drawn["lift"].alt and "against self-distilled (without placebo)" in drawn["lift"].alt


def test_training_sizes_have_a_table(broken: Results) -> None:
    head, cells = by_size(broken)
    assert head == ["500", "1\u2009000", "all"]
    found = dict(cells)
    assert found["both"] == ["failed"] * 3
    comparison = broken.compare("future", size=500)
    assert float(found["future"][0].rstrip("*\u00a0%").replace("−", "-")) == pytest.approx(
        100 * comparison.relative, abs=0.05
    )
    assert found["future"][0].endswith("*") == comparison.lower
    # twice the data, less of an effect
    gains = [float(cell.rstrip("*\u00a0%").replace("−", "-")) for cell in found["future"]]
    assert gains == sorted(gains)


def test_a_page_without_intervals_can_be_written(results: Results, undrawn: Undrawn) -> None:
    short = replace(results, windows=results.windows.groupby(["kind", "name", "seed"]).head(100))
    text = Text(undrawn(short)).text
    assert "too few windows" in text and not re.search(r"\bnan\b", text)


def test_without_the_extra_the_page_says_what_is_missing(
    results: Results, undrawn: Undrawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "arch.bootstrap", None)
    text = Text(undrawn(results)).text
    assert "pip install 'tskd[statistics]'" in text and "Marked •" not in text


def test_names_are_text_not_markup(results: Results, undrawn: Undrawn) -> None:
    evil = "<script>alert(1)</script>"
    failures = pd.DataFrame(
        [{"kind": "student", "name": "both", "fold": 1, "size": None, "seed": 0, "candidate": 0}]
    ).assign(error=evil, traceback=evil)
    html = undrawn(with_info(replace(results, failures=failures), name=evil))
    assert "<script" not in html and html.count("&lt;script&gt;") >= 4


def test_a_run_that_is_not_finished_says_so(results: Results, undrawn: Undrawn) -> None:
    early = with_info(results, cells={"planned": 20, "finished": 7, "failed": 2})
    assert "Not finished: 7 of 20 fits." in Text(undrawn(early)).text
    assert "Not finished" not in undrawn(results)


def test_the_terminal_table_is_aligned_and_fits(broken: Results) -> None:
    text = str(broken)
    assert all(len(line) <= 100 for line in text.splitlines())
    head = next(line for line in text.splitlines() if "95 % interval" in line)
    end = head.index("MSE") + 3
    for name in ("alone", "tuned", "teacher weekly"):
        row = next(line for line in text.splitlines() if re.match(rf"{name} +0\.\d", line))
        assert row[end - 1].isdigit() and row[end : end + 1] == " "
    assert re.search(r"^both +failed$", text, re.M) and re.search(r"^both +failed +failed +failed$", text, re.M)
    assert broken.verdict.headline in plain(text) and "2 folds" in text
    assert str(broken) == text


def test_the_terminal_table_fits_long_names_and_many_sizes() -> None:
    effects = {"alone": 1.0, "future": 0.9, "a control whose name is longer than any name should be": 1.0}
    sizes = (100, 200, 400, 800, 1600, 3200, None)
    text = str(made_up_results(effects=effects, sizes=sizes, seeds=1, windows=300))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert text.count("MSE against alone at") == 2


def test_a_real_run_is_reported(tmp_path: Path) -> None:
    """From training to page: the tables that a run makes are those that the report reads."""
    found = Experiment(**toy_config()).run(progress=False)
    found.save(tmp_path)
    read = Results.load(tmp_path)
    path = write_page(read, tmp_path)
    names = sorted(file.name for file in (tmp_path / "figures").iterdir())
    # weights that never change have no figure
    expected = ["arms", "forecasts", "lift", "steps"]
    assert names == sorted(f"{name}.{kind}" for name in expected for kind in ("png", "svg"))
    text = Text(path.read_text(encoding="utf-8")).text
    assert "229, 77 and 77 windows of 8 + 4 steps" in text and "Toy series" in text
    assert "2 steps of the test part are missing or rest on filled values and are not scored" in text
    assert render(found).html == render(read).html and str(read) == str(found)

    truth = found.forecasts[found.forecasts.line == "truth"]
    series = toy_data().series.to_series()
    np.testing.assert_allclose(truth.value, series[pd.DatetimeIndex(truth.time)], rtol=1e-5)
    assert len(truth) == 3 * (LOOKBACK + HORIZON) and list(truth.window.unique()) == [0, 1, 2]
    window = found.forecasts[(found.forecasts.window == 1) & (found.forecasts.line == "both")]
    # 77 windows: the middle one is number 38, and its first target 38 steps after the start of the test part
    assert list(window.time) == list(toy_data().series.time_index[320 + 38 : 320 + 38 + HORIZON])
    scale = series.iloc[:240].std(ddof=0)
    steps = np.abs(window.value.to_numpy() - series[pd.DatetimeIndex(window.time)].to_numpy())
    own = found.windows[(found.windows.name == "both") & (found.windows.seed == 3)]
    assert (steps / scale).mean() == pytest.approx(own.mae.iloc[38], rel=1e-4)


def test_what_an_automatic_balance_expected_stands_beside_what_came(results: Results, undrawn: Undrawn) -> None:
    assert "automatic balance expected" not in undrawn(results)
    own = results.rows[results.rows.name == "both"]
    told = table("expected", own.assign(change=-0.031, low=-0.08, high=0.0125))
    # an arm may have the name of a teacher
    named = {name: getattr(results, name) for name in ("rows", "windows", "steps")}
    named = {name: one.assign(name=one.name.replace({"weekly": "both"})) for name, one in named.items()}
    teachers = [one | {"name": one["name"].replace("weekly", "both")} for one in results.facts["teachers"]]
    shown = Text(undrawn(with_info(replace(results, expected=told, **named), teachers=teachers))).rows
    (line,) = (one for one in lines(results) if one.name == "both")
    came = f"{plain(line.relative)} {plain(line.interval)}"
    assert [("both", ""), ("−3.1 % [−8.0 %, +1.2 %]", ""), (came, "")] in shown
