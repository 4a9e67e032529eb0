"""The paired block bootstrap against known answers, and the words made of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student

from tests.helpers.series import moving_average
from tskd.experiment.controls.registry import CONTROL_RULES
from tskd.experiment.statistics.intervals import Comparison, block_bootstrap_variance, compare, paired
from tskd.experiment.statistics.verdict import describe, interval, percent
from tskd.experiment.statistics.verdict import judge as judge_by

judge = partial(judge_by, rules=CONTROL_RULES)


def folds_of(windows: int, *ends: int) -> list[list[int]]:
    return [fold.tolist() for fold in np.split(np.arange(windows), ends)]


@pytest.mark.parametrize(
    ("folds", "block"),
    [
        (folds_of(6), 2),
        (folds_of(7), 3),
        (folds_of(5), 1),
        (folds_of(5), 5),
        (folds_of(5), 9),
        (folds_of(6, 2), 2),
        (folds_of(7, 3), 3),
        (folds_of(6, 2), 4),
    ],
)
def test_variance_is_that_of_all_resamples(folds: list[list[int]], block: int) -> None:
    """Every resample there is, drawn one by one; blocks run round within their fold."""
    windows = sum(map(len, folds))
    values = np.random.default_rng(1).normal(size=windows)
    block_of = []
    for fold in folds:
        for start in range(len(fold)):
            block_of.append([fold[(start + step) % len(fold)] for step in range(block)])
    count = math.ceil(windows / min(block, windows))
    means = [
        np.concatenate([values[block_of[start]] for start in starts])[:windows].mean()
        for starts in product(range(windows), repeat=count)
    ]
    assert block_bootstrap_variance(values, block, [*map(len, folds)]) == pytest.approx(np.var(means), abs=1e-15)
    assert np.mean(means) == pytest.approx(values.mean())


def test_independent_windows_give_the_analytic_variance() -> None:
    values = moving_average(2000)
    assert block_bootstrap_variance(values, 1) == pytest.approx(values.var() / 2000)


def test_few_blocks_widen_the_interval() -> None:
    errors = np.exp(moving_average(100))[None]
    comparison = compare(errors, np.ones_like(errors), block=20)
    # five blocks: Student's t with (5 - 1) / 2 degrees of freedom, and the square root of 5 / 4
    half = 4.3027 * math.sqrt(5 / 4 * block_bootstrap_variance(errors[0], 20))
    assert comparison.high - comparison.relative == pytest.approx(half, rel=1e-4)
    assert comparison.relative - comparison.low == pytest.approx(half, rel=1e-4)


def half_width(comparison: Comparison) -> float:
    return comparison.high - comparison.relative


def expected_half(errors: np.ndarray, block: int, blocks: float, dof: float, *folds: int) -> float:
    """Of one arm's errors over a baseline of ones."""
    variance = blocks / (blocks - 1) * block_bootstrap_variance(errors, block, folds or None)
    return float(student.ppf(0.975, dof)) * math.sqrt(variance)


def test_dependence_that_outlasts_a_block_widens_the_interval() -> None:
    """Steps of 50 windows: a quarter of 200 windows sees them, blocks of 5 take them for 40 draws."""
    errors = 2 + np.array([0.0, 1, 1, 0]).repeat(50) + 0.01 * moving_average(200)
    short, long = expected_half(errors, 5, 40, 39 / 2), expected_half(errors, 50, 4, 3)
    assert long > 2 * short
    assert half_width(compare(errors[None], np.ones((1, 200)), 5)) == pytest.approx(long)
    # those of another kind of model are given less trust
    long = expected_half(errors, 50, 4, 2)
    assert half_width(compare(errors[None], np.ones((1, 200)), 5, same_model_class=False)) == pytest.approx(long)


def test_dependence_within_a_block_leaves_the_interval_to_short_blocks() -> None:
    """A wave of 10 windows averages to nothing in long blocks."""
    errors = 2 + np.sin(np.arange(200) * 2 * math.pi / 10)
    short, long = expected_half(errors, 5, 40, 39 / 2), expected_half(errors, 50, 4, 3)
    assert short > 2 * long
    assert half_width(compare(errors[None], np.ones((1, 200)), 5)) == pytest.approx(short)


