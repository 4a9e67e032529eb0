"""The probe's regression against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tskd.distillation.expected import ridge


@pytest.mark.parametrize("rows, inputs", [(40, 7), (6, 9)])
def test_equals_scikit_learn_with_labels_missing(rows: int, inputs: int) -> None:
    rng = np.random.default_rng(0)
    x, y, at = rng.normal(size=(rows, inputs)) + 3, rng.normal(size=(rows, 4)), rng.normal(size=(5, inputs))
    y[:3, 1] = np.nan
    y[1:, 2] = np.nan
    y[2:5, 3] = np.nan
    for penalty, found in zip([0.3, 20.0], ridge.forecasts(x, y, at, [0.3, 20.0]), strict=True):
        for column in (0, 1, 3):
            known = np.isfinite(y[:, column])
            expected = Ridge(alpha=penalty).fit(x[known], y[known, column]).predict(at)
            assert found[:, column] == pytest.approx(expected)
        # a single label is none
        assert (found[:, 2] == 0).all()


def test_tuned_penalty_has_the_least_held_out_error() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 20))
    y = x[:, :2] @ rng.normal(size=(2, 3)) + rng.normal(size=(60, 3))
    y[5, 1] = np.nan
    held = np.arange(60) % 3
    folds = [(held != number, held == number) for number in range(3)]
    errors = []
    for penalty in ridge.PENALTIES * 60:
        total = 0.0
        for trains, out in folds:
            for column in range(3):
                known = np.isfinite(y[:, column])
                model = Ridge(alpha=penalty).fit(x[trains & known], y[trains & known, column])
                total += np.square(y[out & known, column] - model.predict(x[out & known])).sum()
        errors.append(total)
    assert ridge.tuned(x, y, folds) == pytest.approx(ridge.PENALTIES[np.argmin(errors)] * 60)
    assert 0 < np.argmin(errors) < len(errors) - 1


def test_random_features_are_rectified_projections_beside_the_inputs() -> None:
    x = np.random.default_rng(2).normal(size=(500, 3))
    found = ridge.random_features(x, 50)
    assert found.shape == (500, 53)
    assert (found[:, :3] == x).all()
    assert (found == ridge.random_features(x, 50)).all()
    # a projection that is negative everywhere tells nothing
    varying = found[:, 3:].std(0) > 0
    assert found.std(0)[3:][varying] == pytest.approx(1) and varying.sum() >= 45
    # a square is no linear function of the inputs, and one of the features
    plain, better = (next(ridge.forecasts(z, x[:, :1] ** 2, z, [1e-3])) for z in (x, found))
    left = [np.square(x[:, :1] ** 2 - fitted).mean() for fitted in (plain, better)]
    assert left[1] < 0.1 * left[0]
