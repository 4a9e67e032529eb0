"""The combination of forecasts with the least error, against algebra."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.calibration import (
    Saying,
    believing,
    blended,
    calibrated,
    calibration,
    corrupted,
    of_a_window,
    off,
    step,
)
from tests.helpers.closed_form import forecasts, linear, noise, regression, windows
from tests.helpers.steps import draw
from tskd import DistilledModel
from tskd.weighting.bates_granger import BatesGranger, definite, least_risk, second_moments
from tskd.weighting.inverse_error import InverseError

SERIES, LATER = noise(120, 2), noise(50, 2, seed=3)


def correlated(covariance: Any, windows: int, horizon: int = 1, components: int = 1, seed: int = 0) -> Any:
    """Forecasts `[K, m, H, C]` whose errors have this covariance, and labels."""
    draw = np.random.default_rng(seed)
    errors = draw.multivariate_normal(np.zeros(len(covariance)), covariance, (windows, horizon, components))
    target = draw.normal(size=(windows, horizon, components))
    return torch.from_numpy(target + np.moveaxis(errors, -1, 0)), torch.from_numpy(target)


def moments_of(said: Tensor, target: Tensor) -> np.ndarray:
    errors = (said - target).flatten(1).numpy()
    return errors @ errors.T / errors.shape[1]


def bates_granger(moments: np.ndarray) -> np.ndarray:
    """The published formula."""
    found = np.linalg.solve(moments, np.ones(len(moments)))
    return found / found.sum()


def shrunk(moments: np.ndarray, share: float) -> np.ndarray:
    scale = np.exp(share * np.log(np.diag(moments)) / 2)
    correlation = moments / np.sqrt(np.outer(np.diag(moments), np.diag(moments)))
    return (share * correlation + (1 - share) * np.eye(len(moments))) * np.outer(scale, scale)


@pytest.mark.parametrize("rho", [-0.6, 0, 0.2, 0.3])
@pytest.mark.parametrize("shrinkage", [0, 20])
def test_two_teachers_by_the_published_formula(rho: float, shrinkage: float) -> None:
    """w1 = (σ2² − σ12) / (σ1² + σ2² − 2σ12), of the moments of the sample."""
    said, target = correlated([[1, 2 * rho], [2 * rho, 4]], 100)
    (a, c), (_, b) = shrunk(moments_of(said, target), 100 / (100 + shrinkage))
    weights = of_a_window(calibrated(BatesGranger(shrinkage), said, target), said).flatten()
    assert weights.tolist() == pytest.approx([(b - c) / (a + b - 2 * c), (a - c) / (a + b - 2 * c)], rel=1e-6)


def test_the_weights_come_out_of_many_windows() -> None:
    """ρ = .5, σ = 1, 1.5: w1 = (2.25 − .75)/(3.25 − 1.5) = 6/7."""
    said, target = correlated([[1, 0.75], [0.75, 2.25]], 200_000)
    weights = of_a_window(calibrated(BatesGranger(), said, target), said).flatten()
    assert weights[0].item() == pytest.approx(6 / 7, abs=0.01)


def test_errors_that_do_not_correlate_give_inverse_error_weights() -> None:
    """Errors ±1, ±2, ±3 in all eight combinations: correlations are 0 in the sample."""
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1], dtype=torch.float64)] * 3).T
    errors = (signs * torch.tensor([[1.0], [2], [3]]))[:, :, None, None]
    target = torch.zeros(8, 1, 1, dtype=torch.float64)
    few = torch.ones(3, 8, dtype=torch.bool)
    # in the first two windows the others' errors do not change sign, the third's do
    few[2, 2:] = False
    for shrinkage, valid in ((0, None), (8, None), (8, few)):
        weights = of_a_window(calibrated(BatesGranger(shrinkage), errors, target, valid=valid), errors)
        expected = of_a_window(calibrated(InverseError(shrinkage), errors, target, valid=valid), errors)
        torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("rho", [0.6, 0.9, 0.999])
def test_a_teacher_that_only_adds_to_the_better_ones_error_is_dropped(rho: float) -> None:
    """σ = 1, 2: the formula's weight of the worse is negative for ρ > ½."""
    said, target = correlated([[1, 2 * rho], [2 * rho, 4]], 2000)
    assert bates_granger(moments_of(said, target))[1] < 0
    weights = of_a_window(calibrated(BatesGranger(0), said, target), said).flatten()
    assert weights.tolist() == [1, 0]


