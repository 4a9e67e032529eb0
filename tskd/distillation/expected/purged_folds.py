"""Folds in time for the student's windows: a window is judged by models that saw none of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# of the labelled steps, how many times the reach of a window a stretch of held-out origins is at least to be
LEAST_STRETCH = 10
MOST_STRETCHES = 4


@dataclass(frozen=True, eq=False)
class PurgedFold:
    """Stretches of origins that are held out.

    Attributes:
        stretches: first and last held-out origin of each `[m, 2]`, on the axis of `Rows.at`.
        reach: steps from a window's first label to the last, plus 1.
    """

    stretches: np.ndarray
    reach: int

    def holds(self, at: np.ndarray) -> np.ndarray:
        """`[N]`, true for origins that are held out."""
        return self._near(at, 1)

    def trains(self, at: np.ndarray) -> np.ndarray:
        """`[N]`, true for origins of windows that share no label with a held-out one."""
        return ~self._near(at, self.reach)

    def _near(self, at: np.ndarray, apart: int) -> np.ndarray:
        first, last = self.stretches.T
        return ((at[:, None] > first - apart) & (at[:, None] < last + apart)).any(1)


def purged_folds(at: np.ndarray, reach: int, folds: int) -> Sequence[PurgedFold]:
    """Folds of stretches with equally many labelled windows: contiguous ones, or several each where there are many.

    Args:
        at: origins of the labelled windows `[n]`.
        reach: steps from a window's first label to the last, plus 1.
        folds: their number, at least 2.

    Raises:
        ValueError: labels span fewer than three times the reach: a purge would leave nothing to train on.
    """
    origins = np.unique(at)
    if len(origins) < 3 or origins[-1] - origins[0] + 1 < 3 * reach:
        raise ValueError(
            f"the labelled windows begin at {len(origins)} steps, too few for folds between which no label is shared "
            f"(a window has labels over {reach} steps)"
        )
    spacing = np.median(np.diff(origins))
    own = max(1, int(np.ceil(reach / spacing)))
    folds = max(2, min(folds, len(origins) // own))
    each = int(np.clip(len(origins) // (folds * LEAST_STRETCH * own), 1, MOST_STRETCHES))
    parts = np.array_split(origins, folds * each)
    stretches = np.array([(part[0], part[-1]) for part in parts])
    return [PurgedFold(stretches[number::folds], reach) for number in range(folds)]
