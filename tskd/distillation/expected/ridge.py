"""Ridge regressions of the probe: all penalties from one decomposition, labels that are missing left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# of mean squared error, for inputs of variance 1
PENALTIES = 10.0 ** np.arange(-4, 2.5, 0.5)
# rectified random projections beside the inputs of what stands in for a network
FEATURES = 200


def forecasts(
    inputs: np.ndarray, target: np.ndarray, at: np.ndarray, penalties: Sequence[float] | np.ndarray
) -> Iterator[np.ndarray]:
    """Forecasts `[M, Q]` for the inputs `at [M, D]`, for each penalty in turn.

    Args:
        inputs: `[N, D]`.
        target: `[N, Q]`; each column is fitted to the rows in which it is finite, and is 0 for fewer than 2.
        penalties: added to the sums of squares of the inputs: of the sum of squared errors, not their mean.
    """
    known = np.isfinite(target)
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    fits = []
    for number, rows in enumerate(patterns.T):
        columns = np.flatnonzero(which.ravel() == number)
        if rows.sum() >= 2:
            fits.append((columns, _decomposed(inputs[rows], target[rows][:, columns], at)))
    for penalty in penalties:
        found = np.zeros((len(at), target.shape[1]))
        for columns, (along, values, projected, level) in fits:
            found[:, columns] = along @ (projected / (values + penalty)[:, None]) + level
        yield found


def _decomposed(
    inputs: np.ndarray, target: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    mean, level = inputs.mean(0), target.mean(0)
    centred, deviations = inputs - mean, target - level
    if len(inputs) >= inputs.shape[1]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        return (at - mean) @ vectors, values.clip(min=0), vectors.T @ (centred.T @ deviations), level
    values, vectors = np.linalg.eigh(centred @ centred.T)
    return (at - mean) @ (centred.T @ vectors), values.clip(min=0), vectors.T @ deviations, level


def random_features(inputs: np.ndarray, count: int = FEATURES, seed: int = 0) -> np.ndarray:
    """The inputs `[N, D]`, and `count` rectified random projections of them beside these `[N, D + count]`."""
    draw = np.random.default_rng(seed)
    weights = draw.normal(size=(inputs.shape[1], count)) / np.sqrt(inputs.shape[1])
    hidden = np.maximum(inputs @ weights + draw.normal(size=count), 0)
    deviation = hidden.std(0)
    return np.hstack([inputs, (hidden - hidden.mean(0)) / np.where(deviation > 0, deviation, 1)])


def tuned(inputs: np.ndarray, target: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The penalty on the sum of squares with the least held-out error.

    Args:
        inputs: `[N, D]`.
        target: `[N, Q]`, NaN where missing.
        folds: of each, the rows to train on and the held-out ones `[N]`.
    """
    known = np.isfinite(target).any(1)
    penalties = PENALTIES * known.sum()
    total = sum(held_out_errors(inputs, target, (trains, held & known), penalties) for trains, held in folds)
    return float(penalties[np.argmin(total)])


def held_out_errors(
    inputs: np.ndarray, target: np.ndarray, fold: tuple[np.ndarray, np.ndarray], penalties: np.ndarray
) -> np.ndarray:
    """Squared error in a fold, whose rows to train on and held-out ones are `[N]`, of each of P penalties `[P]`."""
    trains, held = fold
    found = forecasts(inputs[trains], target[trains], inputs[held], penalties)
    return np.array([np.nansum((target[held] - fitted) ** 2) for fitted in found])
