"""The page and the table of several cases."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.extras import needs_statistics
from tests.helpers.page import Text, breaches
from tests.helpers.results import made_up_results, study_info
from tskd.experiment.config.grid import axis_names
from tskd.experiment.report import page, write_page
from tskd.experiment.report.page import slugs
from tskd.experiment.results.overview import overview
from tskd.experiment.results.study_results import StudyResults


@pytest.fixture(scope="module")
def study() -> StudyResults:
    """Three cases: one as it should be, one where a control does as well, one without gain and an arm that failed."""
    common: dict[str, Any] = {"windows": 360, "seeds": 2, "horizon": 96, "lookback": 24}
    effects = {"alone": 1.0, "future": 0.8, "both": 0.85, "self-distilled": 0.97, "placebo": 0.98}
    found = {
        "ETTh1 · 96": made_up_results(effects=effects, random=1, windows=600, seeds=2, horizon=96, lookback=24),
        "ETTh1 / 96": made_up_results(effects={**effects, "placebo": 0.7}, random=2, **(common | {"windows": 600})),
        "ETTm1": made_up_results(effects=dict.fromkeys(effects, 1.0), random=3, **(common | {"windows": 600})),
    }
    last = found["ETTm1"]
    lost = {name: getattr(last, name) for name in ("rows", "windows", "steps")}
    found["ETTm1"] = replace(last, **{name: table[table.name != "both"] for name, table in lost.items()})
    info = study_info(
        command="tskd run all.yaml",
        config="name: all\n",
        left_out={"Exchange": "the student alone is not finished."},
    )
    return StudyResults("all", found, info)


@pytest.fixture(scope="module")
def folder(study: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(study, tmp_path_factory.mktemp("report")).parent


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_it_holds_nothing_that_its_policy_forbids(folder: Path) -> None:
    assert breaches(_html(folder)) == []


def test_what_the_cases_found_is_counted(study: StudyResults) -> None:
    found = overview(study.cases, study.left_out)
    assert [row.outcome for row in found.rows] == ["privilege", "gain", "none"]
    assert found.outcome == "privilege" and found.headline == "Privileged information helped in 1 of 3 cases."
    assert "In 1 of 3, there was no gain." in found.sentences
    assert "‘Exchange’ has no results: the student alone is not finished." in found.sentences
    assert [lift.arm for lift in found.lifts.values()] == ["future", "future", "future"]
    assert found.lifts["ETTh1 / 96"].baseline == "placebo" and found.lifts["ETTh1 / 96"].higher


def test_cases_by_arms_with_the_best_one_marked(study: StudyResults) -> None:
    found = overview(study.cases, study.left_out, {"ETTh1 · 96": ["future"]})
    assert found.arms == ("alone", "future", "both", "self-distilled", "placebo")
    best = [[arm for arm, entry in zip(found.arms, row.entries, strict=True) if entry.best] for row in found.rows]
    assert best[:2] == [["future"], ["placebo"]]
    assert [entry.kept for entry in found.rows[0].entries] == [False, True, False, False, False]
    assert found.rows[2].entries[2].mse == ""
    rows = study.cases["ETTh1 · 96"].rows
    mean = rows[(rows.kind == "student") & (rows.name == "future")].mse.mean()
    assert float(found.rows[0].entries[1].mse) == pytest.approx(mean, abs=0.0005)


@needs_statistics
def test_ranks_are_of_the_cases_where_every_arm_has_a_result(study: StudyResults, folder: Path) -> None:
    found = overview(study.cases, study.left_out)
    assert found.complete == ("ETTh1 · 96", "ETTh1 / 96")
    assert any(sentence.startswith("Ranks leave out 1 case,") for sentence in found.sentences)
    errors = pd.DataFrame(
        {
            case: results.rows[results.rows.kind == "student"].groupby("name").mse.mean()
            for case, results in study.cases.items()
        }
    ).T.loc[list(found.complete)]
    assert found.ranks is not None
    ranks = errors.rank(axis=1).mean()
    assert found.ranks.mean.to_dict() == ranks.to_dict()
    assert [text for text, _ in Text(_html(folder)).row("Mean rank")][2:] == [f"{ranks[arm]:.2f}" for arm in found.arms]


@needs_statistics
def test_an_arm_that_failed_in_a_hard_fold_is_neither_best_nor_ranked() -> None:
    effects = {"alone": 1.0, "future": 0.8, "self-distilled": 0.97, "placebo": 0.98}
    cases = {str(i): made_up_results(effects=effects, folds=2, seeds=2, windows=300, random=i) for i in range(3)}
    assert [row.entries[1].best for row in overview(cases, []).rows] == [True] * 3
    hard, lost = cases["0"], {}
    for name in ("rows", "windows", "steps"):
        table = getattr(hard, name)
        table = table.assign(mse=table.mse * (1 + 4 * (table.fold == 2)))
        lost[name] = table[~((table.name == "placebo") & (table.fold == 2))]
    found = overview(cases | {"0": replace(hard, **lost)}, [])
    assert [entry.best for entry in found.rows[0].entries] == [False, True, False, False]
    assert found.rows[0].entries[3].mse == "" and found.complete == ("1", "2")
    assert "Ranks leave out 1 case, in which an arm lacks results." in found.sentences
    assert found.rows[0].arm == "future against self-distilled (without placebo)"


def test_labels_that_differ_have_anchors_that_differ(folder: Path) -> None:
    assert slugs(["ETTh1 · 96", "ETTh1 / 96", "etth1 96", "Ä", "·"]) == {
        "ETTh1 · 96": "etth1-96",
        "ETTh1 / 96": "etth1-96-2",
        "etth1 96": "etth1-96-3",
        "Ä": "a",
        "·": "case",
    }
    html = _html(folder)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) > 50 and len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"|url\((#[^)]+)\)', html) for link in link if link} <= set(
        ids
    )
    assert {"etth1-96", "etth1-96-2", "ettm1"} <= set(ids)


@needs_statistics
def test_the_page_has_all_cases_one_below_the_other(folder: Path, study: StudyResults) -> None:
    html = _html(folder)
    seen = Text(html)
    assert html.count('<details class="case">') == 3
    assert all(results.verdict.headline in seen.text for results in study.cases.values())
    assert [text for text, _ in seen.row("Mean rank")][2:] == ["4.50", "1.50", "2.50", "4.00", "2.50"] or seen.row(
        "Mean"
    )
    assert {path.name for path in (folder / "figures").iterdir()} == {
        *(f"{name}.{kind}" for name in ("ranks", "lifts") for kind in ("svg", "png")),
        "etth1-96",
        "etth1-96-2",
        "ettm1",
    }
    assert (folder / "figures" / "ettm1" / "arms.png").stat().st_size > 10_000


def test_sixty_cases_make_a_page_of_three_megabytes(folder: Path) -> None:
    shared, *cases = _html(folder).split('<details class="case">')
    assert len(cases) == 3
    assert len(shared.encode()) + 60 * sum(len(case.encode()) for case in cases) / 3 < 3e6


def test_a_study_of_one_case_is_the_page_of_that_case(study: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    one = dict([*study.cases.items()][:1])
    html = page.render(StudyResults("one", one, study.info)).html
    assert "All cases" not in html and next(iter(one.values())).verdict.headline.replace("'", "&#39;") in html


def test_the_terminal_shows_a_line_a_case(study: StudyResults) -> None:
    text = str(study)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert re.search(r"^ETTh1 / 96 +placebo +0\.\d+ +\+1\d\.\d %? .*gain$", text.replace("\u00a0", " "), re.M)
    assert re.search(r"^ETTm1 .* no gain$", text, re.M) and "3 cases" in text
    assert str(study) == text


# ---- without any privilege -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> StudyResults:
    """Three cases of plain arms: the second is best in two of them, the third in one."""
    found = {
        label: made_up_results(effects={"alone": 1.0, "self-distilled": one, "placebo": other}, random=number, **SMALL)
        for number, (label, one, other) in enumerate(
            [("a · 24", 0.8, 0.9), ("b · 24", 0.7, 1.0), ("b · 96", 0.99, 0.6)]
        )
    }
    config = "name: plain\ngrid:\n  data set: {a: {}, b: {}}\n  horizon: {'24': {}, '96': {}}\n"
    return StudyResults("plain", found, study_info(config=config))


SMALL: dict[str, Any] = {"windows": 600, "seeds": 3}
EFFECTS = [("a · 24", 0.8, 0.9), ("b · 24", 0.7, 1.0), ("b · 96", 0.99, 0.6)]


@needs_statistics
def test_plain_arms_are_told_in_their_own_terms(plain: StudyResults) -> None:
    found = overview(plain.cases, [])
    assert {row.outcome for row in found.rows} == {"plain"} and found.outcome == "plain"
    assert found.headline == "Lowest test error, of 3 cases: 'self-distilled' in 2, 'placebo' in 1."
    assert not [sentence for sentence in found.sentences if "concluded" in sentence or "lie wholly" in sentence]
    assert found.ranks is not None and found.ranks.mean["self-distilled"] == pytest.approx(4 / 3)
    errors = [one.rows[(one.rows.kind == "student") & (one.rows.name == "placebo")] for one in plain.cases.values()]
    assert float(found.means["placebo"]) == pytest.approx(sum(rows.mse.mean() for rows in errors) / 3, abs=0.0005)
    assert float(found.rows[1].entries[2].mae) == pytest.approx(errors[1].mae.mean(), abs=0.0005)
    headline = plain.cases["b · 96"].verdict.headline
    assert headline.startswith("Lowest test error: 'placebo'; ") and "significantly worse" in headline
    assert "concluded" not in str(plain) and "unknown" not in str(plain)


@needs_statistics
def test_the_page_of_plain_arms(plain: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    shown = page.render(plain).html
    assert "<small>data set · horizon</small>" in shown and "Net privileged lift</th>" not in shown
    assert "Mean MSE</th>" in shown and "Mean rank</th>" in shown and "nothing can be concluded" not in shown
    assert re.search(r'<time datetime="(\d{4}-\d\d-\d\d)">\1</time>', shown)
    assert 'download="cases.csv"' in shown and 'download="cases.tex"' in shown


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("grid: {data: {a: {}}, model: {x: {}, y: {}}}", "data · model"),
        ("labels: [all, {share: 0.5}]", "labels"),
        ("grid: {data: {a: {}}}\nlabels: [all, {share: 0.5}]", "data · labels"),
        ("name: one", ""),
        ("", ""),
    ],
)
def test_axes_are_named_as_labels_are_joined(config: str, names: str) -> None:
    assert axis_names(config) == names
