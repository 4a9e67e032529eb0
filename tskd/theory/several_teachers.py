"""Several teachers that each save a part of the student's variance and bring a bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize

from tskd.theory.linear_gaussian import LinearGaussian, Rows

# coefficients of the label
SLOPE = 1.0


@dataclass(frozen=True)
class SeveralTeachers:
    """y = β'x + e, x ~ N(0, I_d); teacher k knows the coefficients of some inputs, and not those of the others.

    For inputs that it does not know, it answers as the labels of the training rows would; for those that it knows, it
    answers the truth plus a bias. What a teacher saves its student is the variance of what it knows.

    Args:
        d: inputs.
        noise: σ², the variance of e.
        known: of each teacher, the inputs whose coefficients it knows.
        biases: of each teacher, what it adds to each coefficient that it knows.

    Raises:
        ValueError: there is not one bias for each teacher.
    """

    d: int
    noise: float
    known: Sequence[Sequence[int]]
    biases: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.known) != len(self.biases):
            raise ValueError(f"{len(self.known)} teachers and {len(self.biases)} biases: give one for each")

    @cached_property
    def world(self) -> LinearGaussian:
        """The world of x and y: nothing is privileged."""
        return LinearGaussian(self.d, self.d, 1.0, self.noise, slope=SLOPE)

    def sample(self, rows: int, seed: int | np.random.Generator) -> Rows:
        """So many labelled `rows`; z is x. `seed` may be a generator."""
        return self.world.sample(rows, seed)

    def answers(self, rows: Rows) -> np.ndarray:
        """The teachers' answers for training rows `[K, n]`."""
        fitted = np.linalg.lstsq(rows.x, rows.y, rcond=None)[0]
        answers = []
        for known, bias in zip(self.known, self.biases, strict=True):
            coefficients = fitted.copy()
            coefficients[list(known)] = self.world.truth[list(known)] + bias
            answers.append(rows.x @ coefficients)
        return np.array(answers)

    def saved(self, rows: int) -> np.ndarray:
        """D_k: variance that a student of teacher k, of n `rows`, saves `[K]`, exact."""
        return np.diag(self.overlap(rows)).copy()

    def overlap(self, rows: int) -> np.ndarray:
        """Variance that two teachers both save, in students of n `rows`, `[K, K]`, exact."""
        each = self.noise / (rows - self.d - 1)
        return np.array([[each * len(set(a) & set(b)) for b in self.known] for a in self.known])

    @property
    def bias_products(self) -> np.ndarray:
        """Products of the biases of two teachers `[K, K]`; squared biases B_k on the diagonal."""
        vectors = np.zeros((len(self.known), self.d))
        for vector, known, bias in zip(vectors, self.known, self.biases, strict=True):
            vector[list(known)] = bias
        return vectors @ vectors.T

    def risk(self, rows: int, shares: Sequence[float]) -> float:
        """Excess risk of a student of n `rows` that trusts the teachers with `shares [K]`, and labels with the rest,
        exact."""
        alone = self.noise * self.d / (rows - self.d - 1)
        return mixture_risk(alone, self.overlap(rows), self.bias_products, np.asarray(shares))


def mixture_risk(alone: float, overlap: np.ndarray, biases: np.ndarray, shares: np.ndarray) -> float:
    """R(w) = R_C − 2·Σ_k w_k·D_k + w'(G + B)w, exact: a student that trusts K teachers with shares w.

    For one teacher it is `balance_risk`.

    Args:
        alone: R_C, of labels alone.
        overlap: G `[K, K]`, variance that two teachers both save; D_k on the diagonal.
        biases: B `[K, K]`, products of their biases.
        shares: w `[K]`.
    """
    return float(alone - 2 * shares @ np.diag(overlap) + shares @ (overlap + biases) @ shares)


def best_shares(overlap: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """The shares w ≥ 0, Σw ≤ 1 `[K]` with the least `mixture_risk`: a small quadratic program, exact.

    Arguments are those of `mixture_risk`: `overlap` and `biases`.
    """
    count, scale = len(overlap), max(float(np.diag(overlap).max()), 1e-300)
    gram, saved = (overlap + biases) / scale, np.diag(overlap) / scale
    found = minimize(
        lambda w: w @ gram @ w - 2 * w @ saved,
        np.full(count, 1 / (count + 1)),
        jac=lambda w: 2 * (gram @ w - saved),
        bounds=[(0, 1)] * count,
        constraints=[{"type": "ineq", "fun": lambda w: 1 - w.sum(), "jac": lambda w: -np.ones(count)}],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return np.asarray(found.x).clip(0)
