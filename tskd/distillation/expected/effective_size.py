"""What overlapping windows are worth, and how many parameters a regression spends on them."""

from __future__ import annotations

import numpy as np


def effective_windows(residuals: np.ndarray, origins: np.ndarray) -> float:
    """Number of independent windows that n windows are worth: n/(1 + 2·Σ_k ρ_k).

    ρ_k is the autocorrelation at lag k of a model's held-out errors, pooled over outputs and series, among windows with
    consecutive origins; lags are summed in pairs until a pair is not positive (Geyer 1992, "Practical Markov chain
    Monte Carlo", Statistical Science 7, section 3.3). Errors of windows that share labels are correlated, and count
    less.

    Args:
        residuals: `[n, Q]`, NaN where there is no label.
        origins: series and step of the origin `[n, 2]`.
    """
    order = np.lexsort(origins.T[::-1])
    residuals, origins = residuals[order], origins[order]
    known = np.isfinite(residuals)
    values = np.where(known, residuals, 0)
    count = len(values)
    if count < 3:
        return float(count)
    steps = np.diff(origins[:, 1])[np.diff(origins[:, 0]) == 0]
    spacing = max(1, int(np.median(steps))) if len(steps) else 1
    variance = np.square(values).sum() / max(known.sum(), 1)
    if not variance > 0:
        return float(count)

    def correlation(lag: int) -> float:
        after, before = origins[lag:], origins[:-lag]
        pairs = (after[:, 0] == before[:, 0]) & (after[:, 1] - before[:, 1] == lag * spacing)
        both = (known[lag:] & known[:-lag])[pairs]
        products = (values[lag:] * values[:-lag])[pairs]
        return float(products.sum() / max(both.sum(), 1) / variance)

    total = 0.0
    for lag in range(1, max(2, count // 4), 2):
        pair = correlation(lag) + (correlation(lag + 1) if lag + 1 < count else 0.0)
        if pair <= 0:
            break
        total += pair
    return float(np.clip(count / (1 + 2 * total), 1, count))


def parameters(inputs: np.ndarray, penalty: float) -> float:
    """Effective number of parameters of a ridge regression, the constant included: 1 + Σ s/(s + penalty).

    Args:
        inputs: of the rows that it is fitted to `[n, D]`; s are the eigenvalues of their centred Gram matrix.
        penalty: on sums of squares, above 0.
    """
    values = np.linalg.svd(inputs - inputs.mean(0), compute_uv=False) ** 2
    return float(1 + (values / (values + penalty)).sum())