def test_clipping_is_not_the_best_without_negative_weights() -> None:
    """Without the third, the others are alike; the formula's weights, projected on the simplex, are (.6, .4, 0)."""
    moments = np.array([[1, 0, 1.5], [0, 1, 0], [1.5, 0, 4]])
    assert bates_granger(moments).tolist() == pytest.approx([2 / 3, 7 / 15, -2 / 15])
    assert least_risk(moments).tolist() == pytest.approx([0.5, 0.5, 0])


@st.composite
def definite_moments(draw: Any) -> np.ndarray:
    size = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    factors = rng.normal(size=(size, draw(st.integers(1, 8))))
    scale = np.exp(rng.uniform(-5, 5, size))
    return (factors @ factors.T + 1e-3 * np.eye(size)) * np.outer(scale, scale)


@given(definite_moments())
def test_no_other_weights_have_less_risk(moments: np.ndarray) -> None:
    """Σw is w'Σw wherever w > 0, and no less elsewhere; and the best of all supports has no less."""
    found = least_risk(moments)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    risk = found @ moments @ found
    slope = moments @ found
    assert np.allclose(slope[found > 0], risk, rtol=1e-6)
    assert (slope >= risk * (1 - 1e-6)).all()
    teachers = range(len(moments))
    for some in (list(s) for size in teachers for s in combinations(teachers, size + 1)):
        other = bates_granger(moments[np.ix_(some, some)])
        if other.min() >= 0:
            assert risk <= other @ moments[np.ix_(some, some)] @ other * (1 + 1e-9)


