"""The inputs that a deployed student reads, and where values of them are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from darts import TimeSeries

from tskd._core.components import Orders, check_components
from tskd._core.darts.arguments import check_retrain
from tskd._core.darts.capabilities import is_fitted, reads_covariates, reads_static
from tskd._core.series import as_dtype, as_list, has_gaps
from tskd._core.static_covariates import check_static
from tskd._core.time_grid import steps_between

# as many dates as a message lists
LISTED = 3


@dataclass(frozen=True, eq=False)
class DeployedInputs:
    """The inputs from which a student forecasts one series.

    Attributes:
        student: a darts torch model.
        series: the target; None if its past is hidden from the student.
        past_covariates, future_covariates: or None.
    """

    student: Any
    series: TimeSeries | None
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None

    @property
    def with_gaps(self) -> list[str]:
        """Those in which a value is missing anywhere, by their argument's name."""
        return [what for what, values, _ in self._read(0) if has_gaps(values)]

    def missing(self, end: Any, n: int) -> list[tuple[str, TimeSeries]]:
        """The inputs with missing values among those that a forecast reads, cut to the steps that it reads.

        Args:
            end: time stamp of the forecast origin.
            n: number of steps that are forecast.
        """
        found = []
        for what, values, ahead in self._read(n):
            first, last = end - (self.student.input_chunk_length - 1) * values.freq, end + ahead * values.freq
            # steps that do not exist are darts' business
            if values.start_time() <= last and values.end_time() >= first:
                # darts' `slice` leaves out the end of whole numbers
                rows = np.flatnonzero((values.time_index >= first) & (values.time_index <= last))
                part = values[int(rows[0]) : int(rows[-1]) + 1]
                found += [(what, part)] if has_gaps(part) else []
        return found

    def _read(self, n: int) -> list[tuple[str, TimeSeries, int]]:
        """Each input, and the number of steps after the origin of which a forecast of n steps reads it."""
        student = self.student
        chunk, shift = student.output_chunk_length, student.output_chunk_shift
        inputs = [("series", self.series, 0)]
        if reads_covariates(student, "past"):
            # a forecast beyond the output chunk goes on from its own steps, and reads what is known of them
            inputs.append(("past_covariates", self.past_covariates, max(0, n - chunk)))
        if reads_covariates(student, "future"):
            inputs.append(("future_covariates", self.future_covariates, max(n, chunk) + shift))
        return [(what, values, ahead) for what, values, ahead in inputs if values is not None]


def check_complete(inputs: DeployedInputs, end: Any, n: int) -> None:
    """Raise a ValueError with the dates if a forecast would read a missing value."""
    for what, part in inputs.missing(end, n):
        gaps = ~np.isfinite(part.values(copy=False)).all(1)
        dates = [str(stamp) for stamp in part.time_index[gaps][:LISTED]]
        more = int(gaps.sum()) - len(dates)
        raise ValueError(
            f"{what} has missing values at {', '.join(dates)}{f' and {more} more steps' if more else ''}, which the "
            "forecast reads: fill them, or forecast from an origin whose inputs are complete"
        )


def without_incomplete(forecasts: Any, inputs: DeployedInputs, horizon: int, freq: Any) -> tuple[Any, int]:
    """Rolling forecasts of one series without those that read a missing value, and how many were left out.

    Args:
        forecasts: a list of series; or, of their last points, one series, in which those left out become NaN.
        inputs: of the forecasts.
        horizon: number of steps of each forecast.
        freq: the length of a step.
    """
    shift = inputs.student.output_chunk_shift

    def complete(first: Any) -> bool:
        return not inputs.missing(first - (1 + shift) * freq, horizon)

    if isinstance(forecasts, TimeSeries):
        kept = np.array([complete(stamp - (horizon - 1) * freq) for stamp in forecasts.time_index])
        values = forecasts.all_values(copy=True)
        values[~kept] = np.nan
        return forecasts.with_values(values), int((~kept).sum())
    left = [one for one in forecasts if complete(one.start_time())]
    return left, len(forecasts) - len(left)


def deployable(expected: Mapping[str, Orders], dtype: Any, **series: Any) -> dict[str, Any]:
    """Series and covariates, by argument, that a student may forecast from.

    Args:
        expected: orders of component names in the fit, by argument.
        dtype: of all of them; None for that of the first.

    Raises:
        TypeError: an argument is not a series or a sequence of series.
        ValueError: one cannot be used, or has another number of components than in the fit, or another order of them.
    """
    given = {what: values for what, values in series.items() if values is not None}
    first: tuple[str, list[TimeSeries]] | None = None
    for what, values in given.items():
        items = as_list(values, what, None if first is None else len(first[1]))
        assert items is not None
        dtype = items[0].dtype if dtype is None else dtype
        check_components(items, expected.get(what), what)
        first = (what, items) if first is None else first
        for one, other in zip(items, first[1], strict=True):
            try:
                steps_between(one, other)
            except ValueError as error:
                raise ValueError(f"{what} does not fit {first[0]}: {error}") from None
    alone = first is not None and isinstance(given[first[0]], TimeSeries)
    return {what: as_dtype(_alike(values, alone), dtype) for what, values in series.items()}


def _alike(values: Any, alone: bool) -> Any:
    """A series alone, or in a list: as the others are."""
    if values is None or isinstance(values, TimeSeries) == alone:
        return values
    return values[0] if alone else [values]


def check_fitted(student: Any) -> None:
    """Raise a ValueError for a student that is not fitted."""
    if not is_fitted(student):
        raise ValueError("the model is not fitted; call fit() first")


def check_nothing_privileged(predict_kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError for privileged series, which `predict` cannot take."""
    if "privileged" in predict_kwargs:
        raise ValueError(
            "predict takes no privileged=: the student sees deployable inputs alone, and its teachers are used in "
            "training only; forecasts of a fitted teacher are model.teachers[0].historical_forecasts(series, "
            "privileged=...)"
        )


def check_retrainable(student: Any, retrain: Any) -> None:
    """Raise a ValueError for a `retrain` that cannot be, or that leaves a student as it is that is not fitted."""
    check_retrain(retrain)
    if not retrain:
        check_fitted(student)


def check_readable_static(student: Any, series: Any) -> None:
    """Raise a ValueError for series with static covariates that a fitted student does not read, or without them."""
    if reads_static(student):
        items = [series] if isinstance(series, TimeSeries) else list(series)
        check_static(items, "series", "student", student.static_covariates)


def check_predict(student: Any, n: int, series: Any, past_covariates: Any, future_covariates: Any) -> None:
    """Raise a ValueError if darts' `predict` could not use these arguments, or with the dates, if it would read a
    missing value."""
    if series is None:
        series = student.training_series
        past_covariates = student.past_covariate_series if past_covariates is None else past_covariates
        future_covariates = student.future_covariate_series if future_covariates is None else future_covariates
    if series is None:
        # darts asks for them
        return
    check_readable_static(student, series)
    items = [series] if isinstance(series, TimeSeries) else list(series)
    for index, one in enumerate(items):
        covariates = (
            values if values is None or isinstance(values, TimeSeries) else values[index]
            for values in (past_covariates, future_covariates)
        )
        check_complete(DeployedInputs(student, one, *covariates), one.end_time(), n)
