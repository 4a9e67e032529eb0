"""Data sets, and the series of their archives."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tskd.datasets.split import split_stamp
from tskd.datasets.timed_table import TimedTable, column_names

if TYPE_CHECKING:
    import pandas as pd
    from darts import TimeSeries


@dataclass(frozen=True)
class ArchiveSeries:
    """Another series of the same kind (another station, another machine), for teachers fitted elsewhere.

    It has the same components as its data set in every slot. An experiment scales it by its own mean and deviation.

    Attributes:
        name: of the station or machine.
        series: its target, in the units of its source.
        privileged: its privileged series by name.
        past_covariates, future_covariates: its deployable covariates.

    Raises:
        TypeError, ValueError: an argument is not such.
    """

    name: str
    series: TimeSeries
    privileged: Mapping[str, TimeSeries] = field(default_factory=dict)
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None

    def __post_init__(self) -> None:
        where = f"archive series {self.name!r}"
        check_texts(self, where)
        _check_series(self, where)


@dataclass(frozen=True)
class DataSet:
    """A forecasting task with privileged information, split in time.

    A component of a privileged series that has the name of a target component is the same quantity, and is scaled
    alike.

    Attributes:
        name: its name in the catalogue, or its user's.
        series: the target series, in the units of its source.
        validation_start: time stamp of `series` at which the validation part begins, and before which training ends. It
            may be given as a date or a text such as "2018-08-01", or as the share of the rows before it, such as 0.7.
        test_start: time stamp of `series` at which the test part begins; may be given likewise.
        privileged: privileged series by name.
        past_covariates, future_covariates: deployable covariates.
        filled: time stamps of `series` whose value is no measurement: models may read them, no error is counted there.
        archive: further series, whose targets end before `validation_start`.
        title, unit, source, licence, notes: texts for reports.

    Raises:
        TypeError, ValueError: an argument is not such, or the parts, covariates or archive do not fit the series.
    """

    name: str
    series: TimeSeries
    validation_start: Any
    test_start: Any
    privileged: Mapping[str, TimeSeries] = field(default_factory=dict)
    past_covariates: TimeSeries | None = None
    future_covariates: TimeSeries | None = None
    filled: frozenset[pd.Timestamp] = frozenset()
    archive: tuple[ArchiveSeries, ...] = ()
    title: str = ""
    unit: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        where = f"data set {self.name!r}"
        check_texts(self, where)
        _check_series(self, where)
        if not isinstance(self.archive, list | tuple):
            raise TypeError(f"{where}: archive must be a list of ArchiveSeries, got {type(self.archive).__name__}.")
        if not isinstance(self.filled, Collection) or isinstance(self.filled, str):
            raise TypeError(f"{where}: filled must hold time stamps, got {type(self.filled).__name__}.")
        for name in ("validation_start", "test_start"):
            stamp = split_stamp(getattr(self, name), self.series.time_index, f"{where}: {name}")
            object.__setattr__(self, name, stamp)
        self._check_split(where)
        for what, series in other_series(self).items():
            begin: Any = series.start_time()
            if not begin < self.validation_start:
                raise ValueError(
                    f"{where}: {what} begins at {begin}; it must begin before the validation part, "
                    f"{self.validation_start}."
                )
        for other in self.archive:
            if not isinstance(other, ArchiveSeries):
                raise TypeError(f"{where}: archive must hold ArchiveSeries, got {type(other).__name__}.")
            _check_stamps(other.series, self.series, f"{where}: archive series {other.name!r}")
            end: Any = other.series.end_time()
            if not end < self.validation_start:
                raise ValueError(
                    f"{where}: archive series {other.name!r} ends at {end}; it must end before the "
                    f"validation part, {self.validation_start}."
                )
            for slot in ("series", "past_covariates", "future_covariates"):
                own, found = components_of(getattr(self, slot)), components_of(getattr(other, slot))
                if own != found:
                    raise ValueError(
                        f"{where}: {slot} of archive series {other.name!r} has components {found}, the "
                        f"data set's has {own}; they must be the same."
                    )

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        time: str,
        target: str | Sequence[str],
        validation_start: Any,
        test_start: Any,
        freq: str | None = None,
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        privileged: Mapping[str, Any] | None = None,
        series: Mapping[str, Any] | None = None,
    ) -> DataSet:
        """The data set in a CSV file (also .csv.gz) or a Parquet file, whose empty fields are missing values.

        Args:
            path: of the file.
            time: column of the time stamps, which must be in order, equally far apart and of no time zone.
            target, past, future: columns of the target and of deployable covariates.
            validation_start, test_start: time stamps, dates, or shares of the rows before them.
            freq: step, as pandas calls it ("15min", "MS"), if rows are missing; their values are then NaN.
            privileged: columns by name; or, from a file of a finer step, `{"file": ..., "columns": [...]}`, and its
                `time` and `freq` where they differ. Its path is relative to the folder of `path`.
            series: where several series lie below one another, the column that names them and the one to read, such as
                `{"station": "north"}`.

        Raises:
            FileNotFoundError, ImportError: a file is not there; or a Parquet file, and pyarrow is not installed.
            TypeError, ValueError: a column is not there, is used twice or holds texts, or the stamps cannot be used.
        """
        table = TimedTable.read(path, time, freq, series)
        forecast = column_names(target, "target")
        covariates: dict[str, Any] = {}
        for role, columns in (("past", past), ("future", future)):
            names = column_names(columns, role)
            both = [name for name in names if name in forecast]
            if both:
                raise ValueError(f"{role}: {both[0]!r} is a target, and is among the student's inputs without it.")
            covariates[f"{role}_covariates"] = table.series(names, role) if names else None
        return cls(
            name=table.name,
            series=table.series(forecast, "target"),
            validation_start=validation_start,
            test_start=test_start,
            privileged=table.privileged(privileged),
            source=table.path.name,
            **covariates,
        )

    def _check_split(self, where: str) -> None:
        index: Any = self.series.time_index
        split = {"validation_start": self.validation_start, "test_start": self.test_start}
        try:
            in_order = index[0] < self.validation_start < self.test_start <= index[-1]
        except TypeError as error:
            given = ", ".join(f"{name}={stamp!r}" for name, stamp in split.items())
            some = benchmark_split(self.series)[0]
            raise TypeError(
                f"{where}: {given}: give time stamps like those of the series, such as {some!r}."
            ) from error
        if not in_order:
            raise ValueError(
                f"{where}: the split must lie in order inside the series, {index[0]} < validation_start "
                f"({self.validation_start}) < test_start ({self.test_start}) <= {index[-1]}."
            )
        for name, stamp in split.items():
            if stamp not in index:
                raise ValueError(
                    f"{where}: {name} ({stamp}) is no time stamp of the series; the next is {index[index > stamp][0]}."
                )


def other_series(item: DataSet | ArchiveSeries) -> dict[str, TimeSeries]:
    """The privileged series and covariates that there are, by their names in messages."""
    covariates = {"past_covariates": item.past_covariates, "future_covariates": item.future_covariates}
    return {
        **{f"privileged series {name!r}": series for name, series in item.privileged.items()},
        **{slot: series for slot, series in covariates.items() if series is not None},
    }


def benchmark_split(series: TimeSeries) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First stamp of the validation and of the test part: 70, 10 and 20 %, rounded as the common benchmark does."""
    n = len(series)
    times: Any = series.time_index
    return times[int(n * 0.7)], times[n - int(n * 0.2)]


