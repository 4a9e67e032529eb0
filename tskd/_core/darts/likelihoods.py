"""darts' likelihoods of distributions that are given in numbers, and the network output that would stand for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from darts.utils.likelihood_models.torch import GaussianLikelihood, QuantileRegression
from torch import Tensor


def quantile_likelihood(levels: Sequence[float]) -> QuantileRegression | None:
    """The likelihood of quantiles; None if the levels are not symmetric about the median, which darts does not take."""
    try:
        return QuantileRegression(list(levels))
    except ValueError:
        return None


def gaussian_likelihood() -> GaussianLikelihood:
    return GaussianLikelihood()


def gaussian_output(mean: Tensor, std: Tensor) -> Tensor:
    """The network output `[…, 2]` that `gaussian_likelihood` reads as this mean and standard deviation `[…]`."""
    # it applies softplus to the second number
    return torch.stack([mean, std + torch.log(-torch.expm1(-std))], dim=-1)


def quantile_spread(quantiles: Tensor, levels: Sequence[float]) -> Tensor | None:
    """Standard deviation `[…]` of the Gaussian with the same distance between the outermost of the quantiles `[…, Q]`;
    None for a single level."""
    if len(levels) < 2:
        return None
    low, high = torch.special.ndtri(torch.tensor([levels[0], levels[-1]], dtype=quantiles.dtype))
    return (quantiles[..., -1] - quantiles[..., 0]) / (high - low)
