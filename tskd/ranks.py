"""What several processes that train one student agree on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def average_over_ranks(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their mean over all processes of a distributed training; alone, change nothing.

    Every process must call this in the same steps, for the same parameters: one without a gradient counts as 0.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    for p in parameters:
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        torch.distributed.all_reduce(p.grad)
        p.grad /= torch.distributed.get_world_size()