def test_dependent_windows_need_blocks() -> None:
    # the mean of an MA(10) with equal weights has variance close to 10 / n
    values = np.stack([moving_average(3000, seed, smooth=10) for seed in range(20)])
    blocked = np.mean([block_bootstrap_variance(v, 100) for v in values])
    single = np.mean([block_bootstrap_variance(v, 1) for v in values])
    assert blocked == pytest.approx(10 / 3000, rel=0.15)
    assert single < 0.16 * 10 / 3000


def test_arms_are_resampled_together() -> None:
    errors = np.exp(moving_average(400))[None]
    comparison = compare(0.9 * errors, errors, block=10)
    assert comparison.relative == pytest.approx(-0.1)
    assert comparison.low == pytest.approx(-0.1) and comparison.high == pytest.approx(-0.1)


def test_a_proportional_effect_scales_the_interval() -> None:
    """So it changes no interval's coverage."""
    arm, baseline = (np.exp(np.stack([moving_average(200, seed + s) for seed in range(3)])) for s in (0, 3))
    one, two = compare(arm, baseline, 5), compare(0.8 * arm, baseline, 5)
    for bound in ("relative", "low", "high"):
        assert 1 + getattr(two, bound) == pytest.approx(0.8 * (1 + getattr(one, bound)))


def test_luck_of_the_seeds_is_part_of_the_interval() -> None:
    """Two seeds that differ by 20 % either way: standard error .2, one degree of freedom, t = 12.706."""
    baseline = np.exp(moving_average(200))[None].repeat(2, axis=0)
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
        comparison = compare(baseline * (1 + 0.1 * rng.normal(size=(5, 1))), baseline, block=5)
        held += comparison.low <= 0 <= comparison.high
    assert abs(held / 1000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000)


def test_interval_of_independent_windows_is_that_of_the_ratio() -> None:
    """Errors that turn back each time: blocks of one window have the largest variance."""
    rng = np.random.default_rng(5)
    arm = 1 + 0.3 * np.diff(rng.normal(size=(1, 1001)), axis=1)
    baseline = 1 + 0.3 * np.diff(rng.normal(size=(1, 1001)), axis=1)
    comparison = compare(arm, baseline, block=1)
    ratio = arm.mean() / baseline.mean()
    # delta method: the error of a ratio of means is that of the mean of (a - ratio * b) / mean(b)
    error = (arm - ratio * baseline).std() / baseline.mean() / math.sqrt(1000)
    assert comparison.relative == pytest.approx(ratio - 1)
    assert (comparison.high - comparison.low) / 2 == pytest.approx(1.9648 * error, rel=1e-3)


@pytest.mark.parametrize(("windows", "block", "smooth"), [(400, 10, 1), (260, 26, 26), (130, 26, 26)])
def test_coverage(windows: int, block: int, smooth: int) -> None:
    """Within three Monte Carlo errors of 90 %, up to dependence that reaches as far as a block."""
    held = 0
    for seed in range(1000):
        difference = moving_average(windows, seed, smooth)[None]
        comparison = compare(10 + difference, np.full_like(difference, 10), block)
        held += comparison.low < 0 < comparison.high
    assert 0.90 - 3 * math.sqrt(0.9 * 0.1 / 1000) < held / 1000 < 0.995


def test_windows_without_an_error_are_left_out_in_both() -> None:
    arm, baseline = np.exp(moving_average(300, 1))[None], np.exp(moving_average(300, 2))[None]
    holes = arm.copy()
    holes[0, ::3] = np.nan
    comparison = compare(holes, baseline, 5)
    rest = np.arange(300) % 3 != 0
    assert comparison == compare(arm[:, rest], baseline[:, rest], 5)
    assert comparison.windows == 200


