"""Means over an epoch, and the step in which a student became NaN."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from tskd._core.step_values import StepScalars


class Means:
    """Means over the steps of an epoch, of values that are kept on the training device, so that no step waits for them.

    The losses of the steps tell by which one a network was lost.
    """

    def __init__(self) -> None:
        self._values: dict[str, StepScalars] = defaultdict(StepScalars)
        self._weights: dict[str, StepScalars] = defaultdict(StepScalars)
        self._losses = StepScalars()

    def add(self, name: str, value: Tensor, over: Tensor | None = None) -> None:
        """Add the value of a step.

        Args:
            over: mask of what the value is a mean over, to count it by that; None to count all steps alike.
        """
        self._values[name].add(value)
        if over is not None:
            self._weights[name].add(over.sum())

    def end_step(self, loss: Tensor) -> None:
        """End a step with its loss."""
        self._losses.add(loss)

    def end_epoch(self, network: nn.Module, trainer: Any) -> dict[str, Tensor]:
        """The means of the epoch, sorted by name; starts the next epoch.

        Raises:
            FloatingPointError: a loss, or a parameter of the network, is NaN or infinite.
        """
        # losses in double precision may have gradients that are not finite in that of the network
        losses = self._losses.all().float() if len(self._losses) else torch.zeros(1)
        broken = not all(bool(p.isfinite().all()) for p in network.parameters())
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            # a scaler of gradients leaves out steps whose loss overflows
            broken |= not bool(losses.isfinite().all())
        if broken:
            raise FloatingPointError(_lost(losses, trainer.current_epoch))
        means = {name: self._mean(name) for name in sorted(self._values)}
        self._values.clear()
        self._weights.clear()
        self._losses = StepScalars()
        return means

    def _mean(self, name: str) -> Tensor:
        values = self._values[name].all()
        if name not in self._weights:
            return values.mean()
        weights = self._weights[name].all().to(values.dtype)
        return (values * weights).sum() / weights.sum().clamp(min=1)


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
