"""The conformance tests of balances: each fault fails the test made for it."""

from __future__ import annotations

import math

import pytest

from tests.helpers.batteries import failures
from tskd.balance import Balance, FixedBalance
from tskd.testing import BalanceConformance


class Halving(Balance):
    """Honest: half of it in each epoch."""

    def __init__(self, first: float = 1.0, every: int = 1) -> None:
        self.first, self.every = first, every

    def alpha(self, epoch: int) -> float:
        return self.first * 0.5 ** (epoch // self.every)


class Rising(Halving):
    def alpha(self, epoch: int) -> float:
        return epoch / 10


class Unknown(Halving):
    def alpha(self, epoch: int) -> float:
        return math.nan


class Counts(Halving):
    """Falls with every question."""

    asked = 0

    def alpha(self, epoch: int) -> float:
        self.asked += 1
        return self.first / self.asked


class CountsSomewhere(Halving):
    """Asked twice it says the same, in whatever order; but it is of an object that has begun before it."""

    made = 0

    def __init__(self, first: float = 1.0, every: int = 1) -> None:
        super().__init__(first, every)
        type(self).made += 1
        self.number = self.made

    def alpha(self, epoch: int) -> float:
        return self.first / (1 + self.number)


class DeniesTeaching(Halving):
    def ever_teaches(self, epochs: int | None) -> bool:
        return False


class KnowsTooMuch(Halving):
    def ever_teaches(self, epochs: int | None) -> bool:
        return epochs is not None and super().ever_teaches(epochs)


class DeniesPureDistillation(Halving):
    def ever_excludes_labels(self, epochs: int) -> bool:
        return False


class ForgetsAnArgument(Halving):
    def __init__(self, first: float = 1.0, every: int = 1, *, floor: float = 0.1) -> None:
        super().__init__(first, every)


class ChangesAnArgument(Halving):
    def __init__(self, first: float = 1.0, every: int = 3) -> None:
        super().__init__(first, every + 1)


class HoldsAnObject(Halving):
    def __init__(self, first: float = 1.0, every: int = 1, like: object = FixedBalance) -> None:
        super().__init__(first, every)
        self.like = object() if like is FixedBalance else like


FAULTS = [
    (Rising, "test_alpha_is_a_share", "alpha\\(11\\) is 1.1: return a number from 0"),
    (Unknown, "test_alpha_is_a_share", "nan"),
    (Counts, "test_alpha_depends_on_the_epoch_alone", "asked again, in another order"),
    (CountsSomewhere, "test_alpha_depends_on_the_epoch_alone", "of a fresh balance"),
    (DeniesTeaching, "test_it_says_whether_it_ever_teaches", "leave it to `Balance`"),
    (KnowsTooMuch, "test_it_says_whether_it_ever_teaches", "their number is not known"),
    (DeniesPureDistillation, "test_it_says_whether_labels_ever_have_no_share", "ever_excludes_labels\\(1\\) is False"),
    (ForgetsAnArgument, "test_settings_and_repr_recreate_it", "floor.*keep every argument"),
    (ChangesAnArgument, "test_settings_and_repr_recreate_it", "made again is"),
    (HoldsAnObject, "test_settings_and_repr_recreate_it", "invalid syntax|is not what makes it"),
]


def test_an_honest_balance_passes() -> None:
    assert failures(BalanceConformance.of(lambda: Halving(0.8, 3))) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_balance_is_found_out(faulty: type[Balance], test: str, message: str) -> None:
    with pytest.raises((AssertionError, SyntaxError), match=message):
        getattr(BalanceConformance.of(faulty)(), test)()
