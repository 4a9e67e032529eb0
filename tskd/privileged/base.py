"""The base class of sources of privileged information."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
from darts import TimeSeries

from tskd._core.object_spec import Described

Kind = Literal["past", "future"]


@dataclass(frozen=True)
class CovariateBlock:
    """Covariates on the target's own time grid, and which of their steps a window may read.

    Attributes:
        values: components of the teacher's past or future covariates.
        steps: for future covariates, which steps of the output chunk may be read `[H]`; None for all.
        history: for future covariates, whether the part in the lookback may be read.
    """

    values: TimeSeries
    steps: np.ndarray | None = None
    history: bool = True


@dataclass(frozen=True, repr=False)
class Source(Described, ABC):
    """One kind of privileged information.

    A source turns a privileged series into blocks of covariates. `reads_until` is the last instant that a window reads,
    relative to its forecast origin; nothing later reaches the teacher.

    Attributes:
        name: key of the series in `privileged={...}`; None for the target itself.
        slot: whether it becomes `"past"` or `"future"` covariates of the teacher.

    Raises:
        ValueError: the name is empty, or no text.
    """

    name: str | None
    slot: ClassVar[Kind]

    def __post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise ValueError(f"name={self.name!r}: give the key of a series in privileged={{...}}")

    @abstractmethod
    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        """Last instant read, in steps of the target after the origin (0 is the origin itself).

        Args:
            horizon: last step of the teacher's output chunk, output_chunk_shift included.
            samples_per_step: samples of the privileged series in one step of the target, the longest.
        """

    def check_horizon(self, horizon: range) -> None:
        """Raise a ValueError if nothing can be read by a teacher of this `horizon`, a range of steps."""

    @abstractmethod
    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        """The privileged series as covariates on the grid of `series`; nothing after the end of `series` is read.

        Args:
            privileged: the series of this name (`series` itself if the name is None), any span.
            series: the target series of the windows.
            horizon: steps after the origin that the teacher forecasts.
        """

    def labels(self, components: list[str]) -> list[str]:
        """Names of the covariates made of `components`, with the class and the name of the source before them."""
        prefix = type(self).__name__ if self.name is None else f"{type(self).__name__}:{self.name}"
        return [f"{prefix}:{component}" for component in components]

    def _check_named(self) -> None:
        if self.name is None:
            raise ValueError(f"{type(self).__name__} needs a name: the key of a series in privileged={{...}}")


def bare_name(label: str, sources: Sequence[Source]) -> str:
    """The name of a component in its own series, from that of the covariate that one of the sources makes of it."""
    for source in sources:
        (prefix,) = source.labels([""])
        label = label.removeprefix(prefix)
    return label


def until_end(privileged: TimeSeries, series: TimeSeries) -> TimeSeries:
    """The privileged series up to the end of the target; a ValueError if it begins later."""
    if privileged.start_time() > series.end_time():
        names = list(privileged.components)
        raise ValueError(
            f"privileged series {names} begins at {privileged.start_time()}, after the end of the target at "
            f"{series.end_time()}"
        )
    if privileged.end_time() <= series.end_time():
        return privileged
    return privileged.drop_after(series.end_time(), keep_point=True)
