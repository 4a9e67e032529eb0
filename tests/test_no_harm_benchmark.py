"""The benchmark of harm: its cells, its closed forms, and what its tables say."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


def using(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", names, indirect=True)


def cells(ratios: list[float], **columns: object) -> pd.DataFrame:
    """Rows of as many cells as there are ratios of the prudent rule; the others are never worse."""
    rules = ("prudent", "bold", "validated", "fixed 0.25", "fixed 0.5", "fixed 1")
    rows = []
    for ratio in ratios:
        row: dict[str, object] = {"data": "shanghai", "horizon": 3, "windows": 150, "labels": "all"}
        row |= {"teacher": "archive", "useless": False, "hindsight": 0.8}
        row |= {rule: 1.0 for rule in rules} | {f"alpha, {rule}": 0.1 for rule in rules}
        row |= {f"worst series, {rule}": ratio for rule in rules}
        rows.append(row | {"prudent": ratio} | columns)
    return pd.DataFrame(rows)


@using("no_harm")
def test_cells_have_names_of_their_own(script: ModuleType) -> None:
    names = [group.key for groups in script.KINDS.values() for group in groups()]
    assert len(names) == len(set(names)) > 300


@using("no_harm")
def test_no_cell_of_development_is_added_afterwards(script: ModuleType) -> None:
    assert not {group.name for group in script.fresh_groups()} & set(script.DEVELOPMENT)


@using("no_harm_tables")
def test_an_interval_of_a_share(script: ModuleType) -> None:
    # Wilson's interval of 1 of 10, from his formula by hand
    assert script.wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    assert script.wilson(0, 20)[0] == pytest.approx(0)


@using("no_harm_tables")
def test_goals_are_met_or_missed_by_the_prudent_rule(script: ModuleType) -> None:
    found = script.verdict("some", cells([0.9] * 96 + [1.01, 1.01, 1.01, 1.2]), script.ONE_SERIES)
    assert found == (
        "- some, 100 cells: 4.0% worse by .5 % (goal 5%: met), 1.0% worse by 2 % (goal 2%: met), worst 1.200 (1.15: "
        "missed)."
    )
    # gains of .1 in 96 cells and losses of .23 together, of a possible .2 in each of 100
    assert script.kept(cells([0.9] * 96 + [1.01, 1.01, 1.01, 1.2]), "prudent") == pytest.approx((9.6 - 0.23) / 20)
    assert script.verdict("some", cells([0.9]), script.POOLED_GOALS).endswith("50% kept (70%: missed).")


@using("no_harm_linear")
def test_students_of_mixed_targets_are_the_blends_of_both(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x, y, answers = rng.normal(size=(50, 3)), rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    labels, taught = (script.solved(x, y, answers, alpha, 5.0) for alpha in (0.0, 1.0))
    assert script.solved(x, y, answers, 0.3, 5.0) == pytest.approx(labels + 0.3 * (taught - labels))
    # least squares of the labels alone where there is no penalty
    expected = np.linalg.lstsq(np.column_stack([np.ones(50), x]), y, rcond=None)[0]
    assert script.solved(x, y, answers, 0.0, 0.0) == pytest.approx(expected)


@using("no_harm")
def test_two_cells_end_in_tables_and_are_not_computed_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = sys.modules["no_harm_cells"].Group("noisy labels", 3, 60, 0)
    monkeypatch.setattr(script, "KINDS", {"linear": lambda: iter([group]), "fresh": list, "networks": list})
    monkeypatch.setattr(sys.modules["no_harm_cells"], "USELESS", ("wrong",))
    monkeypatch.setattr(sys.modules["no_harm_cells"], "GOOD", ("reconstruction",))
    (tmp_path / "README.md").write_text("# Benchmarks\n")
    places = [f"--{name}={tmp_path / where}" for name, where in (("folder", "runs"), ("readme", "README.md"))]
    monkeypatch.setattr(sys, "argv", ["no_harm.py", "linear", *places, f"--results={tmp_path}"])
    script.main()
    table = pd.read_csv(tmp_path / "no_harm.csv")
    assert table.teacher.tolist() == ["reconstruction", "wrong"]
    assert table.set_index("teacher").loc["wrong", "prudent"] == 1
    assert "labels, confirmation" not in (said := (tmp_path / "README.md").read_text()) and "development" in said
    assert (tmp_path / "no_harm.png").exists()
    monkeypatch.setattr(script, "rows_of", lambda group: pytest.fail("computed twice"))
    script.main()
