"""Folds of labelled stamps: every label has a fold, and no model is fitted on what it answers for."""

from __future__ import annotations

import numpy as np
import pytest

from tskd.teachers.label_folds import FOLDS, LabelFolds

PLACES = {
    "all of 3,000 hours": np.arange(3000),
    "one block of seven days": 5000 + np.arange(168),
    "every 25th hour": np.arange(0, 8000, 25),
    "ten labels": np.array([3, 4, 9, 40, 41, 300, 301, 302, 900, 5000]),
    "a week, and one label ten years earlier": np.append(0, 87600 + np.arange(167)),
}


@pytest.mark.parametrize("steps", PLACES.values(), ids=PLACES)
def test_each_fold_has_its_share_and_the_rest_is_purged(steps: np.ndarray) -> None:
    found = LabelFolds.of(steps, 120, 0)
    own = found.of_steps(steps)
    sizes = np.bincount(own, minlength=FOLDS)
    assert len(sizes) == FOLDS and sizes.min() > 0 and sizes.max() <= 1.5 * len(steps) / FOLDS
    for fold in range(FOLDS):
        kept = found.trains(steps, fold)
        assert not (own[kept] == fold).any()
        for place in np.flatnonzero(kept):
            near = own[max(0, place - found.margin) : place + found.margin + 1]
            assert fold not in near
        assert kept.sum() >= 0.4 * len(steps)


@pytest.mark.parametrize("steps", [PLACES["all of 3,000 hours"], PLACES["one block of seven days"]])
def test_what_shares_data_is_purged(steps: np.ndarray) -> None:
    found = LabelFolds.of(steps, 120, 6)
    for fold in range(FOLDS):
        inside, kept = steps[found.of_steps(steps) == fold], steps[found.trains(steps, fold)]
        assert np.abs(inside[:, None] - kept).min() > 6


def test_blocks_are_interleaved_and_span_five_days() -> None:
    found = LabelFolds.of(np.arange(3000), 120, 0)
    changes = np.flatnonzero(np.diff(found.folds))
    assert set(np.diff(changes)) == {120}
    assert found.folds[::120].tolist() == [block % 5 for block in range(25)]


def test_stamps_without_a_label_have_no_fold_and_repeats_have_one() -> None:
    steps = np.arange(0, 400, 25)
    found = LabelFolds.of(np.append(steps, steps[::-1]), 120, 0)
    assert found.of_steps(np.array([-1, 1, 24, 26, 399, 10**6])).tolist() == [-1] * 6
    assert len(found.stamps) == 16


def test_too_few_labels_or_too_far_a_reach_are_clear_errors() -> None:
    with pytest.raises(ValueError, match="labels at 9 time stamps; at least 10 are needed"):
        LabelFolds.of(np.arange(9), 120, 0)
    with pytest.raises(ValueError, match="labels span 168 steps, and those up to 40 steps apart share data"):
        LabelFolds.of(np.arange(168), 120, 40)
