"""Rolling evaluation by darts: with `retrain`, the student is distilled anew on the data before each origin."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from darts import TimeSeries
from darts.models.forecasting.forecasting_model import ForecastingModel

from tskd._core.checks import type_name
from tskd._core.darts.arguments import check_roll, check_samples, plain_arguments
from tskd._core.darts.backtesting_view import rolling_view
from tskd._core.darts.transformers import check_transformers
from tskd._core.series import SeriesLike, as_list, for_each, only_read, without_gaps
from tskd.distillation.deployed_inputs import DeployedInputs, check_readable_static, without_incomplete
from tskd.distillation.labelled_errors import errors_where_labelled
from tskd.distillation.metrics import check_metric_kwargs, numeric
from tskd.distillation.soft_sensor import blanked
from tskd.teachers.base import BaseTeacher

logger = logging.getLogger(__name__)
GIVEN_BY_DARTS = ("val_series", "val_past_covariates", "val_future_covariates")
"""Arguments of a fit that a rolling evaluation gives itself, from the data before each origin."""

ROLLING = tuple(inspect.signature(ForecastingModel.historical_forecasts).parameters)


@dataclass(frozen=True, eq=False)
class Backtester:
    """Rolling evaluation of one student.

    Attributes:
        student: a darts torch model.
        soft_sensor: whether the target's own past is hidden from it.
        refit: `refit(student, teachers, series, **fit_kwargs)` distils an untrained student, and returns it.
        teachers: as the user passed them, fitted or not.
    """

    student: Any
    soft_sensor: bool
    refit: Callable[..., Any]
    teachers: Sequence[BaseTeacher]

    @property
    def series_names(self) -> list[str]:
        """Names of the privileged series that the teachers read."""
        return [name for teacher in self.teachers for name in teacher.names]

    def historical_forecasts(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        *,
        retrain: Any = True,
        privileged: Mapping[str, SeriesLike] | None = None,
        **kwargs: Any,
    ) -> Any:
        """See `DistilledModel.historical_forecasts`."""
        kwargs = plain_arguments(**kwargs)
        if not kwargs.get("data_transformers"):
            # darts looks for the largest of none
            kwargs.pop("data_transformers", None)
        retrain = retrain if callable(retrain) or isinstance(retrain, bool) else int(retrain)
        check_roll(
            self.student, kwargs.get("forecast_horizon", 1), (kwargs.get("predict_kwargs") or {}).get("roll_size")
        )
        check_samples(self.student, kwargs.get("num_samples", 1))
        if series is None:
            raise ValueError("series is None: give the series to forecast")
        for name in GIVEN_BY_DARTS:
            if (kwargs.get("fit_kwargs") or {}).get(name) is not None:
                raise ValueError(
                    f"fit_kwargs[{name!r}]: a rolling evaluation validates on the end of each training series; give "
                    "val_length=, the number of steps there, in its place"
                )
        if self.soft_sensor:
            self._check_soft_sensor(kwargs)
        if isinstance(series, TimeSeries | Sequence):
            check_transformers(kwargs.get("data_transformers"), series, retrain)
        # darts takes 0 for False
        if isinstance(retrain, int) and not retrain:
            if privileged is not None:
                raise ValueError("privileged= is for retrain: without it the student alone forecasts, and needs none")
            check_readable_static(self.student, series)
            known = blanked(series) if self.soft_sensor else without_gaps(series)
            covariates = without_gaps(past_covariates), without_gaps(future_covariates)
            forecasts = self.student.historical_forecasts(known, *covariates, retrain=False, **kwargs)
            return self._complete(forecasts, series, past_covariates, future_covariates, kwargs)
        if privileged is not None:
            privileged = only_read(privileged, self.series_names, "privileged")
        together = isinstance(series, TimeSeries) or kwargs.get("apply_globally", False)
        if not together:
            # darts evaluates several series one by one, without telling `refit` which one
            covariates = (past_covariates, future_covariates)
            return [
                self.historical_forecasts(*inputs, retrain=retrain, privileged=hidden, **rest)
                for inputs, hidden, rest in _one_by_one(series, covariates, privileged, kwargs)
            ]

        def refit(student: Any, series: Any, **fit_kwargs: Any) -> Any:
            targets = as_list(series, "series") or []
            teachers = [_usable_at(teacher, targets) for teacher in self.teachers]
            if fit_kwargs.get("val_series") is not None:
                fit_kwargs.setdefault("val_privileged", privileged)
            return self.refit(student, teachers, series, privileged=privileged, **fit_kwargs)

        view = rolling_view(self.student, refit, blanked if self.soft_sensor else without_gaps)
        forecasts = view.historical_forecasts(series, past_covariates, future_covariates, retrain=retrain, **kwargs)
        return self._complete(forecasts, series, past_covariates, future_covariates, kwargs)

    def _complete(self, forecasts: Any, series: Any, past: Any, future: Any, kwargs: Mapping[str, Any]) -> Any:
        """The forecasts of the origins whose inputs are complete."""
        if not isinstance(series, TimeSeries):
            several = zip(forecasts, series, _or_none(past, series), _or_none(future, series), strict=True)
            return [self._complete(*one, kwargs=kwargs) for one in several]
        inputs = DeployedInputs(self.student, None if self.soft_sensor else series, past, future)
        gaps = inputs.with_gaps
        if not gaps:
            return forecasts
        horizon = kwargs.get("forecast_horizon", 1)
        left, missing = without_incomplete(forecasts, inputs, horizon, series.freq)
        if missing == len(forecasts):
            hint = ", or distil a soft sensor, which does not read the target's past" if "series" in gaps else ""
            raise ValueError(
                f"all {missing} forecasts would read missing values in {' and '.join(gaps)}: fill them{hint}"
            )
        if missing:
            logger.warning("%d of %d forecasts read missing values, and are left out", missing, len(forecasts))
        return left

    def _check_soft_sensor(self, kwargs: Mapping[str, Any]) -> None:
        """Raise a ValueError for arguments with which darts would give a soft sensor other inputs."""
        length = self.student.output_chunk_length
        if kwargs.get("forecast_horizon", 1) > length:
            raise ValueError(
                f"forecast_horizon={kwargs['forecast_horizon']} is beyond the output chunk of {length}: darts would "
                "feed a soft sensor its own forecasts"
            )
        if kwargs.get("data_transformers"):
            raise ValueError(
                "data_transformers would scale the zeros that a soft sensor reads; scale the series before"
            )


def _or_none(covariates: Sequence[TimeSeries] | None, series: Sequence[TimeSeries]) -> Sequence[TimeSeries | None]:
    return [None] * len(series) if covariates is None else covariates


def evaluate(
    darts_method: Callable[..., Any],
    forecast: Callable[..., Any],
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    historical_forecasts: Any = None,
    *,
    retrain: Any = True,
    privileged: Mapping[str, SeriesLike] | None = None,
    quick: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Apply darts' `backtest` or `residuals` to forecasts of `DistilledModel.historical_forecasts`.

    Args:
        darts_method: `backtest` or `residuals` of the student, whose arguments follow.
        forecast: `DistilledModel.historical_forecasts`.
        quick: gives the result without forecasts, or None where they are needed.
    """
    as_list(series, "series")
    kwargs = plain_arguments(**kwargs)
    check_metric_kwargs(darts_method, kwargs)
    if kwargs.get("metric") is not None:
        kwargs["metric"] = numeric(kwargs["metric"])
    if historical_forecasts is None and quick is not None and retrain is False and privileged is None:
        parts = {"series": series, "past_covariates": past_covariates, "future_covariates": future_covariates}
        found = quick(kwargs, **parts)
        if found is not None:
            return found
    if historical_forecasts is None:
        default = inspect.signature(darts_method).parameters["last_points_only"].default
        kwargs.setdefault("last_points_only", default)
        rolling = {name: kwargs[name] for name in kwargs if name in ROLLING}
        historical_forecasts = forecast(
            series, past_covariates, future_covariates, retrain=retrain, privileged=privileged, **rolling
        )
    else:
        _check_forecasts(historical_forecasts, series)

    measure = partial(darts_method, series, past_covariates, future_covariates, historical_forecasts, **kwargs)
    return errors_where_labelled(measure, series, historical_forecasts)


