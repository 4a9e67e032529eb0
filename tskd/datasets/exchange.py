"""Exchange rates of eight currencies."""

from __future__ import annotations

from tskd.datasets.base import DataSet, benchmark_split
from tskd.datasets.files import File, series_of

EXCHANGE = File(
    "exchange_rate.csv",
    "https://github.com/laiguokun/multivariate-time-series-data",
    "48b4d9d3d508f5104162e85b9a6042e3557fde11aa9f2944eba8c0d0efc89842",
    licence="not stated at the origin",
    manual="The copy with dates, exchange_rate.csv, is in the bundle that https://github.com/thuml/Autoformer links.",
)


def exchange() -> DataSet:
    """Eight currencies in US dollars, day by day, with the split of the common benchmark."""
    table = EXCHANGE.csv(index_col="date", parse_dates=True)
    series = series_of(table, list(table.columns))
    validation, test = benchmark_split(series)
    return DataSet(
        name="exchange",
        series=series,
        validation_start=validation,
        test_start=test,
        title="Exchange rates of eight currencies",
        unit="US dollars",
        source=EXCHANGE.address,
        licence=EXCHANGE.licence,
        notes="70 % to train, 10 % to validate, 20 % to test; nothing is missing. The dates are invented: the source "
        "says 1990 to 2016, the stamps run day by day to 2010. So no feature of the calendar means anything here. "
        "By their values, column 6 is Singapore's dollar and OT New Zealand's, not the other way round.",
    )
