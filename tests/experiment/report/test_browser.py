"""The pages in a real browser: nothing is fetched, nothing complains, every figure is drawn, nothing sticks out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import BINARY, Browser
from tests.helpers.extras import needs_statistics
from tests.helpers.results import made_up_results, made_up_study
from tskd.experiment.report import write_page

pytestmark = pytest.mark.skipif(BINARY is None, reason="no Chromium is installed")

FIGURES = """
[...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBoundingClientRect(), paths = [...svg.querySelectorAll("path, use")];
  return {
    width: box.width, height: box.height,
    drawn: paths.filter(path => { const b = path.getBoundingClientRect(); return b.width + b.height > 0; }).length,
    outside: [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()])
      .filter(([_, b]) => b.left < box.left - 1 || b.right > box.right + 1
        || b.top < box.top - 1 || b.bottom > box.bottom + 1)
      .map(([words, _]) => words),
    smallest: Math.min(...[...svg.querySelectorAll("text")]
      .map(text => parseFloat(getComputedStyle(text).fontSize) * box.width / svg.viewBox.baseVal.width)),
  };
})
"""

# whether each part of something folded is visible, and whether it is of how a case was done
FOLDED = """
[...document.querySelectorAll("details > *")].map(part => [part.checkVisibility(), part.closest(".how") !== null])
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One case with all figures and with failures; several cases."""
    folder = tmp_path_factory.mktemp("pages")
    common: dict[str, Any] = {"windows": 300, "seeds": 2}
    one = made_up_results(sizes=(1000, None), failing=("tuned",), **common)
    return {
        "one": write_page(one, folder / "one"),
        "many": write_page(made_up_study(2, **common), folder / "many"),
    }


@pytest.mark.parametrize("width", [390, 800, 1400])
@pytest.mark.parametrize(("name", "count"), [("one", 7), pytest.param("many", 12, marks=needs_statistics)])
def test_a_page_opens(browser: Browser, pages: dict[str, Path], name: str, count: int, width: int) -> None:
    browser.open(pages[name], width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    found = browser.evaluate(FIGURES)
    assert len(found) == count
    for figure in found:
        assert 300 < figure["width"] <= 560 and figure["height"] > 60
        assert figure["drawn"] > 5 and figure["outside"] == [] and figure["smallest"] > 9
    assert browser.complaints() == []
    assert browser.fetched() == [pages[name].resolve().as_uri()]


def test_a_link_to_a_case_opens_it(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["many"], 390)
    assert browser.evaluate("document.querySelectorAll('details[open]').length") == 0
    browser.evaluate("document.querySelector('tbody a').click()")
    assert browser.evaluate("document.querySelector('details.case').open")


def test_what_is_folded_is_printed_but_for_how_each_case_was_done(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    """On paper a study of two cases has at most two sheets for each, and three for what is about all."""
    browser.open(pages["many"], 1400)
    browser.ask("Emulation.setEmulatedMedia", media="print")
    seen = browser.evaluate(FOLDED)
    browser.ask("Emulation.setEmulatedMedia", media="screen")
    closed = browser.evaluate(FOLDED)
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert len(seen) > 10 and all(visible != how for visible, how in seen) and not all(visible for visible, _ in closed)
    browser.pdf(tmp_path / "page.pdf")
    written = (tmp_path / "page.pdf").read_bytes()
    assert written.startswith(b"%PDF") and max(map(int, re.findall(rb"/Count (\d+)", written))) <= 2 * 2 + 3


def test_figures_on_paper_are_half_a_sheet_wide(browser: Browser, pages: dict[str, Path]) -> None:
    """182 mm of an A4 sheet lie between its margins, at 96 pixels an inch."""
    browser.open(pages["one"], round(182 / 25.4 * 96))
    browser.ask("Emulation.setEmulatedMedia", media="print")
    found = browser.evaluate(FIGURES)
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert len(found) == 7
    for figure in found:
        assert 320 < figure["width"] < 344 and figure["outside"] == [] and figure["smallest"] > 8
