"""Errors of rolling forecasts where labels are missing: over the steps that have one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from darts import TimeSeries

from tskd._core.series import SeriesLike, has_gaps


def errors_where_labelled(measure: Callable[[], Any], series: SeriesLike, forecasts: Any) -> Any:
    """What `measure` returns; darts' metrics leave out steps without a label, and its reduction forecasts without any.

    NumPy's warnings of such forecasts are silenced.

    Args:
        measure: calls darts' `backtest` or `residuals`.
        series: targets.
        forecasts: of them, as `historical_forecasts` returns them.

    Warns:
        UserWarning: no forecast of a series covers a label, so that its errors are NaN.
    """
    several = [series] if isinstance(series, TimeSeries) else list(series)
    if not any(map(has_gaps, several)):
        return measure()
    each = [forecasts] if isinstance(series, TimeSeries) else forecasts
    for index, (target, own) in enumerate(zip(several, each, strict=True)):
        if has_gaps(target) and not _covers_a_label(target, own):
            where = "series" if len(several) == 1 else f"series[{index}]"
            warnings.warn(f"{where}: no forecast covers a step that has a label, so its errors are NaN", stacklevel=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return measure()


def _covers_a_label(target: TimeSeries, forecasts: Any) -> bool:
    labelled = target.time_index[np.isfinite(target.values(copy=False)).any(1)]
    items = [forecasts] if isinstance(forecasts, TimeSeries) else forecasts
    return any(len(labelled.intersection(item.time_index)) for item in items)
