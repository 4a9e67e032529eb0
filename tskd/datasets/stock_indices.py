"""Two stock indices: what ships with the package arch and needs no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tskd._core.optional_imports import import_optional
from tskd.datasets.base import DataSet

if TYPE_CHECKING:
    import pandas as pd
    from pandas.tseries.offsets import CustomBusinessDay

PACKAGE = "arch"


def sp500() -> DataSet:
    """Absolute daily returns of the S&P 500: a noisy label of the day's volatility; its range is a better one."""
    return _index("sp500", "S&P 500")


def nasdaq() -> DataSet:
    """Absolute daily returns of the Nasdaq Composite: a noisy label of the day's volatility; its range is a better."""
    return _index("nasdaq", "Nasdaq Composite")


def _index(name: str, title: str) -> DataSet:
    """One index. The first day of the table has no day before it, and no return."""
    import numpy as np
    import pandas as pd
    from darts import TimeSeries

    table = import_optional(f"{PACKAGE}.data.{name}", f"Data set {name!r}", PACKAGE).load()
    step = trading_day(table.index)
    times = pd.date_range(table.index[1], table.index[-1], freq=step)
    change = 100 * np.abs(np.diff(np.log(table["Close"].to_numpy())))
    spread = 100 * np.log(table["High"].to_numpy() / table["Low"].to_numpy())[1:]

    def series(values: np.ndarray, column: str) -> TimeSeries:
        return TimeSeries.from_times_and_values(times, values.astype("float32"), freq=step, columns=[column])

    return DataSet(
        name=name,
        series=series(change, "absolute return"),
        privileged={"range": series(spread, "range")},
        validation_start=times[times >= pd.Timestamp("2016-01-01")][0],
        test_start=times[times >= pd.Timestamp("2017-01-01")][0],
        title=f"{title}, 1999 to 2018: absolute daily return",
        unit="per cent, logarithmic",
        source=f"shipped with the package {PACKAGE} as {PACKAGE}.data.{name}",
        licence="that of the package, NCSA; of the values nothing is said",
        notes="The label is a noisy measurement of the day's volatility, from two prices of a day; 'range', the "
        "logarithm of the day's highest price over its lowest, in per cent and not rescaled, is a better one, from all "
        "of its prices. Of a random walk without drift its mean is twice that of the absolute return. A step is a "
        "trading day: days on which the exchange was closed do not exist in the series, and no value is invented.",
    )


def trading_day(days: pd.DatetimeIndex) -> CustomBusinessDay:
    """The step of these days of trading: from one to the next, every weekday between them being a holiday."""
    import pandas as pd
    from pandas.tseries.offsets import CustomBusinessDay

    closed = pd.bdate_range(days[0], days[-1]).difference(days)
    return CustomBusinessDay(holidays=list(closed))
