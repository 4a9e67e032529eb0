"""A user's own file as the data of an experiment: where it is, and what is in its columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from tskd.datasets import DataSet, Panel
from tskd.datasets.panel import Data
from tskd.datasets.tables import check_ending, stem
from tskd.experiment.config.errors import explain
from tskd.experiment.config.objects import Strict
from tskd.experiment.config.teacher import as_list

Columns = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(as_list(value)))]


class FinerFileConfig(Strict):
    """Columns of a file of a finer step, whose path is relative to the folder of the first file.

    Attributes:
        file: its path.
        columns: what is read of it.
        time: its column of time stamps, if that has another name than in the first file.
        freq: its step, if rows are missing.
    """

    file: str
    columns: Columns
    time: str | None = None
    freq: str | None = None

    @field_validator("file")
    @classmethod
    def _file(cls, value: str) -> str:
        check_ending(value)
        return value


class OwnDataConfig(Strict):
    """The arguments of `tskd.datasets.DataSet.from_file`; or of `Panel.from_file`, if `series` names several.

    Attributes:
        file: path of a CSV file (also .csv.gz) or a Parquet file, relative to the folder of the configuration.
        time: column of the time stamps.
        target: its columns.
        past: columns of covariates that are known up to the forecast origin.
        future: columns of covariates that are known ahead.
        freq: step, as pandas calls it, if rows are missing.
        privileged: columns by the name of the series that they make, or a finer file.
        series: a column and the series that is read; a column and a list of them; or the column alone, for all.
        validation_start: first time stamp of the validation part, or the share of the rows before it.
        test_start: likewise of the test part.
    """

    file: str
    time: str
    target: Columns
    freq: str | None = None
    past: Columns = ()
    future: Columns = ()
    privileged: dict[str, Columns | FinerFileConfig] = Field(default_factory=dict)
    series: dict[str, str | int | float | list[str | int | float]] | str | None = None
    validation_start: str | int | float
    test_start: str | int | float

    @field_validator("file")
    @classmethod
    def _file(cls, value: str) -> str:
        check_ending(value)
        return value

    @field_validator("privileged", mode="before")
    @classmethod
    def _privileged(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: _privileged_series(name, given) for name, given in value.items()}

    @field_validator("validation_start", "test_start", mode="before")
    @classmethod
    def _date(cls, value: Any) -> Any:
        # YAML reads 2018-08-01 as a date
        return str(value) if isinstance(value, date) else value

    @property
    def name(self) -> str:
        """The name of the data set."""
        chosen = () if not isinstance(self.series, dict) or self._several else self.series.values()
        return " ".join([stem(Path(self.file)), *map(str, chosen)])

    @property
    def state(self) -> tuple[tuple[int, int], ...]:
        """When the files were written, in ns, and their sizes: other numbers tell of other contents."""
        finer = [item.file for item in self.privileged.values() if isinstance(item, FinerFileConfig)]
        paths = [Path(self.file), *(Path(self.file).parent / file for file in finer)]
        states = (path.stat() for path in paths if path.exists())
        return tuple((state.st_mtime_ns, state.st_size) for state in states)

    @property
    def _several(self) -> bool:
        values = self.series.values() if isinstance(self.series, dict) else ()
        return isinstance(self.series, str) or any(isinstance(value, list) for value in values)

    def load(self) -> Data:
        """Read the data set. Raises what `DataSet.from_file` raises, with ValueError in place of TypeError."""
        kind = Panel if self._several else DataSet
        try:
            return kind.from_file(self.file, **self.model_dump(exclude={"file"}))
        except TypeError as error:
            raise ValueError(str(error)) from error


def parse_own_data(value: Any, folder: str | os.PathLike[str] | None) -> Any:
    """What a configuration gives for `data`, where that is a mapping.

    Args:
        value: of the configuration.
        folder: of its file, from which paths are counted; None: the working folder.

    Raises:
        ValueError: a key is unknown, missing, or has a value that cannot be.
    """
    try:
        found = OwnDataConfig.model_validate(value)
    except ValidationError as error:
        raise ValueError(" ".join(explain(error))) from error
    # a run is gone on with from another folder
    return found.model_copy(update={"file": os.path.abspath(Path(folder or ".") / found.file)})


def _privileged_series(name: Any, given: Any) -> Any:
    try:
        return FinerFileConfig.model_validate(given) if isinstance(given, Mapping) else given
    except ValidationError as error:
        raise ValueError(f"series {name!r}: {' '.join(explain(error))}") from error
