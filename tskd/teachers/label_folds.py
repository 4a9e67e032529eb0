"""Folds of labelled time stamps, for models that answer by time: none answers for labels that it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOLDS = 5
LEAST = 2 * FOLDS
LEAST_LABELS = 8


@dataclass(frozen=True, eq=False)
class LabelFolds:
    """Interleaved blocks in time of equally many labelled stamps: block b belongs to fold b mod 5.

    Blocks are counted in labelled stamps, so that each fold has its share of them wherever they lie: in one stretch, or
    scattered. On average they span five days, or more if these hold fewer than 8 labels; less if each fold would have
    fewer than two blocks. Contiguous folds would be seasons that the others lack (see `CrossFit`).

    Attributes:
        stamps: labelled stamps, distinct and ascending, as steps of a time axis `[M]`.
        folds: fold of each `[M]`.
        reach: labels at most so many steps apart share data.
        margin: labels at most so many labelled stamps apart are neighbours.
    """

    stamps: np.ndarray
    folds: np.ndarray
    reach: int
    margin: int

    @classmethod
    def of(cls, steps: np.ndarray, five_days: int, reach: int) -> LabelFolds:
        """The folds for labels at some steps of a time axis.

        Args:
            steps: of the labels, in any order, repeated where several series have a label.
            five_days: number of steps in five days.
            reach: labels at most so many steps apart share data.

        Raises:
            ValueError: there are too few labels, or they reach over all others.
        """
        stamps = np.unique(steps)
        if len(stamps) < LEAST:
            raise ValueError(f"it has labels at {len(stamps)} time stamps; at least {LEAST} are needed")
        span = int(stamps[-1] - stamps[0]) + 1
        blocks = max(LEAST, min(round(span / five_days), len(stamps) // LEAST_LABELS))
        if reach:
            # of the four blocks between two of a fold, a quarter is within reach of these
            blocks = min(blocks, span // (2 * reach))
        if blocks < FOLDS:
            raise ValueError(
                f"its labels span {span} steps, and those up to {reach} steps apart share data: nothing is left to fit "
                "on outside a fold; read fewer steps to both sides"
            )
        numbers = np.arange(len(stamps)) * blocks // len(stamps)
        return cls(stamps, numbers % FOLDS, reach, max(1, len(stamps) // blocks // 4))

    def of_steps(self, steps: np.ndarray) -> np.ndarray:
        """Fold of each step `[N]`; -1 for those that are no labelled stamp."""
        places = np.searchsorted(self.stamps, steps).clip(max=len(self.stamps) - 1)
        return np.where(self.stamps[places] == steps, self.folds[places], -1)

    def trains(self, steps: np.ndarray, fold: int) -> np.ndarray:
        """`[N]`, true for labelled steps to fit on: neither in the fold, nor near a step of it."""
        inside = np.flatnonzero(self.folds == fold)
        places = np.searchsorted(self.stamps, steps)
        apart = _distances(places, inside) > self.margin
        return apart & (_distances(steps, self.stamps[inside]) > self.reach)


def _distances(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each value to the nearest of some others, which ascend."""
    after = np.searchsorted(others, values)
    nearest = others[[(after - 1).clip(min=0), after.clip(max=len(others) - 1)]]
    return np.abs(nearest - values).min(0)
