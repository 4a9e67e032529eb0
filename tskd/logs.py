"""What is logged of an epoch of distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


class Means:
    """Means over the steps of an epoch, summed on the device of the training: no step waits for them."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def add(self, name: str, value: Tensor) -> None:
        value = value.detach()
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def end_step(self) -> None:
        self._steps += 1

    def end_epoch(self) -> dict[str, Tensor]:
        """The means, in an order that is always the same; what comes is of the next epoch."""
        means = {name: total / self._steps for name, total in sorted(self._sums.items())}
        self._sums.clear()
        self._steps = 0
        return means


def of_weights(entry: Mapping[str, Any]) -> dict[str, float]:
    """What is logged of an entry of the history."""
    shares = {f"weight/{name}": share for name, share in entry["weights"].items()}
    for aspect, weights in entry["aspects"].items():
        shares |= {f"weight/{aspect}/{name}": share for name, share in weights.items()}
    return {"masked_fraction": entry["masked"], "effective_teachers": entry["effective"]} | shares
