"""The share of the teachers over the epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tskd.balance import AutoBalance, FixedBalance, ScheduledBalance
from tskd.testing import BalanceConformance

TestFixedBalance = BalanceConformance.of(lambda: FixedBalance(0.3))
TestFixedBalanceOfTeachersAlone = BalanceConformance.of(lambda: FixedBalance(1))
TestScheduledBalance = BalanceConformance.of(ScheduledBalance)
TestScheduledBalanceThatFalls = BalanceConformance.of(
    lambda: ScheduledBalance(1, warm_up=3, hold=2, decay=4, final=0.2)
)
TestAutoBalance = BalanceConformance.of(lambda: AutoBalance(folds=3, bold=True))


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (FixedBalance(0.3), [0.3] * 4),
        (ScheduledBalance(0.8), [0.8] * 4),
        (ScheduledBalance(0.8, warm_up=4), [0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
        (ScheduledBalance(0.8, warm_up=1), [0, 0.8, 0.8]),
        (ScheduledBalance(0.8, hold=2, final=0.1), [0.8, 0.8, 0.1, 0.1]),
        (ScheduledBalance(0.6, warm_up=2, hold=1, final=0.6), [0, 0.3, 0.6, 0.6, 0.6]),
    ],
    ids=str,
)
def test_balance_by_hand(balance: Any, expected: list[float]) -> None:
    assert [balance.alpha(epoch) for epoch in range(len(expected))] == pytest.approx(expected)


@pytest.mark.parametrize("hold", [1, 2, 3])
@pytest.mark.parametrize("decay", [0, 1, 2, 4])
def test_the_height_is_held_for_as_many_epochs_as_given_then_falls_evenly(hold: int, decay: int) -> None:
    balance = ScheduledBalance(0.8, warm_up=2, hold=hold, decay=decay, final=0.0)
    alphas = [balance.alpha(epoch) for epoch in range(2 + hold + decay + 3)]
    assert sum(alpha == pytest.approx(0.8) for alpha in alphas) == hold
    fall = np.diff(alphas[1 + hold :])
    falling = fall[fall < -1e-12]
    assert falling.sum() == pytest.approx(-0.8)
    assert np.ptp(falling) < 1e-12
    assert alphas[2 + hold + decay :] == pytest.approx([0.0] * 3)


def test_whether_it_ever_teaches_is_known_of_so_many_epochs() -> None:
    late = ScheduledBalance(0.8, warm_up=1)
    assert [late.ever_teaches(epochs) for epochs in (0, 1, 2)] == [False, False, True]
    assert late.ever_teaches(None) and late.ever_teaches(-1)
    assert not FixedBalance(0).ever_teaches(5) and not FixedBalance(0.5).ever_teaches(0)
    assert FixedBalance(0.5).ever_teaches(1)
