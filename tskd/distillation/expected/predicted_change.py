"""The change of a student's error that a share of trust in teachers is expected to make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from tskd.distillation.expected.stacking import FEWEST_BLOCKS, BlockSums

# by how much the standard error over blocks of a training part is too small for the error on a test part
WIDER = 3.2
# how many times larger or smaller a harm may be on a test part than held-out labels tell
HARM = 3.0


@dataclass(frozen=True)
class PredictedChange:
    """A predicted change of the squared error, relative to labels alone; below 0 is better.

    Attributes:
        change: Σ(y − f)²/Σ(y − f₀)² − 1 over held-out labels.
        low, high: of an interval that is to hold the change on a test part in nine cases of ten: exp(log(1 + change) ±
            3.2·t·s) − 1, s the standard error of the logarithm over blocks of time, t of Student at 95 %; above 0 the
            lower end is then divided by 3, the upper one multiplied. Days that follow differ more from those of the
            training part than these among one another, and of a harm held-out labels tell little more than the order:
            3.2 and 3 are what it took on the development half of the cells of `benchmarks/expected_gain.py`. NaN for
            fewer than 5 blocks.
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
        spread = np.sqrt((deviations**2).sum() * blocks / (blocks - 1)) / errors.sum()
        factor = float(np.exp(WIDER * t.ppf(0.975, blocks - 1) * spread))
        low, high = (1 + change) / factor - 1, (1 + change) * factor - 1
        return cls(change, low / HARM if low > 0 else low, high * HARM if high > 0 else high)

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.change:+.1%}"
        return f"{self.change:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"
