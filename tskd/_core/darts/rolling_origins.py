"""The origins of darts' rolling evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from darts import TimeSeries
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel
from darts.utils.historical_forecasts.optimized_historical_forecasts_torch import _create_dataset_bounds
from torch import Tensor


def rolling_origins(
    model: TorchForecastingModel,
    series: Sequence[TimeSeries],
    past_covariates: Sequence[TimeSeries] | None,
    future_covariates: Sequence[TimeSeries] | None,
    arguments: Mapping[str, Any],
) -> list[Tensor]:
    """For each series, the keys (series, origin) `[N, 2]` of the windows that `historical_forecasts` forecasts.

    Args:
        arguments: all other ones of `historical_forecasts`.

    Raises:
        ValueError, TypeError: darts' own, such as for a start out of range or a series that is too short.
    """
    model._historical_forecasts_sanity_checks(series, **arguments)
    names = ("forecast_horizon", "start", "start_format", "stride", "overlap_end", "show_warnings")
    own = {name: arguments[name] for name in names}
    bounds, _ = _create_dataset_bounds(model, series, past_covariates, future_covariates, **own)
    # of each series, positions of the first step of its first and last forecast
    keys = []
    for number, (first, last) in enumerate(bounds.tolist()):
        origins = torch.arange(first, last + 1, own["stride"]) - 1 - model.output_chunk_shift
        keys.append(torch.stack([torch.full_like(origins, number), origins], 1))
    return keys
