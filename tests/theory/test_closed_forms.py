"""Closed forms: printed values, limits, and least squares by numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.integrate import quad

from tskd import theory
from tskd.theory import Chain, LinearGaussian, SeveralTeachers


def least_squares(inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(inputs, target, rcond=None)[0]


def check(formula: float, risks: Sequence[float], rel: float = 0.0) -> None:
    """The mean is the formula's within three standard errors, or a share of it; and the check has some power."""
    mean, error = np.mean(risks), np.std(risks, ddof=1) / np.sqrt(len(risks))
    assert mean == pytest.approx(formula, rel=rel, abs=3 * error)
    assert 3 * error < 0.15 * formula


@pytest.mark.parametrize(
    ("n", "m", "rho", "noise", "labels", "privileged", "oracle"),
    [
        (8, 1, 0.5, 1, 0.2917, 0.1698, 0.1250),
        (20, 1, 0.5, 10, 0.5972, 0.1822, 0.0417),
        (20, 3, 0.3, 10, 0.6061, 0.1692, 0.0506),
        (20, 1, 0.95, 10, 0.5610, 0.4984, 0.0054),
        (200, 1, 0.5, 10, 0.0543, 0.0164, 0.0038),
    ],
)
def test_one_input_as_printed(
    n: int, m: int, rho: float, noise: float, labels: float, privileged: float, oracle: float
) -> None:
    world = LinearGaussian(1, m, rho, noise)
    found, known = theory.same_rows_risk_of_one_input(world, n), theory.oracle_risk(world, n)
    assert found - known == pytest.approx(privileged - oracle, abs=1.1e-4)
    if m == 1:
        assert (theory.labels_risk(world, n), known) == pytest.approx((labels, oracle), abs=5.1e-5)


def test_one_input_at_its_limits() -> None:
    n, m = 12, 4
    apart, same = LinearGaussian(1, m, 0.0, 2.0), LinearGaussian(1, 1, 1.0, 2.0)
    assert theory.same_rows_risk_of_one_input(apart, n) == pytest.approx(1 / (n - 2) + 2 * m / (n * (n - 2)))
    # x is z: labels alone
    assert theory.same_rows_risk_of_one_input(same, n) == pytest.approx(2 / (n - 2))
    assert theory.labels_risk(same, n) == pytest.approx(2 / (n - 2))
    near = LinearGaussian(1, 1, 0.9995, 2.0)
    assert theory.same_rows_risk_of_one_input(near, n) == pytest.approx(theory.labels_risk(near, n), rel=1e-2)


@pytest.mark.parametrize(
    "world",
    [LinearGaussian(4, 2, 0.6, 1.5), LinearGaussian(3, 5, 0.4, 0.8), LinearGaussian(5, 1, 0.3, 10.0)],
    ids=str,
)
def test_leading_order_is_near_the_truth_from_six_rows_an_input_on(world: LinearGaussian) -> None:
    rng, n = np.random.default_rng(1), 8 * world.d
    risks, plain, oracle = [], [], []
    for _ in range(3000):
        rows = world.sample(n, rng)
        answers = rows.z @ least_squares(rows.z, rows.y)
        risks.append(world.excess_risk(least_squares(rows.x, answers)))
        plain.append(world.excess_risk(least_squares(rows.x, rows.y)))
        oracle.append(world.excess_risk(least_squares(rows.x, rows.z @ world.slopes)))
    check(theory.same_rows_risk(world, n), risks, rel=0.05)
    check(theory.labels_risk(world, n), plain)
    check(theory.oracle_risk(world, n), oracle)
    gain = np.mean(plain) - np.mean(risks)
    assert theory.expected_gain_of_privilege(world, n) == pytest.approx(gain, rel=0.25)


def test_inputs_that_z_knows_nothing_of_learn_noise_too() -> None:
    """z and x independent: the teacher's fit is noise in m of n directions, on which x is regressed."""
    d, m, n = 6, 2, 60_000
    world = LinearGaussian(d, m, 0.0, 5.0)
    fitted_noise = theory.same_rows_risk(world, n) - theory.oracle_risk(world, n)
    assert fitted_noise == pytest.approx(5.0 * m / n * d / (n - d - 1), rel=1e-3)


