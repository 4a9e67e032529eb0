"""Placebo: what a teacher would gain from its extra input if that carried no information about the window.

The privileged rows are permuted among rows of the same time of day (of the same four weeks of the year for data of a
day or coarser), so that everything but their relation to the window stays: their distribution, and its daily or yearly
cycle. Where some time of day has fewer than `SEVERAL` rows in a part, hours of the day count, or quarters of it, or all
its rows alike (of the year: twelve weeks, or all): a row that could not move would be no placebo. Training, validation
and test rows are permuted among themselves: no part learns of a later one. No row keeps its place.
"""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.datasets import ArchiveSeries, DataSet
from tskd.privileged import HighResolution, Source
from tskd.privileged.step_samples import step_samples

SEVERAL = 3
"""Rows that a stratum has at least, if its part has so many."""


def placebo(source: Source, data: DataSet, seed: int) -> tuple[Source, dict[str, TimeSeries]]:
    """A source like `source` that reads shuffled rows, and the privileged series it reads, by name.

    Fine samples of the lookback keep the coarse value that they make up, which is no privilege: only their deviations
    from it are permuted, among coarse steps.
    """
    name = f"placebo of {source!r}"
    rng = np.random.default_rng([seed, zlib.crc32(repr(source).encode())])
    return dataclasses.replace(source, name=name), {name: _shuffled(source, data, data, rng)}


def archive_placebo(source: Source, item: ArchiveSeries, data: DataSet, seed: int) -> dict[str, TimeSeries]:
    """The same for one series of the archive of `data`: what `placebo`'s source reads there, by name."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{source!r} {item.name}".encode())])
    return {f"placebo of {source!r}": _shuffled(source, item, data, rng)}


def strata(times: pd.Index) -> np.ndarray:
    """A number for each time stamp [T] of a part: its time of day in seconds, or its four weeks of the year if a step
    is a day or more; coarser where that leaves fewer than `SEVERAL` rows to some number."""
    if not isinstance(times, pd.DatetimeIndex):
        return np.zeros(len(times), dtype=int)
    if len(times) > 1 and times[1] - times[0] < pd.Timedelta(days=1):
        finest = (times - times.normalize()).total_seconds().to_numpy().astype(int)
        coarser = [finest // 3600, finest // (6 * 3600)]
    else:
        finest = np.minimum((times.dayofyear.to_numpy() - 1) // 28, 12)
        coarser = [finest // 3]
    for found in (finest, *coarser):
        if np.unique(found, return_counts=True)[1].min(initial=SEVERAL) >= SEVERAL:
            return found
    return np.zeros(len(times), dtype=int)


def _shuffled(source: Source, item: DataSet | ArchiveSeries, data: DataSet, rng: np.random.Generator) -> TimeSeries:
    original = item.series if source.name is None else item.privileged[source.name]
    if isinstance(source, HighResolution):
        return _shuffled_detail(original, item.series, data, source, rng)
    values = original.values(copy=False)
    return original.with_values(values[_permutation(original.time_index, data, rng)])


def _permutation(times: pd.Index, data: DataSet, rng: np.random.Generator) -> np.ndarray:
    """For each row [T] the row that takes its place: another one of its stratum and part, unless the part has one."""
    part = (times >= data.validation_start).astype(int) + (times >= data.test_start)
    stratum = np.zeros(len(times), dtype=int)
    for number in np.unique(part):
        stratum[part == number] = strata(times[part == number])
    groups = pd.MultiIndex.from_arrays([part, stratum])
    taken = np.arange(len(times))
    for rows in pd.Series(taken).groupby([groups.get_level_values(0), groups.get_level_values(1)]).indices.values():
        cycle = rng.permutation(rows)
        taken[cycle] = np.roll(cycle, 1)
    return taken


def _shuffled_detail(
    fine: TimeSeries, coarse: TimeSeries, data: DataSet, source: HighResolution, rng: np.random.Generator
) -> TimeSeries:
    """`fine` with the deviations of its samples from the value of their coarse step permuted among coarse steps."""
    steps = step_samples(fine, coarse, whole_step=source.coarse != "point")
    taken = _permutation(coarse.time_index[steps.first : steps.first + len(steps)], data, rng)
    original, values = fine.values(copy=False), fine.values(copy=True)
    if not steps.equal:
        parts = [np.arange(start, start + count) for start, count in zip(steps.starts, steps.counts, strict=True)]
        for own, other in zip(parts, (parts[donor] for donor in taken), strict=True):
            # of a longer or shorter step every so many samples, counted from its last
            drawn = original[other[-1 - np.arange(len(own))[::-1] * len(other) // len(own)]]
            values[own] = _level(original[own], source) + drawn - _level(drawn, source)
        return fine.with_values(values)
    samples = original[steps.rows]
    level = _level(samples, source)
    values[steps.rows] = level + (samples - level)[taken]
    return fine.with_values(values)


def _level(samples: np.ndarray, source: HighResolution) -> np.ndarray:
    """The coarse value `[..., 1, C]` that the samples of a step `[..., k, C]` make up."""
    return samples[..., -1:, :] if source.coarse == "point" else samples.mean(axis=-2, keepdims=True)
