"""The paired block bootstrap against known answers, and the words made of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from tskd.experiment.statistics import Comparison, block_bootstrap_means, compare
from tskd.experiment.verdict import describe, interval, judge, percent


def noise(windows: int, seed: int = 0, smooth: int = 1) -> np.ndarray:
    """[windows] moving averages of white noise, of standard deviation 1."""
    white = np.random.default_rng(seed).normal(size=windows + smooth - 1)
    return np.convolve(white, np.ones(smooth) / math.sqrt(smooth), mode="valid")


def test_independent_windows_give_the_analytic_standard_error() -> None:
    values = noise(2000)[None]
    means = block_bootstrap_means(values, block=1, resamples=20_000, seed=0)
    assert means.std() == pytest.approx(values.std() / math.sqrt(2000), rel=0.02)
    assert means.mean() == pytest.approx(values.mean(), abs=3 * means.std() / math.sqrt(20_000))


def test_few_blocks_widen_the_interval() -> None:
    errors = np.exp(noise(100))[None]
    comparison = compare(errors, np.ones_like(errors), block=20)
    # five blocks: Student's t with 4 degrees of freedom, and the square root of 5 / 4
    error = block_bootstrap_means(errors, 20, 4000, 0).std(ddof=1)
    assert comparison.high - comparison.relative == pytest.approx(2.776 * math.sqrt(5 / 4) * error, rel=1e-3)
    assert comparison.relative - comparison.low == pytest.approx(2.776 * math.sqrt(5 / 4) * error, rel=1e-3)


def test_dependent_windows_need_blocks() -> None:
    # the mean of an MA(10) with equal weights has variance close to 10 / n
    values = np.stack([noise(3000, seed, smooth=10) for seed in range(20)])
    expected = math.sqrt(10 / 3000)
    blocked = np.mean([block_bootstrap_means(v[None], 100, 500, 0).std() for v in values])
    single = np.mean([block_bootstrap_means(v[None], 1, 500, 0).std() for v in values])
    assert blocked == pytest.approx(expected, rel=0.1)
    assert single < 0.4 * expected


@pytest.mark.parametrize(("windows", "block"), [(12, 4), (13, 4), (7, 7), (5, 9), (6, 1)])
def test_resamples_are_the_blocks_themselves(windows: int, block: int) -> None:
    values = np.random.default_rng(1).normal(size=(2, windows))
    means = block_bootstrap_means(values, block, resamples=50, seed=3)
    block = min(block, windows)
    starts = np.random.default_rng(3).integers(windows, size=(50, -(-windows // block)))
    for resample, start in enumerate(starts):
        picked = np.concatenate([np.arange(s, s + block) % windows for s in start])[:windows]
        np.testing.assert_allclose(means[:, resample], values[:, picked].mean(axis=1), atol=1e-12)


def test_arms_are_resampled_together() -> None:
    errors = np.exp(noise(400))[None]
    comparison = compare(0.9 * errors, errors, block=10)
    assert comparison.relative == pytest.approx(-0.1)
    assert comparison.low == pytest.approx(-0.1) and comparison.high == pytest.approx(-0.1)


def test_luck_of_the_seeds_is_part_of_the_interval() -> None:
    """Two seeds that differ by 20 % either way: standard error .2, one degree of freedom, t = 12.706."""
    baseline = np.exp(noise(200))[None].repeat(2, axis=0)
    comparison = compare(baseline * np.array([[0.8], [1.2]]), baseline, block=5)
    assert comparison.relative == pytest.approx(0)
    assert comparison.high == pytest.approx(12.7062 * 0.2, rel=1e-4)
    assert comparison.low == pytest.approx(-12.7062 * 0.2, rel=1e-4)
    with pytest.raises(ValueError, match="there are 2 and 1"):
        compare(baseline, baseline[:1], block=5)


def test_intervals_over_five_seeds_hold_the_truth_as_often_as_they_say() -> None:
    """Students that differ by their seed alone: 95 % of 1,000 intervals, within three standard errors."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1000):
        baseline = np.ones((5, 40))
        comparison = compare(baseline * (1 + 0.1 * rng.normal(size=(5, 1))), baseline, block=5, resamples=20)
        held += comparison.low <= 0 <= comparison.high
    assert abs(held / 1000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000)


def test_interval_of_independent_windows_is_that_of_the_ratio() -> None:
    rng = np.random.default_rng(5)
    arm, baseline = 1 + 0.3 * rng.normal(size=(1, 1000)), 1 + 0.3 * rng.normal(size=(1, 1000))
    comparison = compare(arm, baseline, block=1, resamples=20_000)
    ratio = arm.mean() / baseline.mean()
    # delta method: the error of a ratio of means is that of the mean of (a - ratio * b) / mean(b)
    error = (arm - ratio * baseline).std() / baseline.mean() / math.sqrt(1000)
    assert comparison.relative == pytest.approx(ratio - 1)
    assert (comparison.high - comparison.low) / 2 == pytest.approx(1.962 * error, rel=0.03)


@pytest.mark.parametrize(("windows", "block", "smooth", "least"), [(400, 10, 1, 0.90), (260, 26, 26, 0.82)])
def test_coverage(windows: int, block: int, smooth: int, least: float) -> None:
    held = 0
    for seed in range(200):
        difference = noise(windows, seed, smooth)[None]
        comparison = compare(10 + difference, np.full_like(difference, 10), block, resamples=400)
        held += comparison.low < 0 < comparison.high
    assert least < held / 200 < 0.995


