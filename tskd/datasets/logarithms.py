"""Concentrations as logarithms, and what neighbours measured as differences from the station itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darts import TimeSeries


def logarithm(series: TimeSeries) -> TimeSeries:
    """log(1 + x) of a series."""
    import numpy as np

    return series.with_values(np.log1p(series.values(copy=False)))


def differences(neighbours: TimeSeries, own: TimeSeries) -> TimeSeries:
    """log(1 + x) of each neighbour less that of the station `own`, at the same times."""
    return neighbours.with_values(logarithm(neighbours).values(copy=False) - logarithm(own).values(copy=False))
