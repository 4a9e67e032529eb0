"""The benchmark of closed forms: what is kept, what holds, and that all worlds are in it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.parametrize("script", ["closed_form"], indirect=True)


def test_cells_are_many_of_all_worlds_and_each_has_a_name_of_its_own(script: ModuleType) -> None:
    cells = list(script.cells())
    assert len(cells) >= 60 and len({(cell.generator, cell.name) for cell in cells}) == len(cells)
    assert {cell.generator.rstrip(" 123456789") for cell in cells} == {
        "AR(1) chain",
        "archive",
        "few labels",
        "labels alone",
        "noisy labels",
        "noisy proxy",
        "one input",
        "oracle teacher",
        "several inputs",
        "several teachers",
        "target seen",
        "violated assumption",
        "way point",
    }


def test_the_package_is_numpy(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "NUMPY", 4)
    monkeypatch.setattr(script, "PACKAGE", 2)
    kinds = {cell.generator: cell for cell in script.cells()}
    for kind in ("archive", "violated assumption", "AR(1) chain"):
        assert script.measured(kinds[kind])["difference"] < script.SAME, kind


def test_identities_can_be_broken(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "IDENTICAL", 1)
    assert script.differs(script.IDENTITIES["x a linear function of z"])["difference"] < script.SAME
    assert script.differs(lambda rng: (np.zeros(1), rng.normal(size=1)))["difference"] > script.SAME


def test_a_cell_is_computed_once_for_as_many_repetitions(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def computed() -> dict[str, float]:
        calls.append(1)
        return {"numpy": 0.125}

    for _ in range(2):
        assert script.kept(tmp_path, "cell", computed) == {"numpy": 0.125}
    assert len(calls) == 1 and not list(tmp_path.glob("*.tmp"))
    monkeypatch.setattr(script, "PACKAGE", script.PACKAGE + 1)
    script.kept(tmp_path, "cell", computed)
    assert len(calls) == 2


def test_no_formula_is_kept_with_what_was_measured(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "NUMPY", 3)
    monkeypatch.setattr(script, "PACKAGE", 1)
    cell = next(script.cells())
    assert script.head(cell)["formula"] == cell.formula
    assert "formula" not in script.measured(cell)


def test_what_holds(script: ModuleType) -> None:
    """Within 5 % of an exact form, 10 % of another, or three standard errors."""
    rows = [(True, 1.04, 0.0), (True, 1.06, 0.0), (True, 1.06, 0.021), (False, 0.91, 0.0), (False, 0.89, 0.03)]
    table = pd.DataFrame(rows, columns=["exact", "numpy", "numpy se"]).assign(formula=1.0)
    assert script.holds(table, "numpy").tolist() == [True, False, True, True, False]


def test_the_section_counts_what_holds_everywhere(script: ModuleType) -> None:
    table = pd.DataFrame([script.head(cell) for cell in islice(script.cells(), 3)])
    table = table.assign(numpy=table.formula, package=table.formula, difference=0.0)
    table[["numpy se", "package se"]] = 0.0
    section = script.section(table, {"nesting": 2e-9})
    assert "3 of 3 hold" in section and "nesting 2e-09" in section
    table = table.assign(package=table.formula * [2, 1, 1], difference=[0, 1e-3, 0])
    assert "1 of 3 hold" in script.section(table, {"nesting": 2e-9})
