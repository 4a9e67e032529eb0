"""The conformance tests of sources: what passes them, and that each fault fails the test made for it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from darts import TimeSeries

from tests.helpers.batteries import failures
from tskd.privileged import CostlySensors, CovariateBlock, HighResolution, Source
from tskd.privileged.base import Kind, until_end
from tskd.testing import SourceConformance


@dataclass(frozen=True, repr=False)
class Changes(Source):
    """Honest: the change of each sensor from one step to the next."""

    name: str | None = "lab"
    slot: ClassVar[Kind] = "past"

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(0)

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        return [CovariateBlock(self.named(self.made(until_end(privileged, series), series)))]

    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.diff()

    def named(self, made: TimeSeries) -> TimeSeries:
        names = [str(name) for name in made.components]
        return made.with_columns_renamed(names, self.labels(names))


class ReadsTheNextStep(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.shift(-1)


class Standardises(Changes):
    """By the mean of what comes later, too."""

    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.with_values(known.values() - known.values().mean(0))


class ReadsTheTarget(Changes):
    """The last target beside the sensors, whatever the origin."""

    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.with_values(known.values() + series.values()[-1, 0])


class ReadsPastTheEnd(Changes):
    """What it reads later than the origin it declares, but it does not stop at the end of the target."""

    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(5)

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        return [CovariateBlock(self.named(privileged.shift(-5)))]


class ReadsPastTheEndWithoutSayingSo(ReadsPastTheEnd):
    def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
        return Fraction(4)


class OffTheGrid(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known[::2]


class MarksWrongSteps(Changes):
    slot: ClassVar[Kind] = "future"

    def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
        return [CovariateBlock(self.named(until_end(privileged, series)), np.ones(2, dtype=bool))]


class NeverComplete(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known[:6]


class KeepsTheNames(Changes):
    def named(self, made: TimeSeries) -> TimeSeries:
        return made


class CountsRows(Changes):
    """The number of the row beside its value: another one where the series begins later."""

    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.with_values(known.values() + np.arange(len(known))[:, None])


class CountsRowsOfTheTarget(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        first = known.time_index.get_loc(series.start_time())
        return known.with_values(known.values() + np.arange(len(known))[:, None] - first)


class Draws(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        return known.with_values(known.values() + np.random.normal(size=known.values().shape))


class Overwrites(Changes):
    def made(self, known: TimeSeries, series: TimeSeries) -> TimeSeries:
        series.values(copy=False)[:] += 1
        return known.diff()


class ChangesItsName(Changes):
    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.name}!")


FAULTS = [
    (OffTheGrid, "test_windows_read_values_on_the_targets_own_grid", "bring them to the target's"),
    (MarksWrongSteps, "test_windows_read_values_on_the_targets_own_grid", "`steps` must say of each step"),
    (NeverComplete, "test_windows_read_values_on_the_targets_own_grid", "no window finds all"),
    (KeepsTheNames, "test_names_tell_what_the_values_were_made_of", "name components by `self.labels"),
    (ReadsTheNextStep, "test_nothing_later_than_reads_until_is_read", "later than 0 steps after the origin"),
    (ReadsPastTheEndWithoutSayingSo, "test_nothing_later_than_reads_until_is_read", "later than 4 steps"),
    (Standardises, "test_nothing_later_than_reads_until_is_read", "a mean over the whole series"),
    (ReadsTheTarget, "test_nothing_later_than_reads_until_is_read", "later than 0 steps"),
    (ReadsPastTheEnd, "test_nothing_after_the_end_of_the_target_is_read", "cut the series there"),
    (CountsRows, "test_a_window_reads_the_same_in_a_part_of_the_series", "privileged series begins later"),
    (CountsRowsOfTheTarget, "test_a_window_reads_the_same_in_a_part_of_the_series", "target begins later.*time stamps"),
    (ReadsTheTarget, "test_a_window_reads_the_same_in_a_part_of_the_series", "target ends earlier"),
    (Draws, "test_what_is_handed_in_is_unchanged_and_two_calls_give_the_same", "asked again"),
    (Overwrites, "test_what_is_handed_in_is_unchanged_and_two_calls_give_the_same", "work on a copy"),
    (ChangesItsName, "test_settings_and_repr_recreate_it", "made again is"),
]


def test_an_honest_source_passes() -> None:
    assert failures(SourceConformance.of(Changes)) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_source_is_found_out(faulty: type[Source], test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        getattr(SourceConformance.of(faulty)(), test)()


def test_a_source_of_finer_samples_that_folds_one_sample_too_late_is_found_out() -> None:
    class Late(HighResolution):
        def blocks(self, privileged: TimeSeries, series: TimeSeries, horizon: range) -> list[CovariateBlock]:
            return super().blocks(privileged.shift(-1), series, horizon)

    battery = SourceConformance.of(lambda: Late("minute"), samples_per_step=4)()
    with pytest.raises(AssertionError, match="later than 0 steps"):
        battery.test_nothing_later_than_reads_until_is_read()


def test_sensors_that_say_less_than_they_read_are_found_out() -> None:
    class Modest(CostlySensors):
        def reads_until(self, horizon: int, samples_per_step: int = 1) -> Fraction:
            return Fraction(0)

    battery = SourceConformance.of(lambda: Modest("lab", until=1))()
    with pytest.raises(AssertionError, match="later than 0 steps"):
        battery.test_nothing_later_than_reads_until_is_read()
