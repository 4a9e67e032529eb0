"""Who chose that an arm is the student alone: validation, held-out labels of the training part, or nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.helpers.results import made_up_results
from tskd.experiment import Results
from tskd.experiment.results.what_chose import why_the_same

VALIDATION, HELD_OUT = (
    "validation chose what that is",
    "held-out labels of the training part gave its teachers no share",
)


@pytest.mark.parametrize(
    ("candidates", "used", "why"),
    [
        (["0", "0.5", "1"], {"0"}, VALIDATION),
        (["input_chunk_length=8", "input_chunk_length=4"], {"input_chunk_length=8"}, VALIDATION),
        (["AutoBalance()"], {"AutoBalance()"}, HELD_OUT),
        (["AutoBalance(bold=True)", "0.5"], {"AutoBalance(bold=True)"}, HELD_OUT),
        (["0", "AutoBalance()"], {"0", "AutoBalance()"}, f"{HELD_OUT} or {VALIDATION}"),
        # silent in every window, or with a weight of 0
        (["0.5"], {"0.5"}, "its teachers change nothing"),
    ],
)
def test_who_chose(candidates: list[str], used: set[str], why: str) -> None:
    assert why_the_same(candidates, used) == why


def test_a_verdict_says_who_chose() -> None:
    found = as_alone(made_up_results(seeds=2), future="AutoBalance()", tuned="input_chunk_length=48")
    arms = [
        arm.model_copy(update={"candidates": ("AutoBalance()",)}) if arm.name == "future" else arm
        for arm in found.info.arms
    ]
    found = replace(found, info=found.info.model_copy(update={"arms": tuple(arms)}))
    sentences = found.verdict.sentences
    assert f"'future' is the same as 'alone': {HELD_OUT}. No gain." in sentences
    assert f"Control: 'tuned' is the same as 'alone': {VALIDATION}. No gain." in sentences


def as_alone(found: Results, **balances: str) -> Results:
    """With errors of the student alone for these arms, which used these balances."""
    rows, windows = found.rows.copy(), found.windows.copy()
    alone = windows[windows.name == "alone"]
    for arm, balance in balances.items():
        own = (windows.kind == "student") & (windows.name == arm)
        windows.loc[own, ["mse", "mae"]] = alone[["mse", "mae"]].to_numpy()
        rows.loc[(rows.kind == "student") & (rows.name == arm), "balance"] = balance
    return replace(found, rows=rows, windows=windows)
