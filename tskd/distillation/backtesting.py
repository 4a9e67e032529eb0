"""Rolling evaluation: with `retrain`, everything is distilled afresh on what was known at each origin."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darts import TimeSeries
from darts.models.forecasting.forecasting_model import ForecastingModel

from tskd._core.darts.rolling import rolling_view
from tskd._core.series import SeriesLike, as_list
from tskd.distillation.soft_sensor import blanked
from tskd.teachers.teacher import Teacher

if TYPE_CHECKING:
    from tskd.distillation.model import DistilledModel

ROLLING = tuple(inspect.signature(ForecastingModel.historical_forecasts).parameters)


def historical_forecasts(
    model: DistilledModel,
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    *,
    retrain: Any = True,
    privileged: Mapping[str, SeriesLike] | None = None,
    **kwargs: Any,
) -> Any:
    """See `DistilledModel.historical_forecasts`."""
    if model.soft_sensor:
        _check_soft_sensor(model, kwargs)
    # darts takes 0 for False
    if isinstance(retrain, int) and not retrain:
        if privileged is not None:
            raise ValueError("privileged= is for retrain: without it the student alone forecasts, and needs none")
        if model.soft_sensor:
            series = blanked(series)
        return model.student.historical_forecasts(series, past_covariates, future_covariates, retrain=False, **kwargs)
    together = isinstance(series, TimeSeries) or kwargs.get("apply_globally", False)
    if not together:
        # darts evaluates several series one by one, and does not say which it is at
        count = len(series)
        past = as_list(past_covariates, "past_covariates", count)
        future = as_list(future_covariates, "future_covariates", count)
        known = {name: as_list(values, f"privileged[{name!r}]", count) for name, values in (privileged or {}).items()}
        for name, value in (kwargs.get("fit_kwargs") or {}).items():
            if isinstance(value, list | tuple):
                raise ValueError(f"fit_kwargs[{name!r}] is a list; with several series, evaluate them one by one")
        weights = kwargs.pop("sample_weight", None)
        if not isinstance(weights, str):
            weights = as_list(weights, "sample_weight", count)
        return [
            historical_forecasts(
                model,
                one,
                None if past is None else past[index],
                None if future is None else future[index],
                retrain=retrain,
                privileged={name: items[index] for name, items in known.items() if items is not None},
                sample_weight=weights[index] if isinstance(weights, list) else weights,
                **kwargs,
            )
            for index, one in enumerate(series)
        ]

    def refit(student: Any, series: Any, **fit_kwargs: Any) -> Any:
        return _afresh(model, student, series, privileged, fit_kwargs).student

    view = rolling_view(model.student, refit, blanked if model.soft_sensor else None)
    return view.historical_forecasts(series, past_covariates, future_covariates, retrain=retrain, **kwargs)


def evaluate(
    model: DistilledModel,
    method: str,
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    historical_forecasts: Any = None,
    *,
    retrain: Any = True,
    privileged: Mapping[str, SeriesLike] | None = None,
    **kwargs: Any,
) -> Any:
    """darts' `backtest` or `residuals` of forecasts that are distilled at each origin."""
    darts_method = getattr(model.student, method)
    if historical_forecasts is None:
        default = inspect.signature(darts_method).parameters["last_points_only"].default
        last_points_only = kwargs.pop("last_points_only", default)
        rolling_kwargs = {name: kwargs[name] for name in kwargs if name in ROLLING}
        historical_forecasts = model.historical_forecasts(
            series,
            past_covariates,
            future_covariates,
            retrain=retrain,
            privileged=privileged,
            last_points_only=last_points_only,
            **rolling_kwargs,
        )
        kwargs["last_points_only"] = last_points_only
    return darts_method(series, past_covariates, future_covariates, historical_forecasts, **kwargs)


def _afresh(
    model: DistilledModel, student: Any, series: Any, privileged: Mapping[str, SeriesLike] | None, fit_kwargs: Any
) -> DistilledModel:
    targets = as_list(series, "series") or []
    teachers = [_as_given(teacher, targets) for teacher in model.given_teachers]
    fresh = type(model)(student, teachers, model.losses, model.weighting, model.balance, soft_sensor=model.soft_sensor)
    if fit_kwargs.get("val_series") is not None:
        fit_kwargs.setdefault("val_privileged", privileged)
    return fresh.fit(series, privileged=privileged, **fit_kwargs)


def _as_given(teacher: Teacher, targets: Sequence[TimeSeries]) -> Teacher:
    if not teacher.fitted:
        return teacher
    origin = min(target.end_time() for target in targets)
    comparable = isinstance(teacher.seen_until, type(origin))
    if not comparable or teacher.seen_until > origin:
        seen = "on nobody knows what (darts keeps no end of several series; Teacher.fit does)"
        seen = seen if teacher.seen_until is None else f"on data up to {teacher.seen_until}"
        raise ValueError(
            f"teacher {teacher.name!r} was passed in fitted {seen}, and the origin is {origin}: pass it unfitted, to "
            "be fitted at each origin, or fitted on data that end before the first"
        )
    return teacher


def _check_soft_sensor(model: DistilledModel, kwargs: Mapping[str, Any]) -> None:
    length = model.student.output_chunk_length
    if kwargs.get("forecast_horizon", 1) > length:
        raise ValueError(
            f"forecast_horizon={kwargs['forecast_horizon']} is beyond the output chunk of {length}: darts would feed a "
            "soft sensor its own forecasts"
        )
    if kwargs.get("data_transformers"):
        raise ValueError("data_transformers would scale the zeros that a soft sensor is shown; scale the series before")
