"""Correlations between columns of two tables, some of whose values may be missing."""

from __future__ import annotations

import numpy as np


def squared_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """r² of the changes from row to row of every pair of columns, of `a [n, p]` and `b [n, q]`: `[p, q]`.

    Each pair is compared over the rows in which neither is missing; 0 for fewer than two, or for constant columns.
    """
    a, b = np.diff(a, axis=0), np.diff(b, axis=0)
    if len(a) < 2:
        return np.zeros((a.shape[1], b.shape[1]))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        pairs = [[_of_known(x, y) for y in b.T] for x in a.T]
        return np.array(pairs).reshape(a.shape[1], b.shape[1])
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0))
    return np.minimum(np.divide(a.T @ b, scale, out=np.zeros_like(scale), where=scale > 0) ** 2, 1)


def _of_known(x: np.ndarray, y: np.ndarray) -> float:
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 2 or not x.std() * y.std() > 0:
        return 0.0
    return min(float(np.corrcoef(x, y)[0, 1]) ** 2, 1.0)