def test_archive_as_printed_and_its_limit() -> None:
    # n=20, N=200, d=1, m=3, ρ=.3, σ²=10: .0634, with the slope along x's direction, τ² = .91
    world = LinearGaussian(1, 3, 0.3, 10.0)
    own = theory.archive_risk(world, 200, 20) - theory.oracle_risk(world, 20)
    assert own == pytest.approx(0.0634 - 0.91 / 18, abs=5.1e-5)
    assert theory.archive_risk(world, 10**9, 20) == pytest.approx(theory.oracle_risk(world, 20), rel=1e-6)


@pytest.mark.parametrize("world", [LinearGaussian(2, 5, 0.4, 3.0), LinearGaussian(4, 1, 0.6, 3.0)], ids=str)
def test_teachers_of_other_rows(world: LinearGaussian) -> None:
    """A teacher on z alone, and one on x and z: least squares on rows apart from those that it answers for."""
    rng, fitted, rows = np.random.default_rng(4), 24, 16
    archive, nested, one_fit = [], [], []
    for _ in range(1800):
        old, new = world.sample(fitted, rng), world.sample(rows, rng)
        archive.append(world.excess_risk(least_squares(new.x, new.z @ least_squares(old.z, old.y))))
        both = [np.hstack([one.x, one.z]) for one in (old, new)]
        coefficients = least_squares(both[0], old.y)
        nested.append(world.excess_risk(least_squares(new.x, both[1] @ coefficients)))
        every = np.vstack([old.x, new.x])
        one_fit.append(world.excess_risk(least_squares(every, np.vstack(both) @ coefficients)))
    check(theory.archive_risk(world, fitted, rows), archive)
    check(theory.nested_risk(world, fitted, rows), nested)
    check(theory.one_fit_risk(world, fitted, fitted + rows), one_fit)


def test_privilege_of_a_direct_cause() -> None:
    """R(λ) of a teacher that knows b and not c: exact, and least at λ*."""
    world, n, rng = LinearGaussian(3, 2, 0.5, 2.0, direct=0.4), 20, np.random.default_rng(2)
    saved, bias = 2.0 * world.d / (n - world.d - 1), 0.4**2
    variance = world.hidden * world.d / (n - world.d - 1)
    labels = theory.labels_risk(world, n)
    assert labels == pytest.approx(variance + saved)
    risks: dict[float, list[float]] = {0.0: [], 0.5: [], 1.0: []}
    for _ in range(4000):
        rows = world.sample(n, rng)
        plain = least_squares(rows.x, rows.y)
        taught = least_squares(rows.x, rows.z @ world.slopes)
        for share, found in risks.items():
            found.append(world.excess_risk(plain + share * (taught - plain)))
    for share, found in risks.items():
        check(theory.balance_risk(labels, saved, bias, share), found)
        mixture = theory.mixture_risk(labels, np.array([[saved]]), np.array([[bias]]), np.array([share]))
        assert mixture == pytest.approx(theory.balance_risk(labels, saved, bias, share))
    best = theory.best_balance(saved, bias)
    curve = [theory.balance_risk(labels, saved, bias, x) for x in np.linspace(0, 1, 1001)]
    assert best == pytest.approx(np.argmin(curve) / 1000, abs=1e-3)
    assert min(curve) == pytest.approx(variance + saved * bias / (saved + bias), rel=1e-5)
    assert (theory.best_balance(0.0, 1.0), theory.best_balance(1.0, 0.0)) == (0, 1)


def test_noisy_proxy() -> None:
    world = LinearGaussian.noisy_proxy(4, 0.5, 3.0)
    assert world.shared == pytest.approx(4 / 1.5)
    # σ²·d·v/((1 + v)·n)
    assert theory.expected_gain_of_privilege(world, 60) == pytest.approx(3 * 4 * 0.5 / (1.5 * 60))