def check_texts(item: Any, where: str) -> None:
    """Raise a TypeError for a field of a dataclass that is declared as a text, and is none."""
    for one in fields(item):
        if one.type == "str" and not isinstance(getattr(item, one.name), str):
            raise TypeError(f"{where}: {one.name} must be a text, got {type(getattr(item, one.name)).__name__}.")


def _check_series(item: DataSet | ArchiveSeries, where: str) -> None:
    from darts import TimeSeries

    if not isinstance(item.privileged, Mapping):
        raise TypeError(f"{where}: privileged must be a dict of series by name, got {type(item.privileged).__name__}.")
    for what, series in {"series": item.series, **other_series(item)}.items():
        if not isinstance(series, TimeSeries):
            given, several = type(series).__name__, ""
            if isinstance(series, list | tuple):
                several = " A data set has one target series: give each its own, as members of a Panel."
            raise TypeError(
                f"{where}: {what} must be a TimeSeries (see TimeSeries.from_dataframe), got {given}.{several}"
            )
        if not len(series):
            raise ValueError(f"{where}: {what} has no steps; give at least one.")
        _check_stamps(series, item.series, f"{where}: {what}")


def _check_stamps(series: TimeSeries, target: TimeSeries, what: str) -> None:
    own, theirs = ("time stamps" if each.has_datetime_index else "whole numbers" for each in (series, target))
    if own != theirs:
        raise TypeError(f"{what} is indexed by {own}, the series that it belongs to by {theirs}; give the same.")


def components_of(series: TimeSeries | None) -> list[str]:
    """The names of the components of a series; none of no series."""
    return [] if series is None else [str(component) for component in series.components]
