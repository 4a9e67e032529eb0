"""Folding a fine series onto a coarse time grid, without reading past the forecast origin.

The samples of a step are either those up to its stamp (the coarse value is the point sample at the stamp) or those
from its stamp on (the coarse value is the mean or sum over the step that starts at the stamp). Taking the second for
data that are the first reads the future: on ETTm1 → ETTh1 the one-step error of a linear forecaster falls to a quarter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd._core.correlation import squared_correlations

# share of variance that the right aggregate may leave unexplained, because of rounding and gaps
UNEXPLAINED = 0.01
# for a noisy component: by what factor another reading must leave less unexplained, and how much at most
CLEARLY, RELATED = 0.9, 0.7


def samples_per_step(fine: TimeSeries, coarse: TimeSeries) -> int:
    """Fine samples in one coarse step.

    Raises:
        ValueError: the fine step does not divide the coarse one, or the coarse stamps are not among the fine ones.
    """
    fine_step, coarse_step = _step(fine), _step(coarse)
    ratio = coarse_step / fine_step
    if ratio != int(ratio) or ratio < 2:
        raise ValueError(
            f"the step of the fine series is {fine_step}, that of the target {coarse_step}: the first must divide the "
            "second at least twice; resample the fine series"
        )
    if (coarse.start_time() - fine.start_time()) % fine_step != 0 * fine_step:
        raise ValueError(
            f"the target's stamps (first {coarse.start_time()}) are not among those of the fine series "
            f"(first {fine.start_time()}, step {fine_step}); shift or resample the fine series"
        )
    return int(ratio)


def fold(fine: TimeSeries, coarse: TimeSeries, *, whole_step: bool) -> TimeSeries:
    """The k fine samples of each coarse step as k·C components on the coarse grid.

    Args:
        fine: C components, k samples in a coarse step.
        coarse: the grid; nothing later than the step at its last stamp is read.
        whole_step: whether the samples of a step are those from its stamp on, rather than those up to its stamp.

    Returns:
        Components named `component@offset`, offset in fine samples from the stamp, for the coarse steps whose samples
        all exist.
    """
    rows, first = _rows(fine, coarse, whole_step)
    values = fine.values(copy=False)[rows].reshape(len(rows), -1)
    k = rows.shape[1]
    offsets = range(k) if whole_step else range(1 - k, 1)
    names = [f"{component}@{offset}" for offset in offsets for component in fine.components]
    return TimeSeries.from_times_and_values(coarse.time_index[first : first + len(rows)], values, columns=names)


def check_samples_agree(fine: TimeSeries, coarse: TimeSeries, declared: str) -> None:
    """Check that the coarse series is the declared mean or sum over each step of the fine one.

    Changes between steps are compared, up to an affine map, so that separately scaled series are recognised.

    Raises:
        ValueError: a component is better explained by point samples, or by the samples before the stamp, or no
            component of the coarse series is the declared aggregate of one of the fine series.
    """
    after, first_after = _rows(fine, coarse, True)
    before, first_before = _rows(fine, coarse, False)
    first = max(first_after, first_before)
    last = min(first_after + len(after), first_before + len(before))
    after, before = after[first - first_after : last - first_after], before[first - first_before : last - first_before]
    values = fine.values(copy=False).astype(np.float64)
    target = coarse.values(copy=False)[first:last].astype(np.float64)
    candidates = {
        f"the {declared} of the samples from its stamp on": values[after].mean(1),
        'the sample at its stamp (coarse="point")': values[after[:, 0]],
        f'the {declared} of the samples up to its stamp (read as coarse="point")': values[before].mean(1),
    }
    unexplained = np.stack([1 - squared_correlations(candidate, target) for candidate in candidates.values()])
    proven = False
    for index, component in enumerate(fine.components):
        # the coarse component that this fine one comes closest to, under any of the three readings
        counterpart = int(unexplained[:, index].min(0).argmin())
        shares = unexplained[:, index, counterpart]
        best = int(shares.argmin())
        # noise may hide which aggregate a component is, but must not hide that it is read too late
        if best != 0 and (shares[best] <= UNEXPLAINED or shares[best] < min(CLEARLY * shares[0], RELATED)):
            raise ValueError(
                f"coarse={declared!r} contradicts the data: {coarse.components[counterpart]!r} is "
                f"{list(candidates)[best]} of fine component {component!r} (unexplained variance "
                f"{shares[best]:.2g}, against {shares[0]:.2g} for the declared {declared}). Reading on to the end of "
                "the step would show the teacher the future"
            )
        proven |= bool(best == 0 and shares[0] <= UNEXPLAINED)
    if not proven:
        raise ValueError(
            f"coarse={declared!r} cannot be confirmed: no component of the target is the {declared} of a fine one over "
            f"the step from its stamp on (least unexplained variance {unexplained[0].min():.2g}, allowed "
            f'{UNEXPLAINED}). Use coarse="point", which never reads past the origin'
        )


def _rows(fine: TimeSeries, coarse: TimeSeries, whole_step: bool) -> tuple[np.ndarray, int]:
    """Positions of the samples `[steps, k]` of the coarse steps that have all of them, and the first such step."""
    k = samples_per_step(fine, coarse)
    stamp = (coarse.start_time() - fine.start_time()) // _step(fine)
    rows = int(stamp) + k * np.arange(len(coarse))[:, None] + np.arange(k) - (0 if whole_step else k - 1)
    complete = np.flatnonzero((rows[:, 0] >= 0) & (rows[:, -1] < len(fine)))
    if not len(complete):
        raise ValueError(
            f"the fine series ({fine.start_time()} to {fine.end_time()}) and the target ({coarse.start_time()} to "
            f"{coarse.end_time()}) do not overlap"
        )
    return rows[complete], int(complete[0])


def _step(series: TimeSeries) -> Any:
    """Length of one step, a number or a time span.

    Raises:
        ValueError: steps differ in length, as months do.
    """
    if not isinstance(series.time_index, pd.DatetimeIndex):
        return series.freq
    first = series.time_index[0]
    steps = pd.date_range(first, periods=13, freq=series.freq).diff()[1:].unique()
    if len(steps) > 1:
        raise ValueError(f"frequency {series.freq_str!r} has steps of unequal length; a fixed one is needed")
    return steps[0]
