"""Few labels and many rows without: what least-squares students risk, in closed form and by simulation.

Student's inputs x ~ N(0, I_d); privileged z = A'x + u in m dimensions, also N(0, I_m), all canonical correlations of x
and z equal; labels y = b'z + e, Var e = σ², b'b = 1. A teacher is fitted on n labelled rows, a student on its answers
for other rows, both by least squares without an intercept. Excess risk: E[(student(x) − E[y | x])²].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Setting:
    """A case of the theory.

    Attributes:
        n: labelled rows.
        others: N, rows without a label.
        d: dimension of x.
        m: dimension of z.
        rho: each of the min(d, m) canonical correlations.
        noise: σ².
    """

    n: int
    others: int
    d: int
    m: int
    rho: float
    noise: float

    @property
    def shared(self) -> float:
        """S: the sum of squared canonical correlations."""
        return min(self.d, self.m) * self.rho**2

    @property
    def unseen(self) -> float:
        """τ² = Var(b'u): of the answers, what x does not tell."""
        return 1 - self.shared / self.m

    @cached_property
    def slopes(self) -> np.ndarray:
        """b `[m]`: all equal."""
        return np.full(self.m, self.m**-0.5)

    @cached_property
    def mixing(self) -> np.ndarray:
        """A `[d, m]`, of singular values ρ."""
        return self.rho * np.eye(self.d, self.m)

    @property
    def truth(self) -> np.ndarray:
        """Coefficients `[d]` of E[y | x]."""
        return self.mixing @ self.slopes


@dataclass(frozen=True)
class Draw:
    """Rows of one repetition, the labelled ones first.

    Attributes:
        x: `[n + N, d]`.
        z: `[n + N, m]`.
        y: `[n]`.
    """

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, setting: Setting, rng: np.random.Generator) -> Draw:
        rows = setting.n + setting.others
        x = rng.normal(size=(rows, setting.d))
        # A'A is diagonal, and so is the covariance of u
        spread = np.sqrt(1 - np.square(setting.mixing).sum(0))
        z = x @ setting.mixing + spread * rng.normal(size=(rows, setting.m))
        y = z[: setting.n] @ setting.slopes + np.sqrt(setting.noise) * rng.normal(size=setting.n)
        return cls(x, z, y)


LABELS = "labels alone"
PRIVILEGED = "teacher on z"
BOTH = "teacher on x, z"
ONE_FIT = "on x, z, own rows too"


def risk_of_labels(setting: Setting) -> float:
    """R_C = (σ² + τ²)·d/(n − d − 1), exact: least squares on the labelled rows, and linear self-training."""
    return (setting.noise + setting.unseen) * _share(setting.d, setting.n)


def risk_of_privileged(setting: Setting) -> float:
    """R_P = σ²/(n − m − 1)·[S + d(m − S)/(N − d − 1)] + τ²·d/(N − d − 1), exact: the teacher reads z alone.

    The teacher's coefficients err by δ, E[δδ'] = σ²/(n − m − 1)·I. Of δ'z, the student learns Aδ, which makes the S;
    what x does not tell of it, δ'u, is noise to a regression on N rows, as b'u is.
    """
    noise = setting.noise / (setting.n - setting.m - 1)
    rest = _share(setting.d, setting.others)
    return noise * (setting.shared + rest * (setting.m - setting.shared)) + setting.unseen * rest


def risk_of_both(setting: Setting) -> float:
    """R_XZ = σ²·d/(n − m − d − 1) + (τ² + σ²·m/(n − m − d − 1))·d/(N − d − 1), exact: the teacher reads x and z."""
    noise = setting.noise / (setting.n - setting.m - setting.d - 1)
    return noise * setting.d + (setting.unseen + noise * setting.m) * _share(setting.d, setting.others)


def risk_of_one_fit(setting: Setting) -> float:
    """The teacher reads x and z; it teaches the student on all M = n + N rows, its own among them. Exact:

    σ²·[d/(n − d − 1) + m/(n − m − d − 1)·(d/(n − d − 1) − d/(M − d − 1))] + τ²·d/(M − d − 1)

    x and u of all rows are X and U, those of the labelled ones X₁ and U₁; G = X'X, P = G⁻¹X'U, and G₁, P₁ likewise.
    Given them the student's coefficients err by Pb on average, about which they vary with the covariance
    σ²·(I P)([X₁ U₁]'[X₁ U₁])⁻¹(I P)' = σ²·[G₁⁻¹ + (P − P₁)Q⁻¹(P − P₁)']. Q is Wishart with n − d degrees of freedom and
    independent of P − P₁, whose columns have, given X, covariances in proportion to G₁⁻¹ − G⁻¹.
    N = 0 gives R_C, as nesting says, N → ∞ R_XZ.
    """
    few, all_rows = _share(setting.d, setting.n), _share(setting.d, setting.n + setting.others)
    ratio = setting.m / (setting.n - setting.m - setting.d - 1)
    return setting.noise * (few + ratio * (few - all_rows)) + setting.unseen * all_rows


FORMULAS: Mapping[str, Callable[[Setting], float]] = {
    LABELS: risk_of_labels,
    PRIVILEGED: risk_of_privileged,
    BOTH: risk_of_both,
    ONE_FIT: risk_of_one_fit,
}


def excess_risk(setting: Setting, coefficients: np.ndarray) -> float:
    """Of a linear student `[d]`, over all x."""
    return float(np.square(coefficients - setting.truth).sum())


def two_stages(draw: Draw) -> dict[str, np.ndarray]:
    """Coefficients `[d]` of the student of each kind, by least squares."""
    n = len(draw.y)
    both = np.hstack([draw.x, draw.z])
    answers = draw.z @ _least_squares(draw.z[:n], draw.y)
    nested = both @ _least_squares(both[:n], draw.y)
    return {
        LABELS: _least_squares(draw.x[:n], draw.y),
        PRIVILEGED: _least_squares(draw.x[n:], answers[n:]),
        BOTH: _least_squares(draw.x[n:], nested[n:]),
        ONE_FIT: _least_squares(draw.x, nested),
    }


def _share(d: int, rows: int) -> float:
    """E tr (X'X)⁻¹ of rows from N(0, I_d)."""
    return d / (rows - d - 1)


def _least_squares(inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(inputs, target, rcond=None)[0]
