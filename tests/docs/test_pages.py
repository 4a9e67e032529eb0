"""Every page of the documentation does what it says: its code runs, and prints what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.run import differences, run

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
SLOW = {
    f"tutorials/{name}.md"
    for name in (
        "few_labels",
        "noisy_labels",
        "several_series",
        "distributions",
        "own_file",
        "lupi_experiment",
        "multivariate",
    )
}
"""Pages that take more than ten seconds of a processor."""


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page for page in PAGES]
)
def test_its_code_prints_what_it_shows(page: str, tmp_path: Path) -> None:
    printed = run(DOCS / page, tmp_path)
    assert not differences(DOCS / page, printed)
