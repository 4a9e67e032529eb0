"""What a worthless teacher costs a stacking: a formula against many repetitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from tskd.distillation.expected.stacking import BlockSums, Share

BLOCKS, STEPS, REPETITIONS = 60, 4, 2000


@pytest.fixture(scope="module")
def stacked() -> tuple[np.ndarray, np.ndarray]:
    """Effective blocks, and the harm of the share that is neither shrunk nor more than what is left, by repetition.

    Errors of the student of labels are drawn by block; the other student differs from it by what has nothing to do with
    them. A share a adds a²·‖f₁ − f₀‖² to the error on new labels, and one below 0 is not given.
    """
    rng = np.random.default_rng(0)
    of_rows = np.repeat(np.arange(BLOCKS), STEPS)
    effective, harm = [], []
    for _ in range(REPETITIONS):
        # within a block both hang together, so that its labels are worth less than as many others
        errors, apart = (
            rng.normal(size=BLOCKS)[of_rows, None] + 0.5 * rng.normal(size=(BLOCKS * STEPS, 1)) for _ in range(2)
        )
        sums = BlockSums.of(errors, 3 * apart[None], of_rows)
        share = Share.of(sums)
        effective.append(share.effective_blocks)
        harm.append(max(share.estimate, 0) ** 2 * sums.gram.sum() / sums.errors.sum())
    return np.array(effective), np.array(harm)


def test_a_worthless_teacher_harms_as_often_as_the_formula_says(stacked: tuple[np.ndarray, np.ndarray]) -> None:
    """P(harm > h) = ½·P(χ²₁ > h·n_eff)."""
    effective, harm = stacked
    for least in (0.002, 0.005, 0.01, 0.02, 0.05):
        expected = 0.5 * chi2.sf(least * effective, 1).mean()
        error = np.sqrt(expected * (1 - expected) / REPETITIONS)
        assert (harm > least).mean() == pytest.approx(expected, abs=3.5 * error)


def test_it_costs_half_of_one_over_the_effective_blocks(stacked: tuple[np.ndarray, np.ndarray]) -> None:
    effective, harm = stacked
    error = harm.std() / np.sqrt(REPETITIONS)
    assert harm.mean() == pytest.approx((0.5 / effective).mean(), abs=3.5 * error)


def test_blocks_that_hang_together_count_for_less_than_their_labels(stacked: tuple[np.ndarray, np.ndarray]) -> None:
    effective, _ = stacked
    assert BLOCKS / 2 < np.median(effective) < BLOCKS * STEPS / 2
