"""The balance of teachers and labels: α in L = (1 − α)·L_labels + α·L_teachers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tskd._core.checks import check_real, check_whole
from tskd._core.object_spec import Described

__all__ = ["Balance", "FixedBalance", "ScheduledBalance"]


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


@dataclass(frozen=True, repr=False)
class FixedBalance(Balance):
    """The same α in every epoch.

    Args:
        value: α, 0 to 1.
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


def _check_share(value: float, name: str) -> None:
    check_real(value, 0, 1, name, "a number from 0 (labels only) to 1 (teachers only)")
