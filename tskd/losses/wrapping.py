"""What losses have in common that hold another loss."""

from __future__ import annotations

from tskd.losses.base import DistillationLoss


def check_loss(loss: object) -> DistillationLoss:
    """The loss that another is to hold; a TypeError if it is none."""
    if not isinstance(loss, DistillationLoss):
        raise TypeError(f"loss must be a DistillationLoss, got {type(loss).__name__}")
    return loss
