"""Which dates of the series that a user passes in are missing for the windows that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from darts import TimeSeries
from pandas.api.types import is_numeric_dtype
from torch import Tensor

from tskd._core.series import SeriesBundle
from tskd._core.time_grid import steps_between


def check_span(series: TimeSeries, start: Any, end: Any, what: str) -> None:
    """Raise a ValueError with the missing dates if a series does not cover `start` to `end`."""
    missing = []
    if series.start_time() > start:
        missing.append(f"{start} to {series.start_time() - series.freq}")
    if series.end_time() < end:
        missing.append(f"{series.end_time() + series.freq} to {end}")
    if missing:
        raise ValueError(
            f"{what} covers {series.start_time()} to {series.end_time()}, but the windows need {start} to {end}: "
            f"missing {' and '.join(missing)}"
        )


def check_numeric_static(series: Sequence[TimeSeries], what: str) -> None:
    """Raise a ValueError for static covariates that are no numbers, which no network reads."""
    for index, item in enumerate(series):
        static = item.static_covariates
        texts = [] if static is None else [name for name, column in static.items() if not is_numeric_dtype(column)]
        if texts:
            where = what if len(series) == 1 else f"{what}[{index}]"
            raise ValueError(
                f"{where} has static covariates {texts} that are no numbers: encode them (darts' "
                "StaticCovariatesTransformer), or set use_static_covariates=False"
            )


def check_windows(
    data: SeriesBundle, keys: Tensor, lookback: int, labels: range, sample_weight: Sequence[TimeSeries] | None = None
) -> None:
    """Raise a ValueError with the missing dates if a series does not cover the windows `keys [N, 2]`.

    Args:
        lookback: number of steps up to the origin that a window spans.
        labels: steps of the labels, relative to the origin.
        sample_weight: weights of the labels, one series for each target series, or None.
    """
    spans = (
        ("past_covariates", data.past_covariates, 1 - lookback, 0),
        ("future_covariates", data.future_covariates, 1 - lookback, labels[-1]),
        ("sample_weight", sample_weight, labels[0], labels[-1]),
    )
    for name, items, begin, end in spans:
        for index, covariates in enumerate(items or []):
            target = data.series[index]
            what = f"{data.prefix}{name}" + (f"[{index}]" if len(data.series) > 1 else "")
            if name == "sample_weight" and covariates.n_components not in (1, target.n_components):
                raise ValueError(
                    f"{what} has {covariates.n_components} components, and its target {target.n_components}: give one "
                    "for all, or one for each"
                )
            try:
                steps_between(covariates, target)
            except ValueError as error:
                raise ValueError(f"{what} does not fit the target: {error}") from None
            origins = keys[keys[:, 0] == index, 1]
            first, last = int(origins.min()) + begin, int(origins.max()) + end
            check_span(covariates, target.time_index[first], target.time_index[last], what)
