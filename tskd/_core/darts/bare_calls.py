"""Calls of a training step without what Lightning and torch do around each: profiling, counting, asking a compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader


def batches(fetcher: Any) -> Callable[[], Any]:
    """A function that gives the next batch of one of Lightning's fetchers, as `next(fetcher)` would."""
    # of a loader without a length, it has drawn batches ahead
    if fetcher.length is None or type(fetcher.combined_loader.iterables) is not DataLoader:
        return lambda: next(fetcher)[0]
    following = fetcher.iterator._iterator.iterators[0]._next_data

    def batch() -> Any:
        taken = following()
        fetcher.fetched += 1
        return taken

    return batch


def forgetting(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A function that forgets the gradients, as `optimizer.zero_grad()` would."""
    if forgets_its_own_way(optimizer):
        return optimizer.zero_grad
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def forget() -> None:
        for parameter in parameters:
            parameter.grad = None

    return forget


def forgets_its_own_way(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer does more or less in `zero_grad` than torch's own."""
    return getattr(optimizer.zero_grad, "__func__", None) is not torch.optim.Optimizer.zero_grad
