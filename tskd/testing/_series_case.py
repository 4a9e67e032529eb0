"""Target series to test teachers and models with, and what there is beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from darts import TimeSeries

from tskd.testing._grids import times, walk

AFTER = 6
"""Steps of the other series after the target ends."""


@dataclass(frozen=True)
class SeriesCase:
    """Two target series of unequal length that follow privileged ones, which go on after them.

    Attributes:
        grid: time grid of all.
        series: targets of two components.
        privileged: by name, one for each target series.
        covariates: `past_covariates` and `future_covariates`, as far as there are.
    """

    grid: str
    series: list[TimeSeries]
    privileged: dict[str, list[TimeSeries]]
    covariates: dict[str, list[TimeSeries]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, grid: str, names: Sequence[str], lengths: Sequence[int] = (60, 44), covariates: Sequence[str] = ()
    ) -> SeriesCase:
        series: list[TimeSeries] = []
        others: dict[str, list[TimeSeries]] = {name: [] for name in (*names, *covariates)}
        for number, length in enumerate(lengths):
            index = times(grid, length + AFTER)
            hidden = [walk(index, name, 2, seed=10 * number + place) for place, name in enumerate(others)]
            own = walk(index[:length], "y", 2, seed=50 + number)
            level = sum((one.values()[:length] for one in hidden), np.zeros((length, 2)))
            series.append(own.with_values(level + 0.3 * own.values()))
            for name, one in zip(others, hidden, strict=True):
                others[name].append(one)
        return cls(grid, series, {name: others[name] for name in names}, {name: others[name] for name in covariates})

    def __str__(self) -> str:
        return self.grid

    @property
    def given(self) -> dict[str, Any]:
        """All of it as arguments of `fit`; copies of the containers."""
        privileged = {"privileged": {name: [*items] for name, items in self.privileged.items()}}
        return self.deployed | (privileged if self.privileged else {})

    @property
    def deployed(self) -> dict[str, Any]:
        """What a student is used with."""
        return {"series": [*self.series], **{name: [*items] for name, items in self.covariates.items()}}

    def of_each(self, change: Callable[[TimeSeries], TimeSeries]) -> SeriesCase:
        """With each of all series changed."""

        def changed(items: dict[str, list[TimeSeries]]) -> dict[str, list[TimeSeries]]:
            return {name: [change(one) for one in several] for name, several in items.items()}

        series = [change(one) for one in self.series]
        return replace(self, series=series, privileged=changed(self.privileged), covariates=changed(self.covariates))

    def only(self, *numbers: int) -> SeriesCase:
        """Some of the series, in this order."""

        def chosen(items: dict[str, list[TimeSeries]]) -> dict[str, list[TimeSeries]]:
            return {name: [several[number] for number in numbers] for name, several in items.items()}

        series = [self.series[number] for number in numbers]
        return replace(self, series=series, privileged=chosen(self.privileged), covariates=chosen(self.covariates))
