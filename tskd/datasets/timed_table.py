"""A user's own file as a table on a regular time grid, whose columns are taken as series."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tskd.datasets.tables import check_column, listed, read_table, stem, suggestion
from tskd.datasets.time_stamps import check_order, parsed_stamps, regular_grid

if TYPE_CHECKING:
    import pandas as pd
    from darts import TimeSeries

FINER_KEYS = ("file", "columns", "time", "freq")


@dataclass(frozen=True, eq=False)
class TimedTable:
    """Columns of a file by time; a step of the grid without a row has NaN in all of them.

    Attributes:
        path: of the file.
        values: `[T, C]`, indexed by the grid.
        name: of the file without its ending, and of the series that was chosen from it.
        key: what was given to read it: `time`, and `series`.
    """

    path: Path
    values: pd.DataFrame
    name: str
    key: tuple[str, Mapping[str, Any] | None]

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], time: str, freq: str | None = None, series: Mapping[str, Any] | None = None
    ) -> TimedTable:
        """Read a file.

        Args:
            path: of a CSV file (also .csv.gz) or a Parquet file.
            time: the column of time stamps, or of whole numbers.
            freq: the step, as pandas calls it, where rows are missing; None: no row is.
            series: one column and the value that it has in the rows to read.

        Raises:
            FileNotFoundError, ImportError, ValueError: see `read_table`; a column is not there; or the stamps cannot be
                used, see `tskd.datasets.time_stamps`.
        """
        # needs NumPy, which the list of data sets does not
        from tskd._core.checks import as_path

        place = as_path(path, "path")
        table = read_table(place)
        check_column(time, table, place, "time")
        name = stem(place)
        if series is not None:
            column, value = _chosen(series, table, place)
            table = table[table[column].astype(str) == str(value)]
            name = f"{name} {value}"
        if not len(table):
            raise ValueError(f"{place.name} has no rows.")
        where = f"{place.name}, column {time!r}"
        grid, stamps = _laid_out(parsed_stamps(table[time], where), freq, where)
        table = table.drop(columns=time).set_axis(stamps, axis=0)
        # the grid knows its step, which equal stamps do not
        table = table.set_axis(grid, axis=0) if grid.equals(stamps) else table.reindex(grid)
        return cls(place, table, name, (time, series))

    def series(self, columns: str | Sequence[str], role: str) -> TimeSeries:
        """Some columns as a series, in the precision of the file's numbers.

        Args:
            columns: their names.
            role: what they are given as, for messages.

        Raises:
            TypeError: that is no name and no list of names.
            ValueError: none is named, one is named twice, is not there, or holds texts.
        """
        from darts import TimeSeries

        names = column_names(columns, role)
        if not names:
            raise ValueError(f"{role}: give at least one column of {self.path.name}.")
        for name in names:
            if name == self.key[0]:
                raise ValueError(f"{role}: column {name!r} holds the time stamps; give columns of values.")
            check_column(name, self.values, self.path, role)
            if names.count(name) > 1:
                raise ValueError(f"{role}: column {name!r} is given twice.")
        values = self.values[names]
        for name in names:
            _check_numbers(values[name], f"{role}: column {name!r} of {self.path.name}")
        numbers = values.to_numpy("float64", na_value=float("nan"))
        return TimeSeries.from_times_and_values(values.index, numbers, columns=names)

    def privileged(self, given: Mapping[str, Any] | None) -> dict[str, TimeSeries]:
        """Privileged series by name, each from columns of this file or, as `{"file": ..., "columns": [...]}`, of
        another: a path from the folder of this one, with the same column of time stamps unless it gives its `time`, and
        its `freq` if rows are missing.

        Raises:
            TypeError, ValueError: as `series` and `read`; or there is an unknown key.
        """
        from tskd._core.checks import as_path

        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"privileged must be a dict of columns by name, got {type(given).__name__}.")
        found = {}
        for name, columns in (given or {}).items():
            role, table = f"privileged series {name!r}", self
            if isinstance(columns, Mapping):
                for key in columns:
                    if key not in FINER_KEYS:
                        raise ValueError(f"{role}: unknown key {key!r}.{suggestion(str(key), FINER_KEYS)}")
                for key in ("file", "columns"):
                    if key not in columns:
                        raise ValueError(f"{role}: give its {key}, as in {{file: fine.csv, columns: [load]}}.")
                time, series = self.key
                table = self.read(
                    self.path.parent / as_path(columns["file"], f"{role}: file"),
                    columns.get("time") or time,
                    columns.get("freq"),
                    series,
                )
                columns = columns["columns"]
            found[name] = table.series(columns, role)
        return found


def series_in(path: Path, series: str | Mapping[str, Any]) -> tuple[str, list[str]]:
    """The column of a file that names its series, and the names of those to read, in the order of the file or as given.

    Args:
        path: of the file.
        series: that column; or that column and a list of names.

    Raises:
        FileNotFoundError, ImportError, ValueError: see `read_table`; or there is no such column or series.
    """
    table = read_table(path)
    if not isinstance(series, str):
        if not isinstance(series, Mapping) or len(series) != 1 or isinstance(next(iter(series.values())), str):
            raise ValueError(f"series={series!r}: give a column, or one and a list, as in {{station: [north, south]}}.")
        ((column, names),) = series.items()
        given = [str(name) for name in names]
        if not given or len(set(given)) < len(given):
            raise ValueError(f"series={series!r}: give at least one series of column {column!r}, none twice.")
        for name in given:
            _chosen({column: name}, table, path)
        return column, given
    check_column(series, table, path, "series")
    return series, list(dict.fromkeys(table[series].dropna().astype(str)))


def column_names(columns: str | Sequence[str], role: str) -> list[str]:
    """One name or several as a list. Raises TypeError for anything else."""
    names = [columns] if isinstance(columns, str) else columns
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{role}={columns!r}: give the name of a column, or a list of names.")
    return list(names)


def _laid_out(ways: Sequence[pd.Index], freq: str | None, where: str) -> tuple[pd.Index, pd.Index]:
    """The grid, and the stamps, in the one way to read them that gives a grid. Raises ValueError if none does, with the
    error of the first, or if two do."""
    errors, found = [], []
    for stamps in ways:
        try:
            check_order(stamps, where)
            found.append((regular_grid(stamps, freq, where), stamps))
        except ValueError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    if not found[0][0].equals(found[-1][0]):
        ends = " or ".join(f"{grid[-1]:%Y-%m-%d}" for grid, _ in found)
        raise ValueError(f"{where}: the last stamp may be {ends}; write dates as 2018-08-01, the year first.")
    return found[0]


def _chosen(series: Mapping[str, Any], table: pd.DataFrame, path: Path) -> tuple[str, Any]:
    """The column that names the series, and the one that is read."""
    if isinstance(series, str):
        check_column(series, table, path, "series")
        names = table[series].astype(str).unique()
        raise ValueError(
            f"series={series!r}: column {series!r} of {path.name} names {len(names)} series, and a DataSet has one: "
            f"choose it, as in series: {{{series}: {names[0]}}}, or read them all by Panel.from_file. There are: "
            f"{listed(names)}."
        )
    if not isinstance(series, Mapping) or len(series) != 1:
        raise ValueError(f"series={series!r}: give one column and the series to read, as in {{station: north}}.")
    ((column, value),) = series.items()
    check_column(column, table, path, "series")
    names = list(dict.fromkeys(table[column].astype(str)))
    if str(value) not in names:
        raise ValueError(f"{path.name} has no rows whose {column!r} is {value!r}.{suggestion(str(value), names)}")
    return column, value


def _check_numbers(column: pd.Series, what: str) -> None:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return
    texts = column.dropna()
    if len(texts) and all(isinstance(value, bool) for value in texts):
        return
    bad = texts[pd.to_numeric(texts, errors="coerce").isna()]
    some = bad.iloc[0] if len(bad) else column.dtype
    raise ValueError(f"{what} holds {some!r}, which is no number; give columns of numbers, or leave that field empty.")
