"""The page lets a browser run nothing and fetch nothing: its policy, and that it holds nothing that this forbids."""

from __future__ import annotations

import pytest

from tests.helpers.page import breaches
from tests.helpers.results import made_up_results
from tskd.experiment.report.figures.style import _attributes
from tskd.experiment.report.page import render


@pytest.fixture(scope="module")
def html() -> str:
    return render(made_up_results(windows=120, seeds=2)).html


def test_a_page_holds_nothing_that_its_policy_forbids(html: str) -> None:
    assert breaches(html) == []
    assert "<svg" in html


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<main>", "<main onclick='x()'>", "<main onclick>"),
        ("<main>", "<main><script>x()</script>", "<script>"),
        ("<main>", "<main style='color: red'>", "<main style>"),
        ("<main>", "<main><img src='//elsewhere/x.png'>", "<img src=//elsewhere/x.png>"),
        ("<main>", "<main><style>p {}</style>", "a style that does not match its hash"),
        ("<style>", "<style> ", "a style that does not match its hash"),
        ("img-src data:", "img-src *", "the rules"),
        ("default-src &#39;none&#39;; ", "", "the rules"),
    ],
)
def test_what_is_forbidden_would_be_found(html: str, old: str, new: str, expected: str) -> None:
    assert old in html
    assert any(found.startswith(expected) for found in breaches(html.replace(old, new, 1)))


def test_styles_of_a_drawing_become_attributes() -> None:
    assert _attributes("fill: none; stroke: #8d949e; stroke-width: 0.6") == (
        ' fill="none" stroke="#8d949e" stroke-width="0.6"'
    )
    assert _attributes("") == ""
