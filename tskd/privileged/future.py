"""Privileged values of the future: a stretch of steps after the origin, or a single step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd._core.checks import check_real, check_whole
from tskd.privileged.base import CovariateBlock, Kind, Source, until_end


@dataclass(frozen=True, repr=False)
class FutureHorizon(Source):
    """Values of `name` at t+start … t+end, as they are, as coarser means, or with noise.

    They become future covariates of the teacher. If the first step is read, these hold the values of the lookback too,
    as always in darts; else, and for means, they are 0 there. Steps that are not read are 0, and one more covariate
    marks the steps that are (1 or 0). Steps beyond the teacher's horizon come as further covariates, one set for every
    horizon's length; steps before it (`output_chunk_shift`) are not read. With `name=None`, the whole horizon and no
    noise, the teacher can copy the target, and its forecast is the label: nothing can be gained (LUPI with x* = y).

    Args:
        name: key in `privileged`; None for the target itself.
        start: first step read, at least 1.
        end: last step read; None for the end of the teacher's horizon.
        mean_over: number of steps of the means that are read, one after the other from `start` on; an incomplete last
            one is not read.
        noise_variance: variance of Gaussian noise on the values read, in squared units of the series. The noise of a
            time stamp is always the same, for all teachers and seeds.

    Raises:
        ValueError: an argument out of its range; (at the start of fit) nothing of the horizon is read.
    """

    name: str | None = None
    start: int = 1
    end: int | None = None
    mean_over: int = 1
    noise_variance: float = 0.0
    slot: ClassVar[Kind] = "future"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self.start, 1, "start", "a step after the origin")
        if self.end is not None:
            check_whole(self.end, self.start, "end", f"None for the horizon, or a step from start={self.start} on")
        check_whole(self.mean_over, 1, "mean_over", "a number of steps")
        check_real(self.noise_variance, 0, math.inf, "noise_variance", "a finite number, 0 or more")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        end = horizon if self.end is None else self.end
        return Fraction(end - (end - self.start + 1) % self.mean_over)

    def _read(self, horizon: range) -> range:
        end = horizon[-1] if self.end is None else self.end
        return range(self.start, end - self.mean_over + 2, self.mean_over)

    def check_horizon(self, horizon: range) -> None:
        if not any(step >= horizon[0] for step in self._read(horizon)):
            end = horizon[-1] if self.end is None else self.end
            raise ValueError(f"{self!r} reads nothing of the steps {horizon[0]} to {end}: lower start= or mean_over=")

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        known = until_end(privileged, series)
        if self.mean_over > 1:
            known = _means_ahead(known, self.mean_over)
        if self.noise_variance:
            known = known.with_values(known.values() + math.sqrt(self.noise_variance) * _noise(known))
        return _blocks(self, known, self._read(horizon), horizon, history=self.start == 1 and self.mean_over == 1)


@dataclass(frozen=True, repr=False)
class WayPoint(Source):
    """The value of `name` at the single step t+step, without its lookback.

    For an AR(1) the midpoint of the horizon is the best choice, the step before its end the worst; LuPTS (Karlsson et
    al., 2022, arXiv:2110.14993) chains several. With `Teacher(sees_inputs=False)` the teacher reads this value alone.

    Args:
        name: key in `privileged`; None for the target itself.
        step: the step read, at least 1.

    Raises:
        ValueError: no such step; (at the start of fit) it lies before the teacher's horizon.
    """

    name: str | None = None
    step: int = 1
    slot: ClassVar[Kind] = "future"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self.step, 1, "step", "a step after the origin")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(self.step)

    def check_horizon(self, horizon: range) -> None:
        if self.step < horizon[0]:
            raise ValueError(f"{self!r} lies before the teacher's horizon, {horizon[0]} to {horizon[-1]}: raise step=")

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        read = range(self.step, self.step + 1)
        return _blocks(self, until_end(privileged, series), read, horizon, history=False)


def _blocks(source: Source, known: TimeSeries, read: range, horizon: range, *, history: bool) -> list[CovariateBlock]:
    """One block for every horizon's length that has a step to read.

    Steps beyond the first length are shifted back onto the horizon.
    """
    length = len(horizon)
    blocks = []
    for ahead in range(0, read[-1] - horizon[0] + 1, length):
        steps = np.array([step + ahead in read for step in horizon])
        if not steps.any():
            continue
        values, names = known.shift(-ahead).values(), [str(c) for c in known.components]
        if not steps.all():
            values = np.concatenate([values, np.ones((len(values), 1), values.dtype)], axis=1)
            names = [*names, "known"]
        labels = source.labels([f"{name}+{ahead}" if ahead else name for name in names])
        times = known.shift(-ahead).time_index
        blocks.append(
            CovariateBlock(
                TimeSeries.from_times_and_values(times, values, columns=labels),
                None if steps.all() else steps,
                history=history and not ahead,
            )
        )
    return blocks


def _means_ahead(series: TimeSeries, count: int) -> TimeSeries:
    """The mean of the `count` values from each step on."""
    windows = np.lib.stride_tricks.sliding_window_view(series.values(copy=False), count, axis=0)
    return TimeSeries.from_times_and_values(
        series.time_index[: len(windows)], windows.mean(-1).astype(series.dtype), columns=series.components
    )


def _noise(series: TimeSeries) -> np.ndarray:
    """Standard normal numbers `[steps, components]`, each a function of its time stamp and component alone.

    Drawn by position, they would change when the series is cut.
    """
    index = series.time_index
    stamps = index.asi8 if isinstance(index, pd.DatetimeIndex) else np.asarray(index)
    with np.errstate(over="ignore"):
        rows = stamps.astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
        codes = rows + np.arange(1, series.n_components + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03)
        first = _uniform(codes + np.uint64(0x632BE59BD9B4E019))
        second = _uniform(codes + np.uint64(0x8CB92BA72F3D8DD7))
    return np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)


def _uniform(codes: np.ndarray) -> np.ndarray:
    """Whole numbers mixed (SplitMix64's finaliser; Steele, Lea and Flood, 2014) into the open interval (0, 1)."""
    with np.errstate(over="ignore"):
        mixed = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
