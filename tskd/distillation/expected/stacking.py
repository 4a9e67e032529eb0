"""How far to trust teachers, from the held-out errors of a student of labels and of students of teachers.

A student that trusts the teachers with shares w forecasts f₀ + Σ_k w_k·(f_k − f₀), f₀ a student of labels and f_k one
of teacher k: its squared error is quadratic in w, and its sums over blocks of time are all that is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

# times the variance of an estimated share that is taken off its square: the prudent one, and the bold
PRUDENT, BOLD = 1.0, 0.5
# times the plug-in share that the share of a single series may be
CAP = 2.0
# blocks of time below which nothing can be estimated, and effective ones below which no promise can be kept
FEWEST_BLOCKS, FEW_BLOCKS = 5, 100


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over the held-out labels of each of B blocks of time, for K teachers.

    Attributes:
        errors: Σ (y − f₀)² `[B]`.
        products: Σ (y − f₀)·(f_k − f₀) `[B, K]`.
        gram: Σ (f_j − f₀)·(f_k − f₀) `[B, K, K]`.
    """

    errors: np.ndarray
    products: np.ndarray
    gram: np.ndarray

    @classmethod
    def of(cls, errors: np.ndarray, differences: np.ndarray, blocks: np.ndarray) -> BlockSums:
        """The sums of some held-out windows.

        Args:
            errors: y − f₀ `[N, Q]`, NaN where there is no label.
            differences: f_k − f₀ `[K, N, Q]`.
            blocks: number of each window's block `[N]`.
        """
        known = np.isfinite(errors)
        errors, differences = np.where(known, errors, 0), np.where(known, differences, 0)
        numbers, of_rows = np.unique(blocks, return_inverse=True)

        def summed(values: np.ndarray) -> np.ndarray:
            found = np.zeros((len(numbers), *values.shape[1:]))
            np.add.at(found, of_rows, values)
            return found

        return cls(
            summed((errors**2).sum(1)),
            summed(np.einsum("nq,knq->nk", errors, differences)),
            summed(np.einsum("jnq,knq->njk", differences, differences)),
        )

    def of_teachers(self, chosen: np.ndarray) -> BlockSums:
        """The sums of some of the teachers."""
        return BlockSums(self.errors, self.products[:, chosen], self.gram[:, chosen][:, :, chosen])

    def mixed(self, weights: np.ndarray) -> BlockSums:
        """The sums of one teacher, the mean of all with `weights [K]`."""
        products, gram = self.products @ weights, self.gram @ weights @ weights
        return BlockSums(self.errors, products[:, None], gram[:, None, None])

    def squared_errors(self, shares: np.ndarray) -> np.ndarray:
        """Σ (y − f)² of a student that trusts the teachers with `shares [K]`, by block `[B]`."""
        return self.errors - 2 * self.products @ shares + self.gram @ shares @ shares


@dataclass(frozen=True)
class Share:
    """The estimated share of one teacher, or of a mean of teachers.

    Attributes:
        estimate: α̂ = Σ⟨y − f₀, f₁ − f₀⟩ / Σ‖f₁ − f₀‖², the share with the least held-out error; 0 if the students of
            the teacher and of the labels forecast the same.
        variance: of the estimate, over blocks of time; infinite for fewer than 5.
        effective_blocks: n_eff = err₀ / (variance·‖f₁ − f₀‖²), means over labels: a useless teacher costs 1/(2·n_eff)
            of the error on average, whatever it is.
    """

    estimate: float
    variance: float
    effective_blocks: float

    @classmethod
    def of(cls, sums: BlockSums) -> Share:
        """The share of the only teacher of some sums."""
        products, squares = sums.products[:, 0], sums.gram[:, 0, 0]
        total, blocks = squares.sum(), int((squares > 0).sum())
        if not total > 0:
            return cls(0.0, 0.0, np.inf)
        estimate = products.sum() / total
        if blocks < FEWEST_BLOCKS:
            return cls(float(estimate), np.inf, 0.0)
        # of a ratio of sums
        deviations = products - estimate * squares
        variance = (deviations**2).sum() / total**2 * blocks / (blocks - 1)
        effective = sums.errors.sum() / (variance * total) if variance > 0 else np.inf
        return cls(float(estimate), float(variance), float(effective))

    def shrunk(self, times: float) -> float:
        """α̂·max(0, 1 − times·variance/α̂²), from 0 to 1."""
        if self.estimate <= 0 or not np.isfinite(self.variance):
            return 0.0
        return float(np.clip(self.estimate * max(0.0, 1 - times * self.variance / self.estimate**2), 0, 1))


@dataclass(frozen=True, eq=False)
class Trust:
    """How far teachers are trusted.

    Attributes:
        shares: of each teacher `[K]`; non-negative, at most 1 together.
        share: the estimate for all together.
    """

    shares: np.ndarray
    share: Share

    @property
    def alpha(self) -> float:
        """The share of all teachers together."""
        return float(self.shares.sum())


def trust(sums: BlockSums, times: float, caps: np.ndarray | None = None, knowing: np.ndarray | None = None) -> Trust:
    """The shares of K teachers.

    Each teacher must earn a share by itself, which drops the useless ones; the shares of the others among one another
    are those with the least held-out error (non-negative least squares), and what they get together is shrunk as one.

    Args:
        times: of the variance of a share that is taken off its square.
        caps: largest share of each teacher `[K]`, or None.
        knowing: teachers that may have a share `[K]`; None for all.
    """
    count = sums.products.shape[1]
    alone = np.array([Share.of(sums.of_teachers(np.array([k]))).shrunk(times) for k in range(count)])
    if caps is not None:
        alone = np.minimum(alone, caps)
    earned = np.flatnonzero((alone > 0) if knowing is None else (alone > 0) & knowing)
    shares = np.zeros(count)
    if not len(earned):
        best = _least_squares(sums)
        return Trust(shares, Share.of(sums.mixed(best / best.sum() if best.sum() > 0 else np.full(count, 1 / count))))
    among = sums.of_teachers(earned)
    best = _least_squares(among)
    weights = best / best.sum() if best.sum() > 0 else alone[earned] / alone[earned].sum()
    together = Share.of(among.mixed(weights))
    alpha = together.shrunk(times)
    if caps is not None:
        alpha = min(alpha, float(weights @ caps[earned]))
    shares[earned] = alpha * weights
    return Trust(shares, together)


def _least_squares(sums: BlockSums) -> np.ndarray:
    """Non-negative shares `[K]` with the least squared error."""
    gram, products = sums.gram.sum(0), sums.products.sum(0)
    scale = np.trace(gram) / len(gram)
    if not scale > 0:
        return np.zeros(len(gram))
    root = np.linalg.cholesky(gram + 1e-9 * scale * np.eye(len(gram)))
    return nnls(root.T, np.linalg.solve(root, products))[0]
