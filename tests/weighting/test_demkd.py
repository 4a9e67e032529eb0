"""Weights by how sure the teachers are, against algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.calibration import Saying, believing, blended, calibrated, of_a_window, off, squares, step
from tests.helpers.closed_form import forecasts, linear, noise, regression, windows
from tskd import DistilledModel
from tskd.weighting.demkd import DEMKD
from tskd.weighting.inverse_error import InverseError

SERIES, LATER = noise(120, 2), noise(50, 2, seed=3)
N = 20_000


def column(values: Any) -> Tensor:
    """`[…, m]` as `[…, m, 1, 1]`."""
    return torch.from_numpy(np.array(values, dtype=float))[..., None, None]


@pytest.mark.parametrize("power", [0, 1, 2.0, 3.5])
def test_weights_fall_with_a_power_of_the_claimed_spread(power: float) -> None:
    spread = torch.tensor([[0.5, 1e-2], [1, 1], [2, 1e3]], dtype=torch.float64)[..., None, None]
    weights = DEMKD(power)(step(torch.zeros_like(spread), spread=spread))
    expected = spread**-power
    torch.testing.assert_close(weights, expected / expected.sum(0))


def test_point_forecasts_are_weighed_by_their_errors() -> None:
    draw = torch.Generator().manual_seed(1)
    target = torch.randn(40, 3, 2, generator=draw, dtype=torch.float64)
    said = target + torch.randn(3, 40, 3, 2, generator=draw, dtype=torch.float64) * column([1, 2, 3])[..., None]
    by_error = of_a_window(calibrated(InverseError(5), said, target), said)
    torch.testing.assert_close(of_a_window(calibrated(DEMKD(shrinkage=5), said, target), said), by_error)
    root = by_error.sqrt() / by_error.sqrt().sum(0)
    torch.testing.assert_close(of_a_window(calibrated(DEMKD(1, shrinkage=5), said, target), said), root)


def test_spreads_and_errors_are_compared() -> None:
    """σ: a claim of 3, which half of its errors of 6 are, and errors of 2: weights 1/36 : 1/4, 1/9 : 1/4 as claimed."""
    target = torch.zeros(30, 1, 1, dtype=torch.float64)
    said = target + torch.tensor([6.0, 2], dtype=torch.float64)[:, None, None, None]
    spread = torch.full_like(said, 3.0)
    spread[1] = torch.nan
    for recalibrate, ratio in ((True, 9), (False, 9 / 4)):
        weighting = calibrated(DEMKD(recalibrate=recalibrate, shrinkage=0), said, target, spread=spread)
        weights = of_a_window(weighting, said, spread=spread).flatten()
        assert (weights[1] / weights[0]).item() == pytest.approx(ratio)


def test_recalibration_makes_mean_squared_error_and_mean_variance_agree() -> None:
    """For every teacher, step and component; the spread's course from window to window is the teacher's own."""
    draw = torch.Generator().manual_seed(1)
    spread = torch.rand(2, 50, 3, 2, generator=draw, dtype=torch.float64) + 0.1
    target = torch.randn(50, 3, 2, generator=draw, dtype=torch.float64)
    said = target + 3 * torch.randn(2, 50, 3, 2, generator=draw, dtype=torch.float64)
    found = calibrated(DEMKD(shrinkage=0), said, target, spread=spread, chunk=7)(step(said, spread=spread))
    factors = (said - target).square().mean(1) / spread.square().mean(1)
    expected = 1 / (spread.square() * factors[:, None])
    torch.testing.assert_close(found, expected / expected.sum(0))
    # claims that are missing are no claims of 0
    told = spread.clone()
    told[1, 25:] = torch.nan
    found = calibrated(DEMKD(shrinkage=0), said, target, spread=told)(step(said, spread=told))[:, :25]
    factors[1] = (said - target)[1].square().mean(0) / spread[1, :25].square().mean(0)
    expected = 1 / (spread.square() * factors[:, None])[:, :25]
    torch.testing.assert_close(found, expected / expected.sum(0))
    # few windows: the teachers' mean variances are drawn to one another
    found = calibrated(DEMKD(shrinkage=1e9), said, target, spread=spread)(step(said, spread=spread))
    expected = spread.square().mean(1, keepdim=True) / spread.square()
    torch.testing.assert_close(found, expected / expected.sum(0))


def test_claims_of_no_error_at_all_are_not_believed() -> None:
    target = torch.zeros(30, 1, 1, dtype=torch.float64)
    said = target + torch.tensor([3.0, 1], dtype=torch.float64)[:, None, None, None]
    spread = torch.ones_like(said)
    spread[0] = 0
    weighting = calibrated(DEMKD(shrinkage=0), said, target, spread=spread)
    assert of_a_window(weighting, said, spread=spread).flatten().tolist() == pytest.approx([0.1, 0.9])
    as_claimed = calibrated(DEMKD(recalibrate=False), said, target, spread=spread)
    weights = of_a_window(as_claimed, said, spread=spread).flatten()
    assert weights.isfinite().all() and weights[0] > 0.99


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0])
def test_where_a_spread_is_missing_the_errors_count(broken: float) -> None:
    target = torch.zeros(30, 1, 1, dtype=torch.float64)
    said = target + torch.tensor([3.0, 1], dtype=torch.float64)[:, None, None, None]
    spread = torch.ones_like(said) * column([0.3, 1])[:, :, None].reshape(2, 1, 1, 1)
    weighting = calibrated(DEMKD(recalibrate=False, shrinkage=0), said, target, spread=spread)
    spread[0, 0] = broken
    weights = weighting(step(said, spread=spread))
    assert weights[:, 0].flatten().tolist() == pytest.approx([0.1, 0.9])
    assert (weights[0, 1] / weights[1, 1]).item() == pytest.approx(1 / 0.09)


def test_a_teacher_of_which_nothing_is_known_counts_as_an_average_one() -> None:
    spread = torch.tensor([0.5, 2, math.nan], dtype=torch.float64).reshape(3, 1, 1, 1)
    weights = DEMKD()(step(torch.zeros_like(spread), spread=spread)).flatten()
    assert weights.tolist() == pytest.approx([16 / 21, 1 / 21, 4 / 21])
    point = torch.zeros(3, 2, 1, 1)
    for told in (None, torch.full_like(point, math.nan), torch.zeros_like(point)):
        assert DEMKD()(step(point, spread=told)).flatten().tolist() == pytest.approx([1 / 3] * 6)


def test_a_teacher_that_is_not_valid_sets_no_scale() -> None:
    """What it claims, whatever it is, changes nothing."""
    spread = torch.tensor([0.5, 2, 1], dtype=torch.float64).reshape(3, 1, 1, 1)
    valid = torch.tensor([[True], [True], [False]])
    for claim in (1e-300, 1e300, math.inf, math.nan):
        spread[2] = claim
        weights = DEMKD()(step(torch.zeros_like(spread), valid, spread=spread)).flatten()
        assert weights.tolist() == pytest.approx([16 / 17, 1 / 17, 0])


def heteroscedastic(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Case B: truth, teachers, and their spread."""
    draw = np.random.default_rng(seed)
    spread = 0.4 * np.exp(0.7 * draw.normal(size=(3, N)))
    truth = draw.normal(size=N)
    return column(truth), column(truth + spread * draw.normal(size=(3, N))), column(spread)


