"""The table of what broke the package names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_test_that_the_table_names_is_there() -> None:
    text = (HERE / "what_broke_it.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    missing = [
        (file, test)
        for file, test in named
        if not (HERE / file).is_file() or (test and f"\ndef {test}(" not in (HERE / file).read_text(encoding="utf-8"))
    ]
    assert not missing
    # every case, and two other instances of each
    assert len(named) > 3 * 11
