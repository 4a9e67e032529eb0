"""Soft sensors: students that forecast a target whose past is hidden from them.

darts' models require a target series nevertheless. They get zeros with the components of the target, for the length of
the lookback up to the step before the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries, concatenate
from darts.utils.utils import generate_index

from tskd._core.darts.arguments import check_roll
from tskd._core.series import SeriesLike
from tskd._core.time_grid import as_stamp, steps_between
from tskd.distillation.deployed_inputs import DeployedInputs, check_complete


def blanked(series: SeriesLike) -> SeriesLike:
    """The series with every value replaced by 0."""
    if isinstance(series, TimeSeries):
        return series.with_values(np.zeros_like(series.values(copy=False)))
    return [blanked(item) for item in series]


def blank(student: Any, end: Any, freq: Any, components: Sequence[str], dtype: Any, static: Any = None) -> TimeSeries:
    """The zero series for a forecast of the steps after `end`."""
    length = student.input_chunk_length
    times = generate_index(end=end, length=length, freq=freq)
    zeros = np.zeros((length, len(components)), dtype=dtype)
    return TimeSeries.from_times_and_values(times, zeros, columns=list(components), static_covariates=static)


@dataclass(frozen=True, eq=False)
class SoftSensor:
    """A fitted student from which the target's own past is hidden.

    Attributes:
        student: a darts torch model.
        components: component names of the target.
    """

    student: Any
    components: Sequence[str]

    def predict(
        self,
        n: int,
        series: SeriesLike | None = None,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        start: Any = None,
        **predict_kwargs: Any,
    ) -> TimeSeries | list[TimeSeries]:
        """Forecasts of n steps, chunk by chunk; no output chunk depends on an earlier one.

        Args:
            series: only its last time stamp and its static covariates are read; None if `start` is given.
            start: first time stamp of the forecast; None if `series` is given.

        Raises:
            ValueError: neither of them is given, or there are no covariates, or values of them are missing, or n is too
                large.
        """
        student = self.student
        several = [item for item in (series, past_covariates, future_covariates) if item is not None]
        several += [] if several or student.training_series is None else [student.training_series]
        if not several:
            raise ValueError("predict needs covariates: a soft sensor sees nothing else")
        if not isinstance(several[0], TimeSeries):
            arguments = (series, past_covariates, future_covariates, start)
            return [
                self.predict(n, *(_one(item, index) for item in arguments), **predict_kwargs)
                for index in range(len(several[0]))
            ]
        grid = several[0]
        if start is not None:
            end = _before(start, grid)
            _check_known(start, end, past_covariates=past_covariates, future_covariates=future_covariates)
        elif isinstance(series, TimeSeries):
            end = series.end_time()
        else:
            raise ValueError("predict needs series= (its values are not read) or start=, to know where to start")
        check_complete(DeployedInputs(student, None, past_covariates, future_covariates), end, n)
        length = student.output_chunk_length
        if n > length and student.output_chunk_shift:
            raise ValueError(f"n={n} is beyond the output chunk of {length}, which output_chunk_shift does not allow")
        check_roll(student, min(n, length), predict_kwargs.get("roll_size"))
        kept = series if isinstance(series, TimeSeries) else student.training_series
        static = None if kept is None else kept.static_covariates
        chunks: list[TimeSeries] = []
        for done in range(0, n, length):
            zeros = blank(student, end + done * grid.freq, grid.freq, self.components, grid.dtype, static)
            chunks.append(
                student.predict(
                    min(length, n - done),
                    series=zeros,
                    past_covariates=past_covariates,
                    future_covariates=future_covariates,
                    **_for_chunk(predict_kwargs, len(chunks)),
                )
            )
        return concatenate(chunks, axis=0) if len(chunks) > 1 else chunks[0]


def _before(start: Any, grid: TimeSeries) -> Any:
    """The time stamp one step before `start`, which must lie on the grid of a series."""
    stamp: Any = as_stamp(start, "start", grid)
    try:
        # pandas before 3 has no stamps beyond 2262 in a series
        times = generate_index(start=stamp, length=1, freq=grid.freq)
        steps_between(grid, TimeSeries.from_times_and_values(times, np.zeros((1, 1)), freq=grid.freq))
    except ValueError as error:
        raise ValueError(f"start={start!r} does not fit the covariates: {error}") from None
    return stamp - grid.freq


def _check_known(start: Any, end: Any, **covariates: Any) -> None:
    """Raise a ValueError if covariates do not hold the step `end`, the last one before `start`."""
    for name, known in covariates.items():
        same = known is not None and known.has_datetime_index == isinstance(end, pd.Timestamp)
        if same and not known.start_time() <= end <= known.end_time():
            raise ValueError(
                f"start={start!r}: {name} are known from {known.start_time()} to {known.end_time()}, and must be known "
                "in the step before it"
            )


def _for_chunk(predict_kwargs: dict[str, Any], number: int) -> dict[str, Any]:
    """The arguments of one chunk, with a seed of its own: with one seed, all chunks would have the same samples."""
    seed = predict_kwargs.get("random_state")
    return predict_kwargs if seed is None else {**predict_kwargs, "random_state": seed + number}


def _one(item: Any, index: int) -> Any:
    return item[index] if isinstance(item, list | tuple) else item
