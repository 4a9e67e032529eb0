"""Regressions of a target's value on the privileged values around the same step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PointwiseKind = Literal["one-neighbour", "ridge", "trees"]
LEAST_ROWS = 4
LEAST_LEAF, LEAVES = 20, 10


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A fitted regression.

    Attributes:
        estimator: of scikit-learn.
        columns: of the values that it reads.
    """

    estimator: Any
    columns: Sequence[int]

    @classmethod
    def fit(cls, kind: PointwiseKind, values: np.ndarray, labels: np.ndarray) -> Pointwise:
        """Fit a regression on the rows whose values are all known.

        Args:
            kind: `"one-neighbour"`, least squares on the column of the largest squared correlation with the labels, of
                those that are known in at least half as many rows as the best known one; `"ridge"`, on all columns,
                standardised, its penalty by generalised cross-validation; `"trees"`, boosted on all columns.
            values: privileged values `[n, F]`, NaN where missing.
            labels: `[n]`, all known.

        Raises:
            ValueError: there are too few rows.
        """
        columns: Sequence[int] = range(values.shape[1])
        if kind == "one-neighbour":
            columns = [_best(values, labels)]
        known = np.isfinite(values[:, columns]).all(1)
        if known.sum() < LEAST_ROWS:
            raise ValueError(
                f"{int(known.sum())} labelled steps outside a fold have all privileged values, and at least "
                f"{LEAST_ROWS} are needed"
            )
        estimator = _estimator(kind, int(known.sum()))
        return cls(estimator.fit(values[known][:, columns], labels[known]), columns)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Answers `[N]` for privileged values `[N, F]`; NaN where one that it reads is missing."""
        read = values[:, self.columns]
        known = np.isfinite(read).all(1)
        answers = np.full(len(values), np.nan)
        if known.any():
            answers[known] = self.estimator.predict(read[known])
        return answers


def _best(values: np.ndarray, labels: np.ndarray) -> int:
    """The column of the largest squared correlation with the labels, over the rows in which it is known."""
    known = np.isfinite(values)
    counts = known.sum(0)
    best, column = -1.0, -1
    for number in np.flatnonzero((counts >= LEAST_ROWS) & (2 * counts >= counts.max())):
        rows = known[:, number]
        x, y = values[rows, number] - values[rows, number].mean(), labels[rows] - labels[rows].mean()
        scale = (x @ x) * (y @ y)
        share = (x @ y) ** 2 / scale if scale > 0 else 0.0
        if share > best:
            best, column = share, int(number)
    if column < 0:
        raise ValueError(f"no privileged component is known at {LEAST_ROWS} labelled steps outside a fold")
    return column


def _estimator(kind: PointwiseKind, rows: int) -> Any:
    if kind == "one-neighbour":
        return LinearRegression()
    if kind == "ridge":
        # of standardised values, from next to no shrinking to next to nothing left
        return make_pipeline(StandardScaler(), RidgeCV(alphas=rows * np.logspace(-6, 2, 25)))
    # its own stopping would split neighbouring labels at random
    leaf = min(LEAST_LEAF, max(1, rows // LEAVES))
    return HistGradientBoostingRegressor(random_state=0, early_stopping=False, min_samples_leaf=leaf)
