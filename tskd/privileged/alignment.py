"""Folding a fine series onto a coarse time grid, without reading past the forecast origin.

Taking the samples from a stamp on for those up to it reads the future: on ETTm1 → ETTh1 the one-step error of a linear
forecaster falls to a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from darts import TimeSeries

from tskd._core.correlation import squared_correlations
from tskd.privileged.step_samples import StepSamples, step_samples

SUMMARIES = ("mean", "std", "min", "max", "last")
"""What is read of steps whose numbers of samples differ."""

# share of variance that the right aggregate may leave unexplained, because of rounding and gaps
UNEXPLAINED = 0.01
# for a noisy component: by what factor another reading must leave less unexplained, and how much at most
CLEARLY, RELATED = 0.9, 0.7


def fold(fine: TimeSeries, coarse: TimeSeries, *, whole_step: bool) -> TimeSeries:
    """The fine samples of each coarse step as components on the coarse grid.

    Args:
        fine: C components.
        coarse: the grid; nothing later than the step at its last stamp is read.
        whole_step: whether the samples of a step are those from its stamp on, rather than those up to its stamp.

    Returns:
        For the coarse steps whose samples all exist, these as k·C components named `component@offset`, offset in fine
        samples from the stamp; if their number k differs from step to step, the `SUMMARIES` of each component.
    """
    steps = step_samples(fine, coarse, whole_step=whole_step)
    if steps.equal:
        values = fine.values(copy=False)[steps.rows].reshape(len(steps), -1)
        k = int(steps.counts[0])
        labels: Iterable[Any] = range(k) if whole_step else range(1 - k, 1)
    else:
        values, labels = _summaries(fine, steps), SUMMARIES
    names = [f"{component}@{label}" for label in labels for component in fine.components]
    times = coarse.time_index[steps.first : steps.first + len(steps)]
    return TimeSeries.from_times_and_values(times, values, columns=names, freq=coarse.freq)


def _summaries(fine: TimeSeries, steps: StepSamples) -> np.ndarray:
    """The `SUMMARIES` of each component over each step, `[n, 5·C]`; NaN for those that miss a sample."""
    values = fine.values(copy=False).astype(np.float64)
    mean = steps.mean(values)
    read = slice(steps.starts[0], steps.starts[-1] + steps.counts[-1])
    squares = np.full_like(values, np.nan)
    squares[read] = (values[read] - np.repeat(mean, steps.counts, axis=0)) ** 2
    found = (
        mean,
        np.sqrt(steps.mean(squares)),
        steps.reduced(np.minimum, values),
        steps.reduced(np.maximum, values),
        values[steps.starts + steps.counts - 1],
    )
    return np.concatenate(found, axis=1).astype(fine.dtype)


def check_samples_agree(fine: TimeSeries, coarse: TimeSeries, declared: str) -> None:
    """Check that the coarse series is the declared mean or sum over each step of the fine one.

    Changes between steps are compared, up to an affine map, so that separately scaled series are recognised.

    Raises:
        ValueError: a component is better explained by point samples, or by the samples before the stamp, or no
            component of the coarse series is the declared aggregate of one of the fine series.
    """
    after, before = (step_samples(fine, coarse, whole_step=whole_step) for whole_step in (True, False))
    first = max(after.first, before.first)
    last = min(after.first + len(after), before.first + len(before))
    if last - first < 3:
        raise ValueError(
            f"coarse={declared!r} cannot be confirmed: the two series share {max(last - first, 0)} whole steps, and "
            'three are needed. Use coarse="point", which never reads past the origin, or give longer series'
        )
    after, before = after.between(first, last), before.between(first, last)
    values = fine.values(copy=False).astype(np.float64)
    target = coarse.values(copy=False)[first:last].astype(np.float64)
    candidates = {
        f"the {declared} of the samples from its stamp on": _aggregate(values, after, declared),
        'the sample at its stamp (coarse="point")': values[before.starts + before.counts - 1],
        f'the {declared} of the samples up to its stamp (read as coarse="point")': _aggregate(values, before, declared),
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


def _aggregate(values: np.ndarray, steps: StepSamples, declared: str) -> np.ndarray:
    """The mean or the sum of `values [T, C]` over each step: `[n, C]`."""
    mean = steps.mean(values)
    return mean if declared == "mean" else mean * steps.counts[:, None]
