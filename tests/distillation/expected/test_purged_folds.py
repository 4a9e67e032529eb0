"""No window is judged by a model that saw one of its labels."""

from __future__ import annotations

import numpy as np
import pytest

from tskd.distillation.expected.purged_folds import purged_folds

ORIGINS = {
    "every step": np.arange(13, 400),
    "long": np.arange(5, 3000),
    "scattered": np.arange(3, 900, 25),
    "two blocks": np.concatenate([np.arange(10, 90), np.arange(300, 420)]),
    "two series at once": np.repeat(np.arange(40, 240), 2),
    "short": np.arange(30, 52),
}


@pytest.mark.parametrize("name", ORIGINS)
@pytest.mark.parametrize("reach", [1, 4, 7])
@pytest.mark.parametrize("count", [2, 5])
def test_folds(name: str, reach: int, count: int) -> None:
    at = ORIGINS[name]
    folds = purged_folds(at, reach, count)
    assert 2 <= len(folds) <= count
    held = np.array([fold.holds(at) for fold in folds])
    # every labelled window in one fold
    assert (held.sum(0) == 1).all()
    for fold, own in zip(folds, held, strict=True):
        trains = fold.trains(at)
        assert trains.any() and own.any()
        of_held = {origin + step for origin in at[own] for step in range(reach)}
        of_trained = {origin + step for origin in at[trains] for step in range(reach)}
        assert not of_held & of_trained
        # and no more is purged than shares a label with the stretch of a held-out one
        stretch = {step for first, last in fold.stretches for step in range(first, last + reach)}
        assert all({origin + step for step in range(reach)} & stretch for origin in at[~trains])


def test_a_fold_has_several_stretches_where_labels_span_much_time() -> None:
    assert {len(fold.stretches) for fold in purged_folds(np.arange(3000), 4, 5)} == {4}
    assert {len(fold.stretches) for fold in purged_folds(np.arange(300), 4, 5)} == {1}


@pytest.mark.parametrize("at", [np.arange(11), np.array([5, 900])])
def test_labels_that_span_too_little(at: np.ndarray) -> None:
    with pytest.raises(ValueError, match="too few for folds"):
        purged_folds(at, 4, 5)


def test_stretches_of_a_fold_lie_apart() -> None:
    """A thousand labelled windows in five folds of four stretches of 50: every fifth stretch is of one fold."""
    found = purged_folds(np.arange(1000), 2, 5)
    expected = [[[50 * part, 50 * part + 49] for part in range(number, 20, 5)] for number in range(5)]
    assert [fold.stretches.tolist() for fold in found] == expected
    # one that begins a step before a stretch, or a step after it, shares a label with it
    assert found[1].trains(np.array([48, 49, 50, 99, 100, 101])).tolist() == [True, False, False, False, False, True]
