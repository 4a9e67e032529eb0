"""Confidence sets and p-values of a case: on which errors, with which blocks and horizon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.helpers.extras import needs_statistics
from tests.helpers.results import made_up_results, with_info
from tskd.experiment import Results
from tskd.experiment.report.significance import confidence, p_values
from tskd.experiment.results.arm_table import lines
from tskd.experiment.statistics import confidence_set as of_set
from tskd.experiment.statistics.diebold_mariano import diebold_mariano

# so near each other that p-values are neither 0 nor 1
EFFECTS = {"alone": 1.0, "future": 0.995, "both": 1.004, "placebo": 0.998}


@pytest.fixture(scope="module")
def results() -> Results:
    found = made_up_results(effects=EFFECTS, windows=330, folds=2, seeds=3, sizes=(900, None))
    # the arms share teachers' names, as they do where an arm is named after its only teacher
    teachers = [teacher | {"name": NAMES.get(teacher["name"], teacher["name"])} for teacher in found.facts["teachers"]]
    tables: dict[str, Any] = {
        name: table.assign(name=table.name.replace(NAMES)) for name, table in _tables(found).items()
    }
    return with_info(replace(found, **tables), teachers=teachers)


NAMES = {"season": "future", "weekly": "placebo"}


def _tables(results: Results) -> dict[str, pd.DataFrame]:
    return {name: getattr(results, name) for name in ("rows", "windows", "steps")}


def by_window(results: Results, arm: str, seeds: list[int]) -> pd.Series:
    """Errors of a student by test window, mean over some seeds."""
    table = results.windows
    own = table[table["size"].isna() & (table.kind == "student") & (table.name == arm) & table.seed.isin(seeds)]
    return own.groupby(["fold", "start"]).mse.mean()


@needs_statistics
def test_p_values_are_of_errors_over_the_seeds_in_common(results: Results) -> None:
    lost = {name: table[(table.name != "both") | (table.seed == 1)] for name, table in _tables(results).items()}
    found = p_values(replace(results, **lost))  # type: ignore[arg-type]
    assert list(found) == ["future", "both", "placebo"]
    for arm, seeds in (("future", [0, 1, 2]), ("both", [1]), ("placebo", [0, 1, 2])):
        own, alone = (by_window(results, name, seeds).to_numpy()[None] for name in (arm, "alone"))
        expected = diebold_mariano(own, alone, results.info.horizon).p_value
        assert expected > 0.001 and found[arm] == f"{expected:.3f}"


def test_a_confidence_set_is_of_all_windows_in_blocks(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[pd.DataFrame, Any]] = []

    def keep(errors: pd.DataFrame, **given: Any) -> list[str]:
        asked.append((errors, given))
        return ["both"]

    monkeypatch.setattr(of_set, "confidence_set", keep)
    assert confidence(results) == (["both"], "")
    ((errors, given),) = asked
    assert given == {"block": 72} and list(errors) == list(EFFECTS)
    for arm in EFFECTS:
        assert errors[arm].to_numpy() == pytest.approx(by_window(results, arm, [0, 1, 2]).to_numpy())


def test_a_teacher_with_an_arms_name_is_neither_tested_nor_kept(results: Results) -> None:
    found = {(line.kind, line.name): line for line in lines(results, ["future"], {"future": "0.123"})}
    student, teacher = found["student", "future"], found["teacher", "future"]
    assert (student.kept, student.p) == (True, "0.123")
    assert (teacher.kept, teacher.p, teacher.best) == (False, "", False) and teacher.mse < student.mse
