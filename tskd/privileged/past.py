"""Privileged values of the lookback: costly sensors, and a higher resolution than the student has."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, get_args

from darts import TimeSeries

from tskd._core.checks import check_whole, is_choice
from tskd.privileged.alignment import check_samples_agree, fold
from tskd.privileged.base import CovariateBlock, Kind, Source, until_end

Coarse = Literal["point", "mean", "sum"]


@dataclass(frozen=True, repr=False)
class CostlySensors(Source):
    """Other channels, up to t+until.

    For a student whose target arrives k steps late, `output_chunk_shift=k`, the target itself is such a channel: with
    `until=k` a teacher sees it without delay. The teacher has no output shift of its own and forecasts k steps more
    than the student.

    Args:
        name: key in `privileged`.
        until: last step read, relative to the origin; above 0 the lookback window of the sensors ends that much later.

    Raises:
        ValueError: no name, or a step before the origin.
    """

    until: int = 0
    slot: ClassVar[Kind] = "past"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_named()
        check_whole(self.until, 0, "until", "a step at or after the origin")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(self.until)

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        # at each stamp the value `until` steps later: a window of the lookback's length then ends at t+until
        known = until_end(privileged, series).shift(-self.until)
        return [CovariateBlock(_relabelled(self, known))]


@dataclass(frozen=True, repr=False)
class HighResolution(Source):
    """Finer samples of the lookback: the k samples of each step of the target, as k channels of each component.

    Where the calendar gives steps different numbers of samples (days in months, hours in business days, whose Mondays
    reach back over the weekend), five channels instead: mean, standard deviation, minimum, maximum and last value. A
    step that lacks a sample, such as a first month that begins on the 10th, has none of these.

    The fine window ends at the last instant that the target's value at t covers: at t itself if the coarse series
    consists of point samples, at the last fine sample of t's own step if it is a mean or sum over that step (labelled
    by its start). The first can never read the future. The second is accepted only if the data prove it: some component
    of the target must be that aggregate of a component of the fine series, which therefore holds the samples that the
    target itself was made of, and not other channels alone.

    Args:
        name: key in `privileged`; a series whose step divides the target's, or that has samples in each of its steps
            where those of either are of unequal length.
        coarse: how the coarse series came from the fine one, `"point"`, `"mean"` or `"sum"`.

    Raises:
        ValueError: no name, or another `coarse`; (at the start of fit) steps that do not divide the target's, or data
            that contradict `coarse`.
    """

    coarse: Coarse = "point"
    slot: ClassVar[Kind] = "past"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_named()
        if not is_choice(self.coarse, get_args(Coarse)):
            raise ValueError(f"coarse={self.coarse!r}: give one of {', '.join(get_args(Coarse))}")

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(0 if self.coarse == "point" else samples_per_step - 1, samples_per_step)

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        if self.coarse != "point":
            check_samples_agree(privileged, series, self.coarse)
        return [CovariateBlock(_relabelled(self, fold(privileged, series, whole_step=self.coarse != "point")))]


def _relabelled(source: Source, series: TimeSeries) -> TimeSeries:
    components = [str(component) for component in series.components]
    return series.with_columns_renamed(components, source.labels(components))
