"""Calls with wrong arguments, drawn at random, end as documented: refused by name, or with a result; nothing is changed
by those that are refused, and none takes long."""

from __future__ import annotations

import pytest

from tests.bad_calls.generate import calls
from tests.bad_calls.judge import judge


def check(count: int, seed: int) -> None:
    outcomes = [judge(call) for call in calls(count, seed)]
    wrong = [str(outcome) for outcome in outcomes if not outcome.documented]
    assert not wrong, f"{len(wrong)} of {count} calls end otherwise:\n" + "\n".join(wrong)


def test_three_hundred_calls() -> None:
    check(300, seed=1)


@pytest.mark.slow
def test_two_thousand_calls() -> None:
    check(2000, seed=2)


def test_the_same_seed_gives_the_same_calls() -> None:
    one, same, other = ([str(call) for call in calls(200, seed)] for seed in (3, 3, 4))
    assert one == same != other
    assert len(set(one)) > 190
