"""Labels averaged over time."""

from __future__ import annotations

import pandas as pd
from darts import TimeSeries


def moving_average(series: TimeSeries, width: int) -> TimeSeries:
    """Centred moving average of a series, of the values that there are.

    Where the series begins or ends the average is over what is left of the width; the earlier half of an even one is a
    step longer. Steps without a value within the width lie on a line between the averages before and after them; before
    the first and after the last average they are NaN.
    """
    frame = pd.DataFrame(series.values(copy=False).astype("float64"))
    mean = frame.rolling(width, min_periods=1, center=True).mean()
    return series.with_values(mean.interpolate(limit_area="inside").to_numpy()).astype(series.dtype)
