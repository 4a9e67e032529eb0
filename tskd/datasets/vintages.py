"""Covariates of which there are several issues: weather forecasts, figures that are revised or arrive late."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from darts import TimeSeries


def as_issued(
    table: pd.DataFrame, series: TimeSeries, steps: Iterable[int], *, issued: str = "issued", valid: str = "valid"
) -> TimeSeries:
    """What had been issued by each time stamp for some steps from it on, as past covariates of a student.

    darts' future covariates have one value a time stamp, the same for all forecast origins, and cannot hold what each
    origin knew. Past covariates are read up to the origin and no further: in their row at t, component `wind+3` is the
    value for t+3 of the latest issue not after t, and `wind-1` that for t-1. A forecast of no more steps than the
    output chunk reads nothing later, in `predict` as in `historical_forecasts`; a longer one would go on with later
    rows. For a model that reads future covariates alone, `as_issued(table, series, [12]).shift(12)` are what had been
    issued twelve steps ahead, which a forecast of up to twelve steps may read. The realised values are a privileged
    series, such as `FutureHorizon` reads.

    Args:
        table: a row for each issue and time for which it holds, one column for each component; a missing value leaves
            that of an earlier issue in force. A time of issue is when the values could be read, not when their
            computation began.
        series: the target, on whose time stamps the result lies.
        steps: relative to each time stamp, such as `range(1, 13)` for forecasts, `range(-11, 1)` for what is revised.
        issued, valid: names of the columns of time stamps, or of whole numbers as in `series`.

    Returns:
        `[T, components · steps]`, NaN where nothing had been issued.

    Raises:
        TypeError: an argument is of another type, or a column holds no time stamps of the kind of `series`.
        ValueError: a column is not there, an issue has two values for a time, times lie off the grid of `series`, or
            nothing had been issued for any step.
    """
    import numpy as np
    import pandas as pd
    from darts import TimeSeries
    from darts.utils.utils import generate_index

    names, ahead = _checked(table, series, steps, issued, valid)
    first, last = min(*ahead, 0), max(*ahead, 0)
    grid = generate_index(
        start=series.start_time() + first * series.freq, length=len(series) + last - first, freq=series.freq
    )
    within = table[(table[valid] >= grid[0]) & (table[valid] <= grid[-1])].sort_values(issued, kind="stable")
    position = grid.get_indexer(pd.Index(within[valid]))
    if (position < 0).any():
        raise ValueError(
            f"column {valid!r} holds {within[valid].iloc[int((position < 0).argmax())]}, which is no time stamp of the "
            f"series, whose frequency is {series.freq_str!r}: resample the values to it"
        )
    # every time stamp and step, in the order of time stamps, as the search of the latest issue needs them
    stamp, step = (part.ravel() for part in np.meshgrid(np.arange(len(series)), ahead, indexing="ij"))
    asked = pd.DataFrame({"by": series.time_index[stamp].astype(within[issued].dtype), "at": stamp + step - first})
    columns = []
    for name in names:
        known = pd.DataFrame({"by": within[issued].to_numpy(), "at": position, "value": within[name].to_numpy()})
        found = pd.merge_asof(asked, known.dropna(subset="value"), on="by", by="at")
        columns.append(found["value"].to_numpy(series.dtype).reshape(len(series), -1))
    values = np.concatenate(columns, axis=1)
    if np.isnan(values).all():
        raise ValueError(
            f"nothing had been issued for any of the steps: issues are of {table[issued].min()} to "
            f"{table[issued].max()}, the series of {series.start_time()} to {series.end_time()}"
        )
    labels = [f"{name}{offset:+d}" for name in names for offset in ahead]
    return TimeSeries.from_times_and_values(series.time_index, values, columns=labels, freq=series.freq)


def _checked(
    table: pd.DataFrame, series: TimeSeries, steps: Iterable[int], issued: str, valid: str
) -> tuple[list[str], list[int]]:
    """Names of the value columns, and the steps; a TypeError or a ValueError for what cannot be used."""
    import pandas as pd
    from darts import TimeSeries
    from pandas.api import types

    from tskd._core.checks import check_known, type_name

    if not isinstance(series, TimeSeries):
        raise TypeError(f"series must be a TimeSeries, got {type_name(series)}")
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a pandas DataFrame, got {type_name(table)}")
    check_known([issued, valid], map(str, table.columns), "column of the table")
    stamps = series.has_datetime_index
    wanted = "time stamps without a time zone (pandas.to_datetime)" if stamps else "whole numbers"
    for column in (issued, valid):
        kind = table[column].dtype
        if not (types.is_datetime64_dtype(kind) if stamps else types.is_integer_dtype(kind)):
            raise TypeError(f"column {column!r} holds {kind}: give {wanted}, as the series has them")
        if table[column].isna().any():
            raise ValueError(f"column {column!r} has missing values, in {int(table[column].isna().sum())} rows")
    names = [name for name in table.columns if name not in (issued, valid)]
    wrong = [name for name in names if not types.is_numeric_dtype(table[name].dtype)]
    if wrong or not names:
        raise ValueError(f"columns {wrong} hold no numbers" if wrong else "the table has no column of values")
    twice = table.duplicated([issued, valid])
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(f"the issue of {row[issued]} has two rows for {row[valid]}: give one")
    if isinstance(steps, str | bytes) or not isinstance(steps, Iterable):
        raise TypeError(f"steps={steps!r}: give whole numbers, such as range(1, 13)")
    ahead = list(steps)
    if not ahead or len(set(ahead)) < len(ahead) or not all(types.is_integer(step) for step in ahead):
        raise ValueError(f"steps={ahead}: give whole numbers, none twice, such as range(1, 13)")
    return names, [int(step) for step in ahead]
