"""Several series of one kind as one data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tskd.datasets.base import DataSet, check_texts, components_of, other_series
from tskd.datasets.tables import read_once
from tskd.datasets.timed_table import series_in

if TYPE_CHECKING:
    from darts import TimeSeries


@dataclass(frozen=True)
class Panel:
    """Several series of one kind (stations, machines, shops): one model learns from all of them, and is scored on each.

    Each is a data set with a length, a start and a split of its own; they have the same components in every slot, the
    same privileged series, and the same step.

    Attributes:
        name: its name in reports.
        members: a data set for each series, by the name of the series; none with an archive.
        title, unit, source, licence, notes: texts for reports.

    Raises:
        TypeError, ValueError: a member is no data set, has an archive, or is not of the others' kind.
    """

    name: str
    members: Mapping[str, DataSet]
    title: str = ""
    unit: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        where = f"panel {self.name!r}"
        check_texts(self, where)
        if not isinstance(self.members, Mapping) or not self.members:
            raise TypeError(f"{where}: members must be a dict of data sets by the name of their series.")
        for name, item in self.members.items():
            if not isinstance(name, str) or not name.strip():
                raise TypeError(f"{where}: {name!r} is no name of a series; give a text.")
            if not isinstance(item, DataSet):
                raise TypeError(f"{where}: series {name!r} must be a DataSet, got {type(item).__name__}.")
            if item.archive:
                raise ValueError(f"{where}: series {name!r} has an archive; a panel has none: leave it out.")
        first, *others = self.members.items()
        for name, item in others:
            _check_alike(first, (name, item), where)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, series: str | Mapping[str, Sequence[Any]], time: str, **options: Any
    ) -> Panel:
        """The series of a file that lie below one another.

        Args:
            path: as of `DataSet.from_file`.
            series: the column that names the series, of which all are read; or that column and those to read, such as
                `{"station": ["north", "south"]}`.
            time: as of `DataSet.from_file`, and so are `options`; a split by shares is one of each series' own rows.

        Raises:
            FileNotFoundError, ImportError, TypeError, ValueError: as of `DataSet.from_file`.
        """
        from tskd._core.checks import as_path

        place = as_path(path, "path")
        with read_once():
            column, names = series_in(place, series)
            members = {name: DataSet.from_file(place, time=time, series={column: name}, **options) for name in names}
        stem = members[names[0]].name.removesuffix(f" {names[0]}")
        return cls(name=stem, members=members, source=place.name)


Data = DataSet | Panel
"""What an experiment can be on."""


def members_of(data: Data) -> dict[str, DataSet]:
    """The data set of each series by the name of the series, which is empty for a data set of one."""
    return {"": data} if isinstance(data, DataSet) else dict(data.members)


def _check_alike(first: tuple[str, DataSet], other: tuple[str, DataSet], where: str) -> None:
    (name, one), (another, two) = first, other
    own, theirs = ({"series": item.series, **other_series(item)} for item in (one, two))
    if set(own) != set(theirs):
        lacking = sorted(set(own) ^ set(theirs))[0]
        has, lacks = (name, another) if lacking in own else (another, name)
        raise ValueError(f"{where}: series {has!r} has {lacking}, and {lacks!r} has none; give all the same.")
    for what, series in own.items():
        for label, read in (("components", components_of), ("a step of", _step)):
            if read(series) != read(theirs[what]):
                raise ValueError(
                    f"{where}: {what} of {another!r} has {label} {read(theirs[what])}, that of {name!r} "
                    f"{read(series)}; they must be the same."
                )


def _step(series: TimeSeries) -> str:
    return str(series.freq_str)
