"""What each source makes of a privileged series, value by value: the series counts, and goes on past the target."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries

from tests.helpers.series import walk
from tskd import privileged
from tskd.privileged import CostlySensors, FutureHorizon, HighResolution, Source, WayPoint
from tskd.privileged.alignment import check_samples_agree, fold
from tskd.testing import SourceConformance

TARGET = TimeSeries.from_times_and_values(pd.RangeIndex(0, 10), np.zeros(10), columns=["y"])
HORIZON = range(1, 4)

TestFutureHorizon = SourceConformance.of(lambda: FutureHorizon("p"))
TestFutureHorizonOfTheTarget = SourceConformance.of(FutureHorizon)
TestFutureHorizonInPart = SourceConformance.of(lambda: FutureHorizon("p", start=2, end=4))
TestFutureHorizonBeyond = SourceConformance.of(lambda: FutureHorizon("p", start=3, end=7))
TestFutureHorizonOfNoisyMeans = SourceConformance.of(lambda: FutureHorizon("p", mean_over=3, noise_variance=0.2))
TestWayPoint = SourceConformance.of(lambda: WayPoint("p", 3))
TestWayPointOfTheTarget = SourceConformance.of(lambda: WayPoint(None, 5))
TestCostlySensors = SourceConformance.of(lambda: CostlySensors("p"))
TestCostlySensorsOfLater = SourceConformance.of(lambda: CostlySensors("p", until=2))
TestHighResolution = SourceConformance.of(lambda: HighResolution("p"), samples_per_step=4)
TestHighResolutionOfMeans = SourceConformance.of(
    lambda: HighResolution("p", "mean"), samples_per_step=4, aggregate="mean"
)
TestHighResolutionOfSums = SourceConformance.of(lambda: HighResolution("p", "sum"), samples_per_step=3, aggregate="sum")


def counting(first: int, end: int, *, components: int = 1) -> TimeSeries:
    """100·c + t at step t."""
    values = np.arange(first, end)[:, None] + 100.0 * np.arange(components)
    return TimeSeries.from_times_and_values(
        pd.RangeIndex(first, end), values, columns=[f"p{number}" for number in range(components)]
    )


def read(source: Source, horizon: range = HORIZON) -> list[tuple[dict[int, float], list[bool] | None, bool]]:
    """Of each block the values of its first component by step, its mask, and whether the lookback may be read."""
    blocks = source.blocks(counting(-2, 16), TARGET, horizon)
    return [
        (
            dict(zip(block.values.time_index, block.values.values()[:, 0], strict=True)),
            None if block.steps is None else block.steps.tolist(),
            block.history,
        )
        for block in blocks
    ]


def steps(first: int, last: int, ahead: float = 0) -> dict[int, float]:
    return {step: step + ahead for step in range(first, last + 1)}


def test_the_whole_horizon() -> None:
    # nothing after the end of the target, step 9
    assert read(FutureHorizon("p")) == [(steps(-2, 9), None, True)]
    assert FutureHorizon("p").reads_until(3) == 3


def test_a_part_of_the_horizon_has_no_lookback() -> None:
    assert read(FutureHorizon("p", start=2)) == [(steps(-2, 9), [False, True, True], False)]
    assert read(FutureHorizon("p", end=2)) == [(steps(-2, 9), [True, True, False], True)]
    (block,) = FutureHorizon("p", end=2).blocks(counting(0, 10), TARGET, HORIZON)
    assert list(block.values.components) == ["FutureHorizon:p:p0", "FutureHorizon:p:known"]
    assert (block.values.values()[:, 1] == 1).all()


def test_steps_beyond_the_horizon_come_as_further_covariates() -> None:
    assert read(FutureHorizon("p", end=7)) == [
        (steps(-2, 9), None, True),
        (steps(-5, 6, 3), None, False),
        (steps(-8, 3, 6), [True, False, False], False),
    ]
    assert FutureHorizon("p", end=7).reads_until(3) == 7


def test_steps_before_a_shifted_horizon_are_not_read() -> None:
    assert read(FutureHorizon("p", end=4), range(3, 6)) == [(steps(-2, 9), [True, True, False], True)]


def test_an_incomplete_mean_is_not_read() -> None:
    # of the steps 1 to 3 the mean of 1 and 2, and none that begins with 3
    source = FutureHorizon("p", mean_over=2)
    assert read(source) == [(steps(-2, 8, 0.5), [True, False, False], False)]
    assert source.reads_until(3) == 2
    assert FutureHorizon("p", mean_over=2).reads_until(4) == 4
    # of 2 to 7: 2 to 4, 5 to 7
    source = FutureHorizon("p", start=2, end=7, mean_over=3)
    assert read(source) == [
        (steps(-2, 7, 1), [False, True, False], False),
        (steps(-5, 4, 4), [False, True, False], False),
    ]
    assert source.reads_until(3) == 7
    assert FutureHorizon("p", start=2, end=8, mean_over=3).reads_until(3) == 7


def test_a_way_point_is_one_step() -> None:
    assert read(WayPoint("p", 2)) == [(steps(-2, 9), [False, True, False], False)]
    # step 5 is the second of the three that begin with 4
    assert read(WayPoint("p", 5)) == [(steps(-5, 6, 3), [False, True, False], False)]
    assert WayPoint("p", 5).reads_until(3) == 5
    WayPoint("p", 3).check_horizon(range(3, 6))
    with pytest.raises(ValueError, match="lies before the teacher's horizon"):
        WayPoint("p", 2).check_horizon(range(3, 6))


def test_sensors_up_to_a_step_after_the_origin() -> None:
    assert read(CostlySensors("p")) == [(steps(-2, 9), None, True)]
    assert read(CostlySensors("p", until=2)) == [(steps(-4, 7, 2), None, True)]
    assert CostlySensors("p", until=2).reads_until(3) == 2


def test_noise_is_normal_and_each_components_own() -> None:
    zeros = TimeSeries.from_times_and_values(pd.RangeIndex(20_000), np.zeros((20_000, 3)))
    (block,) = FutureHorizon("p", noise_variance=4.0).blocks(zeros, zeros, HORIZON)
    noise = block.values.values() / 2
    # standard errors are 0.007 of means, 0.01 of variances, 0.035 of fourth moments
    assert np.abs(noise.mean(0)).max() < 0.03
    assert noise.var(0) == pytest.approx(np.ones(3), abs=0.05)
    assert (noise**4).mean(0) == pytest.approx(np.full(3, 3), abs=0.2)
    assert np.abs(np.corrcoef(noise.T)[np.triu_indices(3, 1)]).max() < 0.03


def fine_and_coarse(count: int = 40, k: int = 4) -> tuple[TimeSeries, TimeSeries]:
    """k samples a step; the coarse step i is that at sample k·i."""
    fine = walk(count * k, 1, freq="15min", name="f", dtype="float64")
    return fine, TimeSeries.from_times_and_values(fine.time_index[::k], np.zeros(count), columns=["y"])


def test_samples_up_to_the_stamp_or_from_it_on() -> None:
    fine, coarse = fine_and_coarse()
    samples = fine.values()[:, 0]
    before = fold(fine, coarse, whole_step=False)
    # of the first step there is the last sample alone
    assert before.start_time() == coarse.time_index[1] and len(before) == 39
    assert before.values()[0].tolist() == samples[1:5].tolist()
    assert list(before.components) == ["f0@-3", "f0@-2", "f0@-1", "f0@0"]
    after = fold(fine, coarse, whole_step=True)
    assert after.start_time() == coarse.start_time() and len(after) == 40
    assert after.values()[-1].tolist() == samples[156:160].tolist()
    assert list(after.components) == ["f0@0", "f0@1", "f0@2", "f0@3"]
    (point,) = HighResolution("f").blocks(fine, coarse, HORIZON)
    assert point.values.values()[0].tolist() == samples[1:5].tolist()
    assert point.values.start_time() == coarse.time_index[1] and point.steps is None
    means = coarse.with_values(samples.reshape(-1, 1, 4).mean(2, keepdims=True))
    (mean,) = HighResolution("f", "mean").blocks(fine, means, HORIZON)
    assert mean.values.values()[0].tolist() == samples[:4].tolist()
    assert list(mean.values.components) == [f"HighResolution:f:f0@{offset}" for offset in range(4)]
    assert HighResolution("f").reads_until(3, 4) == 0
    assert HighResolution("f", "sum").reads_until(3, 4) == Fraction(3, 4)


@pytest.mark.parametrize("declared", ["mean", "sum"])
def test_what_is_no_aggregate_of_its_own_step_is_refused(declared: str) -> None:
    fine, grid = fine_and_coarse(200)
    samples = fine.values()[:, 0]
    means = samples.reshape(-1, 4).mean(1)
    readings = {
        "point": samples[::4],
        # the mean of the samples up to the stamp
        "late": np.array([samples[max(0, 4 * i - 3) : 4 * i + 1].mean() for i in range(200)]),
        "other": np.random.default_rng(3).normal(size=200).cumsum(),
    }
    HighResolution("f", declared).blocks(fine, grid.with_values(3 * means[:, None, None] - 1), HORIZON)  # type: ignore[arg-type]
    for values in readings.values():
        with pytest.raises(ValueError, match=f"coarse='{declared}'"):
            HighResolution("f", declared).blocks(fine, grid.with_values(values[:, None, None]), HORIZON)  # type: ignore[arg-type]


def test_one_component_that_is_an_aggregate_does_not_prove_another() -> None:
    """Two fine components: the mean of the first, and a noisy point sample of the second."""
    fine = walk(800, 2, freq="15min", name="f", dtype="float64")
    samples = fine.values()
    coarse = np.stack([samples[:, 0].reshape(-1, 4).mean(1), samples[::4, 1]], axis=1)
    coarse[:, 1] += 0.15 * np.random.default_rng(1).normal(size=200)
    grid = TimeSeries.from_times_and_values(fine.time_index[::4], coarse, columns=["a", "b"])
    with pytest.raises(ValueError, match="'b' is the sample at its stamp"):
        check_samples_agree(fine, grid, "mean")
    check_samples_agree(fine, grid[["a"]], "mean")


def test_a_component_is_held_against_the_one_that_it_comes_closest_to() -> None:
    """As a mean it resembles the first coarse component; it is the second, read at its stamp."""
    fine = walk(800, 1, freq="15min", name="f", dtype="float64")
    samples = fine.values()[:, 0]
    noise = 0.1 * np.random.default_rng(1).normal(size=200)
    coarse = np.stack([samples.reshape(-1, 4).mean(1) + noise, samples[::4]], axis=1)
    grid = TimeSeries.from_times_and_values(fine.time_index[::4], coarse, columns=["a", "b"])
    with pytest.raises(ValueError, match="'b' is the sample at its stamp"):
        check_samples_agree(fine, grid, "mean")


def test_every_public_source_inherits_the_tests() -> None:
    batteries = [one for one in globals().values() if isinstance(one, type) and issubclass(one, SourceConformance)]
    tested = {type(one().make()) for one in batteries if one is not SourceConformance}
    public = {one for name in privileged.__all__ if issubclass(one := getattr(privileged, name), Source)} - {Source}
    assert tested == public