def test_components_are_pooled_in_units_of_their_own_errors() -> None:
    """As one component with twice the windows, whatever the units of either; steps stand alone."""
    said, target = correlated([[1, 0.5], [0.5, 2]], 60, horizon=2, components=2)
    said[:, :, 1] = target[:, 1] + 3 * (said[:, :, 1] - target[:, 1]).flip(0)
    units = torch.tensor([1e-3, 1e5], dtype=torch.float64)
    plain = of_a_window(calibrated(BatesGranger(), said, target), said)
    torch.testing.assert_close(of_a_window(calibrated(BatesGranger(), said * units, target * units), said), plain)
    assert plain.shape == (2, 2, 1)
    assert plain[0, 0] > 0.5 > plain[0, 1]
    errors = said - target
    own = (errors.square().mean(1).log().mean(0) / 2).exp()
    for h in range(2):
        rows = (errors[:, :, h] / own[h]).flatten(1).numpy()
        expected = bates_granger(shrunk(rows @ rows.T / 120, 60 / 68))
        assert plain[:, h, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_where_teachers_are_missing_the_others_are_combined_anew() -> None:
    covariance = [[1, 0.2, 0.3], [0.2, 1.5, 1], [0.3, 1, 2]]
    said, target = correlated(covariance, 300, horizon=2)
    every = torch.ones(3, 300, dtype=torch.bool)
    valid, covers = every.clone(), torch.ones(3, 2, dtype=torch.bool)
    valid[1, 0], valid[:, 1], covers[2, 1] = False, False, False
    weighting = calibrated(BatesGranger(), said, target)
    weights = weighting(step(said, valid, covers=covers))[..., 0]
    alone = {
        some: of_a_window(calibrated(BatesGranger(), said[list(some)], target), said[list(some)])[..., 0]
        for some in ((0, 1, 2), (0, 1), (0, 2))
    }
    torch.testing.assert_close(weights[:, 2, 0], alone[0, 1, 2][:, 0])
    torch.testing.assert_close(weights[:2, 2, 1], alone[0, 1][:, 1])
    torch.testing.assert_close(weights[[0, 2], 0, 0], alone[0, 2][:, 0])
    assert weights[:, 0, 1].tolist() == [1, 0, 0]
    assert weights[:, 1].abs().max() == 0
    # the rest of the three's weights would not be it
    renormalised = alone[0, 1, 2][[0, 2], 0] / alone[0, 1, 2][[0, 2], 0].sum()
    assert (renormalised - alone[0, 2][:, 0]).abs().max() > 0.05


def test_pairs_that_never_meet_are_taken_not_to_correlate() -> None:
    """Correlations .9, .9 and −.9, from other windows each, are of no three teachers; they are drawn to what can be."""
    pair = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64).repeat(1, 100)[:, :, None, None]
    near, far = pair.clone(), pair.clone()
    near[1] = near[0] * torch.where(torch.arange(200)[:, None, None] % 20 == 0, -1, 1)
    far[1] = -near[1]
    target = torch.zeros(600, 1, 1, dtype=torch.float64)
    said = torch.zeros(3, 600, 1, 1, dtype=torch.float64)
    valid = torch.zeros(3, 600, dtype=torch.bool)
    for start, (i, j), errors in ((0, (0, 1), near), (200, (0, 2), near), (400, (1, 2), far)):
        rows = slice(start, start + 200)
        said[i, rows], said[j, rows] = errors[0], errors[1]
        valid[[i, j], rows] = True
    weighting = calibrated(BatesGranger(), said, target, valid=valid)
    assert isinstance(weighting.moments, Tensor)
    moments = weighting.moments[0]
    assert torch.linalg.eigvalsh(moments)[0] > 0
    weights = of_a_window(weighting, said, valid=torch.ones_like(valid)).flatten()
    assert weights[1].item() == pytest.approx(weights[2].item())
    assert weights[0] < weights[1]

    halves = torch.arange(600) < 300
    valid = torch.stack([halves, ~halves])
    said, target = correlated([[1, 0.9], [0.9, 1]], 600)
    apart = of_a_window(calibrated(BatesGranger(), said, target, valid=valid), said).flatten()
    inverse = of_a_window(calibrated(InverseError(), said, target, valid=valid), said).flatten()
    torch.testing.assert_close(apart, inverse)


def test_correlations_that_cannot_be_are_drawn_until_they_can() -> None:
    impossible = torch.tensor([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]], dtype=torch.float64)
    found = definite(impossible)
    assert torch.linalg.eigvalsh(found)[0].item() == pytest.approx(1e-4)
    ratio = found[0, 1] / 0.9
    torch.testing.assert_close(found, ratio * impossible + (1 - ratio) * torch.eye(3))
    possible = torch.tensor([[1, 0.5], [0.5, 1]], dtype=torch.float64)
    assert torch.equal(definite(possible), possible)


def test_a_teacher_that_says_what_another_does_shares_its_weight() -> None:
    said, target = correlated([[1, 0], [0, 1]], 50)
    said = torch.cat([said, said[1:]])
    for shrinkage in (0, 8):
        weights = of_a_window(calibrated(BatesGranger(shrinkage), said, target), said).flatten()
        assert weights[1].item() == pytest.approx(weights[2].item(), rel=1e-6)
        assert weights[1] + weights[2] < 0.6


