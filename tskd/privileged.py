"""Sources of privileged information: what a teacher sees that the student will not.

A source turns a privileged series into covariates on the target's own time grid, and says which of their steps a window
may read. It knows the last step it reads relative to the forecast origin (`reads_until`); nothing later reaches the
teacher.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, get_args

import numpy as np
from darts import TimeSeries

from tskd._settings import Described
from tskd.alignment import fold, refuse_contradiction

__all__ = ["CostlySensors", "FutureHorizon", "HighResolution", "Source"]

Coarse = Literal["point", "mean", "sum"]


@dataclass(frozen=True, repr=False)
class Source(Described, ABC):
    """One kind of privileged information.

    Attributes:
        name: key of the series in `privileged={...}`; None means the target itself.
        slot: where a teacher reads it, in its `"past"` or its `"future"` covariates.
    """

    name: str | None
    slot: ClassVar[Literal["past", "future"]]

    def __post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise ValueError(f"name={self.name!r}: give the key of a series in privileged={{...}}")

    @abstractmethod
    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        """Last instant read, in steps of the target after the origin (0 is the origin itself).

        Args:
            horizon: last step of the teacher's output chunk, output_chunk_shift included.
            samples_per_step: samples of the privileged series in one step of the target.
        """

    @property
    def incomplete_steps(self) -> int:
        """Steps at the start of the target that are incomplete if the privileged series starts with it."""
        return 0

    @abstractmethod
    def covariates(self, privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
        """The privileged series as covariates on the grid of `series`; nothing after the end of `series` is read.

        Args:
            privileged: the series of this name (`series` itself if the name is None), any span.
            series: the target series of the windows.
        """

    def visible(self, first: int, horizon: int) -> np.ndarray | None:
        """For a future slot of steps first…horizon, which of them may be read `[steps]`; None for all of them."""
        return None

    def labels(self, components: list[str]) -> list[str]:
        """Names of the covariates made of these components."""
        prefix = type(self).__name__ if self.name is None else f"{type(self).__name__}:{self.name}"
        return [f"{prefix}:{component}" for component in components]


@dataclass(frozen=True, repr=False)
class FutureHorizon(Source):
    """Values of `name` at t+start … t+end.

    They fill the teacher's future covariates, whose historic part holds the values of the lookback, as always in
    darts. Steps of the horizon outside start…end are read as 0, and one more covariate says which steps are known (1)
    and which are not (0). With `name=None` and the whole horizon the teacher can copy the target, and its forecast is
    the label: nothing can be gained (LUPI with x* = y).

    Args:
        name: key in `privileged`; None for the target itself.
        start: first step read, at least 1.
        end: last step read; None for the end of the teacher's horizon.
    """

    name: str | None = None
    start: int = 1
    end: int | None = None
    slot: ClassVar[Literal["past", "future"]] = "future"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.start, int) or self.start < 1:
            raise ValueError(f"start={self.start!r}: give a step after the origin, 1 or later")
        if self.end is not None and (not isinstance(self.end, int) or self.end < self.start):
            raise ValueError(f"end={self.end!r}: give a step not before start={self.start}, or None for the horizon")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(horizon if self.end is None else self.end)

    @property
    def partial(self) -> bool:
        return self.start > 1 or self.end is not None

    def visible(self, first: int, horizon: int) -> np.ndarray | None:
        if not self.partial:
            return None
        steps = np.arange(first, horizon + 1)
        return (steps >= self.start) & (steps <= int(self.reads_until(horizon)))

    def covariates(self, privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
        known = _until_end(privileged, series)
        values = known.values()
        names = self.labels(list(known.components))
        if self.partial:
            values = np.concatenate([values, np.ones((len(known), 1), values.dtype)], axis=1)
            names += self.labels(["known"])
        return TimeSeries.from_times_and_values(known.time_index, values, columns=names)


@dataclass(frozen=True, repr=False)
class CostlySensors(Source):
    """Other channels, up to t.

    Args:
        name: key in `privileged`.
        until: last step read, relative to the origin; above 0 the lookback window of the sensors ends that much later.
    """

    until: int = 0
    slot: ClassVar[Literal["past", "future"]] = "past"

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_target(self)
        if not isinstance(self.until, int) or self.until < 0:
            raise ValueError(f"until={self.until!r}: give a step at or after the origin, 0 or later")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(self.until)

    def covariates(self, privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
        known = _until_end(privileged, series)
        # at each stamp the value `until` steps later: a window of the lookback's length then ends at t+until
        return known.shift(-self.until).with_columns_renamed(
            list(known.components), self.labels(list(known.components))
        )


@dataclass(frozen=True, repr=False)
class HighResolution(Source):
    """Finer samples of the lookback, k per step of the target, folded into k channels each.

    The fine window ends at the last instant that the target's value at t contains: at t itself if the coarse series
    is made of point samples, at the last fine sample of t's own step if it is a mean or sum of that step (labelled by
    its start). The first declaration can never read the future. The second is believed only if the data prove it:
    some component of the coarse series must be the declared aggregate of one of the fine series.

    Args:
        name: key in `privileged`; a series whose step divides the target's.
        coarse: how the coarse series came from the fine one.
    """

    coarse: Coarse = "point"
    slot: ClassVar[Literal["past", "future"]] = "past"

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_target(self)
        if self.coarse not in get_args(Coarse):
            raise ValueError(f"coarse={self.coarse!r}: give one of {', '.join(get_args(Coarse))}")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(0 if self.coarse == "point" else samples_per_step - 1, samples_per_step)

    @property
    def incomplete_steps(self) -> int:
        return 1 if self.coarse == "point" else 0

    def covariates(self, privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
        if self.coarse != "point":
            refuse_contradiction(privileged, series, self.coarse)
        folded = fold(privileged, series, whole_step=self.coarse != "point")
        return folded.with_columns_renamed(list(folded.components), self.labels(list(folded.components)))


def _until_end(privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
    if privileged.end_time() <= series.end_time():
        return privileged
    return privileged.drop_after(series.end_time(), keep_point=True)


def _refuse_target(source: Source) -> None:
    if source.name is None:
        raise ValueError(f"{type(source).__name__} needs a name: the key of a series in privileged={{...}}")