@pytest.mark.parametrize("recalibrate", [False, True])
def test_heteroscedastic_teachers_are_combined_as_well_as_can_be(recalibrate: bool) -> None:
    """Case B: uniform .141, p = 1 .055, p = 2 .0471, the least there is .0470, all of one draw: E[1/Σσ⁻²] = .04779."""
    found: dict[str, list[float]] = {"uniform": [], "1": [], "2": [], "least": []}
    for seed in range(8):
        truth, said, spread = heteroscedastic(seed)
        for power in (1, 2):
            weights = calibrated(DEMKD(power, recalibrate), said, truth, spread=spread)(step(said, spread=spread))
            found[str(power)].append((blended(weights, said) - truth).square().mean().item())
        found["uniform"].append((said.mean(0) - truth).square().mean().item())
        found["least"].append((1 / spread.pow(-2).sum(0)).mean().item())
    for name, figure, rounding in (
        ("uniform", 0.141, 5e-4),
        ("1", 0.055, 5e-4),
        ("2", 0.0471, 5e-5),
        ("least", 0.0470, 5e-5),
    ):
        # the figure is of one draw of as many
        error = 3 * np.std(found[name], ddof=1) * math.sqrt(1 + 1 / 8) + rounding
        assert np.mean(found[name]) == pytest.approx(figure, abs=error)
    for name in ("2", "least"):
        assert np.mean(found[name]) == pytest.approx(0.04779, abs=3 * np.std(found[name], ddof=1) / math.sqrt(8))


