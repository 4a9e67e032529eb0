"""What every balance promises, as tests that a new one inherits."""

from __future__ import annotations

import tskd.balance
from tskd.balance import AutoBalance, Balance
from tskd.testing._battery import Battery, check_recreated, require

EPOCHS = 40
LATE = 10**6


class BalanceConformance(Battery[Balance]):
    """The tests of a balance: `TestMine = BalanceConformance.of(Mine)`.

    Tests of α do not apply to an `AutoBalance`, whose α a fit chooses.

    Attributes:
        saved: its settings can be written as JSON; else a model that has it cannot be saved.
    """

    saved = True

    def test_alpha_is_a_share(self) -> None:
        balance = self.make()
        for epoch in () if isinstance(balance, AutoBalance) else (*range(EPOCHS), LATE):
            alpha = balance.alpha(epoch)
            require(
                isinstance(alpha, float | int) and 0 <= alpha <= 1,
                f"alpha({epoch}) is {alpha!r}: return a number from 0 (labels only) to 1 (teachers only)",
            )

    def test_alpha_depends_on_the_epoch_alone(self) -> None:
        """A fit that resumes from a checkpoint asks a fresh balance, starting at a later epoch."""
        balance = self.make()
        if isinstance(balance, AutoBalance):
            return
        asked = [balance.alpha(epoch) for epoch in range(EPOCHS)]
        again = [balance.alpha(epoch) for epoch in reversed(range(EPOCHS))][::-1]
        fresh = [self.make().alpha(epoch) for epoch in range(EPOCHS)]
        for what, found in (("asked again, in another order", again), ("of a fresh balance", fresh)):
            wrong = [epoch for epoch in range(EPOCHS) if found[epoch] != asked[epoch]]
            require(not wrong, f"alpha {what} differs in the epochs {wrong}: compute it from the epoch, keep no count")

    def test_it_says_whether_it_ever_teaches(self) -> None:
        """A balance that says it never does is trained as darts does, without teachers."""
        balance = self.make()
        if isinstance(balance, AutoBalance):
            return
        alphas = [balance.alpha(epoch) for epoch in range(EPOCHS)]
        for epochs in range(EPOCHS):
            expected = any(alpha > 0 for alpha in alphas[:epochs])
            require(
                balance.ever_teaches(epochs) == expected,
                f"ever_teaches({epochs}) is {not expected}, and alpha is {alphas[:epochs]}: leave it to `Balance`",
            )
        if any(alphas):
            for unknown in (None, -1):
                require(balance.ever_teaches(unknown), f"ever_teaches({unknown}) is false: their number is not known")

    def test_it_says_whether_labels_ever_have_no_share(self) -> None:
        """Where they have none, every output of the student needs a distillation loss."""
        balance = self.make()
        if isinstance(balance, AutoBalance):
            return
        alphas = [balance.alpha(epoch) for epoch in range(EPOCHS)]
        for epochs in range(EPOCHS):
            expected = 1 in alphas[:epochs]
            require(
                balance.ever_excludes_labels(epochs) == expected,
                f"ever_excludes_labels({epochs}) is {not expected}, and alpha is {alphas[:epochs]}: leave it to "
                "`Balance`",
            )

    def test_settings_and_repr_recreate_it(self) -> None:
        check_recreated(self.make(), tskd.balance, self.saved)
