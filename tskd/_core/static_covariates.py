"""Checks of static covariates, for a model that reads them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from darts import TimeSeries
from pandas.api.types import is_numeric_dtype


def check_static(series: Sequence[TimeSeries], what: str, whose: str, fitted_on: pd.DataFrame | None = None) -> None:
    """Raise a ValueError for static covariates that a model cannot read.

    They must be numbers, with the same columns in the same order, and for all series one row, or one for each
    component.

    Args:
        series: of one part of the data.
        what: the argument's name, for messages.
        whose: the model's, for messages.
        fitted_on: static covariates `[1 or C, columns]` that the model was, or will be, fitted on; None for those of
            the first series.
    """
    first = series[0].static_covariates if fitted_on is None else fitted_on
    like = f"{what}[0]" if fitted_on is None else "the series that it is fitted on"
    for index, item in enumerate(series):
        static = item.static_covariates
        where = what if len(series) == 1 else f"{what}[{index}]"
        texts = [] if static is None else [name for name, column in static.items() if not is_numeric_dtype(column)]
        if texts:
            raise ValueError(
                f"{whose}: {where} has static covariates {texts} that are no numbers: encode them (darts' "
                "StaticCovariatesTransformer), or set use_static_covariates=False in its model"
            )
        if _form(static) != _form(first):
            raise ValueError(
                f"{whose}: {where} has {_described(static)}, and {like} {_described(first)}: give all series the same "
                "columns and rows (with_static_covariates), or set use_static_covariates=False in its model"
            )


def _form(static: pd.DataFrame | None) -> tuple[int, list[str]] | None:
    return None if static is None else (len(static), list(map(str, static.columns)))


def _described(static: pd.DataFrame | None) -> str:
    if static is None:
        return "no static covariates"
    rows = "1 row" if len(static) == 1 else f"{len(static)} rows"
    return f"static covariates {list(static.columns)} of {rows}"
