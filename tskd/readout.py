"""A teacher's head, as far as it can be known from its features and forecasts: the affine map from one to the other."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# windows that it is found from and checked on
MOST = 4096
# consecutive parts of them, of which every fifth is held apart
PARTS, EACH = 25, 5
# of the mean square of a standardised unit: no more than what makes the equations solvable
RIDGE = 1e-6


class ReadOut(nn.Module):
    """An affine map of a teacher's features of a layer to its forecasts, found by least squares.

    It is the teacher's own head where nothing but linear layers follows the layer, and no other input joins there; else
    the best affine stand-in. Units are standardised, and a ridge of 1e-6 makes the equations solvable; where there are
    more units than windows, it is the smallest map that fits. Of consecutive parts of the windows every fifth is held
    apart, and the share of the forecasts' variance that the map explains there is `r2`: 1 − Σ residual²/Σ deviation²
    from the mean, mean over steps and components (those in which the forecast is constant left out).

    Nothing of it is saved: it is a statistic of the teacher's answers, found anew in every fit.

    Args:
        features: `[N, …]`.
        forecasts: `[N, h, C]`.

    Attributes:
        r2: at most 1; −∞ with fewer windows than parts, or a constant forecast.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, features: Tensor, forecasts: Tensor) -> None:
        super().__init__()
        self.shape = forecasts.shape[1:]
        given, said = features.flatten(1).double(), forecasts.flatten(1).double()
        weight, bias = given.new_zeros(given.shape[1], said.shape[1]), said.new_zeros(said.shape[1])
        self.r2 = -torch.inf
        if len(given) >= PARTS:
            apart = torch.arange(len(given)) * PARTS // len(given) % EACH == EACH - 1
            weight, bias = _least_squares(given[~apart], said[~apart])
            self.r2 = _explained(given[apart] @ weight + bias, said[apart])
        dtype = torch.promote_types(forecasts.dtype, torch.float32)
        self.register_buffer("weight", weight.to(dtype), persistent=False)
        self.register_buffer("bias", bias.to(dtype), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Forecasts `[B, h, C]` of features `[B, …]`."""
        given = features.flatten(1).to(self.weight.dtype)
        with torch.autocast(given.device.type, enabled=False):
            return (given @ self.weight + self.bias).unflatten(1, self.shape)


def read_out(known: Iterable[tuple[Tensor, Tensor]]) -> ReadOut:
    """The map of features `[m, …]` to forecasts `[m, h, C]` that come in chunks."""
    features, forecasts = (torch.cat(values) for values in zip(*known, strict=True))
    return ReadOut(features, forecasts)


def _least_squares(given: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    """Weight `[p, q]` and bias `[q]` for inputs `[n, p]` and outputs `[n, q]`."""
    count, units = given.shape
    mean, level = given.mean(0), said.mean(0)
    size = (given - mean).square().mean(0).sqrt()
    varies = size > 1e-6 * given.abs().amax(0)
    scaled = ((given - mean) / size.where(varies, 1)).where(varies, 0)
    # the smaller of the two systems
    if units <= count:
        gram = scaled.T @ scaled + RIDGE * count * torch.eye(units, dtype=given.dtype)
        weight = torch.linalg.solve(gram, scaled.T @ (said - level))
    else:
        gram = scaled @ scaled.T + RIDGE * count * torch.eye(count, dtype=given.dtype)
        weight = scaled.T @ torch.linalg.solve(gram, said - level)
    weight = weight / size.where(varies, 1)[:, None]
    return weight, level - mean @ weight


def _explained(found: Tensor, said: Tensor) -> float:
    """R² `[n, q]` → mean over the columns that vary."""
    total = (said - said.mean(0)).square().sum(0)
    varies = total > 0
    if not bool(varies.any()):
        return -torch.inf
    return float((1 - (said - found).square().sum(0) / total.where(varies, 1))[varies].mean())
