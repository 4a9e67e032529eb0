"""Series to test sources with, and what a window reads of the blocks that a source makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from darts import TimeSeries

from tskd.privileged import CovariateBlock, Source
from tskd.testing._grids import shifted, times, walk

LOOKBACK = 4
BEFORE, STEPS, AFTER = 5, 16, 7
"""Steps of the privileged series before the target begins, of the target, and after it ends."""
Aggregate = Literal["mean", "sum"]


@dataclass(frozen=True)
class SourceCase:
    """A target and a privileged series that begins before it and ends after it.

    Attributes:
        grid: that of the target.
        samples: of the privileged series in a step of the target.
        aggregate: what the target is of the samples from each stamp on; None if it is a series of its own.
        horizon: steps after the origin that the teacher forecasts.
    """

    grid: str
    samples: int
    aggregate: Aggregate | None
    horizon: range
    series: TimeSeries
    privileged: TimeSeries

    @classmethod
    def of(cls, source: Source, grid: str, horizon: range, samples: int, aggregate: Aggregate | None) -> SourceCase:
        index = times(grid, BEFORE + STEPS + AFTER, samples)
        target_index = index[BEFORE * samples : (BEFORE + STEPS) * samples : samples]
        fine, own = walk(index, "p", 2, seed=1), walk(target_index, "y", 2, seed=2)
        case = cls(grid, samples, aggregate, horizon, own, own if source.name is None else fine)
        return case.with_privileged(case.privileged)

    def __str__(self) -> str:
        return f"{self.grid}, horizon {self.horizon[0]} to {self.horizon[-1]}"

    @property
    def origins(self) -> range:
        """Positions of the origins of the windows that lie in the target."""
        return range(LOOKBACK - 1, len(self.series) - self.horizon[-1])

    def with_privileged(self, privileged: TimeSeries) -> SourceCase:
        """With another privileged series, and the target that it is aggregated to."""
        if self.aggregate is None:
            return replace(self, privileged=privileged)
        starts = [privileged.time_index.get_loc(stamp) for stamp in self.series.time_index]
        rows = np.array(starts)[:, None] + np.arange(self.samples)
        values = getattr(privileged.values()[rows.clip(max=len(privileged) - 1)], self.aggregate)(axis=1)
        return replace(self, privileged=privileged, series=self.series.with_values(values))

    def with_later_values(self, source: Source, origin: int, until: float) -> SourceCase:
        """With other values of everything later than `until` steps after the origin, and of the target after it."""
        place = origin if source.name is None else origin + BEFORE
        last = round((place + until) * self.samples)
        moved = shifted(self.privileged, slice(last + 1, None))
        if source.name is None:
            return replace(self, series=moved, privileged=moved)
        if self.aggregate is not None:
            return self.with_privileged(moved)
        return replace(self, privileged=moved, series=shifted(self.series, slice(origin + 1, None)))

    def read(self, blocks: Sequence[CovariateBlock], slot: str, origin: int) -> np.ndarray:
        """All values that the window of this origin reads, NaN where there is none."""
        stamps = self.series.time_index
        past = stamps[origin - LOOKBACK + 1 : origin + 1]
        ahead = stamps[[origin + step for step in self.horizon]]
        found = []
        for block in blocks:
            wanted = past
            if slot == "future":
                chosen = ahead if block.steps is None else ahead[block.steps]
                wanted = past.append(chosen) if block.history else chosen
            places = block.values.time_index.get_indexer(wanted)
            values = block.values.values(copy=False)[places].astype(np.float64)
            found.append(np.where(places[:, None] < 0, np.nan, values).ravel())
        return np.concatenate(found)