def test_folds_are_not_neighbours() -> None:
    """Two folds of opposite sign: a block of both ends would average to nothing."""
    fold = 1 + moving_average(40)
    errors = np.concatenate([fold, 6 - fold])
    apart = compare(errors[None], np.ones((1, 80)), 10, segments=[40, 40])
    together = compare(errors[None], np.ones((1, 80)), 10)
    expected = max(expected_half(errors, 10, 8, 3.5, 40, 40), expected_half(errors, 20, 4, 3, 40, 40))
    assert half_width(apart) == pytest.approx(expected) and half_width(together) < 0.95 * expected
    assert apart.relative == together.relative and apart.windows == 80


def test_folds_are_the_longest_blocks() -> None:
    """Six folds, each of one value: the variance of their mean is that of six draws."""
    level = np.array([1.0, 2.0, 4.0, 5.0, 5.0, 1.0])
    error = level.std(ddof=1) / math.sqrt(6)
    comparison = compare(level.repeat(24)[None], np.ones((1, 144)), 6, segments=[24] * 6)
    assert half_width(comparison) == pytest.approx(float(student.ppf(0.975, 5)) * error)
    # folds shorter than a block are blocks themselves; how many there are is told by the block
    short = compare(level.repeat(4)[None], np.ones((1, 24)), 6, segments=[4] * 6)
    error = level.std() / math.sqrt(6) * math.sqrt(4 / 3)
    assert half_width(short) == pytest.approx(float(student.ppf(0.975, 1.5)) * error)


def test_a_seed_that_lacks_a_fold_is_left_out() -> None:
    baseline = np.exp(np.stack([moving_average(60, seed) for seed in range(3)]))
    arm = 0.9 * baseline[::-1]
    lacking = arm.copy()
    lacking[1, 20:40] = np.nan
    comparison = compare(lacking, baseline, 5, segments=[20, 20, 20])
    assert comparison == compare(arm[[0, 2]], baseline[[0, 2]], 5, segments=[20, 20, 20])
    assert comparison.seeds == 2 and comparison.windows == 60
    # one window of a fold is not the fold
    lacking[1, 20:39] = arm[1, 20:39]
    comparison = compare(lacking, baseline, 5, segments=[20, 20, 20])
    assert comparison.seeds == 3 and comparison.windows == 59


def test_luck_of_a_seed_may_be_the_same_in_every_fold() -> None:
    """Seeds that differ by 20 % either way in both folds: as in one fold of both."""
    baseline = np.exp(moving_average(200))[None].repeat(2, axis=0)
    arm = baseline * np.array([[0.8], [1.2]])
    half = 12.7062 * 0.2
    assert compare(arm, baseline, 5, segments=[100, 100]).high == pytest.approx(half, rel=1e-4)


def test_too_few_blocks_give_no_interval() -> None:
    errors = np.exp(moving_average(99))[None]
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
    for segments in ([4, 5], [10, 0], []):
        with pytest.raises(ValueError, match=r"segments must be .* 10 windows in all"):
            compare(errors, errors, 2, segments=segments)


def said(
    relative: float, low: float, high: float, windows: int = 200, arm: str = "a", to: str = "alone", seeds: int = 5
) -> Comparison:
    return Comparison(arm, to, relative, low, high, windows, 20, seeds)


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
        (said(0.0, 0.0, 0.0), "'a' is the same as 'alone'. No gain."),
        (
            said(-0.03, math.nan, math.nan, windows=79),
            "'a' against 'alone': −3.0 %, but nothing can be concluded: 79 test windows make 4.0 independent blocks of "
            "20, and 4 are the least.",
        ),
    ],
)
def test_a_comparison_in_words(comparison: Comparison, expected: str) -> None:
    assert plain(describe(comparison)) == expected


def test_why_an_arm_is_the_same_is_told() -> None:
    even = replace(said(0.0, 0.0, 0.0), same="for a reason")
    assert plain(describe(even)) == "'a' is the same as 'alone': for a reason. No gain."


def table(**bounds: tuple[float, float]) -> Callable[[str, str], Comparison]:
    """Comparisons whose interval is given by 'arm_baseline'."""

    def compare_named(arm: str, baseline: str) -> Comparison:
        low, high = bounds[f"{arm}_{baseline}"]
        return said((low + high) / 2, low, high, 0 if math.isnan(low) else 200, arm, baseline)

    return compare_named


