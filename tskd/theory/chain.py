"""A chain of time steps: AR(1), its way points, and direct against iterated forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from darts import TimeSeries
from scipy.signal import lfilter

from tskd.theory.linear_gaussian import LinearGaussian


@dataclass(frozen=True)
class Chain:
    """x_t = a·x_{t−1} + e_t of stationary variance 1, forecast H steps ahead from the last value.

    Args:
        slope: a, between 0 and 1.
        horizon: H.

    Raises:
        ValueError: an argument out of its range.
    """

    slope: float
    horizon: int

    def __post_init__(self) -> None:
        if not 0 < self.slope < 1:
            raise ValueError(f"slope={self.slope}: give a number between 0 and 1")
        if self.horizon < 1:
            raise ValueError(f"horizon={self.horizon}: give 1 or more")

    def way_point(self, step: int) -> LinearGaussian:
        """Rows of x_0, the way point x_h and the label x_H, from independent chains.

        r = a^h, σ² = 1 − a^{2(H − h)}: accuracy of the teacher rises with h, and its use does not.

        Args:
            step: h.

        Raises:
            ValueError: it is not below H.
        """
        if not 1 <= step < self.horizon:
            raise ValueError(f"step={step}: give one from 1 to {self.horizon - 1}")
        left = self.slope ** (self.horizon - step)
        return LinearGaussian(1, 1, self.slope**step, 1 - left**2, slope=left)

    @property
    def truth(self) -> float:
        """a^H, the coefficient of the best forecast."""
        return self.slope**self.horizon

    def excess_risk(self, coefficient: float) -> float:
        """E[(w·x_0 − E[x_H | x_0])²] of a forecast with the `coefficient` w, exact."""
        return float((coefficient - self.truth) ** 2)

    def sample(self, steps: int, seed: int | np.random.Generator) -> TimeSeries:
        """One series of so many `steps`, from the stationary distribution; `seed` may be a generator."""
        rng = np.random.default_rng(seed)
        values = rng.normal(size=steps)
        values[1:] *= np.sqrt(1 - self.slope**2)
        values = lfilter([1.0], [1.0, -self.slope], values)
        times = pd.date_range("2020-01-01", periods=steps, freq="h")
        return TimeSeries.from_times_and_values(times, values[:, None], columns=["x"])


def direct_variance(slope: float, horizon: int) -> float:
    """Variance of √n·(ŵ − a^H), leading order: least squares of x_{t+H} on x_t over one series of n steps.

    (1 − a^{2H}) + 2·[a²(1 − a^{2(H−1)})/(1 − a²) − (H − 1)·a^{2H}].

    Args:
        slope: a, of a `Chain`.
        horizon: H.
    """
    a, h = slope, horizon
    overlap = a**2 * (1 - a ** (2 * (h - 1))) / (1 - a**2) - (h - 1) * a ** (2 * h)
    return (1 - a ** (2 * h)) + 2 * overlap


def iterated_variance(slope: float, horizon: int) -> float:
    """Variance of √n·(â^H − a^H), leading order: one-step least squares, iterated: H²·a^{2H−2}·(1 − a²).

    Arguments are those of `direct_variance`: `slope` and `horizon`.
    """
    return horizon**2 * slope ** (2 * horizon - 2) * (1 - slope**2)
