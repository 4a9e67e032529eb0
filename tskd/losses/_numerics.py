"""Numerical parts that several losses share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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


def steps_last(values: Tensor) -> Tensor:
    """Values `[B, H, C]` as `[B, C, H]`, along which most operations are several times as fast, in float32 or wider."""
    return at_least_single(values).transpose(1, 2).contiguous()


def centred(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values less their mean along the last dimension, and differences that rounding alone can make where they are
    constant."""
    mean = values.mean(-1, keepdim=True)
    return values - mean, ROUNDING * torch.finfo(values.dtype).eps * mean.detach().abs()


def with_power(values: Tensor, floor: Tensor, root: float = 1.0) -> Tensor:
    """Values scaled to the root mean square `root` along the last dimension; 0 where theirs is not above the floor."""
    return _WithPower.apply(values, floor, root)


def standardised(values: Tensor, root: float = 1.0) -> Tensor:
    """Values with mean 0 and root mean square `root` along the last dimension; 0 where they are constant."""
    return _Standardised.apply(values, root)


def scale_to(root: float, squares: Tensor, floor: Tensor) -> Tensor:
    """By what values with these squares are scaled to the root mean square `root`; 0 where theirs is not above the
    floor."""
    power = squares.mean(-1, keepdim=True)
    return root * power.where(power > floor.square(), torch.inf).rsqrt()


def through_scale(gradient: Tensor, found: Tensor, scale: Tensor, root: float) -> Tensor:
    """The gradient by values, from that by what they are scaled to, `found = values * scale`."""
    along = (gradient * found).mean(-1, keepdim=True) / root**2
    return torch.addcmul(gradient, found, along, value=-1).mul_(scale)


class _WithPower(torch.autograd.Function):
    """With the gradient as one formula: that of the parts takes several times as long, for a batch of usual size."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, floor: Tensor, root: float) -> Tensor:
        scale = scale_to(root, values.square(), floor)
        found = values * scale
        ctx.root = root
        ctx.save_for_backward(found, scale)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        found, scale = ctx.saved_tensors
        return through_scale(gradient, found, scale, ctx.root), None, None


class _Standardised(torch.autograd.Function):
    """As `_WithPower`, of centred values, whose gradients have the mean 0 too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, root: float) -> Tensor:
        away, floor = centred(values)
        scale = scale_to(root, away.square(), floor)
        found = away.mul_(scale)
        ctx.root = root
        ctx.save_for_backward(found, scale)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        found, scale = ctx.saved_tensors
        gradient = gradient - gradient.mean(-1, keepdim=True)
        return through_scale(gradient, found, scale, ctx.root), None


def per_window(values: Tensor) -> Tensor:
    """Means over everything but the windows `[B]`."""
    return values.flatten(1).mean(1)
