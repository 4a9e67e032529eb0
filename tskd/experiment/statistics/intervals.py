"""How much two arms differ, and how sure that is: over other test windows, and over other seeds.

Neighbouring windows overlap in L + H - 1 steps, so their errors are anything but independent. Blocks of at least L + H
consecutive windows are resampled instead of windows (circular block bootstrap, Politis and Romano 1992), never across
the end of a fold. Of a mean the variance over all resamples is known exactly, so none need be drawn. The variance over
seeds, of which there are few, is added to that over windows. How often the intervals hold the truth is measured by
benchmarks/interval_coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

MINIMUM_BLOCKS = 4
"""With fewer blocks than this a bootstrap has nothing to resample, and no interval is given."""


@dataclass(frozen=True)
class Comparison:
    """Mean error of `arm` over that of `baseline`, minus one, and its 95 % interval (NaN: there are too few blocks).

    Attributes:
        relative: mean error of the arm over that of the baseline, minus one.
        low: lower end of the 95 % interval, NaN if there are too few blocks; `high` is its upper end.
        windows: how many were compared.
        block: windows in a block.
        seeds: how many were compared.
        lacking: of a lift, controls that count and have no result.
        same: why the arm is the same as the baseline, if it is, in words; empty if that is not known.
    """

    arm: str
    baseline: str
    relative: float
    low: float
    high: float
    windows: int
    block: int
    seeds: int = 1
    lacking: tuple[str, ...] = ()
    same: str = ""

    @property
    def blocks(self) -> float:
        """Number of blocks that the test windows make."""
        return self.windows / self.block

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks for an interval."""
        return self.blocks >= MINIMUM_BLOCKS

    @property
    def lower(self) -> bool:
        """Whether the arm's error is distinguishably below the baseline's; never by a single seed."""
        return self.high < 0 and self.seeds > 1

    @property
    def higher(self) -> bool:
        """Whether the arm's error is distinguishably above the baseline's; never by a single seed."""
        return self.low > 0 and self.seeds > 1


def compare(
    arm: np.ndarray,
    baseline: np.ndarray,
    block: int,
    *,
    segments: Sequence[int] | None = None,
    names: tuple[str, str] = ("arm", "baseline"),
    same_model_class: bool = True,
) -> Comparison:
    """Relative difference of mean error between two arms on the same windows, with a 95 % interval.

    The interval is estimate +- t * sqrt(u^2 + v^2). u is the standard error over windows, of errors averaged over
    seeds: sqrt(m/(m-1)) times the bootstrap's, m the number of blocks. v is the standard error over seeds, of their
    paired differences over all folds; 0 for a single seed. t is Student's quantile at Welch and Satterthwaite's degrees
    of freedom. The wider of two intervals counts: see `_variances`.

    Args:
        arm: errors `[seeds, W]`, windows in order of time; seeds and windows that either lacks are left out (`paired`).
        baseline: errors `[seeds, W]`, paired by seed.
        block: windows in a block, at least L + H.
        segments: number of windows in each fold, by default one fold.
        names: of arm and baseline.
        same_model_class: whether both are students of one class, whose errors rise and fall together; a student's and
            its teacher's may part for long stretches.

    Raises:
        ValueError: shapes, block or segments do not fit, or nothing is left to compare.
    """
    if block < 1:
        raise ValueError(f"block must be at least 1 window; it is {block}.")
    arm, baseline, folds = paired(arm, baseline, segments)
    windows = arm.shape[1]
    if arm.size == 0 or baseline.mean() <= 0:
        raise ValueError(f"{names[1]!r} has no window with an error above zero to compare {names[0]!r} with.")
    mean = baseline.mean()
    relative = arm.mean() / mean - 1
    low = high = math.nan
    if windows / block >= MINIMUM_BLOCKS:
        # to first order, the ratio of means errs as this does on average
        difference = (arm - (1 + relative) * baseline) / mean
        of_seeds = difference.mean(axis=1)
        seed_variance = of_seeds.var(ddof=1) / len(arm) if len(arm) > 1 else 0.0
        half = max(
            _half_width(variance, dof, seed_variance, len(arm) - 1)
            for variance, dof in _variances(difference.mean(axis=0), block, folds, 1 if same_model_class else 2)
        )
        low, high = relative - half, relative + half
    return Comparison(names[0], names[1], float(relative), float(low), float(high), windows, block, len(arm))


