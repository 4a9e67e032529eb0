"""Whether two arms forecast equally well: the test of Diebold and Mariano (1995), corrected for small samples.

Harvey, Leybourne and Newbold, "Testing the equality of prediction mean squared errors", International Journal of
Forecasting 13 (1997), 281-291. It ignores the variance over seeds, and needs many windows: on errors like ours it finds
effects where there are none in up to a fifth of samples, at the 5 % level (benchmarks/interval_coverage.py). Read it
beside the intervals of `compare`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tskd.experiment.statistics.intervals import MINIMUM_BLOCKS, paired


@dataclass(frozen=True)
class Test:
    """The outcome of the test.

    Attributes:
        statistic: negative where the arm's error is lower.
        p_value: two-sided, of "both errors are the same".
    """

    __test__ = False  # pytest takes classes of this name for tests

    statistic: float
    p_value: float


def diebold_mariano(
    arm: np.ndarray, baseline: np.ndarray, horizon: int, *, segments: Sequence[int] | None = None
) -> Test:
    """The test of equal errors on the same windows; seeds are averaged first.

    Newey and West's variance takes as many lags as statsmodels chooses, at least horizon - 1 and W^(1/3). Harvey's
    correction scales the statistic by sqrt((W + 1 - 2h + h(h-1)/W) / W), and takes Student's t with W - 1 degrees of
    freedom. Lags run on from one fold into the next, which is near it in time all the same.

    Identical arms have statistic 0 and p-value 1; both are NaN for fewer than MINIMUM_BLOCKS * horizon windows.

    Args:
        arm: errors `[seeds, W]`, in order of time; seeds and windows are left out as in `compare`.
        baseline: errors `[seeds, W]`.
        horizon: H.
        segments: as in `compare`.

    Raises:
        ImportError: statsmodels is older than 0.15.
        ValueError: shapes or segments do not fit, or `horizon` is below 1.
    """
    try:
        from statsmodels.tsa.stattools import diebold_mariano_test
    except ImportError as error:
        raise ImportError(
            "Diebold and Mariano's test needs statsmodels 0.15 or newer: pip install 'tskd[statistics]'"
        ) from error

    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 step; it is {horizon}.")
    arm, baseline, _ = paired(arm, baseline, segments)
    if arm.size == 0 or arm.shape[1] < MINIMUM_BLOCKS * horizon:
        return Test(math.nan, math.nan)
    if np.array_equal(arm, baseline):
        return Test(0.0, 1.0)
    found = diebold_mariano_test(
        np.zeros(arm.shape[1]),
        arm.mean(axis=0),
        baseline.mean(axis=0),
        criterion=lambda _, errors: errors,
        harvey_adj=True,
        horizon=horizon,
    )
    return Test(found.statistic, found.pvalue)