LOWER, EVEN, HIGHER = (-0.06, -0.02), (-0.03, 0.02), (0.02, 0.06)


NOTHING = (math.nan, math.nan)
BOTH = {"s": "self-distilled", "c": "placebo"}


def test_a_gain_that_beats_every_control_is_due_to_privilege() -> None:
    compared = table(p_alone=LOWER, p_s=LOWER, p_c=LOWER, c_alone=EVEN, s_alone=EVEN)
    found = judge(compared, ["p"], BOTH, "alone")
    assert found.outcome == "privilege" and "'p' beat the student alone and every control" in found.headline
    assert found.sentences[0].endswith("the gain is due to privileged information.")


@pytest.mark.parametrize("against_second", [EVEN, HIGHER])
def test_a_gain_that_one_control_shares_is_not(against_second: tuple[float, float]) -> None:
    compared = table(p_alone=LOWER, p_s=LOWER, p_c=against_second, c_alone=LOWER, s_alone=LOWER)
    found = judge(compared, ["p"], BOTH, "alone")
    assert found.outcome == "gain" and "not by privileged information" in found.headline
    assert re.search(r"It is not below 'c' .* the gain is not due to privileged information", found.sentences[0])
    assert "'s'" not in found.sentences[0]


def test_without_controls_the_cause_is_unknown() -> None:
    found = judge(table(p_alone=LOWER), ["p"], {}, "alone")
    assert found.outcome == "gain" and "the cause is unknown" in found.headline
    assert found.sentences[0].endswith("there is no result of the controls 'self-distilled', 'placebo'.")


@pytest.mark.parametrize("missing", [["s"], ["c"], ["s", "c"], ["t"]])
def test_a_control_without_result_is_not_beaten(missing: list[str]) -> None:
    controls = {**BOTH, "t": "tuned"}
    bounds = {f"{arm}_alone": NOTHING if arm in missing else EVEN for arm in controls}
    bounds |= {f"p_{arm}": NOTHING if arm in missing else LOWER for arm in controls}
    found = judge(table(p_alone=LOWER, **bounds), ["p"], controls, "alone")
    named = ", ".join(f"'{arm}'" for arm in missing)
    assert found.outcome == "gain" and f"without the controls {named} the cause is unknown" in found.headline
    assert found.sentences[0].endswith(f"{named}.") and "nan" not in " ".join(found.sentences)
    assert len(found.sentences) == 1 + 3 - len(missing)


@pytest.mark.parametrize("kind", ["self-distilled", "placebo"])
def test_a_control_that_was_never_run_is_not_beaten(kind: str) -> None:
    found = judge(table(p_alone=LOWER, p_c=LOWER, c_alone=EVEN), ["p"], {"c": kind}, "alone")
    other = "placebo" if kind == "self-distilled" else "self-distilled"
    assert found.outcome == "gain" and f"'{other}' the cause is unknown" in found.headline


@pytest.mark.parametrize(
    ("against", "said"),
    [
        (LOWER, "without the controls 'placebo of its own' the cause is unknown"),
        (EVEN, "not by privileged information"),
    ],
)
def test_the_placebo_of_another_arm_may_explain_a_gain_and_cannot_rule_it_out(
    against: tuple[float, float], said: str
) -> None:
    compared = table(p_alone=LOWER, q_alone=EVEN, p_s=LOWER, p_c=against, c_alone=EVEN, s_alone=EVEN)
    found = judge(compared, ["p", "q"], BOTH, "alone", own={"p": ["s"], "q": ["s", "c"]})
    assert found.outcome == "gain" and said in found.headline


def test_a_single_seed_concludes_nothing() -> None:
    def one(arm: str, baseline: str) -> Comparison:
        return said(-0.04, -0.06, -0.02, arm=arm, to=baseline, seeds=1)

    found = judge(one, ["p"], BOTH, "alone")
    assert found.outcome == "unknown" and "single seed" in found.headline
    for gain in (-0.04, 0.04):
        single, several = (said(gain, gain - 0.01, gain + 0.01, seeds=seeds) for seeds in (1, 2))
        assert not (single.lower or single.higher) and (several.lower or several.higher)
    assert "single seed" in found.sentences[0] and "lower" not in found.sentences[0]