def confident(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Case C: truth, labels, teachers, and their spread."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=N)
    said = truth + np.array([[0.05], [0.5], [0.5]]) * draw.normal(size=(3, N)) + np.array([[1.0], [0], [0]])
    spread = np.broadcast_to([[0.05], [0.5], [0.5]], said.shape)
    return column(truth), column(truth + 0.3 * draw.normal(size=N)), column(said), column(spread)


def test_a_confident_teacher_that_is_wrong_is_found_out_by_recalibration() -> None:
    """Case C: uniform .165, as claimed .965, recalibrated .111; by algebra .1669, .9636, .1118."""
    found: dict[str, list[float]] = {"uniform": [], "claimed": [], "recalibrated": []}
    for seed in range(8):
        truth, labels, said, spread = confident(seed)
        for name, recalibrate in (("claimed", False), ("recalibrated", True)):
            weighting = calibrated(DEMKD(recalibrate=recalibrate), said, labels, spread=spread)
            weights = weighting(step(said, spread=spread))
            found[name].append((blended(weights, said) - truth).square().mean().item())
        found["uniform"].append((said.mean(0) - truth).square().mean().item())
    inverse = 1 / np.array([1 + 0.05**2 + 0.3**2, 0.5**2 + 0.3**2, 0.5**2 + 0.3**2])
    claimed = 1 / np.array([0.05**2, 0.5**2, 0.5**2])
    for name, weights in (("uniform", np.ones(3)), ("claimed", claimed), ("recalibrated", inverse)):
        w = weights / weights.sum()
        exact = w[0] ** 2 * (1 + 0.05**2) + (w[1] ** 2 + w[2] ** 2) * 0.5**2
        error = 3 * np.std(found[name], ddof=1) / math.sqrt(8)
        assert np.mean(found[name]) == pytest.approx(exact, abs=error + 1e-4)
    for name, figure in (("uniform", 0.165), ("claimed", 0.965), ("recalibrated", 0.111)):
        assert np.mean(found[name]) == pytest.approx(figure, abs=0.003)


def test_what_is_known_of_no_teacher_leaves_claims_as_they_are() -> None:
    spread = torch.tensor([1.0, 2], dtype=torch.float64).reshape(2, 1, 1, 1).expand(2, 9, 1, 1)
    said, nobody = torch.zeros_like(spread), torch.zeros(2, 9, dtype=torch.bool)
    weighting = calibrated(DEMKD(), said, said[0], valid=nobody, spread=spread)
    assert of_a_window(weighting, said, spread=spread).flatten().tolist() == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("recalibrate", [False, True])
def test_a_student_learns_the_combination_that_claims_and_evidence_call_for(recalibrate: bool, held_out: bool) -> None:
    """The first claims too little; the second forecasts points, and knows the training part by heart."""
    said = [off(1.0, seed=1), off(0.3, held_out=5.0, seed=2)]

    def claim(labels: np.ndarray, new: bool) -> np.ndarray:
        return 0.5 * np.random.default_rng(7 + new).uniform(0.5, 1.5, labels.shape)

    teachers = [Saying(said[0], claim, name="a"), Saying(said[1], name="b")]
    student = linear()
    known = {"val_series": LATER} if held_out else {}
    weighting = DEMKD(recalibrate=recalibrate, shrinkage=4)
    DistilledModel(student, teachers, weighting=weighting, balance=1).fit(SERIES, **known)

    part = LATER if held_out else SERIES
    errors = np.array([squares(answer, part, held_out) for answer in said])
    logs = np.log(errors)
    believed = np.exp(logs.mean(0) + believing(part, 4) * (logs - logs.mean(0)))
    inputs, labels = windows(SERIES)
    factor = believed[0] / (claim(windows(part)[1], held_out) ** 2).mean(0) if recalibrate else 1
    own = claim(labels, False) ** 2 * factor
    share = (1 / own) / (1 / own + 1 / believed[1])
    soft = [answer(labels, False) for answer in said]
    found = forecasts(student, SERIES)
    assert np.abs(found - regression(inputs, share * soft[0] + (1 - share) * soft[1])).max() < 1e-3
    near, far = (np.abs(found - regression(inputs, soft[k])).mean() for k in ((0, 1) if held_out else (1, 0)))
    assert near < far


@pytest.mark.parametrize(("name", "bad"), [("power", -1), ("power", math.inf), ("power", "2"), ("shrinkage", -0.5)])
def test_arguments_are_refused_with_what_is_allowed(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}=.*: give a finite number.* 0 or more"):
        DEMKD(**{name: bad})


def test_recalibrate_is_a_bool() -> None:
    with pytest.raises(TypeError, match="recalibrate='no': give True or False"):
        DEMKD(recalibrate="no")  # type: ignore[arg-type]
