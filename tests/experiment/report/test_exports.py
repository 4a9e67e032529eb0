"""Tables to be taken from a page: as CSV and as LaTeX, with every name as it is."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers.page import Text
from tests.helpers.results import made_up_results, study_info
from tskd.experiment.report import page
from tskd.experiment.report.exports import csv_text, escaped, exports, latex_text
from tskd.experiment.results.arm_table import lines
from tskd.experiment.results.study_results import StudyResults

HEADER, ROWS = ["Arm", "MSE", "95 %"], [["a, b", "0.5", "[−1, +2]"], ['_x & "y"', "–", ""]]


def test_a_table_as_csv() -> None:
    text = csv_text(HEADER, ROWS)
    assert text == 'Arm,MSE,95 %\n"a, b",0.5,"[−1, +2]"\n"_x & ""y""",–,\n'


def test_a_table_as_latex() -> None:
    assert latex_text(HEADER, ROWS).splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"Arm & MSE & 95 \% \\",
        r"\midrule",
        r"a, b & 0.5 & [$-$1, +2] \\",
        r"\_x \& " + '"y" & -- &  ' + r"\\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (r"\alpha", r"\textbackslash{}alpha"),
        ("a_{b}^2 $x$", r"a\_\{b\}\textasciicircum{}2 \$x\$"),
        ("100 #1~", r"100 \#1\textasciitilde{}"),
        ("−3.1\u00a0%", r"$-$3.1~\%"),
        ("two\nlines", "two lines"),
    ],
)
def test_what_latex_would_read_as_a_command_is_escaped(name: str, written: str) -> None:
    assert escaped(name) == written


@pytest.mark.parametrize("name", ["_x", "arm #2", "50%25", "a&b", "[a]", "{a}|b", "ä\n"])
def test_a_link_holds_its_file(name: str) -> None:
    """A browser reads an address up to a sign of number, and what follows a sign of percent as a code."""
    rows = [*ROWS, [name, "0.4", ""]]
    table, latex = exports("errors", HEADER, rows)
    assert (table.name, latex.name) == ("errors.csv", "errors.tex")
    for link, text in ((table, csv_text(HEADER, rows)), (latex, latex_text(HEADER, rows))):
        assert not urlsplit(link.address).fragment
        assert unquote(link.address.partition(",")[2]) == text
        assert not set('"<> \n#[]{}|').intersection(link.address)


def test_the_page_has_every_table_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    results = made_up_results(windows=300, seeds=2, sizes=(500, None))
    links = [attrs for tag, attrs in Text(page.render(results).html).tags if tag == "a" and "download" in attrs]
    assert [link["download"] for link in links] == [
        f"{table}-case.{kind}" for table in ("errors", "sizes") for kind in ("csv", "tex")
    ]
    rows = list(csv.DictReader(io.StringIO(unquote(str(links[0]["href"]).partition(",")[2]))))
    shown = lines(results)
    assert [row["MSE"] for row in rows] == [line.mse for line in shown]
    assert [row["Arm"] for row in rows][-3:] == ["teacher season", "teacher weekly", "teacher self"]


def test_what_failed_is_told_in_the_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two folds one is not there: an arm that failed in it has no mean."""
    monkeypatch.setattr(page, "figures", lambda *_: [])
    found = made_up_results(windows=300, seeds=2, folds=2, failing=("tuned",))
    lost: dict[str, Any] = {
        name: table[(table.name != "both") & ((table.name != "weekly") | (table.fold == 1))]
        for name, table in ((name, getattr(found, name)) for name in ("rows", "windows", "steps"))
    }
    found = replace(found, **lost)
    (errors, *_) = page.PageCase("", "case", found, brief=False).taken
    rows = {row["Arm"]: row for row in csv.DictReader(io.StringIO(unquote(errors.address.partition(",")[2])))}
    shown = {("teacher " if line.kind == "teacher" else "") + line.name: line for line in lines(found)}
    assert list(rows) == list(shown)
    assert (rows["both"]["MSE"], rows["both"]["MAE"]) == ("failed", "")
    assert rows["teacher weekly"]["MSE"] == "–" and rows["tuned"]["MSE"] == shown["tuned"].mse != ""
    for name in ("future", "tuned"):
        line = shown[name]
        assert list(rows[name].values())[1:5] == [line.mse, line.mae, line.relative, line.interval]


@pytest.mark.parametrize("privileged", [True, False])
def test_the_table_of_all_cases_as_a_file(privileged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of each arm beside each other, and the lift where there is one."""
    for name in ("figures", "overview_figures"):
        monkeypatch.setattr(page, name, lambda *_: [])
    arms = ("alone", "future", "self-distilled", "placebo") if privileged else ("alone", "self-distilled", "tuned")
    small: dict[str, Any] = {"windows": 300, "seeds": 2}
    cases = {
        label: made_up_results(effects=dict.fromkeys(arms, 1.0) | {arms[1]: effect}, random=number, **small)
        for number, (label, effect) in enumerate((("a, 24", 0.8), ("b", 0.9)))
    }
    study = StudyResults("all", cases, study_info(config="grid: {data set: {a: {}, b: {}}}"))
    links = [attrs for tag, attrs in Text(page.render(study).html).tags if tag == "a" and "download" in attrs]
    (link,) = (one for one in links if one["download"] == "cases.csv")
    header, *rows = csv.reader(io.StringIO(unquote(str(link["href"]).partition(",")[2])))
    own = ["data set", *(f"{arm} {measure}" for arm in arms for measure in ("MSE", "MAE"))]
    assert header == [*own, *(["Net privileged lift of", "lift", "95 % interval"] if privileged else [])]
    for row, (label, results) in zip(rows, cases.items(), strict=True):
        assert len(row) == len(header) and row[0] == label
        of_arms = results.rows[results.rows.kind == "student"].groupby("name")[["mse", "mae"]].mean()
        for at, arm in enumerate(arms):
            assert float(row[1 + 2 * at]) == pytest.approx(of_arms.mse[arm], abs=0.0005)
            assert float(row[2 + 2 * at]) == pytest.approx(of_arms.mae[arm], abs=0.0005)
