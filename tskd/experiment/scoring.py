"""Errors of forecasts: every window of a part counts, targets that were filled do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.experiment.preparation import Part


def aligned(forecasts: Sequence[TimeSeries], part: Part) -> np.ndarray:
    """Forecasts [W, H, C] in the order of the part's windows, NaN for a window without one.

    Steps beyond the part's horizon are left out.
    """
    values = np.full(part.truth.shape, np.nan)
    positions = part.starts.get_indexer(pd.Index([forecast.start_time() for forecast in forecasts]))
    if (positions < 0).any():
        raise ValueError("a forecast does not start at a window of its part")
    for position, forecast in zip(positions, forecasts, strict=True):
        values[position] = forecast.values(copy=False)[: part.truth.shape[1]]
    return values


def errors(forecasts: np.ndarray, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Squared and absolute errors [W, H, C], NaN where the target is not scored."""
    error = np.where(part.scored[:, :, None], forecasts - part.truth, np.nan)
    return error**2, np.abs(error)


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean over what is not NaN, NaN where nothing is left."""
    count = (~np.isnan(values)).sum(axis=axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
