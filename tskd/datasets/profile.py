"""What is in a file that nobody has described yet: its time stamps, its step, its columns of numbers, its gaps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tskd._core.checks import as_path
from tskd.datasets.tables import read_once, read_table
from tskd.datasets.time_stamps import likely_freq, parsed_stamps
from tskd.datasets.timed_table import TimedTable

if TYPE_CHECKING:
    import pandas as pd

FIRST = 50
"""Rows by which columns of time stamps are told from others."""
CALENDAR = ("year", "month", "day", "hour", "minute", "second", "time", "weekday", "season")
"""Names, in lower case, of columns that are no measurements and name no series."""
TIME_OF_DAY = r"\d{1,2}[:.]\d{2}([:.]\d{2})?"
FEWEST = 3
"""Rows that make a series."""
MOSTLY = 0.5
"""Share of missing values above which a column counts as sparse."""


@dataclass(frozen=True)
class FileProfile:
    """What a file holds, as far as it can be told from the file.

    Attributes:
        table: the file on the grid of its time stamps.
        time: the column of these.
        freq: the step, as pandas calls it, if rows are missing; None if none is.
        series: the first series and the column that names it, if several lie below one another; None if there is one.
        others: number of the other series.
        absent: number of steps without a row.
        numbers: columns of numbers that vary, in the order of the file, and how many of their values are missing.
        sparse: the same for those that are mostly missing: labels that were seldom taken, or a sensor that failed.
        left_out: the other columns, each with the reason.
    """

    table: TimedTable
    time: str
    freq: str | None
    series: Mapping[str, str] | None
    others: int
    absent: int
    numbers: Mapping[str, int]
    sparse: Mapping[str, int]
    left_out: Mapping[str, str]


@read_once()
def profile(path: str | os.PathLike[str]) -> FileProfile:
    """Look at a file.

    Raises:
        FileNotFoundError, ImportError, ValueError: it cannot be read, has no column of time stamps, or these cannot be
            used.
    """
    import pandas as pd

    place = as_path(path, "path")
    whole = read_table(place)
    time = _time_column(whole, place.name)
    series, others, rows = _first_series(whole, time)
    where = f"{place.name}, column {time!r}"
    try:
        table, freq = TimedTable.read(place, time, None, series), None
    except ValueError:
        grids: list[Any] = [
            likely_freq(stamps) if isinstance(stamps, pd.DatetimeIndex) else None
            for stamps in parsed_stamps(rows[time], where)
        ]
        freq = next((found for found in grids if found is not None), None)
        if freq is None:
            raise
        table = TimedTable.read(place, time, freq, series)
    values = table.values.drop(columns=list(series or ()))
    reasons = {str(name): _reason(values[name], str(name)) for name in values}
    missing = {name: int(values[name].isna().sum()) for name, reason in reasons.items() if not reason}
    return FileProfile(
        table=table,
        time=time,
        freq=freq,
        series=series,
        others=others,
        absent=len(values) - len(rows),
        numbers={name: count for name, count in missing.items() if count <= MOSTLY * len(values)},
        sparse={name: count for name, count in missing.items() if count > MOSTLY * len(values)},
        left_out={name: reason for name, reason in reasons.items() if reason},
    )


def _time_column(table: pd.DataFrame, name: str) -> str:
    """The first column of dates; without one, the first whole numbers that are equally far apart."""
    import pandas as pd

    zoned: ValueError | None = None
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            try:
                parsed_stamps(table[column].head(FIRST), f"{name}, column {column!r}")
            except ValueError as error:
                zoned = zoned or (error if "time zone" in str(error) else None)
                continue
            return str(column)
    if zoned is not None:
        raise zoned
    for column in table:
        if pd.api.types.is_integer_dtype(table[column]) and len(table) >= FEWEST:
            stamps = parsed_stamps(table[column], name)[0]
            if isinstance(stamps, pd.DatetimeIndex) or (
                stamps[1] > stamps[0] and len(set(stamps[1:] - stamps[:-1])) == 1
            ):
                return str(column)
    raise ValueError(
        f"{name} has no column that can be read as time stamps; write them as 2018-08-01 00:15:00, or number the rows."
    )


def _first_series(table: pd.DataFrame, time: str) -> tuple[dict[str, str] | None, int, pd.DataFrame]:
    """The first series of several below one another, the number of the others, and its rows."""
    import pandas as pd

    if not table[time].duplicated().any():
        return None, 0, table
    for column in table.drop(columns=time):
        names = table[column]
        if str(column).casefold() in CALENDAR or names.astype(str).str.fullmatch(TIME_OF_DAY).all():
            continue
        if pd.api.types.is_float_dtype(names) or names.isna().any() or names.nunique() * FEWEST > len(names):
            continue
        if not table[[column, time]].duplicated().any():
            first = str(names.iloc[0])
            return {str(column): first}, names.nunique() - 1, table[names.astype(str) == first]
    return None, 0, table


def _reason(column: pd.Series, name: str) -> str:
    """Why a column is of no use; '' if it is of use."""
    import numpy as np
    import pandas as pd

    known = column.dropna()
    if not pd.api.types.is_numeric_dtype(column):
        return "texts" if len(known) else "empty"
    if name.casefold() in CALENDAR:
        return "part of the date"
    if known.empty:
        return "empty"
    if known.nunique() == 1:
        return "always the same value"
    rows = np.flatnonzero(column.notna())
    slopes = np.diff(known.to_numpy("float64")) / np.diff(rows)
    return "counts the rows" if len(slopes) > 1 and np.ptp(slopes) == 0 else ""
