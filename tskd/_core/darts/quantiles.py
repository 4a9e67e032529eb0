"""Quantiles of the distribution that a network forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from tskd._core.darts.forward import predictive_distribution


def own_levels(likelihood: Any) -> tuple[float, ...] | None:
    """The levels of a `QuantileRegression`; None for any other likelihood."""
    return tuple(likelihood.quantiles) if hasattr(likelihood, "quantiles") else None


def check_any_value(likelihood: Any) -> None:
    """Raise a ValueError for a distribution of values of some kind only, or whose quantiles have no closed form."""
    if own_levels(likelihood) is not None:
        return
    distribution = _some_distribution(likelihood)
    kind = type(distribution).__name__
    if distribution.support is not constraints.real:
        raise ValueError(f"a {kind} is not a distribution of any value, below 0 and above 1")
    if _quantiles(distribution, (0.5,)) is None:
        raise ValueError(f"the quantiles of a {kind} have no closed form")


def has_quantiles(likelihood: Any, levels: Sequence[float]) -> bool:
    """Whether the quantiles of these levels can be read from what a network forecasts."""
    own = own_levels(likelihood)
    if likelihood is None or own is not None:
        return own is not None and set(levels) <= set(own)
    return _quantiles(_some_distribution(likelihood), levels) is not None


def forecast_quantiles(likelihood: Any, output: Tensor, levels: Sequence[float]) -> Tensor:
    """The quantiles `[B, H, C, Q]` of these levels in a network's output `[B, H, C, P]`."""
    own = own_levels(likelihood)
    if own is not None:
        return output[..., [own.index(level) for level in levels]]
    found = _quantiles(_distribution(likelihood, output), levels)
    assert found is not None
    return found


def _distribution(likelihood: Any, output: Tensor) -> Distribution:
    """The distribution in an output of a likelihood that is no quantile regression."""
    found = predictive_distribution(likelihood, output)[0]
    assert found is not None
    return found


def _some_distribution(likelihood: Any) -> Distribution:
    """One of its kind, whatever its parameters."""
    return _distribution(likelihood, torch.zeros(1, 1, 1, likelihood.num_parameters))


def _quantiles(distribution: Distribution, levels: Sequence[float]) -> Tensor | None:
    try:
        return torch.stack([distribution.icdf(torch.tensor(level)) for level in levels], dim=-1)
    except NotImplementedError:
        return None