def block_bootstrap_variance(values: np.ndarray, block: int, segments: Sequence[int] | None = None) -> float:
    """Variance of the mean of `values` [W] over all resamples of the circular block bootstrap.

    A resample is ceil(W / block) blocks that start anywhere, run on from the last window of a fold to its first, and
    are cut to W windows in all.

    Args:
        values: one a window, in order of time.
        block: windows in a block.
        segments: windows in each fold, by default one fold.
    """
    windows = len(values)
    block = min(block, windows)
    whole, rest = divmod(windows, block)
    folds = np.split(values, np.cumsum(segments or [windows])[:-1])
    variance = whole * np.concatenate([_circular_sums(fold, block) for fold in folds]).var()
    if rest:
        variance += np.concatenate([_circular_sums(fold, rest) for fold in folds]).var()
    return float(variance) / windows**2


def _circular_sums(values: np.ndarray, length: int) -> np.ndarray:
    # [W] sums over `length` windows from each on, round and round
    windows = len(values)
    circle = np.concatenate([[0.0], np.cumsum(np.tile(values, 1 + -(-length // windows)))])
    return circle[length : length + windows] - circle[:windows]


def _variances(values: np.ndarray, block: int, folds: Sequence[int], lost: int) -> Iterator[tuple[float, float]]:
    """Variances of the mean of `values` `[W]`, each with its degrees of freedom.

    The first is by blocks of the given length, with (m-1)/2 degrees of freedom: such blocks depend on their neighbours
    and have heavy tails. The second is by blocks as long as leave `MINIMUM_BLOCKS` of them, or as a fold, with m -
    `lost`: dependence that outlasts a short block shows in these.
    """
    windows, longest = len(values), max(folds)
    blocks = windows / block
    yield block_bootstrap_variance(values, min(block, longest), folds) * blocks / (blocks - 1), (blocks - 1) / 2
    length = min(windows // MINIMUM_BLOCKS, longest)
    if length > block:
        blocks = windows / length
        yield block_bootstrap_variance(values, length, folds) * blocks / (blocks - 1), blocks - lost


def _half_width(variance: float, dof: float, seed_variance: float, seeds: int) -> float:
    # of the 95 % interval for the sum of two independent errors of these variances and degrees of freedom
    from scipy.stats import t

    total = variance + seed_variance
    if total == 0:
        return 0.0
    combined = total**2 / (variance**2 / dof + (seed_variance**2 / seeds if seeds else 0.0))
    return float(t.ppf(0.975, combined)) * math.sqrt(total)


def paired(
    arm: np.ndarray, baseline: np.ndarray, segments: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Errors [seeds, W] of the seeds and windows that both arms have, and how many windows that leaves of each fold.

    A seed without any error in one of the folds, in either arm, is left out; then windows that are NaN in either.

    Raises:
        ValueError: shapes or segments do not fit.
    """
    if arm.ndim != 2 or baseline.ndim != 2 or arm.shape[1] != baseline.shape[1]:
        raise ValueError(f"Errors must be [seeds, W] with the same W; they are {arm.shape} and {baseline.shape}.")
    if len(arm) != len(baseline):
        raise ValueError(f"Seeds are compared in pairs; there are {len(arm)} and {len(baseline)}.")
    if segments is not None and (min(segments, default=0) < 1 or sum(segments) != arm.shape[1]):
        raise ValueError(f"segments must be 1 or more each and {arm.shape[1]} windows in all; they are {segments}.")
    known = ~np.isnan(arm + baseline)
    ends = np.cumsum(segments or [arm.shape[1]])[:-1]
    seeds = np.all([fold.any(axis=1) for fold in np.split(known, ends, axis=1)], axis=0)
    windows = known[seeds].all(axis=0)
    folds = [int(fold.sum()) for fold in np.split(windows, ends) if fold.any()]
    kept = np.ix_(seeds, windows)
    return arm[kept].astype("float64"), baseline[kept].astype("float64"), folds