def test_no_gain_where_z_contains_x() -> None:
    world = LinearGaussian.nested(2, 5, 3.0)
    rows = world.sample(9, 3)
    assert rows.z[:, :2] == pytest.approx(rows.x)
    assert world.shared == 2 and theory.expected_gain_of_privilege(world, 30) == 0
    taught = least_squares(rows.x, rows.z @ least_squares(rows.z, rows.y))
    assert taught == pytest.approx(least_squares(rows.x, rows.y), abs=1e-12)
    with pytest.raises(ValueError, match="d or more"):
        LinearGaussian.nested(3, 2, 1.0)


def test_no_gain_where_the_target_is_seen() -> None:
    world = LinearGaussian.target_seen(2, 0.7)
    assert theory.expected_gain_of_privilege(world, 30) == 0
    rows = world.sample(9, 3)
    assert rows.z[:, 0] == pytest.approx(rows.y)
    assert theory.labels_risk(world, 9) == theory.oracle_risk(world, 9)


def test_way_points_as_printed() -> None:
    """AR(1), a=.9, H=10, n=30: the midpoint is best, and an oracle's use falls as its accuracy rises."""
    chain = Chain(0.9, 10)
    worlds = [chain.way_point(step) for step in range(1, 10)]
    plain = [theory.labels_risk(world, 30) for world in worlds]
    cut = [1 - theory.same_rows_risk_of_one_input(w, 30) / risk for w, risk in zip(worlds, plain, strict=True)]
    assert [round(100 * value) for value in cut] == [20, 34, 43, 48, 49, 47, 41, 32, 18]
    oracle = [1 - theory.oracle_risk(w, 30) / risk for w, risk in zip(worlds, plain, strict=True)]
    assert (100 * oracle[0], 100 * oracle[-1]) == pytest.approx((97.0, 21.5), abs=0.5)
    assert np.diff(oracle).max() < 0
    assert [worlds[i].slope ** 2 for i in (0, -1)] == pytest.approx([0.9**18, 0.81])
    assert all(world.truth == pytest.approx([chain.truth]) for world in worlds)


def test_direct_and_iterated_forecasts() -> None:
    chain, steps, rng = Chain(0.8, 4), 1500, np.random.default_rng(4)
    direct, iterated = [], []
    for _ in range(1800):
        x = chain.sample(steps, rng).values()[:, 0]
        direct.append((x[4:] @ x[:-4]) / (x[:-4] @ x[:-4]))
        iterated.append(((x[1:] @ x[:-1]) / (x[:-1] @ x[:-1])) ** 4)
    # the standard error of a variance of 1,500 values is 4 %
    assert steps * np.var(direct) == pytest.approx(theory.direct_variance(0.8, 4), rel=0.12)
    assert steps * np.var(iterated) == pytest.approx(theory.iterated_variance(0.8, 4), rel=0.12)
    assert theory.direct_variance(0.6, 1) == pytest.approx(theory.iterated_variance(0.6, 1)) == pytest.approx(0.64)


def test_ceiling() -> None:
    """No student knows more than E[y | x]: the share of labels alone's error above it is d/(n − 1)."""
    world = LinearGaussian(3, 1, 0.5, 1.0)
    rest = world.noise + world.hidden
    alone = theory.labels_risk(world, 20)
    assert theory.ceiling(3, 20) == pytest.approx(alone / (alone + rest))


SEVERAL = SeveralTeachers(6, 2.0, [(0, 1, 2), (2, 3), (4, 5)], [0.1, 0.0, 0.9])


def test_several_teachers_risk_what_their_form_says() -> None:
    rng, n = np.random.default_rng(5), 24
    shares = [(0.5, 0.3, 0.1), (1.0, 0.0, 0.0), (0.2, 0.2, 0.6)]
    risks: list[list[float]] = [[] for _ in shares]
    for _ in range(3000):
        rows = SEVERAL.sample(n, rng)
        plain = least_squares(rows.x, rows.y)
        apart = least_squares(rows.x, SEVERAL.answers(rows).T).T - plain
        for share, found in zip(shares, risks, strict=True):
            found.append(SEVERAL.world.excess_risk(plain + share @ apart))
    for share, found in zip(shares, risks, strict=True):
        check(SEVERAL.risk(n, share), found)


