"""Means over an epoch, and the step in which a student became NaN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Means:
    """Means over the steps of an epoch, summed on the training device, so that no step waits for them.

    The losses of the steps are kept apart, to find the one by which a network was lost.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self._losses: list[Tensor] = []

    def add(self, name: str, value: Tensor, over: Tensor | None = None) -> None:
        """Add the value of a step.

        Args:
            over: mask of what the value is a mean over, to count it by that; None to count all steps alike.
        """
        value = value.detach()
        if over is not None:
            weight = over.sum()
            value = value * weight
            self._weights[name] = self._weights[name] + weight if name in self._weights else weight
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def end_step(self, loss: Tensor) -> None:
        """End a step with its loss."""
        self._losses.append(loss.detach())

    def end_epoch(self, network: nn.Module, trainer: Any) -> dict[str, Tensor]:
        """The means of the epoch, sorted by name; starts the next epoch.

        Raises:
            FloatingPointError: a loss, or a parameter of the network, is NaN or infinite.
        """
        # losses in double precision may have gradients that are not finite in that of the network
        losses = torch.stack([loss.float() for loss in self._losses]) if self._losses else torch.zeros(1)
        broken = not all(bool(p.isfinite().all()) for p in network.parameters())
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            # a scaler of gradients leaves out steps whose loss overflows
            broken |= not bool(losses.isfinite().all())
        if broken:
            raise FloatingPointError(_lost(losses, trainer.current_epoch))
        means = {
            name: total / (self._weights[name].clamp(min=1) if name in self._weights else len(self._losses))
            for name, total in sorted(self._sums.items())
        }
        self._sums.clear()
        self._weights.clear()
        self._losses.clear()
        return means


def _lost(losses: Tensor, epoch: int) -> str:
    """In which step of an epoch, whose losses are `[steps]`, a network became NaN."""
    broken = torch.nonzero(~losses.isfinite())
    # finite losses leave the gradients of the last step
    batch = int(broken[0]) if len(broken) else len(losses) - 1
    loss = float(losses[batch])
    return (
        f"the student became NaN or infinite in epoch {epoch}, batch {batch} (from 0), where the loss is {loss:g}, "
        "and is put back: look for very large values in series, covariates and sample weights, or lower the learning "
        "rate"
    )
