"""What several processes that train one student agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

# the mean of values over the processes; all of them must ask, in the same order
OverRanks = Callable[[Tensor], Tensor]


def alone(values: Tensor) -> Tensor:
    """The mean over one process."""
    return values


def over_ranks(ranks: int) -> OverRanks:
    """The mean over the `ranks` processes of a training.

    Their number is asked for: a group of processes outlives the training for which it was made, and must not enter a
    later one.
    """
    if ranks == 1:
        return alone

    def mean(values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total / ranks

    return mean


def average_over_ranks(parameters: Iterable[nn.Parameter], mean: OverRanks) -> None:
    """Replace gradients by their mean over all processes of a distributed training; alone, change nothing.

    Every process must call this in the same steps, for the same parameters: one without a gradient counts as 0.
    """
    if mean is alone:
        return
    for p in parameters:
        p.grad = mean(torch.zeros_like(p) if p.grad is None else p.grad)