def test_an_ordinary_teacher_is_no_control() -> None:
    """A student of a teacher that sees more of the past may be as good: what that saw is no placebo."""
    compared = table(p_alone=LOWER, p_s=LOWER, p_c=LOWER, c_alone=EVEN, s_alone=EVEN, o_alone=LOWER)
    found = judge(compared, ["p"], {**BOTH, "o": "ordinary teacher"}, "alone")
    assert found.outcome == "privilege" and found.sentences[-1].startswith("Ordinary teacher: 'o' has a lower test")


def test_what_was_not_measured_is_not_called_no_gain() -> None:
    found = judge(table(p_alone=NOTHING, c_alone=LOWER), ["p"], {"c": "placebo"}, "alone")
    assert found.outcome == "unknown" and "'p' has no result to compare" in found.headline
    found = judge(table(p_alone=NOTHING, q_alone=EVEN), ["p", "q"], {}, "alone")
    assert found.outcome == "none" and "that was measured ('p' was not)" in found.headline


@pytest.mark.parametrize(
    ("compared", "headline"),
    [
        ({"c_alone": LOWER}, "'c'; all others are significantly worse."),
        ({"c_alone": HIGHER, "o_alone": (-0.02, 0.03)}, "'alone'; not significantly worse: 'o'."),
        ({"c_alone": EVEN, "o_alone": HIGHER, "c_o": LOWER}, "'c'; not significantly worse: 'alone'."),
        ({"c_alone": LOWER, "o_alone": EVEN, "c_o": EVEN}, "'c'; not significantly worse: 'o'."),
        ({"c_alone": LOWER, "o_alone": LOWER, "c_o": LOWER}, "'c'; all others are significantly worse."),
    ],
)
def test_without_any_privilege_the_best_arm_is_named(compared: dict[str, tuple[float, float]], headline: str) -> None:
    names = {"c": "self-distilled", "o": "ordinary teacher"}
    plain = {arm: kind for arm, kind in names.items() if f"{arm}_alone" in compared}
    found = judge(table(**compared), [], plain, "alone")
    assert (found.outcome, found.headline) == ("plain", f"Lowest test error: {headline}")
    assert len(found.sentences) == len(plain)


def test_the_student_alone_has_nothing_to_be_compared_with() -> None:
    found = judge(table(), [], {}, "alone")
    assert found.outcome == "unknown" and "there is no other arm to compare" in found.headline


@pytest.mark.parametrize("gain", [EVEN, HIGHER])
def test_no_gain_is_said_plainly(gain: tuple[float, float]) -> None:
    found = judge(table(p_alone=gain, c_alone=LOWER), ["p"], {"c": "placebo"}, "alone")
    assert found.outcome == "none" and found.headline.startswith("No gain")
    assert found.sentences[1].startswith("Control: 'c' has a lower test error")


def test_too_few_windows_are_said_plainly() -> None:
    def few(arm: str, baseline: str) -> Comparison:
        return said(-0.5, math.nan, math.nan, windows=30, arm=arm, to=baseline)

    found = judge(few, ["p"], {"c": "placebo"}, "alone")
    assert found.outcome == "unknown" and "too few windows" in found.headline


def test_folds_are_of_the_windows_that_all_kept_seeds_have() -> None:
    """Of three folds of 2, 3 and 2 windows: one that no seed has whole, one that the second seed lacks, one that the
    third lacks in all, and with it itself."""
    nan = math.nan
    arm = np.array([[1, nan, 3, 4, 5, 6, 7], [1, 2, 3, nan, 5, 6, 7], [1, 2, 3, 4, 5, nan, nan]])
    baseline = arm + 10
    baseline[1, 4] = nan
    found, other, folds = paired(arm, baseline, [2, 3, 2])
    assert found.tolist() == [[1, 3, 6, 7]] * 2 and other.tolist() == [[11, 13, 16, 17]] * 2
    assert folds == [1, 1, 2]
