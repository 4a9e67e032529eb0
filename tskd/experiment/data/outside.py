"""What comes from outside a data set: tables of values and of forecasts that teach."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.datasets import DataSet
from tskd.datasets.time_stamps import check_order, parsed_stamps
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.outside_teacher import GivenForecastsConfig, GivenSeriesConfig, is_file
from tskd.experiment.data.preparation import Scale


def with_given_series(experiment: ExperimentConfig, data: DataSet) -> DataSet:
    """`data` with the tables that teach by time among its privileged series, under the names of their files.

    Raises:
        ValueError: a file cannot be read, or is no such table.
    """
    given = [config.series for config in experiment.teachers.values() if isinstance(config, GivenSeriesConfig)]
    files = [path for path in given if is_file(path)]
    if not files:
        return data
    series = {path: _series(path, data) for path in files}
    return replace(data, privileged={**data.privileged, **series})


def given_forecasts(path: str, components: list[str], scale: Scale) -> pd.DataFrame:
    """A table of forecasts on the z-scored scale.

    Args:
        path: of the file.
        components: of the target.
        scale: of the target.

    Raises:
        ValueError: the file cannot be read, or has other components.
    """
    frame = _table(path)
    if "origin" in frame and not pd.api.types.is_numeric_dtype(frame["origin"]):
        frame["origin"] = parsed_stamps(frame["origin"], f"{path}, column 'origin'")[0]
    if not {"component", "value"} <= set(frame.columns):
        return frame  # the teacher says what is missing
    place = frame["component"].map({component: number for number, component in enumerate(components)})
    if place.isna().any():
        unknown = frame["component"][place.isna()].iloc[0]
        raise ValueError(f"{path}: component {unknown!r} is none of the target, which has {', '.join(components)}.")
    at = place.to_numpy(dtype=int)
    frame["value"] = (frame["value"] - scale.mean[at]) / scale.deviation[at]
    if "std" in frame:
        frame["std"] = frame["std"] / scale.deviation[at]
    return frame


def content_of(config: object) -> str | None:
    """16 hexadecimal digits of the content of the file that a teacher is read from; None if it is from none."""
    path = None
    if isinstance(config, GivenForecastsConfig):
        path = config.forecasts
    elif isinstance(config, GivenSeriesConfig) and is_file(config.series):
        path = config.series
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def _series(path: str, data: DataSet) -> TimeSeries:
    frame = _table(path)
    absent = [component for component in data.series.components if component not in frame]
    if absent:
        raise ValueError(f"{path}: it lacks the columns {', '.join(absent)}, which the target of {data.name!r} has.")
    first = frame.columns[0]
    if data.series.has_datetime_index:
        where = f"{path}, column {str(first)!r}"
        frame[first] = parsed_stamps(frame[first], where)[0]
        check_order(pd.Index(frame[first]), where)
    try:
        columns = list(data.series.components)
        made = TimeSeries.from_dataframe(frame, first, columns, fill_missing_dates=True, freq=data.series.freq)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return made.astype(np.float64)


def _table(path: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(f"{path}: the table cannot be read: {error}") from error