def test_a_half_corrupted_teacher_gets_little_and_good_ones_stay_equal() -> None:
    """Case A. The labels' noise is in all errors, and correlates them: Σ = .25 + diag(.09, .09, 2.09) gives the third
    teacher .021, and the blend an error to the truth below the .049 of weights by mean squares alone."""
    moments = 0.25 + np.diag([0.09, 0.09, 2.09])
    known = bates_granger(moments)
    assert known[2] == pytest.approx(0.021, abs=5e-4)
    floor = known**2 @ [0.09, 0.09, 2.09]
    found, lost = [], []
    for seed in range(12):
        truth, labels, said = corrupted(seed)
        weighting = calibrated(BatesGranger(), said, labels)
        found.append((blended(weighting(step(said)), said) - truth).square().mean().item())
        truth, labels, said = corrupted(100 + seed, bad=0)
        weights = calibrated(BatesGranger(), said, labels)(step(said))
        good = (said.mean(0) - truth).square().mean()
        lost.append(((blended(weights, said) - truth).square().mean() / good).item())
    assert np.mean(found) == pytest.approx(floor, abs=3 * float(np.std(found)) / math.sqrt(12) + 0.0005)
    assert np.mean(found) < 0.047
    assert np.mean(lost) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_student_learns_the_combination_that_the_evidence_calls_for(held_out: bool) -> None:
    """The first teacher knows the training part by heart; its errors are partly the second's."""
    own, other = off(0.2, held_out=2.0, seed=1), off(1.0, seed=2)

    def first(labels: np.ndarray, new: bool) -> np.ndarray:
        return own(labels, new) + 0.3 * (other(labels, new) - labels)

    said = [first, other]
    student = linear()
    known = {"val_series": LATER} if held_out else {}
    teachers = [Saying(answer, name=name) for answer, name in zip(said, "ab", strict=True)]
    DistilledModel(student, teachers, weighting=BatesGranger(4), balance=1).fit(SERIES, **known)

    labels = windows(LATER if held_out else SERIES)[1]
    errors = np.array([answer(labels, held_out) - labels for answer in said])
    share = believing(LATER if held_out else SERIES, 4)
    weights = np.empty((2, labels.shape[1], 1))
    for h in range(labels.shape[1]):
        rows = errors[:, :, h] / np.exp(np.log((errors[:, :, h] ** 2).mean(1)).mean(0) / 2)
        weights[:, h, 0] = least_risk(shrunk(np.einsum("imc,jmc->ij", rows, rows) / rows[0].size, share))
    inputs, labels = windows(SERIES)
    soft = np.array([answer(labels, False) for answer in said])
    found = forecasts(student, SERIES)
    assert np.abs(found - regression(inputs, (weights[:, None] * soft).sum(0))).max() < 1e-3
    near, far = (np.abs(found - regression(inputs, soft[k])).mean() for k in ((1, 0) if held_out else (0, 1)))
    assert near < far / 2


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "8", True])
def test_arguments_are_refused_with_what_is_allowed(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"shrinkage=.*: give a finite number of windows, 0 or more"):
        BatesGranger(bad)


def test_a_pair_is_compared_on_the_windows_that_both_forecast() -> None:
    """Correlations of three teachers of which each lacks windows of its own, in which the others' errors are large."""
    errors = draw(3, 12, 2, 1)
    errors[0, :4] *= 9
    errors[2, 8:] *= 5
    valid = torch.ones(3, 12, dtype=torch.bool)
    valid[1, :4], valid[0, 8:] = False, False
    seen = calibration(errors, torch.zeros_like(errors[0]), valid)
    moments = second_moments(seen.chunks(), 0.0).numpy()
    for h in range(2):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            both = (valid[i] & valid[j]).numpy()
            one, other = errors[i, both, h, 0].numpy(), errors[j, both, h, 0].numpy()
            expected = one @ other / np.sqrt((one @ one) * (other @ other))
            assert moments[h, i, j] / np.sqrt(moments[h, i, i] * moments[h, j, j]) == pytest.approx(expected)
        # each by itself on all of its own
        squares = [errors[k, valid[k], h, 0].square().mean().item() for k in range(3)]
        assert moments[h].diagonal() / moments[h, 0, 0] == pytest.approx(np.array(squares) / squares[0])
