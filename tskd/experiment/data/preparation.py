"""A data set prepared for fits: scaled with statistics of the training part alone, and cut at the split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.datasets import ArchiveSeries, DataSet, Panel
from tskd.datasets.panel import Data

EXAMPLES = 3
"""Test windows whose forecasts are kept for the figures: evenly spaced, never picked by how they look."""


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each target component `[C]` over the training rows that have a label."""

    mean: np.ndarray
    deviation: np.ndarray

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Scaled values [...] of the first component in the units of the data set."""
        return values * self.deviation[0] + self.mean[0]


@dataclass(frozen=True)
class DataPart:
    """One part of the split, with the rows of the part before that its windows look back to.

    Attributes:
        truth: targets `[W, H, C]` of its windows.
        scored: whether a target may be scored `[W, H]`: it is there, and was not filled.
        complete: whether a window has all inputs of the student `[W]`; all have until `with_complete_windows`.
        starts: time stamps `[W]` of their first targets.
        examples: positions `[E]` of the windows whose forecasts are kept.
        reach: number of rows that lie in the part before. The training part begins with the data: there, it is the
            student's lookback, and no row lies before.
    """

    series: TimeSeries
    privileged: dict[str, TimeSeries]
    past_covariates: TimeSeries | None
    future_covariates: TimeSeries | None
    truth: np.ndarray
    scored: np.ndarray
    complete: np.ndarray
    starts: pd.Index
    examples: np.ndarray
    reach: int

    @property
    def keys(self) -> np.ndarray:
        """Keys [W, 2] of the windows: the number of the series, which is 0, and the position of the origin in it."""
        return np.stack([np.zeros(len(self.truth), dtype=int), np.arange(len(self.truth)) + self.reach - 1], axis=1)

    @property
    def counts(self) -> np.ndarray:
        """Whether a window `[W]` has an error: all inputs, and a target that is scored."""
        return self.complete & self.scored.any(axis=1)


@dataclass(frozen=True)
class Prepared:
    """The three parts of a data set, its archive scaled, and how its target was scaled.

    Attributes:
        missing: whether values of targets or covariates are missing, in some part or in the archive.
        every_label: target of the training part with all its labels, scaled likewise, if `data` lacks some.
    """

    data: DataSet
    scale: Scale
    train: DataPart
    validation: DataPart
    test: DataPart
    missing: bool
    archive: tuple[ArchiveSeries, ...] = ()
    every_label: TimeSeries | None = None


def prepare(
    data: DataSet,
    lookback: int,
    steps: tuple[int, int],
    longest: int | None = None,
    every_label: TimeSeries | None = None,
) -> Prepared:
    """Scale `data` and cut it into windows of `lookback` steps and those up to the last that is scored.

    A privileged or covariate component named like a target component is scaled like it, any other by its own mean and
    deviation before the end of the training part. A part holds no target or privileged value from after its end.
    Missing values, be they NaN or infinite, are NaN, and in no mean.

    Args:
        data: of one fold and size.
        lookback: of the student.
        steps: first and last step that are scored.
        longest: rows that validation and test part reach back, if a teacher's lookback is longer than the student's.
        every_label: the target with all labels, if `data` lacks some.

    Raises:
        ValueError: a part has not a single window, or a target component no value in the training part.
    """
    longest = lookback if longest is None else longest
    horizon = steps[1]
    training = data.series.drop_after(data.validation_start)
    for name in data.series.components:
        if not np.isfinite(training[name].values(copy=False)).any():
            raise ValueError(f"data set {data.name!r}: {name!r} has no value in the training part to be scaled by.")
    statistics = {name: _statistics(training[name]) for name in data.series.components}

    def scaled(series: TimeSeries | None) -> TimeSeries | None:
        return None if series is None else _scaled(series, statistics, data.validation_start)

    series = _scaled(data.series, statistics, data.validation_start)
    whole = {
        "series": series,
        "privileged": {name: scaled(p) for name, p in data.privileged.items()},
        "past_covariates": scaled(data.past_covariates),
        "future_covariates": scaled(data.future_covariates),
    }
    position = {stamp: data.series.time_index.get_loc(stamp) for stamp in (data.validation_start, data.test_start)}
    bounds = {
        "training": (lookback, position[data.validation_start], lookback),
        "validation": (position[data.validation_start], position[data.test_start], longest),
        "test": (position[data.test_start], len(series), longest),
    }
    parts = {}
    for name, (first, end, reach) in bounds.items():
        if end - first < horizon or first < reach:
            raise ValueError(
                f"data set {data.name!r}: the {name} part has no window of {reach} + {horizon} steps; it has "
                f"{end - first} steps of its own. Choose a shorter lookback or horizon, or another split."
            )
        parts[name] = _part(whole, data.filled, first - reach, end, reach, steps)
    mean, deviation = (np.array([statistics[c][i] for c in series.components]) for i in (0, 1))
    archive = tuple(_scaled_archive(item, data.validation_start) for item in data.archive)
    labels = None if every_label is None else scaled(every_label.drop_after(data.validation_start))
    missing = any(map(_lacks_values, parts.values())) or any(map(_lacks_values, archive))
    scale = Scale(mean, deviation)
    return Prepared(data, scale, parts["training"], parts["validation"], parts["test"], missing, archive, labels)


def fingerprint(data: Data) -> str:
    """16 hexadecimal digits that change with any value, time stamp, the split of a data set, and what is not scored; of
    a panel also with the names of its series."""
    if isinstance(data, Panel):
        digest = hashlib.sha256()
        for label, member in data.members.items():
            digest.update(f"series {label!r} {fingerprint(member)}".encode())
        return digest.hexdigest()[:16]
    digest = hashlib.sha256(f"{data.validation_start} {data.test_start}".encode())
    if data.filled:
        digest.update(f"filled {sorted(data.filled)}".encode())
    items: list[DataSet | ArchiveSeries] = [data, *data.archive]
    for item in items:
        if item is not data:
            digest.update(f"archive {item.name}".encode())
        named = {"": item.series, "past": item.past_covariates, "future": item.future_covariates}
        for name, series in {**named, **{f"privileged {k}": v for k, v in sorted(item.privileged.items())}}.items():
            if series is not None:
                digest.update(f"{name} {list(series.components)} {series.start_time()} {series.freq_str}".encode())
                digest.update(np.ascontiguousarray(series.values(copy=False)).tobytes())
                if series.static_covariates is not None:
                    digest.update(series.static_covariates.to_csv().encode())
    return digest.hexdigest()[:16]


def _lacks_values(item: DataPart | ArchiveSeries) -> bool:
    given = (item.series, item.past_covariates, item.future_covariates)
    return not all(np.isfinite(series.values(copy=False)).all() for series in given if series is not None)


def examples_of(complete: np.ndarray) -> np.ndarray:
    """Positions [E] of the example windows among those that are complete, of all windows [W]."""
    known = np.flatnonzero(complete)
    if not len(known):
        return known
    return known[np.unique(np.linspace(0, len(known) - 1, EXAMPLES + 2)[1:-1].round().astype(int))]


def _statistics(component: TimeSeries) -> tuple[float, float]:
    values = component.values(copy=False).astype("float64")
    known = np.isfinite(values)
    if not known.all():
        values = values[known]
    if not len(values):
        # nothing that could be scaled
        return 0.0, 1.0
    deviation = float(values.std())
    return float(values.mean()), deviation if deviation > 0 else 1.0


def _scaled(series: TimeSeries, statistics: dict[str, tuple[float, float]], validation_start: Any) -> TimeSeries:
    known = series if series.end_time() < validation_start else series.drop_after(validation_start)
    used = [statistics.get(c) or _statistics(known[c]) for c in series.components]
    mean, deviation = np.array(used).T
    values = (series.values(copy=False) - mean) / deviation
    if np.isinf(values).any():
        values[np.isinf(values)] = np.nan
    return series.with_values(values).astype("float32")


def _scaled_archive(item: ArchiveSeries, validation_start: Any) -> ArchiveSeries:
    """Another series, scaled by its own mean and deviation: stations differ in level."""
    statistics = {name: _statistics(item.series[name]) for name in item.series.components}

    def scaled(series: TimeSeries) -> TimeSeries:
        return _scaled(series, statistics, validation_start)

    return replace(
        item,
        series=scaled(item.series),
        privileged={name: scaled(series) for name, series in item.privileged.items()},
        past_covariates=None if item.past_covariates is None else scaled(item.past_covariates),
        future_covariates=None if item.future_covariates is None else scaled(item.future_covariates),
    )


def _part(
    whole: dict[str, Any], filled: frozenset[Any], first: int, end: int, reach: int, steps: tuple[int, int]
) -> DataPart:
    horizon = steps[1]
    series = whole["series"][first:end]
    after = whole["series"].time_index[end] if end < len(whole["series"]) else None

    def cut(other: TimeSeries) -> TimeSeries:
        return other if after is None or other.end_time() < after else other.drop_after(after)

    targets = series.values(copy=False)[reach:]
    times = series.time_index[reach:]
    windows = np.lib.stride_tricks.sliding_window_view
    known = ~np.isin(times, pd.Index(list(filled), dtype=times.dtype)) & np.isfinite(targets).any(axis=1)
    complete = np.ones(len(times) - horizon + 1, dtype=bool)
    return DataPart(
        series=series,
        privileged={name: cut(p) for name, p in whole["privileged"].items()},
        past_covariates=None if whole["past_covariates"] is None else cut(whole["past_covariates"]),
        # known in advance: a deployed student reads them over its horizon, past the end of the part's targets
        future_covariates=whole["future_covariates"],
        truth=windows(targets, horizon, axis=0).transpose(0, 2, 1),
        scored=windows(known, horizon) & (np.arange(1, horizon + 1) >= steps[0]),
        complete=complete,
        starts=times[: len(complete)],
        examples=examples_of(complete),
        reach=reach,
    )
