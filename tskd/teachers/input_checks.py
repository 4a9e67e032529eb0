"""Checks of what a teacher reads: its privileged series, and the steps that its model would read of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from darts import TimeSeries
from torch import Tensor

from tskd._core.coverage import check_span
from tskd._core.time_grid import check_on_grid
from tskd.privileged import CovariateBlock, Source
from tskd.teachers.spec import TeacherSpec


def check_reach(source: Source, teacher: TeacherSpec, series: Sequence[TimeSeries]) -> None:
    """Raise a ValueError if a source reads so far ahead that no window of the training part has what it reads."""
    last, longest = source.reads_until(teacher.horizon[-1]), max(map(len, series))
    if teacher.lookback + last > longest:
        raise ValueError(
            f"teacher {teacher.name!r}: {source!r} reads up to step {math.ceil(last)} after the origin, and the target "
            f"ends {longest - teacher.lookback} steps after the first origin or earlier: no window has what it reads"
        )


def check_blocks(
    source: Source, series: TimeSeries, blocks: list[CovariateBlock], target: TimeSeries, horizon: range, what: str
) -> None:
    """Raise a ValueError if the blocks of a source, or the series that it reads, do not fit the target.

    Args:
        what: the series as the source reads it, for messages.
    """
    values = blocks[0].values
    if values.freq != target.freq:
        raise ValueError(
            f"{what} has frequency {values.freq_str!r}, the target {target.freq_str!r}; HighResolution folds a finer "
            "series, any other must be resampled"
        )
    check_on_grid(values, target, what)
    final = target.end_time()
    if source.slot == "past":
        # there may be no values past the end of the target: windows that would read them are left out without an error
        last = horizon[-1]
        final = min(final - last * target.freq, final - int(source.reads_until(last)) * target.freq)
    check_span(series, target.start_time(), final, what)
    if source.slot == "past":
        check_span(values, values.start_time(), final, what)


def check_lags(teacher: TeacherSpec, visible: Mapping[str, Tensor]) -> None:
    """Raise a ValueError if a regression model has lags at hidden steps: it cannot read a slot in part."""
    horizon, model = teacher.horizon, teacher.model
    privileged = any(source.slot == "future" for source in teacher.sources)
    hidden = {
        first + int(step)
        for slot, first in (("future_covariates", horizon[0]), ("historic_future_covariates", 1 - teacher.lookback))
        if slot in visible
        for step in (~visible[slot]).any(1).nonzero()[:, 0]
    }
    lags = getattr(model, "lags", None)
    steps = hidden if lags is None else {lag + 1 for lag in lags.get("future", [])}
    read = {step for step in steps if step in hidden or (privileged and step > horizon[-1])}
    if read:
        raise ValueError(
            f"teacher {teacher.name!r}: {type(model).__name__} reads its future covariates at steps {sorted(read)} "
            "after the origin, which its sources do not show; leave them out of lags_future_covariates, or use a torch "
            "model"
        )
