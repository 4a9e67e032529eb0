"""Rows of a world as darts series, and what they are correlated by."""

from __future__ import annotations

import numpy as np
import pytest

from tskd.theory import Chain, LinearGaussian


def test_rows_have_the_moments_that_they_should() -> None:
    world = LinearGaussian(3, 2, 0.6, 0.5, slope=1.4, direct=0.3)
    rows = world.sample(200_000, 1)
    assert rows.x.T @ rows.x / len(rows) == pytest.approx(np.eye(3), abs=0.02)
    assert rows.z.T @ rows.z / len(rows) == pytest.approx(np.eye(2), abs=0.02)
    assert np.linalg.svd(rows.x.T @ rows.z / len(rows))[1] == pytest.approx([0.6, 0.6], abs=0.02)
    left = rows.y - rows.z @ world.slopes - rows.x @ world.direct_slopes
    assert left.var() == pytest.approx(0.5, rel=0.02)
    unknown = rows.z @ world.slopes - rows.x @ world.mixing @ world.slopes
    assert unknown.var() == pytest.approx(world.hidden, rel=0.02)
    assert np.linalg.lstsq(rows.x, rows.y, rcond=None)[0] == pytest.approx(world.truth, abs=0.02)


def test_a_row_is_a_window_of_lookback_one() -> None:
    rows = LinearGaussian(3, 2, 0.5, 1.0).sample(7, 2, labelled=4)
    series, x, z = rows.series, rows.past_covariates, rows.privileged["z"]
    assert len(series) == len(x) == len(z) == 8
    for row in range(7):
        assert x.values()[row] == pytest.approx(rows.x[row])
        assert z.values()[row] == pytest.approx(rows.z[row])
        assert series.values()[row + 1] == pytest.approx([rows.y[row]], nan_ok=True)
    assert np.isnan(rows.y).tolist() == [False] * 4 + [True] * 3
    assert len(rows[4:]) == 3 and rows[4:].x == pytest.approx(rows.x[4:])


def test_a_seed_gives_the_same_rows_and_a_generator_goes_on() -> None:
    world, rng = LinearGaussian(2, 1, 0.5, 1.0), np.random.default_rng(3)
    assert world.sample(5, 3).y == pytest.approx(world.sample(5, rng).y)
    assert world.sample(5, rng).y != pytest.approx(world.sample(5, 3).y)


def test_a_chain_is_stationary() -> None:
    chain = Chain(0.7, 3)
    first = np.array([chain.sample(4, seed).values()[:, 0] for seed in range(1500)])
    # standard errors .037 and .027
    assert first.var(0) == pytest.approx(1, abs=0.12)
    assert (first[:, 0] * first[:, 3]).mean() == pytest.approx(chain.truth, abs=0.09)
    assert chain.excess_risk(chain.truth + 0.1) == pytest.approx(0.01)
