"""The style of a page: what is wide or long does not stick out, on a screen and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tskd.experiment.report as report

TEMPLATES = Path(report.__file__).parent / "templates"
SCREEN, PAPER = (TEMPLATES / "style.css").read_text(encoding="utf-8").split("@media print")


def rules(style: str, selector: str) -> dict[str, str]:
    """What a style says of a selector, the last of each property."""
    found: dict[str, str] = {}
    for text in re.findall(rf"(?<![^\s}}{{]){re.escape(selector)} {{([^}}]*)}}", style):
        found |= {name.strip(): value.strip() for name, value in re.findall(r"([\w-]+):([^;]*)", text)}
    return found


@pytest.mark.parametrize(
    ("style", "selector", "said"),
    [
        (SCREEN, ".long", {"overflow-wrap": "anywhere"}),
        (SCREEN, ".scroll", {"overflow-x": "auto", "max-width": "max-content"}),
        # on paper nothing can be scrolled: a table is shown whole
        (PAPER, ".scroll", {"overflow": "visible", "max-width": "none"}),
        # means stand below all cases, and not below those of each sheet
        (PAPER, "tfoot", {"display": "table-row-group"}),
    ],
    ids=["long", "scroll", "scroll on paper", "means on paper"],
)
def test_what_is_wide_or_long_is_broken_scrolled_or_shown_whole(
    style: str, selector: str, said: dict[str, str]
) -> None:
    assert said.items() <= rules(style, selector).items()


def test_every_table_can_be_scrolled_and_a_commit_broken() -> None:
    text = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.html.j2", "case.html.j2"))
    before = [text[: found.start()].rstrip()[-300:] for found in re.finditer("<table", text)]
    assert before and all(re.search(r'<div class="scroll"[^\n]*$', one) for one in before)
    assert '<code class="long">{{ commit }}' in text
