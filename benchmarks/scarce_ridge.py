"""Ridge students in closed form, of labels and of a teacher's answers, and what is measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import t

from tskd.distillation.expected import coverage as expected

# relative to inputs of variance 1
PENALTIES = np.logspace(-4, 2, 13)
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of rows (1, x) and of these with y, for least squares; sums and differences of them are those of
    the rows together, and of the rows that remain.

    Attributes:
        inputs: Σ (1, x)(1, x)' `[d + 1, d + 1]`.
        labels: Σ (1, x)·y `[d + 1]`.
    """

    inputs: np.ndarray
    labels: np.ndarray

    @property
    def rows(self) -> float:
        return float(self.inputs[0, 0])

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.inputs + other.inputs, self.labels + other.labels)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.inputs - other.inputs, self.labels - other.labels)

    def __mul__(self, weight: float) -> Moments:
        return Moments(weight * self.inputs, weight * self.labels)


@dataclass(frozen=True, eq=False)
class Design:
    """The inputs of all rows, whose moments are computed once for each choice of rows.

    Attributes:
        x: `(1, inputs)` `[N, d + 1]`.
    """

    x: np.ndarray
    _found: dict[bytes, np.ndarray] = field(default_factory=dict)

    def moments(self, y: np.ndarray, rows: np.ndarray, left_out: np.ndarray | None = None) -> Moments:
        """Of the rows that are true in `rows` `[N]`, less those in `left_out`; `y` is finite there."""
        if left_out is not None:
            # mostly few rows, and the moments of all others are known
            return self.moments(y, rows) - self.moments(y, rows & left_out)
        x, key = self.x[rows], np.packbits(rows).tobytes()
        if key not in self._found:
            self._found[key] = x.T @ x
        return Moments(self._found[key], x.T @ y[rows])


def ridge_path(moments: Moments, penalties: np.ndarray = PENALTIES) -> np.ndarray:
    """Coefficients `[P, d + 1]`, the constant first and free, of least squares with each penalty on the mean squared
    error: the minimum of Σ(y − f)²/n + penalty·|w|²."""
    n = moments.rows
    mean, level = moments.inputs[0, 1:] / n, moments.labels[0] / n
    gram = moments.inputs[1:, 1:] / n - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(gram)
    along = vectors.T @ (moments.labels[1:] / n - mean * level)
    # an eigenvalue of 0 comes out a little below it
    slopes = (along / (values.clip(min=0) + penalties[:, None])) @ vectors.T
    return np.column_stack([level - slopes @ mean, slopes])


def mixed(labels: Moments, answers: Moments, known: int, alpha: float) -> Moments:
    """The moments of the loss by which a model is distilled: (1 − α)·Σ over labels / N + α·mean over answers.

    Args:
        known: N, number of rows with a label or an answer.
    """
    return labels * ((1 - alpha) / known) + answers * (alpha / answers.rows)


def held_out(rows: np.ndarray, apart: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each contiguous fifth of the labelled rows: these `[N]`, and all rows less than `apart` from one `[N]`."""
    found = []
    near = np.ones(2 * apart - 1)
    for part in np.array_split(np.flatnonzero(rows), FOLDS):
        inside = np.zeros(len(rows), dtype=bool)
        inside[part] = True
        found.append((inside, np.convolve(inside, near, "full")[apart - 1 :][: len(rows)] > 0.5))
    return found


def coverage(x: np.ndarray, labelled: np.ndarray, others: np.ndarray, penalty: float) -> float:
    """L_S: the mean leverage of other rows under the labelled rows' Gram matrix, over the labelled rows' own mean.

    Args:
        x: inputs `[N, d]`.
        labelled, others: rows `[N]`.
        penalty: added to the mean Gram matrix, as in `ridge_path`.
    """
    if not others.any():
        return float("nan")
    rows = labelled | others
    return expected.coverage(x[rows], labelled[rows], penalty * labelled.sum())


def explained(labels: np.ndarray, answers: np.ndarray) -> float:
    """R² of answers where there are both; NaN for fewer than three."""
    both = np.isfinite(labels) & np.isfinite(answers)
    if both.sum() < 3:
        return float("nan")
    y, g = labels[both], answers[both]
    return float(1 - np.square(y - g).sum() / np.square(y - y.mean()).sum())


def permuted(values: np.ndarray, strata: np.ndarray, seed: int) -> np.ndarray:
    """Rows `[N, M]` permuted within strata `[N]`."""
    draw, found = np.random.default_rng(seed), values.copy()
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        found[rows] = values[draw.permutation(rows)]
    return found


def smoothed(labels: np.ndarray, gap: int, width: int) -> np.ndarray:
    """Labels `[N]` over time: linear between those at most `gap` rows apart, then the centred mean of `width` rows.

    NaN where the row itself lies in a longer gap, or before the first or after the last label.
    """
    at = np.flatnonzero(np.isfinite(labels))
    rows = np.arange(len(labels))
    lines = np.interp(rows, at, labels[at])
    after = np.searchsorted(at, rows)
    before = np.searchsorted(at, rows, side="right") - 1
    inside = (before >= 0) & (after < len(at))
    near = inside.copy()
    near[inside] = at[after[inside]] - at[before[inside]] <= gap
    window = np.ones(width)
    total = np.convolve(np.where(near, lines, 0.0), window, "same")
    return np.where(near, total / np.convolve(near, window, "same").clip(min=1), np.nan)


def interval(logs: Sequence[np.ndarray], draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of exp(mean log ratio): t, with the standard error of a bootstrap over series and folds.

    Both are resampled, each by itself. With m folds the standard error is multiplied by √(m/(m − 1)), and t has m − 1
    degrees of freedom, m the least number of folds of a family: percentiles would be too narrow.

    Args:
        logs: by family of series, `[series, folds]`, NaN where there is no value. Families are not resampled; each
            value counts once.
    """
    draw, means = np.random.default_rng(seed), []
    for _ in range(draws):
        found = []
        for table in logs:
            series, folds = (draw.integers(size, size=size) for size in table.shape)
            found.append(table[np.ix_(series, folds)].ravel())
        means.append(np.nanmean(np.concatenate(found)))
    m = min(table.shape[1] for table in logs)
    centre = np.nanmean(np.concatenate([table.ravel() for table in logs]))
    half = t.ppf(0.975, m - 1) * np.sqrt(m / (m - 1)) * np.nanstd(means, ddof=1)
    return float(np.exp(centre - half)), float(np.exp(centre + half))


def share_of_oracle(ratio: float, oracle: float) -> float:
    """Log ratio over that of the oracle; NaN if the oracle gains nothing."""
    return float(np.log(ratio) / np.log(oracle)) if oracle < 1 else float("nan")
