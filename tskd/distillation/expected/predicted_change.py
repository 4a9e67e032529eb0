"""The change of a student's error that a share of trust in teachers is expected to make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from tskd.distillation.expected.stacking import FEWEST_BLOCKS, BlockSums

# by how much the standard error over blocks of a training part is too small for the error on a test part
WIDER = 1.6


@dataclass(frozen=True)
class PredictedChange:
    """A predicted change of the squared error, relative to labels alone; below 0 is better.

    Attributes:
        change: Σ(y − f)²/Σ(y − f₀)² − 1 over held-out labels.
        low, high: of a 95 % interval for the change on a test part of about as many blocks: Student's t with the
            standard error of the ratio over blocks of time, times 1.6, since days that follow differ more from days of
            the training part than these do among one another. NaN for fewer than 5 blocks.
    """

    change: float
    low: float
    high: float

    @classmethod
    def of(cls, sums: BlockSums, shares: np.ndarray) -> PredictedChange:
        """The change that `shares [K]` of trust are expected to make."""
        errors, total = sums.squared_errors(shares), sums.errors.sum()
        blocks = int((sums.errors > 0).sum())
        if not total > 0:
            return cls(0.0, 0.0, 0.0)
        change = float(errors.sum() / total - 1)
        if blocks < FEWEST_BLOCKS:
            return cls(change, float("nan"), float("nan"))
        deviations = errors - (1 + change) * sums.errors
        spread = np.sqrt((deviations**2).sum() * blocks / (blocks - 1)) / total
        half = float(WIDER * t.ppf(0.975, blocks - 1) * spread)
        return cls(change, change - half, change + half)

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.change:+.1%}"
        return f"{self.change:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"
