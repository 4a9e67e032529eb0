"""Weights by the teachers' own errors, against algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.calibration import Saying, believing, blended, calibrated, corrupted, of_a_window, off, squares, step
from tests.helpers.closed_form import forecasts, linear, noise, regression, windows
from tskd import DistilledModel
from tskd.privileged import CostlySensors
from tskd.weighting._calibration_errors import count_disjoint
from tskd.weighting.inverse_error import InverseError

SERIES, LATER = noise(120, 2), noise(50, 2, seed=3)
LAB, LATER_LAB = noise(120, 1, seed=7, name="lab"), noise(50, 1, seed=8, name="lab")


def constant(errors: Any, windows: int = 5) -> tuple[Tensor, Tensor]:
    """Forecasts `[K, m, H, C]` that are off by `errors [K, H, C]` in every window, and labels."""
    target = torch.randn(windows, *torch.tensor(errors).shape[1:], dtype=torch.float64)
    return target + torch.tensor(errors, dtype=torch.float64)[:, None], target


def test_weights_by_hand_for_every_step_and_component() -> None:
    """Mean squares 1 and 4, 9 and 1 at the two steps of the one component, 1 and 1, 4 and 0.25 of the other."""
    said, target = constant([[[1.0, 1], [3, 2]], [[2, -1], [-1, 0.5]]])
    weights = of_a_window(calibrated(InverseError(shrinkage=0), said, target), said)
    expected = [[[0.8, 0.5], [0.1, 1 / 17]], [[0.2, 0.5], [0.9, 16 / 17]]]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("shrinkage", [1, 8.0, 100])
def test_shrinkage_is_a_power_of_the_share_of_windows(shrinkage: float) -> None:
    said, target = constant([[[1.0]], [[3]]])
    weights = of_a_window(calibrated(InverseError(shrinkage), said, target), said)
    assert (weights[0] / weights[1]).item() == pytest.approx(9 ** (5 / (5 + shrinkage)))


def test_few_windows_tend_to_uniform_and_many_to_the_inverse() -> None:
    found = []
    for count in (1, 10, 100, 10_000):
        said, target = constant([[[1.0]], [[3]]], count)
        found.append(of_a_window(calibrated(InverseError(), said, target), said)[0].item())
    assert found == sorted(found)
    assert 0.5 < found[0] < 0.57
    assert found[-1] == pytest.approx(0.9, abs=1e-3)


def test_overlapping_windows_count_as_the_blocks_in_which_they_begin() -> None:
    """12 origins of one series, H = 4: three blocks; in two series alike, six."""
    said, target = constant([[[1.0]] * 4, [[3]] * 4], 12)
    origins = torch.arange(12)
    one = torch.stack([torch.zeros(12).long(), origins], 1)
    two = torch.stack([origins % 2, origins], 1)
    for keys, blocks in ((one, 3), (two, 6)):
        for chunk in (12, 5):
            weights = of_a_window(calibrated(InverseError(8), said, target, keys=keys, chunk=chunk), said)
            assert (weights[0] / weights[1]).flatten().tolist() == pytest.approx([9 ** (blocks / (blocks + 8))] * 4)


def test_a_teacher_of_few_windows_is_believed_less() -> None:
    """log v_k → m + n_k/(n_k + 8)·(log v_k − m), m = (100·0 + 100·log 4 + 2·log 9)/202; the last was never judged."""
    said, target = constant([[[1.0]], [[2]], [[3]], [[0]]], 100)
    valid = torch.ones(4, 100, dtype=torch.bool)
    valid[2, 2:], valid[3] = False, False
    weights = of_a_window(calibrated(InverseError(8), said, target, valid=valid), said).flatten()
    mean = (100 * math.log(4) + 2 * math.log(9)) / 202
    logs = [mean + n / (n + 8) * (log - mean) for n, log in ((100, 0), (100, math.log(4)), (2, math.log(9)))]
    expected = np.exp(-np.array([*logs, mean]))
    assert weights.tolist() == pytest.approx((expected / expected.sum()).tolist())


def test_a_perfect_teacher_is_followed_and_one_that_is_never_valid_is_not_asked() -> None:
    said, target = constant([[[0.0]], [[2]], [[math.nan]]], 50)
    valid = torch.tensor([True, True, False])[:, None].expand(3, 50)
    weighting = calibrated(InverseError(), said, target, valid=valid)
    weights = of_a_window(weighting, said, valid=valid).flatten()
    assert weights[0] > 0.9999 and 0 < weights[1] < 1e-4 and weights[2] == 0
    perfect = calibrated(InverseError(), target.expand(3, *target.shape), target)
    torch.testing.assert_close(of_a_window(perfect, said).flatten(), torch.full((3,), 1 / 3, dtype=torch.float64))


def test_without_evidence_all_count_alike() -> None:
    said, target = constant([[[1.0]], [[3]]])
    assert InverseError()(step(said)).tolist() == [[0.5] * 5] * 2
    nobody = calibrated(InverseError(), said, target, valid=torch.zeros(2, 5, dtype=torch.bool))
    assert of_a_window(nobody, said).flatten().tolist() == [0.5, 0.5]
    assert isinstance(nobody.weights, Tensor) and nobody.weights.isfinite().all()


def test_a_half_corrupted_teacher_is_left_out_and_the_puzzle_holds_among_good_ones() -> None:
    """Case A: to the truth, .253 with equal weights, .049 with these. With three good teachers equal ones are best."""
    equal, weighed, lost = [], [], []
    for seed in range(12):
        truth, labels, said = corrupted(seed)
        weighting = calibrated(InverseError(), said, labels)
        weighed.append((blended(weighting(step(said)), said) - truth).square().mean().item())
        equal.append((said.mean(0) - truth).square().mean().item())
        truth, labels, said = corrupted(100 + seed, bad=0)
        weights = calibrated(InverseError(), said, labels)(step(said))
        good = (said.mean(0) - truth).square().mean()
        lost.append(((blended(weights, said) - truth).square().mean() / good).item())
    for found, figure in ((equal, 0.253), (weighed, 0.049)):
        error = 3 * float(np.std(found, ddof=1)) / math.sqrt(len(found)) + 0.0005
        assert np.mean(found) == pytest.approx(figure, abs=error)
    assert np.mean(lost) == pytest.approx(1, abs=0.01)


def expected_weights(errors: list[np.ndarray], share: float) -> np.ndarray:
    """`[K, H, C]`."""
    weights = np.array(errors) ** -share
    return weights / weights.sum(0)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_student_learns_the_combination_that_the_evidence_calls_for(held_out: bool) -> None:
    """The first teacher knows the training part by heart, and little of what is held out."""
    said = [off(0.2, held_out=2.0, seed=1), off(1.0, seed=2)]
    teachers = [Saying(answer, name=name) for answer, name in zip(said, "ab", strict=True)]
    student = linear()
    known = {"val_series": LATER} if held_out else {}
    DistilledModel(student, teachers, weighting=InverseError(4), balance=1).fit(SERIES, **known)

    part = LATER if held_out else SERIES
    weights = expected_weights([squares(answer, part, held_out) for answer in said], believing(part, 4))
    inputs, labels = windows(SERIES)
    soft = np.array([answer(labels, False) for answer in said])
    expected = regression(inputs, (weights[:, None] * soft).sum(0))
    found = forecasts(student, SERIES)
    assert np.abs(found - expected).max() < 1e-3
    near, far = (np.abs(found - regression(inputs, soft[k])).mean() for k in ((1, 0) if held_out else (0, 1)))
    assert near < far / 2


@pytest.mark.parametrize("known", [False, True])
def test_privileged_teachers_are_judged_where_they_have_their_inputs(known: bool) -> None:
    said = [off(0.2, held_out=2.0, seed=1), off(1.0, seed=2)]
    teachers = [Saying(said[0], name="lab", source=CostlySensors("lab")), Saying(said[1], name="plain")]
    given: dict[str, Any] = {"val_privileged": {"lab": LATER_LAB}} if known else {}
    student = linear()
    DistilledModel(student, teachers, weighting=InverseError(4), balance=1).fit(
        SERIES, privileged={"lab": LAB}, val_series=LATER, **given
    )
    part = LATER if known else SERIES
    weights = expected_weights([squares(answer, part, known) for answer in said], believing(part, 4))
    inputs, labels = windows(SERIES)
    soft = np.array([answer(labels, False) for answer in said])
    assert np.abs(forecasts(student, SERIES) - regression(inputs, (weights[:, None] * soft).sum(0))).max() < 1e-3


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "8", True])
def test_arguments_are_refused_with_what_is_allowed(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"shrinkage=.*: give a finite number of windows, 0 or more"):
        InverseError(bad)


def test_it_says_how_to_make_it_again() -> None:
    assert repr(InverseError()) == "InverseError()"
    assert repr(InverseError(3)) == "InverseError(shrinkage=3)"


def test_windows_without_overlap_are_those_that_all_have() -> None:
    """Blocks by series; of a pair, those in which both have a window at once."""
    blocks = torch.tensor([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1]])
    valid = torch.tensor([[True, True, True, True, False], [False, False, True, True, True]])
    found = [(blocks[:3], valid[:, :3]), (blocks[3:], valid[:, 3:])]
    assert [count_disjoint(found, teachers).item() for teachers in ([0], [1], [0, 1])] == [3, 3, 2]