def _check_forecasts(given: Any, series: SeriesLike) -> None:
    """Raise a TypeError for anything but a series, or lists of series, a ValueError for other components."""
    if isinstance(given, list | tuple):
        several = isinstance(series, list | tuple) and len(series) == len(given)
        for item, own in zip(given, series if several else [series] * len(given), strict=True):
            _check_forecasts(item, own)
    elif not isinstance(given, TimeSeries):
        raise TypeError(f"historical_forecasts must be series, got {type_name(given)}")
    elif isinstance(series, TimeSeries) and given.n_components != series.n_components:
        raise ValueError(
            f"historical_forecasts have {given.n_components} components, and the series {series.n_components}"
        )
    elif isinstance(series, TimeSeries) and given.has_datetime_index != series.has_datetime_index:
        own, theirs = ("time stamps" if one.has_datetime_index else "whole numbers" for one in (given, series))
        raise ValueError(f"historical_forecasts are indexed by {own}, and the series by {theirs}: give the same")


def _one_by_one(
    series: Sequence[TimeSeries], covariates: Any, privileged: Mapping[str, Any] | None, kwargs: Mapping[str, Any]
) -> list[tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]]:
    """For each of several series: the series and its covariates, its privileged series, and the other arguments."""
    count = len(series)
    past, future = (
        as_list(values, name, count)
        for values, name in zip(covariates, ("past_covariates", "future_covariates"), strict=True)
    )
    hidden = {name: for_each(values, f"privileged[{name!r}]", count) for name, values in (privileged or {}).items()}
    for name, value in (kwargs.get("fit_kwargs") or {}).items():
        if isinstance(value, list | tuple):
            raise ValueError(f"fit_kwargs[{name!r}] is a list; with several series, evaluate them one by one")
    weights = kwargs.get("sample_weight")
    if not isinstance(weights, str):
        weights = as_list(weights, "sample_weight", count, complete=True)
    return [
        (
            (one, None if past is None else past[index], None if future is None else future[index]),
            {name: items[index] for name, items in hidden.items() if items is not None},
            {**kwargs, "sample_weight": weights[index] if isinstance(weights, list) else weights},
        )
        for index, one in enumerate(series)
    ]


def _usable_at(teacher: BaseTeacher, targets: Sequence[TimeSeries]) -> BaseTeacher:
    """Return the teacher if it may be used for a student trained on these series.

    Raises:
        ValueError: it was already fitted, on later or on unknown data.
    """
    if not teacher.fitted:
        return teacher
    origin = min(target.end_time() for target in targets)
    comparable = isinstance(teacher.seen_until, type(origin))
    if not comparable or teacher.seen_until > origin:
        seen = "on data of unknown end (darts keeps no end of several series; Teacher.fit does; else give seen_until)"
        seen = seen if teacher.seen_until is None else f"on data up to {teacher.seen_until}"
        raise ValueError(
            f"teacher {teacher.name!r} was passed in fitted {seen}, and the origin is {origin}: pass it unfitted, to "
            "be fitted at each origin, or fitted on data that end before the first"
        )
    return teacher
