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
# numbers in all windows together, features and forecasts, beyond which every other window is left out
LARGEST = 2**24
# units × forecasts of the largest map that is looked for
LARGEST_MAP = 2**24
# windows for each unit, a fifth of them held apart, with which a map is no longer any that fits
ENOUGH = 2.5
# of the size of forecasts, in units of their precision: what varies by less is constant
EPSILONS = 8


class LinearProbe(nn.Module):
    """An affine map of a teacher's features of a layer to its forecasts, found by least squares.

    It is the teacher's own head where nothing but linear layers follows the layer, no other input joins there, and
    there are clearly more windows than directions in which the features vary; else the best affine stand-in. Units are
    standardised, and a ridge of 1e-6 makes the equations solvable; where there are more units than windows, it is the
    smallest map that fits, and not the head unless the features vary in few directions. Of consecutive parts of the
    windows every fifth is held apart, and the share of the forecasts' variance that the map explains there is `r2`:
    1 − Σ residual²/Σ deviation² from the mean, mean over steps and components (those in which the forecast is constant,
    to within rounding, left out).

    Nothing of it is saved: it is a statistic of the teacher's answers, found anew in every fit.

    Args:
        features: `[N, …]`.
        forecasts: `[N, h, C]`.

    Attributes:
        r2: at most 1; −∞ with fewer windows than parts, units × forecasts beyond 2²⁴, or constant forecasts.
        doubt: why `r2` may be low, for a message that goes on with "of layer …".
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, features: Tensor, forecasts: Tensor) -> None:
        super().__init__()
        self.shape = forecasts.shape[1:]
        dtype = torch.promote_types(forecasts.dtype, torch.float32)
        given, said = features.flatten(1), forecasts.flatten(1)
        (windows, units), outputs = given.shape, said.shape[1]
        weight = bias = torch.empty(0)
        self.r2, self.doubt = -torch.inf, "its forecasts are no affine function"
        if units * outputs > LARGEST_MAP:
            self.doubt = f"a map to its {outputs} forecasts would be too large for the {units} units"
        elif windows < max(PARTS, ENOUGH * units):
            self.doubt = f"there are too few windows ({windows}) for the {units} units"
        if windows >= PARTS and units * outputs <= LARGEST_MAP:
            apart = torch.arange(windows) * PARTS // windows % EACH == EACH - 1
            weight, bias = _least_squares(given[~apart].double(), said[~apart].double())
            rounding = EPSILONS * torch.finfo(said.dtype).eps
            self.r2 = _explained(given[apart].double() @ weight + bias, said[apart].double(), rounding)
        self.register_buffer("weight", weight.to(dtype), persistent=False)
        self.register_buffer("bias", bias.to(dtype), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Forecasts `[B, h, C]` of features `[B, …]`."""
        given = features.flatten(1).to(self.weight.dtype)
        with torch.autocast(given.device.type, enabled=False):
            return (given @ self.weight + self.bias).unflatten(1, self.shape)


def fit_linear_probe(known: Iterable[tuple[Tensor, Tensor]]) -> LinearProbe:
    """The map of features `[m, …]` to forecasts `[m, h, C]` that come in chunks.

    Of windows that hold more than 2²⁴ numbers together, every second one is used, or every fourth and so on: time and
    memory are bounded whatever the size of the layer.
    """
    features: list[Tensor] = []
    forecasts: list[Tensor] = []
    every, seen, held = 1, 0, 0
    for given, said in known:
        # those of 0, every, 2·every, … that are in this chunk
        kept = slice(-seen % every, None, every)
        features.append(given[kept].clone())
        forecasts.append(said[kept].clone())
        seen += len(given)
        held += features[-1].numel() + forecasts[-1].numel()
        while held > LARGEST and every < seen:
            every *= 2
            features, forecasts = ([torch.cat(values)[::2].clone()] for values in (features, forecasts))
            held = features[0].numel() + forecasts[0].numel()
    return LinearProbe(torch.cat(features), torch.cat(forecasts))


def _least_squares(given: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    """Weight `[p, q]` and bias `[q]` for inputs `[n, p]` and outputs `[n, q]`."""
    count, units = given.shape
    mean, level = given.mean(0), said.mean(0)
    # in place: features are large
    scaled = given - mean
    size = torch.linalg.vector_norm(scaled, dim=0) / count**0.5
    varies = size > 1e-6 * torch.linalg.vector_norm(given, torch.inf, dim=0)
    scaled.div_(size.where(varies, 1)).mul_(varies)
    # the smaller of the two systems
    if units <= count:
        gram = scaled.T @ scaled + RIDGE * count * torch.eye(units, dtype=given.dtype)
        weight = torch.linalg.solve(gram, scaled.T @ (said - level))
    else:
        gram = scaled @ scaled.T + RIDGE * count * torch.eye(count, dtype=given.dtype)
        weight = scaled.T @ torch.linalg.solve(gram, said - level)
    weight = weight / size.where(varies, 1)[:, None]
    return weight, level - mean @ weight


def _explained(found: Tensor, said: Tensor, rounding: float) -> float:
    """R² `[n, q]` → mean over the columns that vary by more than a share of their size."""
    total = (said - said.mean(0)).square().sum(0)
    varies = total > said.square().sum(0) * rounding**2
    if not bool(varies.any()):
        return -torch.inf
    return float((1 - (said - found).square().sum(0) / total.where(varies, 1))[varies].mean())
