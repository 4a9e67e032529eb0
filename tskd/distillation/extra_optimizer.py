"""The step of an optimizer that the trainer does not know: that of what the losses train beside the student."""

from __future__ import annotations

import torch

from tskd._core.distributed import OverRanks, alone, average_over_ranks


def step_by_hand(optimizer: torch.optim.Optimizer, scale: float, mean: OverRanks = alone) -> None:
    """A step of an optimizer that the trainer does not know, over all ranks, for gradients of a loss times `scale`.

    Left out, as the trainer's own is, if a gradient is not finite.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    average_over_ranks(parameters, mean)
    gradients = [p.grad for p in parameters if p.grad is not None]
    if all(bool(gradient.isfinite().all()) for gradient in gradients):
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    optimizer.zero_grad()
