"""The balance of teachers and labels: α in L = (1 − α)·L_labels + α·L_teachers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tskd._core.checks import check_bool, check_real, check_whole
from tskd._core.object_spec import Described

__all__ = ["AutoBalance", "Balance", "FixedBalance", "ScheduledBalance"]


class Balance(Described, ABC):
    """The share α of the teachers in the loss, 0 (plain training) to 1 (pure distillation)."""

    @abstractmethod
    def alpha(self, epoch: int) -> float:
        """α in the epoch that follows `epoch` completed ones."""

    def ever_teaches(self, epochs: int | None) -> bool:
        """Whether α is above 0 in one of the first `epochs` epochs; true if their number is not known."""
        if epochs is None or epochs < 0:
            return True
        return any(self.alpha(epoch) > 0 for epoch in range(epochs))

    def ever_excludes_labels(self, epochs: int) -> bool:
        """Whether α is 1 in one of the first `epochs` epochs, in which labels have no share."""
        return max(map(self.alpha, range(epochs)), default=0.0) == 1


@dataclass(frozen=True, repr=False)
class FixedBalance(Balance):
    """The same α in every epoch.

    Args:
        value: α, 0 to 1.

    Raises:
        ValueError: it is not.
    """

    value: float = 0.5

    def __post_init__(self) -> None:
        _check_share(self.value, "balance")

    def alpha(self, epoch: int) -> float:
        return self.value


@dataclass(frozen=True, repr=False)
class ScheduledBalance(Balance):
    """α rises linearly from 0, holds, and falls linearly to its final value.

    Args:
        value: α at its height, 0 to 1.
        warm_up: epochs of the rise; α is 0 in the first of them, and at its height after the last.
        hold: epochs at the height; None for all that remain.
        decay: epochs of the fall after `hold`; α is at its final value in the last of them.
        final: α after the fall, 0 to 1.

    Raises:
        ValueError: an argument out of its range, or a decay that never begins, with `hold=None`.
    """

    value: float = 0.5
    warm_up: int = 0
    hold: int | None = None
    decay: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self.value, "value")
        _check_share(self.final, "final")
        for name in ("warm_up", "hold", "decay"):
            epochs = getattr(self, name)
            if epochs is not None:
                check_whole(epochs, 0, name, "a number of epochs")
        if self.hold is None and self.decay:
            raise ValueError(f"decay={self.decay} never begins with hold=None: give the epochs to hold")

    def alpha(self, epoch: int) -> float:
        if epoch < self.warm_up:
            return self.value * epoch / self.warm_up
        if self.hold is None or epoch < self.warm_up + self.hold:
            return self.value
        fallen = epoch - self.warm_up - self.hold + 1
        if fallen >= self.decay:
            return self.final
        return self.value + (self.final - self.value) * fallen / self.decay


@dataclass(frozen=True, repr=False)
class AutoBalance(Balance):
    """α chosen in each fit, from the training part alone: as much trust as teachers earn on held-out labels.

    In purged folds, a probe (a ridge regression in the student's place; for non-linear students, on random features
    too) is fitted once to the labels, f₀, and once to each teacher's answers, f₁. A teacher that saw the labels is
    refitted without those of the fold; a ridge regression takes the place of a network. The estimate
    α̂ = Σ⟨y − f₀, f₁ − f₀⟩/Σ‖f₁ − f₀‖², pooled over steps, components and series, is shrunk by its variance V over
    blocks of time, to α̂·max(0, 1 − V/α̂²), and for a single series it is at most twice its plug-in value. Of several
    teachers, each must earn a share by itself and explain some of the variance of held-out labels (R² > 0). The shares
    of those that do are fitted by non-negative least squares on their students, and multiply the weights of the
    weighting. A teacher without a share is left out. Where the windows without a label are badly covered by those with
    one (`BalanceChoice.coverage` above 2), folds cannot tell what teachers are worth, and only labels teach.

    No network is fitted for it. `DistilledModel.chosen_balance` and the log say what was chosen, and why. The rule and
    its figures: `benchmarks/no_harm.py`.

    Args:
        folds: number of folds, at least 2; fewer where labels span too little time.
        bold: trust more, at more risk: α̂·max(0, 1 − V/2α̂²), without the limit for a single series; and entirely where
            labels cover the windows badly and a teacher explains more than .8 of held-out labels.

    Raises:
        TypeError, ValueError: bold is not a bool, or there are fewer than 2 folds.
    """

    folds: int = 5
    bold: bool = False

    def __post_init__(self) -> None:
        check_whole(self.folds, 2, "folds", "a number of folds")
        check_bool(self.bold, "bold")

    def alpha(self, epoch: int) -> float:
        raise RuntimeError("the α of an AutoBalance is chosen in each fit")

    def ever_teaches(self, epochs: int | None) -> bool:
        return epochs != 0

    def ever_excludes_labels(self, epochs: int) -> bool:
        # what is chosen is below 1 where outputs of the student have no other loss
        return False


def _check_share(value: float, name: str) -> None:
    check_real(value, 0, 1, name, "a number from 0 (labels only) to 1 (teachers only)")