def test_best_shares() -> None:
    n = 24
    best = theory.best_shares(SEVERAL.overlap(n), SEVERAL.bias_products)
    assert best.sum() <= 1 + 1e-9 and (best >= 0).all()
    # the biased teacher gets next to nothing
    assert best[2] < 0.1 < best[:2].min()
    least = SEVERAL.risk(n, best.tolist())
    rng = np.random.default_rng(6)
    for share in rng.dirichlet(np.ones(4), 300)[:, :3]:
        assert SEVERAL.risk(n, share) >= least - 1e-9
    one = theory.best_shares(np.array([[0.3]]), np.array([[0.2]]))
    assert one == pytest.approx([theory.best_balance(0.3, 0.2)], abs=1e-5)
    copies = theory.best_shares(np.full((2, 2), 0.3), np.full((2, 2), 0.2))
    assert copies.sum() == pytest.approx(0.6, abs=1e-4)


def test_shares_that_would_add_up_to_more_than_one() -> None:
    """Teachers that save apart: w_k = (D_k − μ)/(D_k + B_k), μ such that Σw = 1: here .0875."""
    apart, biased = np.diag([0.4, 0.2]), np.diag([0.1, 0.1])
    assert theory.best_shares(apart, biased) == pytest.approx([0.625, 0.375], abs=1e-5)
    assert theory.best_shares(apart, 9 * biased) == pytest.approx([0.4 / 1.3, 0.2 / 1.1], abs=1e-5)


@pytest.mark.parametrize(("harm", "blocks"), [(0.0, 50), (0.005, 100), (0.02, 250)])
def test_probability_of_harm(harm: float, blocks: float) -> None:
    """A worthless teacher: α̂ ~ N(0, V), no share if negative, the harm α̂²·‖f₁ − f₀‖²/err₀ = α̂²/(V·n_eff)."""
    draws = np.random.default_rng(7).normal(size=200_000)
    found = np.mean((draws > 0) & (draws**2 / blocks > harm))
    assert theory.probability_of_harm(harm, blocks) == pytest.approx(found, abs=4e-3)


def test_mean_harm() -> None:
    """∫ P(harm > h) dh = 1/(2·n_eff)."""
    mean = quad(theory.probability_of_harm, 0, np.inf, args=(50,))[0]
    assert mean == pytest.approx(1 / 100, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LinearGaussian(0, 1, 0.5, 1), "dimensions"),
        (lambda: LinearGaussian(1, 1, 1.5, 1), "correlation"),
        (lambda: LinearGaussian(1, 1, 0.5, -1), "variance"),
        (lambda: theory.labels_risk(LinearGaussian(3, 1, 0.5, 1), 4), "more than 4"),
        (lambda: theory.archive_risk(LinearGaussian(1, 3, 0.5, 1), 4, 20), "more than 4"),
        (lambda: theory.nested_risk(LinearGaussian(2, 3, 0.5, 1), 6, 20), "more than 6"),
        (lambda: theory.one_fit_risk(LinearGaussian(2, 3, 0.5, 1), 6, 20), "more than 6"),
        (lambda: theory.same_rows_risk_of_one_input(LinearGaussian(2, 1, 0.5, 1), 9), "one input"),
        (lambda: theory.oracle_risk(LinearGaussian(2, 1, 0.5, 1, direct=0.3), 9), "direct=0.3"),
        (lambda: theory.archive_risk(LinearGaussian(2, 1, 0.5, 1, direct=0.3), 9, 9), "direct=0.3"),
        (lambda: theory.expected_gain_of_privilege(LinearGaussian(2, 1, 0.5, 1, direct=0.3), 9), "direct=0.3"),
        (lambda: Chain(1.0, 3), "between 0 and 1"),
        (lambda: Chain(0.5, 3).way_point(3), "from 1 to 2"),
        (lambda: SeveralTeachers(3, 1.0, [(0,)], []), "one for each"),
    ],
)
def test_what_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
