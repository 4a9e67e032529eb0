"""The linear probe of a teacher: an affine map from the features of a hidden layer to the teacher's forecasts."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# most windows that a probe is fitted and evaluated on
MOST = 4096
# consecutive parts of the windows, and of how many one is held out
PARTS, EACH = 25, 5
# ridge relative to the mean square of a standardised unit: only as large as makes the equations solvable
RIDGE = 1e-6
# most numbers, features and forecasts, in all windows together; beyond, every other window is left out
LARGEST = 2**24
# units × forecasts of the largest map that is fitted
LARGEST_MAP = 2**24
# windows per unit, a fifth of them held out, from which on a fit is meaningful
ENOUGH = 2.5
# in units of the precision of forecasts: those that vary by less, relative to their size, are constant
EPSILONS = 8


class LinearProbe(nn.Module):
    """An affine map from the features of a teacher's hidden layer to its forecasts, fitted by least squares.

    It recovers the teacher's own head where only linear layers follow the hidden layer, no other input enters there,
    and windows clearly outnumber the directions in which features vary; else it is the best affine approximation. Units
    are standardised, and a ridge of 1e-6 makes the equations solvable; with more units than windows it is the smallest
    map that fits. Every fifth of 25 consecutive parts of the windows is held out, for `r2`.

    It is not saved: as a statistic of the teacher outputs it is fitted anew in every fit.

    Args:
        features: `[N, …]`.
        forecasts: `[N, h, C]`.

    Attributes:
        r2: share of the held-out forecasts' variance that is explained, 1 − Σ residual²/Σ deviation², averaged over
            steps and components in which the forecast is not constant to within rounding. −∞ with fewer windows than
            parts, units × forecasts beyond 2²⁴, or constant forecasts.
        doubt: reason why `r2` may be low, for a message that continues with "of layer …".
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, features: Tensor, forecasts: Tensor) -> None:
        super().__init__()
        self.shape = forecasts.shape[1:]
        dtype = torch.promote_types(forecasts.dtype, torch.float32)
        features, forecasts = features.flatten(1), forecasts.flatten(1)
        (windows, units), outputs = features.shape, forecasts.shape[1]
        weight = bias = torch.empty(0)
        self.r2, self.doubt = -torch.inf, "its forecasts are no affine function"
        if units * outputs > LARGEST_MAP:
            self.doubt = f"a map to its {outputs} forecasts would be too large for the {units} units"
        elif windows < max(PARTS, ENOUGH * units):
            self.doubt = f"there are too few windows ({windows}) for the {units} units"
        if windows >= PARTS and units * outputs <= LARGEST_MAP:
            held_out = torch.arange(windows) * PARTS // windows % EACH == EACH - 1
            weight, bias = _least_squares(features[~held_out].double(), forecasts[~held_out].double())
            rounding = EPSILONS * torch.finfo(forecasts.dtype).eps
            fitted = features[held_out].double() @ weight + bias
            self.r2 = _explained(fitted, forecasts[held_out].double(), rounding)
        self.register_buffer("weight", weight.to(dtype), persistent=False)
        self.register_buffer("bias", bias.to(dtype), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Forecasts `[B, h, C]` of features `[B, …]`."""
        features = features.flatten(1).to(self.weight.dtype)
        with torch.autocast(features.device.type, enabled=False):
            return (features @ self.weight + self.bias).unflatten(1, self.shape)


def fit_linear_probe(chunks: Iterable[tuple[Tensor, Tensor]]) -> LinearProbe:
    """Fit a probe to features `[m, …]` and forecasts `[m, h, C]` that come in chunks.

    Of windows with more than 2²⁴ numbers together, every second one is used, or every fourth and so on, which bounds
    time and memory for layers of any size.
    """
    features: list[Tensor] = []
    forecasts: list[Tensor] = []
    every, seen, held = 1, 0, 0
    for some_features, some_forecasts in chunks:
        # those of 0, every, 2·every, … that are in this chunk
        kept = slice(-seen % every, None, every)
        features.append(some_features[kept].clone())
        forecasts.append(some_forecasts[kept].clone())
        seen += len(some_features)
        held += features[-1].numel() + forecasts[-1].numel()
        while held > LARGEST and every < seen:
            every *= 2
            features, forecasts = ([torch.cat(values)[::2].clone()] for values in (features, forecasts))
            held = features[0].numel() + forecasts[0].numel()
    return LinearProbe(torch.cat(features), torch.cat(forecasts))


def _least_squares(features: Tensor, forecasts: Tensor) -> tuple[Tensor, Tensor]:
    """Weight `[p, q]` and bias `[q]` for features `[n, p]` and forecasts `[n, q]`."""
    count, units = features.shape
    mean, level = features.mean(0), forecasts.mean(0)
    # in place: features are large
    scaled = features - mean
    size = torch.linalg.vector_norm(scaled, dim=0) / count**0.5
    varies = size > 1e-6 * torch.linalg.vector_norm(features, torch.inf, dim=0)
    scaled.div_(size.where(varies, 1)).mul_(varies)
    # the smaller of the two systems
    if units <= count:
        gram = scaled.T @ scaled + RIDGE * count * torch.eye(units, dtype=features.dtype)
        weight = torch.linalg.solve(gram, scaled.T @ (forecasts - level))
    else:
        gram = scaled @ scaled.T + RIDGE * count * torch.eye(count, dtype=features.dtype)
        weight = scaled.T @ torch.linalg.solve(gram, forecasts - level)
    weight = weight / size.where(varies, 1)[:, None]
    return weight, level - mean @ weight


def _explained(fitted: Tensor, forecasts: Tensor, rounding: float) -> float:
    """R² of fitted forecasts `[n, q]`, averaged over the columns that vary by more than `rounding` times their size."""
    total = (forecasts - forecasts.mean(0)).square().sum(0)
    varies = total > forecasts.square().sum(0) * rounding**2
    if not bool(varies.any()):
        return -torch.inf
    return float((1 - (forecasts - fitted).square().sum(0) / total.where(varies, 1))[varies].mean())
