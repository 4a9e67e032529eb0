"""Transforms of tables and series: gaps filled from the past alone, logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from darts import TimeSeries


def fill_from_past(values: np.ndarray, period: int) -> np.ndarray:
    """`values` [T] with its NaN filled from earlier steps only; the first value must not be NaN.

    A gap at i becomes x[i-period] + (x[j] - x[j-period]), j the last measured step before i that has a measured or
    filled value a period before it; as long as there is none, the last value is carried forward.

    Args:
        values: in any units.
        period: steps after which the series is like itself, such as 24 for hours of a day.

    Raises:
        ValueError: the first value is NaN.
    """
    import numpy as np

    if np.isnan(values[0]):
        raise ValueError("The first value is NaN: there is no past to fill it from. Cut the series before it.")
    filled = np.array(values, dtype="float64")
    change = np.nan
    for i, gap in enumerate(np.isnan(filled)):
        if not gap:
            change = filled[i] - filled[i - period] if i >= period else np.nan
        elif np.isnan(change):
            filled[i] = filled[i - 1]
        else:
            filled[i] = filled[i - period] + change
    return filled


def carry_forward(table: pd.DataFrame) -> pd.DataFrame:
    """`table` [T, C] with every NaN replaced by the last value before it; what precedes the first value stays NaN."""
    return table.ffill()


def logarithm(series: TimeSeries) -> TimeSeries:
    """log(1 + x) of a series."""
    import numpy as np

    return series.with_values(np.log1p(series.values(copy=False)))


def differences(neighbours: TimeSeries, own: TimeSeries) -> TimeSeries:
    """log(1 + x) of each neighbour less that of the station `own`, at the same times."""
    return neighbours.with_values(logarithm(neighbours).values(copy=False) - logarithm(own).values(copy=False))
