"""The models of a reconstruction: their fit on labelled steps, and their answers, out of fold at labelled stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from darts import TimeSeries
from darts.utils.utils import generate_index

from tskd._core.model_inputs import ModelInputs
from tskd._core.time_grid import steps_between
from tskd.teachers.crossfit import five_days
from tskd.teachers.label_folds import LabelFolds
from tskd.teachers.pointwise import Pointwise, PointwiseKind

# components in a message
MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class ReconstructionFit:
    """The fitted models of a reconstruction.

    Attributes:
        inputs: on which they were fitted.
        axis: a series whose first step is step 0 of the time axis of the folds.
        components: for each component of the target, its folds, the model of all labels, and those of the folds.
    """

    inputs: ModelInputs
    axis: TimeSeries
    components: Sequence[tuple[LabelFolds, Pointwise, Mapping[int, Pointwise]]]

    @classmethod
    def of(cls, inputs: ModelInputs, kind: PointwiseKind, steps: int) -> ReconstructionFit:
        """Fit on the labelled steps of some series, all together."""
        assert inputs.past_covariates is not None
        longest = max(map(len, inputs.series))
        if steps >= longest:
            raise ValueError(
                f"steps={steps}: it would read {steps} steps to both sides, and no series has more than {longest}"
            )
        axis = min(inputs.series, key=lambda target: target.start_time())[:1]
        values = np.concatenate([values_around(read, steps) for read in inputs.past_covariates])
        labels = np.concatenate([target.values().astype(np.float64) for target in inputs.series])
        times = np.concatenate([_steps(axis, target) for target in inputs.series])
        components = []
        for name, column in zip(inputs.series[0].components, labels.T, strict=True):
            known = np.isfinite(column)
            x, y, at = values[known], column[known], times[known]
            try:
                folds = LabelFolds.of(at, five_days(axis), 2 * steps)
                whole = Pointwise.fit(kind, x, y)
                parts = {}
                for fold in np.unique(folds.folds).tolist():
                    kept = folds.trains(at, fold)
                    parts[fold] = Pointwise.fit(kind, x[kept], y[kept])
            except ValueError as error:
                unknown = _unknown_at_labels(inputs, known)
                raise ValueError(f"component {name!r}: {error}{unknown}") from None
            components.append((folds, whole, parts))
        # a series of the user's may be changed later
        own = [target.copy() for target in inputs.series]
        return cls(replace(inputs, series=own), axis, components)

    def answers(self, values: np.ndarray, target: TimeSeries) -> np.ndarray:
        """Answers `[T, C]` for a target series, from the privileged values around its steps `[T, F]`."""
        times = _steps(self.axis, target)
        columns = []
        for folds, whole, parts in self.components:
            answers, fold_of = whole.predict(values), folds.of_steps(times)
            for fold, model in parts.items():
                rows = fold_of == fold
                answers[rows] = model.predict(values[rows])
            columns.append(answers)
        return np.stack(columns, axis=1)


def _unknown_at_labels(inputs: ModelInputs, labelled: np.ndarray) -> str:
    """Which privileged components are missing at which labelled steps, for messages.

    Args:
        labelled: over the steps of all target series `[T]`.
    """
    read = inputs.past_covariates or []
    values = [one.values(copy=False)[-len(target) :] for one, target in zip(read, inputs.series, strict=True)]
    missing = ~np.isfinite(np.concatenate(values)[labelled])
    parts = []
    for column in np.argsort(-missing.sum(0), kind="stable")[:MOST_NAMED]:
        rows, count = missing[:, column], int(missing[:, column].sum())
        where = "last " if rows[len(rows) - count :].all() else "first " if rows[:count].all() else ""
        if count:
            parts.append(f"{read[0].components[column]!r} lacks {'all' if rows.all() else f'the {where}{count}'}")
    return f"; of {len(missing)} labelled steps, {', '.join(parts)}" if parts else ""


def _steps(axis: TimeSeries, target: TimeSeries) -> np.ndarray:
    return steps_between(axis, target) + np.arange(len(target))


def privileged_beside(parts: Mapping[str, TimeSeries], target: TimeSeries, steps: int) -> TimeSeries:
    """Privileged series side by side, from `steps` before the start of a target to its end; NaN where there is none."""
    length = steps + len(target)
    columns, names = [], []
    for name, part in parts.items():
        at = steps_between(target, part) + steps
        block = np.full((length, part.n_components), np.nan)
        rows = slice(max(at, 0), min(at + len(part), length))
        if rows.start < rows.stop:
            block[rows] = part.values(copy=False)[rows.start - at : rows.stop - at]
        columns.append(block)
        names += [f"{name}/{component}" for component in part.components]
    times = generate_index(start=target.start_time() - steps * target.freq, length=length, freq=target.freq)
    return TimeSeries.from_times_and_values(times, np.concatenate(columns, axis=1), freq=target.freq, columns=names)


def values_around(read: TimeSeries, steps: int) -> np.ndarray:
    """Values from `steps` before to `steps` after each step of a target `[T, P·(2·steps + 1)]`.

    Args:
        read: as `privileged_beside` returns it.
        steps: as passed to it.
    """
    values = read.values(copy=False)
    after = np.full((steps, values.shape[1]), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([values, after]), 2 * steps + 1, axis=0)
    return windows.reshape(len(windows), -1)
