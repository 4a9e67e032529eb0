"""Tables to be taken from a page: as CSV and as LaTeX, with every name as it is."""

from __future__ import annotations

import csv
import io
from urllib.parse import unquote

import pytest

from tests.helpers.page import Text
from tests.helpers.results import made_up_results
from tskd.experiment.report import page
from tskd.experiment.report.exports import csv_text, escaped, exports, latex_text
from tskd.experiment.results.arm_table import lines

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


def test_a_link_holds_its_file() -> None:
    table, latex = exports("errors", HEADER, ROWS)
    assert (table.name, latex.name) == ("errors.csv", "errors.tex")
    assert unquote(table.address.partition(",")[2]) == csv_text(HEADER, ROWS)
    assert unquote(latex.address.partition(",")[2]) == latex_text(HEADER, ROWS)
    assert not set('"<> \n').intersection(table.address + latex.address)


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
