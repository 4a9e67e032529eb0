"""How the distribution that a student forecasts is scored: by which quantiles, and what its point forecast is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DECILES = tuple(level / 10 for level in range(1, 10))
"""Levels at which a distribution is scored that is not given by quantiles of its own."""
NOMINAL = 0.8
"""Share of a distribution that the interval holds whose coverage is scored, or the nearest that its levels bound."""


@dataclass(frozen=True)
class ForecastDistribution:
    """How the distribution that a student forecasts is scored.

    Attributes:
        levels: of the quantiles that are scored, from the lowest on.
        point: what of it is its point forecast.
    """

    levels: tuple[float, ...]
    point: Literal["median", "mean"]

    @property
    def interval(self) -> tuple[int, int]:
        """Positions of the levels of the central interval whose coverage is scored."""
        last = len(self.levels) - 1
        lower = min(range(len(self.levels) // 2), key=lambda at: abs(1 - 2 * self.levels[at] - NOMINAL))
        return lower, last - lower

    @property
    def nominal(self) -> float:
        """Share of the distribution within that interval."""
        lower, upper = self.interval
        return round(self.levels[upper] - self.levels[lower], 10)


def forecast_distribution(model: Any) -> ForecastDistribution | None:
    """How a darts model is scored beside its point forecast; None if it forecasts points, or the median alone.

    Raises:
        ValueError: its likelihood is none of z-scored values, or its quantiles are not known.
    """
    from tskd._core.darts.quantiles import check_any_value, own_levels

    likelihood = getattr(model, "likelihood", None)
    if likelihood is None:
        return None
    try:
        check_any_value(likelihood)
    except ValueError as error:
        raise ValueError(
            f"likelihood: {error}, and targets are z-scored: give a QuantileRegression, a likelihood of any value "
            "(Gaussian, Laplace, Gumbel, Cauchy), or `likelihood: null`."
        ) from error
    own = own_levels(likelihood)
    if own is not None and len(own) < 2:
        return None
    return ForecastDistribution(own or DECILES, "median" if own else "mean")
