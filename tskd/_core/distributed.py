"""Means over the processes that train one student together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

# the mean of a tensor over the processes: a collective operation, which all must call in the same order
OverRanks = Callable[[Tensor], Tensor]


def alone(values: Tensor) -> Tensor:
    """The mean over a single process."""
    return values


def over_ranks(ranks: int) -> OverRanks:
    """The mean over the `ranks` processes of a training.

    Their number is an argument since a process group outlives the training that it was made for, and must not enter a
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
