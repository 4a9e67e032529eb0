"""The linear-Gaussian world: inputs of the student, privileged values that correlate with them, and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from darts import TimeSeries


@dataclass(frozen=True)
class LinearGaussian:
    """x ~ N(0, I_d); z = A'x + u ~ N(0, I_m), all canonical correlations of x and z equal; y = b'z + c'x + e.

    All entries of b are equal, and so are those of c.

    Args:
        d: dimension of x, what the student sees.
        m: dimension of z, the privileged values.
        rho: each of the min(d, m) canonical correlations, 0 to 1.
        noise: σ², the variance of e.
        slope: |b|, the scale of the part of the label that z tells.
        direct: |c|, the scale of the part that x tells directly and a teacher that reads only z cannot know: a violated
            assumption.

    Raises:
        ValueError: an argument out of its range.
    """

    d: int
    m: int
    rho: float
    noise: float
    slope: float = 1.0
    direct: float = 0.0

    def __post_init__(self) -> None:
        if self.d < 1 or self.m < 1:
            raise ValueError(f"d={self.d}, m={self.m}: give dimensions of 1 or more")
        if not 0 <= self.rho <= 1:
            raise ValueError(f"rho={self.rho}: give a correlation from 0 to 1")
        if self.noise < 0:
            raise ValueError(f"noise={self.noise}: give a variance")

    @classmethod
    def noisy_proxy(cls, d: int, variance: float, noise: float) -> LinearGaussian:
        """The student's d sensors are cheap copies of the costly ones, z plus noise of a `variance`; `noise` is σ².

        x is scaled to variance 1, which changes neither a least-squares student nor its risk: r² = 1/(1 + variance).
        """
        return cls(d, d, (1 + variance) ** -0.5, noise)

    @classmethod
    def noisy_labels(cls, d: int, rho: float, noise: float) -> LinearGaussian:
        """Labels are noisy measurements, y = s + e, of a signal s = z that a teacher measures better: σ² ≫ τ².

        d, `rho` and `noise` are those of the class.
        """
        return cls(d, 1, rho, noise)

    @classmethod
    def target_seen(cls, d: int, rho: float) -> LinearGaussian:
        """The teacher sees the target: y = z; d and `rho` are those of the class."""
        return cls(d, 1, rho, 0.0)

    @classmethod
    def nested(cls, d: int, m: int, noise: float) -> LinearGaussian:
        """x is a linear function of z, its first d of m values: a teacher on z alone equals labels alone, exactly.
        ValueError for an m below d; `noise` is σ²."""
        if m < d:
            raise ValueError(f"d={d}, m={m}: z contains x, so give an m of d or more")
        return cls(d, m, 1.0, noise)

    @property
    def shared(self) -> float:
        """S = Σ r_i²: the sum of squared canonical correlations."""
        return min(self.d, self.m) * self.rho**2

    @property
    def hidden(self) -> float:
        """τ² = Var(b'u): variance of the teacher's answers that x does not explain."""
        return self.slope**2 * (1 - self.shared / self.m)

    @cached_property
    def slopes(self) -> np.ndarray:
        """b `[m]`."""
        return np.full(self.m, self.slope * self.m**-0.5)

    @cached_property
    def direct_slopes(self) -> np.ndarray:
        """c `[d]`."""
        return np.full(self.d, self.direct * self.d**-0.5)

    @cached_property
    def mixing(self) -> np.ndarray:
        """A `[d, m]`, of singular values ρ."""
        return self.rho * np.eye(self.d, self.m)

    @property
    def truth(self) -> np.ndarray:
        """Coefficients `[d]` of E[y | x], the best student."""
        return self.mixing @ self.slopes + self.direct_slopes

    def excess_risk(self, coefficients: np.ndarray) -> float:
        """E[(w'x − E[y | x])²] of a linear student with `coefficients [d]` w, exact."""
        return float(np.square(coefficients - self.truth).sum())

    def sample(self, rows: int, seed: int | np.random.Generator, labelled: int | None = None) -> Rows:
        """Independent rows.

        Args:
            rows: their number.
            seed: or a generator, which is drawn from.
            labelled: the number of rows with a label, the first ones; None for all.
        """
        rng = np.random.default_rng(seed)
        labelled = rows if labelled is None else labelled
        x = rng.normal(size=(rows, self.d))
        # A'A is diagonal, and so is the covariance of u
        spread = np.sqrt(1 - np.square(self.mixing).sum(0))
        z = x @ self.mixing + spread * rng.normal(size=(rows, self.m))
        y = np.full(rows, np.nan)
        noise = np.sqrt(self.noise) * rng.normal(size=labelled)
        y[:labelled] = z[:labelled] @ self.slopes + x[:labelled] @ self.direct_slopes + noise
        return Rows(x, z, y)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a world, also as darts series: a row is a window of lookback 1 of a soft sensor.

    Attributes:
        x: inputs `[n, d]`.
        z: privileged values `[n, m]`.
        y: labels `[n]`, NaN where there is none.
    """

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: slice) -> Rows:
        return Rows(self.x[rows], self.z[rows], self.y[rows])

    @property
    def series(self) -> TimeSeries:
        """The target: the label of row i at step i + 1; no window reads the first step."""
        return _series(np.append(0, self.y)[:, None], "y")

    @property
    def past_covariates(self) -> TimeSeries:
        """x of row i at step i; no window reads the last step."""
        return _series(np.pad(self.x, ((0, 1), (0, 0))), "x")

    @property
    def privileged(self) -> dict[str, TimeSeries]:
        """z of row i at step i, by the name `"z"`."""
        return {"z": _series(np.pad(self.z, ((0, 1), (0, 0))), "z")}


def _series(values: np.ndarray, name: str) -> TimeSeries:
    times = pd.date_range("2020-01-01", periods=len(values), freq="h")
    return TimeSeries.from_times_and_values(times, values, columns=[f"{name}{i}" for i in range(values.shape[1])])
