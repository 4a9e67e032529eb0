"""What stands in for a network that teaches, where it would have to be trained once a fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from darts import TimeSeries

from tskd._core.windows import Windows
from tskd.distillation.expected import ridge
from tskd.distillation.expected.purged_folds import PurgedFold
from tskd.distillation.expected.rows import Rows, covered_inputs
from tskd.teachers.crossfit import Folds


@dataclass(frozen=True, eq=False)
class StandIn:
    """A ridge regression on a teacher's inputs and rectified random projections of them.

    Attributes:
        rows: of the student.
        covered: those for which the teacher has its inputs, by number `[n]`.
        inputs: of the teacher there `[n, D]`.
        values: labels there `[n, Q]`, in the units of the target; NaN in steps that the teacher does not forecast.
        penalty: with the least held-out error.
    """

    rows: Rows
    covered: np.ndarray
    inputs: np.ndarray
    values: np.ndarray
    penalty: float

    @classmethod
    def of(cls, windows: Windows, rows: Rows, forecast: np.ndarray, folds: Sequence[PurgedFold]) -> StandIn | None:
        """The stand-in of a teacher; None if it has its inputs nowhere.

        Args:
            windows: of the teacher.
            forecast: which of the Q numbers it forecasts `[Q]`.
            folds: by which the penalty is chosen.
        """
        covered, own = covered_inputs(windows, rows.keys)
        if not len(covered):
            return None
        inputs = ridge.random_features(own)
        values = np.where(forecast, rows.values, np.nan)[covered]
        at = rows.at[covered]
        penalty = ridge.tuned(inputs, values / rows.scale, [(fold.trains(at), fold.holds(at)) for fold in folds])
        return cls(rows, covered, inputs, values, penalty)

    def answers(self, fold: PurgedFold, inner: Folds | None, series: Sequence[TimeSeries]) -> np.ndarray:
        """Answers `[N, Q]` for all rows, without the labels of a fold; NaN where there is none.

        Args:
            inner: folds by which the teacher is cross-fitted, or None.
            series: of the teacher.
        """
        trains = fold.trains(self.rows.at[self.covered])
        values = self._fitted(trains, np.ones(len(trains), dtype=bool))
        if inner is not None:
            keys = self.rows.keys[self.covered]
            numbers = inner.of_windows(series, keys).numpy()
            for number in range(inner.count):
                apart = inner.trains(series, keys, number).numpy()
                values[numbers == number] = self._fitted(trains & apart, numbers == number)
        found = np.full(self.rows.labels.shape, np.nan)
        found[self.covered] = values
        found[:, np.isnan(self.values).all(0)] = np.nan
        return self.rows.relative(found)

    def _fitted(self, trains: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Forecasts for the rows `at [n]` by a regression on those of `trains [n]`."""
        target = self.values[trains]
        return next(ridge.forecasts(self.inputs[trains], target, self.inputs[at], [self.penalty]))
