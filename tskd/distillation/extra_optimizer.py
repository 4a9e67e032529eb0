"""The optimizer step for trainable parts of losses, such as projectors, whose optimizer the trainer does not manage."""

from __future__ import annotations

import torch

from tskd._core.distributed import OverRanks, alone, average_over_ranks


def step_by_hand(optimizer: torch.optim.Optimizer, scale: float, mean: OverRanks = alone) -> None:
    """Take an optimizer step with gradients averaged over all ranks, and clear the gradients.

    As in the trainer's own steps with mixed precision, the step is skipped if a gradient is not finite.

    Args:
        scale: factor by which the loss was scaled.
        mean: over the ranks.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    average_over_ranks(parameters, mean)
    gradients = [p.grad for p in parameters if p.grad is not None]
    if all(bool(gradient.isfinite().all()) for gradient in gradients):
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    optimizer.zero_grad()
