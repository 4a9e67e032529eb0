"""`Teacher.from_series` and `Teacher.from_forecasts`, the constructors of teachers from outside."""

from __future__ import annotations

from typing import Any

from tskd._core.series import SeriesLike
from tskd.teachers.given_forecasts import GivenForecasts
from tskd.teachers.given_series import GivenSeries


class FromOutside:
    """The constructors, for `Teacher` to inherit."""

    @staticmethod
    def from_series(
        series: SeriesLike, *, name: str, std: SeriesLike | float | None = None, seen_until: Any = None
    ) -> GivenSeries:
        """A fitted teacher whose forecast of a time stamp is the value of a given series there.

        Such as a simulation, a satellite product, or another network's reconstruction. It covers every step that the
        student forecasts, and is not a teacher of windows whose horizon holds a missing value. Values after the end of
        the student's series are never read.

        Args:
            series: one for each target series, with the target's components and frequency; of any span, with NaN where
                there is no value. Of stochastic ones, mean and standard deviation are taken.
            name: for messages, logs and `Fixed` weights.
            std: standard deviation of the values, above 0: a number, or a series for each of `series`. With it the
                values are Gaussian distributions to losses and weightings that compare them.
            seen_until: last time stamp of the targets from which the values were made, if they were; needed in rolling
                evaluation with `retrain`.

        Raises:
            TypeError, ValueError: the series are not such.
        """
        return GivenSeries(series, name, std, seen_until)

    @staticmethod
    def from_forecasts(forecasts: Any, *, name: str, first_step: int = 1, seen_until: Any = None) -> GivenForecasts:
        """A fitted teacher whose forecast from an origin is a given one.

        The origin is the last observed step, and step 1 the first after it. It is not a teacher of windows whose origin
        has no forecast, or one with missing values.

        Args:
            forecasts: what darts' `historical_forecasts(last_points_only=False)` returns, for several target series a
                list of lists; or a table (pandas) with a row for each number and the columns `origin`, `step`,
                `component`, `value`; optionally `series`, the position of the target series, and either `std` above 0
                or `quantile`, with the median among them. The forecast is then the median.
            name: for messages, logs and `Fixed` weights.
            first_step: step of the first value of each forecast in lists; 1 + `output_chunk_shift` of a darts model.
            seen_until: last time stamp of the targets on which the forecasting model was fitted; needed in rolling
                evaluation with `retrain`.

        Raises:
            TypeError, ValueError: the forecasts are not such, or one is given twice with different values.
        """
        return GivenForecasts(forecasts, name, first_step, seen_until)
