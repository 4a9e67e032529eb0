"""darts' `backtest` without a series for each forecast, where it is asked for no more than errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from darts import TimeSeries, metrics
from darts.models.forecasting.forecasting_model import ForecastingModel

from tskd._core.darts.capabilities import is_fitted
from tskd._core.darts.rolling_origins import rolling_origins
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesLike, as_list, has_gaps
from tskd.teachers.network import NetworkPredictor, model_windows

# scores of windows `[N]` by their errors `[N, H, C]`
METRICS: dict[Callable[..., Any], Callable[[np.ndarray], np.ndarray]] = {
    metrics.mae: lambda errors: np.abs(errors).reshape(len(errors), -1).mean(1),
    metrics.mse: lambda errors: _squares(errors).mean(1) / errors.shape[1],
    metrics.rmse: lambda errors: np.sqrt(_squares(errors) / errors.shape[1]).mean(1),
}
DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(ForecastingModel.backtest).parameters.items()
    if parameter.default is not inspect.Parameter.empty
}
# arguments that may be something else than darts' default
UNDERSTOOD = {"forecast_horizon", "start", "start_format", "stride", "metric", "reduction", "show_warnings", "verbose"}


def errors_of_windows(
    student: Any,
    series: SeriesLike,
    past_covariates: SeriesLike | None,
    future_covariates: SeriesLike | None,
    arguments: Mapping[str, Any],
) -> Any:
    """What `student.backtest(..., retrain=False)` returns, to rounding; None where darts itself must be asked.

    So it is for other metrics than MAE, MSE and RMSE, one with arguments, forecasts that are samples or go on past the
    output chunk, missing values, and for every argument that is neither darts' default nor among `UNDERSTOOD`.

    Args:
        student: a fitted darts torch model.
        arguments: further ones of `backtest`, without `retrain`.
    """
    given = {**DEFAULTS, **arguments, "retrain": False}
    chosen = given["metric"] if isinstance(given["metric"], list) else [given["metric"]]
    slots = {"past_covariates": past_covariates, "future_covariates": future_covariates}
    if (
        any(given[name] is not DEFAULTS.get(name, ...) for name in given.keys() - UNDERSTOOD - {"retrain", *slots})
        or not chosen
        or not all(metric in METRICS for metric in chosen)
        or not is_fitted(student)
        or student.likelihood is not None
        or student.output_chunk_shift
        or given["forecast_horizon"] > student.output_chunk_length
        or any((values is not None) != getattr(student, f"uses_{slot}") for slot, values in slots.items())
    ):
        return None
    targets = as_list(series, "series") or []
    read: dict[str, Any] = {slot: as_list(values, slot, len(targets)) for slot, values in slots.items()}
    if any(one is None or has_gaps(one) for each in (targets, *read.values()) for one in each or ()):
        return None
    keys = rolling_origins(student, targets, read["past_covariates"], read["future_covariates"], given)
    predictor = NetworkPredictor([student], model_windows(student, ModelInputs(targets, **read)))
    scores = [
        _scores([METRICS[metric] for metric in chosen], predictor, target, own, given["forecast_horizon"])
        for target, own in zip(targets, keys, strict=True)
    ]
    if given["reduction"] is not None:
        scores = [given["reduction"](one, axis=1) for one in scores]
    scores = [one[0] if len(chosen) == 1 else one.T for one in scores]
    return scores[0] if isinstance(series, TimeSeries) else scores


def _scores(
    chosen: Sequence[Callable[[np.ndarray], np.ndarray]],
    predictor: NetworkPredictor,
    target: TimeSeries,
    keys: Any,
    horizon: int,
) -> np.ndarray:
    """The metrics of each window of one series `[M, N]`."""
    found = np.empty((len(chosen), len(keys)), dtype=target.dtype)
    labels = np.lib.stride_tricks.sliding_window_view(target.values(copy=False), horizon, axis=0).swapaxes(1, 2)
    for rows, outputs in predictor.outputs(0, keys):
        errors = labels[keys[rows, 1].numpy() + 1] - outputs["forecasts"][:, :horizon].numpy()
        for number, metric in enumerate(chosen):
            found[number, rows] = metric(errors)
    return found


def _squares(errors: np.ndarray) -> np.ndarray:
    """Squares `[N, C]` of errors `[N, H, C]`, summed over steps."""
    squares: np.ndarray = np.einsum("nhc,nhc->nc", errors, errors)
    return squares
