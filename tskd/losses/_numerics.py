"""Numerical parts that several losses share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# of the largest value, in rounding errors: what varies less is taken as constant
ROUNDING = 16


@contextmanager
def full_precision(values: Tensor) -> Iterator[None]:
    """Products in the precision of the values, whatever mixed precision the training has."""
    with torch.autocast(values.device.type, enabled=False):
        yield


def at_least_single(values: Tensor) -> Tensor:
    """The same values, in float32 if they are less precise."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def rounding(values: Tensor, dim: int) -> Tensor:
    """Differences between values along `dim` that rounding alone can make."""
    return ROUNDING * torch.finfo(values.dtype).eps * values.detach().abs().amax(dim, keepdim=True)


def centred(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Values less their mean along `dim`, and differences that rounding alone can make where they are constant."""
    mean = values.mean(dim, keepdim=True)
    return values - mean, ROUNDING * torch.finfo(values.dtype).eps * mean.detach().abs()


def unit_power(values: Tensor, dim: int, floor: Tensor) -> Tensor:
    """Values over their root mean square along `dim`; 0 where that is not above the floor."""
    power = values.square().mean(dim, keepdim=True)
    varies = power > floor.square()
    return values * power.where(varies, torch.inf).rsqrt()


def standardised(values: Tensor, dim: int) -> Tensor:
    """Values with mean 0 and root mean square 1 along `dim`; 0 where they are constant."""
    values, floor = centred(at_least_single(values), dim)
    return unit_power(values, dim, floor)


def per_window(values: Tensor) -> Tensor:
    """Means over everything but the windows `[B]`."""
    return values.flatten(1).mean(1)
