"""The shortest convex combination of vectors with a largest share for each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain

import numpy as np

# of the mean squared length: makes the answer unique, and even among vectors that are equal
RIDGE = 1e-8
TOLERANCE = 1e-12


def shortest(gram: np.ndarray, cap: float) -> np.ndarray:
    """Shares α that minimise ½ αᵀGα with Σα = 1 and 0 ≤ α ≤ max(cap, 1/K).

    The matrix is normalised first, see `normalised`. Even shares where it is 0 or not finite.

    Args:
        gram: inner products of the vectors `[K, K]`, of any rank and scale.
        cap: largest share, above 0; at 1/K or below, the shares are even.

    Returns:
        `[K]`.
    """
    count, rows, cap = len(gram), gram.tolist(), min(cap, 1.0)
    mean = sum(row[k] for k, row in enumerate(rows)) / count
    if cap * count <= 1 or not 0 < mean < math.inf or not all(map(math.isfinite, chain.from_iterable(rows))):
        return np.full(count, 1 / count)
    free = unbounded([value / mean + RIDGE * (k == j) for j, value in enumerate(row)] for k, row in enumerate(rows))
    # most often it is within the bounds
    return np.array(free) if min(free) >= 0 and max(free) <= cap else active_set(normalised(gram), cap)


def unbounded(gram: Iterable[list[float]]) -> list[float]:
    """The shares α that minimise ½ αᵀGα with Σα = 1, for the rows of a positive definite G.

    They are in proportion to the row sums of the inverse, here by Gauss–Jordan elimination: for a few teachers, in the
    midst of a training step, any call of NumPy takes longer than all of it.
    """
    rows = [[*row, 1.0] for row in gram]
    for k, pivot in enumerate(rows):
        pivot[:] = [value / pivot[k] for value in pivot]
        for row in rows:
            if row is not pivot:
                row[:] = [value - row[k] * own for value, own in zip(row, pivot, strict=True)]
    total = sum(row[-1] for row in rows)
    return [row[-1] / total for row in rows]


def normalised(gram: np.ndarray) -> np.ndarray:
    """The matrix over its mean diagonal, so that no tolerance depends on the vectors' units, plus a ridge."""
    return gram / gram.diagonal().mean() + RIDGE * np.eye(len(gram))


def active_set(gram: np.ndarray, cap: float) -> np.ndarray:
    """The same for a positive definite matrix and 1/K < cap ≤ 1, exactly.

    Primal active set: shares held at a bound are released one by one while that shortens the sum; every step stays
    within the bounds and lengthens nothing.
    """
    count = len(gram)
    shares = np.full(count, 1 / count)
    # -1: held at 0, 1: held at the cap, 0: free
    held = np.zeros(count, dtype=int)
    # a few rounds a share suffice; rounding must not make it go in circles
    for _ in range(100 * count):
        free = np.flatnonzero(held == 0)
        move = _best(gram, shares, free) - shares[free]
        room = np.full(len(free), np.inf)
        room[move < 0] = -shares[free][move < 0] / move[move < 0]
        room[move > 0] = (cap - shares[free][move > 0]) / move[move > 0]
        if len(free) and room.min() < 1:
            at = int(room.argmin())
            shares[free] += room[at] * move
            held[free[at]] = -1 if move[at] < 0 else 1
            shares[free[at]] = 0 if move[at] < 0 else cap
            continue
        shares[free] += move
        slope = gram @ shares
        low, high = np.where(held == -1, slope, np.inf), np.where(held == 1, slope, -np.inf)
        level = slope[free].mean() if len(free) else (low.min() + high.max()) / 2
        rise, fall = level - low.min(), high.max() - level
        if max(rise, fall) <= TOLERANCE:
            break
        held[low.argmin() if rise >= fall else high.argmax()] = 0
    return shares


def _best(gram: np.ndarray, shares: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Where the free shares would go if they had no bounds, the others staying where they are."""
    if not len(free):
        return shares[free]
    others = np.setdiff1d(np.arange(len(gram)), free)
    system = np.ones((len(free) + 1, len(free) + 1))
    system[:-1, :-1] = gram[np.ix_(free, free)]
    system[-1, -1] = 0
    right = np.append(-gram[np.ix_(free, others)] @ shares[others], 1 - shares[others].sum())
    return np.linalg.solve(system, right)[:-1]


def kkt_residual(gram: np.ndarray, shares: np.ndarray, cap: float) -> float:
    """Violation of the optimality conditions of ½ αᵀGα by shares; 0 at the optimum.

    It is the largest of how far shares leave the bounds or the sum, and of how much shorter the sum gets by moving
    share from one vector to another.
    """
    slope = gram @ shares
    edge = 1e-9
    down = slope[shares > edge].max(initial=-np.inf)
    up = slope[shares < cap - edge].min(initial=np.inf)
    outside = max(-shares.min(), shares.max() - cap, abs(shares.sum() - 1))
    return float(max(outside, down - up, 0.0))
