"""Scores of forecast distributions by their quantiles: pinball loss, and coverage and width of a central interval.

The pinball loss of the quantile forecast z at level q is q·max(y − z, 0) + (1 − q)·max(z − y, 0) (Koenker and Bassett
1978). The continuous ranked probability score is 2∫₀¹ of it over q (Laio and Tamea 2007; Gneiting and Ranjan 2011);
`crps` of the tables is twice its mean over the levels that are scored, which is darts' `mql` averaged over these. Both
are in deviations of the training part, and proper: no quantiles but those believed in give a lower expected score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCORES = ("pinball", "coverage", "width")
"""In the order of the rows of an array of them."""


def distribution_scores(
    quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float], interval: tuple[int, int]
) -> np.ndarray:
    """Scores `[3, N, H, C]` of each target: the mean pinball loss over the levels; 1 where the target lies in the
    interval, ends included, else 0; and the width of the interval. NaN where there is no target or no forecast.

    Args:
        quantiles: that are forecast `[N, H, C, Q]`.
        truth: targets `[N, H, C]`, NaN where nothing is scored.
        levels: of the quantiles.
        interval: positions of its ends among the levels.
    """
    above = truth[..., None] - quantiles
    pinball = np.maximum(np.asarray(levels) * above, (np.asarray(levels) - 1) * above).mean(axis=-1)
    low, high = (quantiles[..., at] for at in interval)
    unknown = np.isnan(pinball)
    inside = np.where(unknown, np.nan, (low <= truth) & (truth <= high))
    return np.stack([pinball, inside, np.where(unknown, np.nan, high - low)])