def test_the_same_input_gives_the_same_interval() -> None:
    arm, baseline = np.exp(noise(300, 1))[None], np.exp(noise(300, 2))[None]
    assert compare(arm, baseline, 20) == compare(arm, baseline, 20)
    assert compare(arm, baseline, 20).low != compare(arm, baseline, 20, seed=1).low


def test_windows_without_an_error_are_left_out_in_both() -> None:
    arm, baseline = np.exp(noise(300, 1))[None], np.exp(noise(300, 2))[None]
    holes = arm.copy()
    holes[0, ::3] = np.nan
    comparison = compare(holes, baseline, 5)
    rest = np.arange(300) % 3 != 0
    assert comparison == compare(arm[:, rest], baseline[:, rest], 5)
    assert comparison.windows == 200


def test_too_few_blocks_give_no_interval() -> None:
    errors = np.exp(noise(99))[None]
    few = compare(0.5 * errors, errors, block=25)
    assert math.isnan(few.low) and math.isnan(few.high) and few.blocks == pytest.approx(3.96)
    assert not few.enough and not few.lower and not few.higher
    assert compare(0.5 * errors, errors, block=24).enough


def test_unusable_errors_are_refused() -> None:
    errors = np.ones((1, 10))
    with pytest.raises(ValueError, match="same W"):
        compare(errors, np.ones((1, 9)), 2)
    with pytest.raises(ValueError, match="block"):
        compare(errors, errors, 0)
    with pytest.raises(ValueError, match="no window"):
        compare(errors, errors * np.nan, 2)


def said(relative: float, low: float, high: float, windows: int = 200, arm: str = "a", to: str = "alone") -> Comparison:
    return Comparison(arm, to, relative, low, high, windows, 20)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_percentages_read_well() -> None:
    assert plain(percent(-0.0314)) == "−3.1 %" and plain(percent(0.0049)) == "+0.49 %" and plain(percent(1e-9)) == "0 %"
    assert plain(interval(said(0, -0.051, 0.0004))) == "[−5.1, +0.04]"


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (said(-0.03, -0.05, -0.01), "'a' has a lower test error than 'alone': −3.0 % [−5.0, −1.0]."),
        (said(0.03, 0.01, 0.05), "'a' has a higher test error than 'alone': +3.0 % [+1.0, +5.0]. Distilling did harm."),
        (said(-0.03, -0.07, 0.01), "'a' cannot be distinguished from 'alone': −3.0 % [−7.0, +1.0]. No gain is shown."),
        (said(0.0, 0.0, 0.0), "'a' is the same as 'alone': validation gave the teachers no weight. No gain."),
        (
            said(-0.03, math.nan, math.nan, windows=79),
            "'a' against 'alone': −3.0 %, but nothing can be concluded: 79 test windows make 4.0 independent blocks of "
            "20, and 4 are the least.",
        ),
    ],
)
def test_a_comparison_in_words(comparison: Comparison, expected: str) -> None:
    assert plain(describe(comparison)) == expected


def table(**bounds: tuple[float, float]) -> Callable[[str, str], Comparison]:
    """Comparisons whose interval is given by 'arm_baseline'."""

    def compare_named(arm: str, baseline: str) -> Comparison:
        low, high = bounds[f"{arm}_{baseline}"]
        return said((low + high) / 2, low, high, arm=arm, to=baseline)

    return compare_named


LOWER, EVEN, HIGHER = (-0.06, -0.02), (-0.03, 0.02), (0.02, 0.06)


def test_a_gain_that_beats_every_control_is_due_to_privilege() -> None:
    found = judge(table(p_alone=LOWER, p_c=LOWER, c_alone=EVEN), ["p"], ["c"], "alone")
    assert found.outcome == "privilege" and "'p' beat the student alone and every control" in found.headline
    assert found.sentences[0].endswith("the gain is due to privileged information.")


@pytest.mark.parametrize("against_second", [EVEN, HIGHER])
def test_a_gain_that_one_control_shares_is_not(against_second: tuple[float, float]) -> None:
    compared = table(p_alone=LOWER, p_c=LOWER, p_d=against_second, c_alone=LOWER, d_alone=LOWER)
    found = judge(compared, ["p"], ["c", "d"], "alone")
    assert found.outcome == "gain" and "not by privileged information" in found.headline
    assert re.search(r"It is not below 'd' .* the gain is not due to privileged information", found.sentences[0])
    assert "'c'" not in found.sentences[0]


def test_without_controls_the_cause_is_unknown() -> None:
    found = judge(table(p_alone=LOWER), ["p"], [], "alone")
    assert found.outcome == "gain" and "the cause is unknown" in found.headline
    assert "no control arm" in found.sentences[0]


@pytest.mark.parametrize("gain", [EVEN, HIGHER])
def test_no_gain_is_said_plainly(gain: tuple[float, float]) -> None:
    found = judge(table(p_alone=gain, c_alone=LOWER), ["p"], ["c"], "alone")
    assert found.outcome == "none" and found.headline.startswith("No gain")
    assert found.sentences[1].startswith("Control: 'c' has a lower test error")


def test_too_few_windows_are_said_plainly() -> None:
    def few(arm: str, baseline: str) -> Comparison:
        return said(-0.5, math.nan, math.nan, windows=30, arm=arm, to=baseline)

    found = judge(few, ["p"], ["c"], "alone")
    assert found.outcome == "unknown" and "too few windows" in found.headline
