"""A teacher's answers for the student's windows, as one would give them that never saw the labels of a fold."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import window_span
from tskd._core.quiet_logs import at_level
from tskd._core.window_keys import shared_steps
from tskd._core.windows import Windows
from tskd.distillation.expected.purged_folds import PurgedFold
from tskd.distillation.expected.rows import Rows, steps_of_series
from tskd.distillation.expected.stand_in import StandIn
from tskd.distillation.preflight import PreparedFit, TeacherInFit
from tskd.teachers.base import BaseTeacher
from tskd.teachers.fitted import folds_of
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.teacher import Teacher

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class JudgedTeacher:
    """A teacher of a fit, whose answers in each fold are to be judged.

    Answers that do not depend on labels of the training part are the same in every fold: those of teachers from outside
    and of teachers fitted on other data. Others are given by a refit without the labels of the fold, cross-fitted as
    the teacher is; for a network by its `StandIn`.

    Attributes:
        one: the teacher with its inputs.
        fitted: after the fit; a network that is not fitted stands for itself, and is stood in for.
        predictor: of the fitted teacher; None for a network that is not.
        rows: of the student.
        prepared: the fit.
    """

    one: TeacherInFit
    fitted: BaseTeacher
    predictor: TeacherPredictor | None
    rows: Rows
    prepared: PreparedFit

    @property
    def saw_the_labels(self) -> bool:
        """Whether its answers depend on labels of the training part."""
        known = self.one.teacher.fitted and not self.fitted.was_fitted_on(self.prepared.student.series)
        return self.fitted.learns and not known

    def answers(self, folds: Sequence[PurgedFold]) -> Iterator[np.ndarray]:
        """Answers `[N, Q]` for all rows, NaN where there is none, in each fold."""
        if not self.saw_the_labels:
            assert self.predictor is not None
            same = self._answers_of(self.predictor)
            return (same for _ in folds)
        if self.fitted.trains_network:
            return self._stood_in(folds)
        return (self._refitted(fold) for fold in folds)

    @cached_property
    def _keys(self) -> Tensor | None:
        """Of the teacher's training windows; inputs of a fitted one have none."""
        if self.one.inputs.keys is not None:
            return self.one.inputs.keys
        return self.fitted.unfitted().inputs_on(self.prepared.train, self.prepared.options.sampling).keys

    def _span(self) -> slice:
        return shared_steps(self.prepared.recipe.horizon, self.fitted.horizon)

    def _answers_of(self, predictor: TeacherPredictor) -> np.ndarray:
        forecasts, covered = predictor.forecasts(self.rows.keys)
        if not bool(covered.any()):
            return np.full(self.rows.labels.shape, np.nan)
        span = self._span()
        first = self.prepared.recipe.horizon[0] + span.start - self.fitted.horizon[0]
        values = forecasts[:, first : first + span.stop - span.start].double().numpy()
        return self.rows.answers(np.where(np.isfinite(values), values, np.nan), span)

    def _refitted(self, fold: PurgedFold) -> np.ndarray:
        """Answers of a refit; none if the labels outside of the fold are too few for one."""
        inputs, sampling = self.one.inputs, self.prepared.options.sampling
        unfitted = self.fitted.unfitted().answering(self.fitted.horizon)
        starts = steps_of_series(inputs.series)
        hidden = [_hidden(target, start, fold, self.rows) for target, start in zip(inputs.series, starts, strict=True)]
        try:
            with _quiet():
                fitted = unfitted.fit_on(replace(inputs, series=hidden, keys=self._keys), None, **sampling.arguments())
                return self._answers_of(fitted.predictor_on(inputs, self.prepared.student.series))
        except ValueError as error:
            logger.info("teacher %r cannot be judged in a fold: %s", self.fitted.name, error)
            return np.full(self.rows.labels.shape, np.nan)

    def _stood_in(self, folds: Sequence[PurgedFold]) -> Iterator[np.ndarray]:
        inputs, (steps, _), span = self.one.inputs, self.rows.outputs, self._span()
        windows = Windows.of(inputs, window_span(self.fitted.models[0]))
        stand_in = StandIn.of(windows, self.rows, (steps >= span.start) & (steps < span.stop), folds)
        inner = None
        if isinstance(self.fitted, Teacher):
            inner = self.fitted.folds if self.fitted.fitted else folds_of(self.fitted.spec, inputs)
        for fold in folds:
            if stand_in is None:
                yield np.full(self.rows.labels.shape, np.nan)
            else:
                yield stand_in.answers(fold, inner, inputs.series)


def _hidden(target: TimeSeries, start: int, fold: PurgedFold, rows: Rows) -> TimeSeries:
    """A target series without the labels of the held-out windows."""
    steps = start + np.arange(len(target))
    hidden = np.zeros(len(target), dtype=bool)
    for first, last in fold.stretches:
        hidden |= (steps >= first + rows.first) & (steps <= last + rows.last)
    values = target.all_values(copy=True)
    values[hidden] = np.nan
    return target.with_values(values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of refits: the fit itself has given them."""
    with warnings.catch_warnings(), at_level(logging.ERROR, "tskd"):
        warnings.simplefilter("ignore")
        yield
