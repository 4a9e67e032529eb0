"""Shares of teachers from sums over blocks, by hand and against an independent formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tskd.distillation.expected.stacking import BlockSums, Share, trust


def simulated(signals: list[float], blocks: int = 40, seed: int = 0) -> BlockSums:
    """Teachers whose students tell a part of the error, each of another size."""
    rng = np.random.default_rng(seed)
    of_rows = np.repeat(np.arange(blocks), 3)
    differences = rng.normal(size=(len(signals), len(of_rows), 2)) * np.arange(1, len(signals) + 1)[:, None, None]
    errors = sum(signal * apart for signal, apart in zip(signals, differences, strict=True))
    return BlockSums.of(errors + rng.normal(size=differences.shape[1:]), differences, of_rows)


def test_sums_by_block_leave_out_what_has_no_label() -> None:
    errors = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    differences = np.array([[[1.0, 9.0], [1.0, 2.0], [0.0, 1.0]], [[2.0, np.nan], [0.0, 1.0], [3.0, 0.0]]])
    sums = BlockSums.of(errors, differences, np.array([7, 7, 3]))
    assert sums.errors == pytest.approx([41, 14])
    assert sums.products == pytest.approx(np.array([[5.0, 12.0], [9.0, 5.0]]))
    assert sums.gram == pytest.approx(np.array([[[1.0, 0.0], [0.0, 9.0]], [[6.0, 4.0], [4.0, 5.0]]]))


def test_squared_errors_are_those_of_the_mixture() -> None:
    rng = np.random.default_rng(1)
    errors, differences = rng.normal(size=(6, 2)), rng.normal(size=(2, 6, 2))
    shares = np.array([0.3, 0.5])
    found = BlockSums.of(errors, differences, np.array([0, 0, 1, 1, 1, 1])).squared_errors(shares)
    left = (errors - 0.3 * differences[0] - 0.5 * differences[1]) ** 2
    assert found == pytest.approx([left[:2].sum(), left[2:].sum()])


def test_share_and_its_variance_by_hand() -> None:
    # α̂ = 10/20; deviations 1·α̂ from the mean in four blocks of six: 4·1/400·6/5
    sums = BlockSums(np.full(6, 10.0), np.array([[3.0], [1.0], [3.0], [1.0], [1.0], [1.0]]), np.full((6, 1, 1), 20 / 6))
    share = Share.of(sums)
    deviations = np.array([3, 1, 3, 1, 1, 1]) - 0.5 * 20 / 6
    variance = (deviations**2).sum() / 400 * 6 / 5
    assert (share.estimate, share.variance) == pytest.approx((0.5, variance))
    assert share.effective_blocks == pytest.approx(60 / (variance * 20))
    assert share.shrunk(4) == pytest.approx(0.5 * (1 - 4 * variance / 0.25))
    assert share.shrunk(40) == 0


def test_variance_is_that_of_many_repetitions() -> None:
    shares = [Share.of(simulated([0.4], blocks=60, seed=seed)) for seed in range(400)]
    spread = np.var([share.estimate for share in shares], ddof=1)
    # of 400 values, the standard error of a variance is a fourteenth of it
    assert np.mean([share.variance for share in shares]) == pytest.approx(spread, rel=0.2)


def test_few_blocks_give_no_share() -> None:
    assert Share.of(simulated([1.0], blocks=4)).shrunk(4) == 0
    assert Share.of(simulated([1.0], blocks=5)).estimate > 0.5


def test_a_harmful_teacher_and_one_that_changes_nothing_get_none() -> None:
    assert trust(simulated([-0.5]), 4).alpha == 0
    sums = BlockSums(np.ones(6), np.zeros((6, 1)), np.zeros((6, 1, 1)))
    assert trust(sums, 4).alpha == 0
    assert Share.of(sums).effective_blocks == np.inf


def test_no_more_than_all_trust() -> None:
    assert trust(simulated([1.8]), 4).alpha == 1
    assert trust(simulated([0.9, 0.9]), 4).alpha == pytest.approx(1)


def test_useless_teachers_lose_their_share_and_do_not_touch_the_others() -> None:
    both = trust(simulated([0.6, 0.0, -0.3], blocks=200), 4)
    alone = trust(simulated([0.6, 0.0, -0.3], blocks=200).of_teachers(np.array([0])), 4)
    assert both.shares == pytest.approx([alone.alpha, 0, 0])
    assert both.alpha > 0.4


def test_shares_of_useful_teachers_are_the_best_non_negative_ones() -> None:
    sums = simulated([0.3, 0.45, 0.0], blocks=300)
    found = trust(sums, 4)
    expected = minimize(
        lambda shares: sums.of_teachers(np.array([0, 1])).squared_errors(shares).sum(), [0.5, 0.5], tol=1e-10
    ).x
    assert found.shares[2] == 0
    assert found.shares[:2] / found.alpha == pytest.approx(expected / expected.sum(), abs=1e-4)
    together = Share.of(sums.of_teachers(np.array([0, 1])).mixed(expected / expected.sum()))
    assert found.alpha == pytest.approx(together.shrunk(4), abs=1e-4)


def test_two_copies_of_a_teacher_get_what_one_would() -> None:
    one = simulated([0.5], blocks=100)
    copies = BlockSums(one.errors, np.repeat(one.products, 2, 1), np.repeat(np.repeat(one.gram, 2, 1), 2, 2))
    assert trust(copies, 4).alpha == pytest.approx(trust(one, 4).alpha, abs=1e-6)


def test_caps_limit_each_teacher() -> None:
    sums = simulated([0.6, 0.2], blocks=200)
    assert trust(sums, 4, np.array([0.0, 1.0])).shares[0] == 0
    assert trust(sums.of_teachers(np.array([0])), 4, np.array([0.1])).alpha == pytest.approx(0.1)
    free = trust(sums, 4)
    capped = trust(sums, 4, np.array([0.2, 0.2]))
    assert capped.alpha == pytest.approx(0.2)
    assert capped.shares / capped.alpha == pytest.approx(free.shares / free.alpha)


def test_bold_trusts_more() -> None:
    sums = simulated([0.3], blocks=60)
    assert trust(sums, 4).alpha < trust(sums, 2).alpha < Share.of(sums).estimate


def test_only_teachers_that_know_something_have_shares() -> None:
    sums = simulated([0.6, 0.5], blocks=200)
    assert trust(sums, 4, knowing=np.array([True, False])).shares[1] == 0
    assert trust(sums, 4, knowing=np.array([False, False])).alpha == 0
    assert trust(sums, 4, knowing=np.array([True, True])).shares == pytest.approx(trust(sums, 4).shares)
