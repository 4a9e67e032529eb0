"""Checks of the `data_transformers` of a rolling evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darts import TimeSeries
from darts.dataprocessing import Pipeline
from darts.dataprocessing.transformers import FittableDataTransformer

from tskd._core.checks import check_known
from tskd._core.series import SeriesLike

KEYS = ("series", "past_covariates", "future_covariates")


def check_transformers(given: Mapping[str, Any] | None, series: SeriesLike, retrain: Any) -> None:
    """Raise a ValueError for transformers that are not those of the series; with `retrain` they are fitted anew.

    Args:
        given: by argument, transformers or pipelines of them.
        series: the target series to forecast.
        retrain: as darts takes it.
    """
    check_known(given or {}, KEYS, "key in data_transformers")
    count = 1 if isinstance(series, TimeSeries) else len(series)
    for name, transformer in (given or {}).items():
        for one in transformer if isinstance(transformer, Pipeline) else [transformer]:
            if retrain or not isinstance(one, FittableDataTransformer):
                continue
            what = f"data_transformers[{name!r}], a {type(one).__name__}"
            if not one._fit_called:
                raise ValueError(f"{what}, is not fitted: fit it on the data that the model was fitted on")
            fitted = len(one._fitted_params)
            # of one series darts warns
            if not one._global_fit and count not in (1, fitted):
                raise ValueError(
                    f"{what}, was fitted on {fitted} series, one by one, and there are {count} to forecast: give it "
                    "those that it was fitted on, in their order, or fit it with global_fit=True"
                )
