"""Teachers that fall silent: gates, responsibilities and curriculum by hand, and biased and regional teachers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import NLinearModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.closed_form import H, L, forecasts, linear, noise, regression, scripted, windows
from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.steps import make_step
from tskd import DistilledModel
from tskd.weighting import CalibrationSet, CalibrationWindows, Fixed, Step, Weighting
from tskd.weighting._regimes import level_edges, ranks
from tskd.weighting.lfme import LFME, _over, _squared, gates


def step(forecasts: Tensor, target: Tensor, epoch: int = 100, valid: Tensor | None = None, **given: Any) -> Step:
    keys = torch.stack([torch.zeros(len(target)), torch.arange(len(target))], 1).long()
    return make_step(forecasts, valid, target=target, keys=keys, epoch=epoch, **given)


def calibration(
    forecasts: Tensor, target: Tensor, student: Tensor, valid: Tensor | None = None, covers: Tensor | None = None
) -> CalibrationSet:
    everywhere = torch.ones(forecasts.shape[:2], dtype=torch.bool)
    known, keys = everywhere if valid is None else valid, torch.arange(2 * len(target)).view(-1, 2)
    covered = torch.ones(1, 1, dtype=torch.bool) if covers is None else covers

    def chunks() -> Any:
        for rows in torch.arange(len(target)).split(7):
            spread = torch.full_like(forecasts[:, rows], torch.nan)
            yield CalibrationWindows(keys[rows], {}, forecasts[:, rows], known[:, rows], spread, target[rows], covered)

    return CalibrationSet(True, chunks, lambda judged: student[judged.keys[:, 0] // 2])


def judged(weighting: LFME, seen: CalibrationSet, teachers: int, epoch: int = 0) -> LFME:
    weighting.set_up([f"t{k}" for k in range(teachers)])
    weighting.calibrate(seen)
    weighting.start_epoch(epoch, seen)
    return weighting


def off(target: Tensor, *by: float) -> Tensor:
    return torch.stack([target + one for one in by])


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def test_gates_by_hand() -> None:
    """ρ = ½, 1, 1¼, 1½, 2 and 9 with a lead of 1½; perfect teachers; what is not known."""
    student = torch.tensor([1.0, 2, 2.5, 3, 4, 18, 1, 0, math.nan, 1, math.inf])
    teacher = torch.tensor([2.0, 2, 2, 2, 2, 2, 0, 0, 1, math.nan, 1])
    assert gates(student, teacher, 1.5).tolist() == pytest.approx([0, 0, 0.5, 1, 1, 1, 1, 0, 1, 1, 1])


def test_ranks_by_hand() -> None:
    errors = torch.tensor([[3.0, 1, 1, 7, 2], [5, 5, 5, 5, 5]])
    among = torch.tensor([[True, True, True, True, False], [True, False, False, False, False]])
    assert ranks(errors, among)[0, :4].tolist() == pytest.approx([0.625, 0.25, 0.25, 0.875])
    assert ranks(errors, among)[1, 0].item() == 0.5


@given(st.integers(1, 40), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_bins_hold_equally_many_levels(count: int, bins: int) -> None:
    edges = level_edges(draw(count, seed=count), bins)
    assert edges.shape == (bins - 1,)
    sizes = torch.bincount(torch.bucketize(draw(count, seed=count), edges), minlength=bins)
    assert sizes.sum() == count
    if count >= bins:
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_by_hand(dtype: torch.dtype) -> None:
    """Errors 1 and 4 against the student's 6: gates of 1 and ½ (lead 2), each with half of the responsibility."""
    target = draw(20, 3, 2, dtype=dtype)
    teachers = off(target, 1, -2)
    weighting = judged(LFME(), calibration(teachers, target, target + math.sqrt(6)), 2)
    weights = weighting(step(teachers, target))
    assert weights.shape == (2, 20)
    assert weights.dtype is dtype and not weights.requires_grad
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.25], dtype=dtype)[:, None].expand(2, 20))


def test_a_teacher_opens_and_shuts_as_the_student_moves() -> None:
    target = draw(20, 3, 1)
    weighting = judged(LFME(), calibration(target[None] + 1, target, target + 2), 1)
    given = step(target[None] + 1, target)
    assert weighting(given).unique().tolist() == [1]
    weighting.start_epoch(1, calibration(target[None] + 1, target, target + 0.9))
    assert weighting(given).unique().tolist() == [0]
    weighting.start_epoch(2, calibration(target[None] + 1, target, target * math.nan))
    assert weighting(given).unique().tolist() == [1]


def test_the_student_is_compared_in_the_windows_that_the_teacher_knows() -> None:
    """The student is right but where the teacher is silent: there is nothing to learn from it."""
    target, valid = draw(20, 3, 1), torch.ones(1, 20, dtype=torch.bool)
    valid[:, :10] = False
    student = target.clone()
    student[:10] += 50
    teachers = (target[None] + 1).where(valid[..., None, None], 0)
    weighting = judged(LFME(), calibration(teachers, target, student, valid), 1)
    assert weighting(step(teachers, target, valid=valid)).eq(0).all()


def test_regimes_of_the_level_have_their_own_gates() -> None:
    """Where levels are high the first teacher leads, where they are low the second one does."""
    target = draw(40, 3, 1)
    high = target.mean((1, 2), keepdim=True) > target.mean((1, 2)).median() + 1e-9
    teachers = torch.stack([torch.where(high, target, target + 3), torch.where(high, target + 3, target)])
    weighting = judged(LFME("quantile", bins=2), calibration(teachers, target, target + 1), 2)
    expected = torch.stack([high, ~high])[..., 0, 0] * 0.5
    torch.testing.assert_close(weighting(step(teachers, target)), expected.double())


def test_blocks_of_steps_have_their_own_gates() -> None:
    """Five steps in two blocks, of three and two: the teacher leads in the second."""
    target = draw(20, 5, 2)
    wrong = torch.tensor([2.0, 2, 2, 0.1, 0.1])[:, None]
    weighting = judged(LFME("horizon", bins=2), calibration((target + wrong)[None], target, target + 1), 1)
    weights = weighting(step((target + wrong)[None], target))
    assert weights.shape == (1, 20, 5)
    assert weights[0, 7].tolist() == [0, 0, 0, 1, 1]


def test_a_teacher_of_a_part_of_the_horizon_is_judged_by_that_part() -> None:
    """What the evidence shows of other steps is 0, and no forecast."""
    target, covers = draw(20, 4, 1) + 9, torch.tensor([[True] * 4, [True, True, False, False]])
    teachers = off(target, 1, 0.5) * covers[:, None, :, None]
    given = step(teachers, target, covers=covers)
    weights = judged(LFME(), calibration(teachers, target, target + 2, covers=covers), 2)(given)
    assert weights[:, 0].tolist() == [[0.5, 0.5, 1, 1], [0.5, 0.5, 0, 0]]
    # the first is better at both steps, and worse on average: the last steps are hard
    errors = torch.tensor([[0.1, 0.1, 9, 9], [0.5, 0.5, 0, 0]])
    teachers = (target + errors[:, None, :, None]) * covers[:, None, :, None]
    given = step(teachers, target, covers=covers)
    seen = calibration(teachers, target, target + 20, covers=covers)
    best = judged(LFME(responsibility="best"), seen, 2)(given)
    assert best[:, 0].tolist() == [[1] * 4, [0] * 4]


def test_hard_windows_come_in_by_the_rank_of_the_teachers_error() -> None:
    """Errors 4, 1, 0 and 9, with the third in another regime: v_i0 = ½, 5/6, ½ and 1/6."""
    target = torch.tensor([1.0, 1, -9, 1]).view(4, 1, 1).double()
    teachers = target + torch.tensor([2.0, 1, 0, -3]).view(4, 1, 1)
    bins = LFME("quantile", bins=2, curriculum=4)
    bins.set_up(["a"])
    bins.edges = torch.tensor([0.0]).double()
    first = torch.tensor([1 / 2, 5 / 6, 1 / 2, 1 / 6]).double()
    for epoch in (0, 1, 3, 4, 9):
        weights = bins(step(teachers[None], target, epoch))
        torch.testing.assert_close(weights[0], first + (1 - first) * min(epoch / 4, 1))


@pytest.mark.parametrize(
    ("weighting", "values"), [(LFME(), 9), (LFME("quantile", bins=3), 3), (LFME("horizon", bins=2), 9)], ids=str
)
def test_ranks_are_the_same_where_all_is_known_to_be_valid(weighting: LFME, values: int) -> None:
    """Nine windows have nine ranks, in each part of the horizon, and three in each of three levels."""
    target, wrong = draw(9, 3, 2), draw(2, 9, 3, 2, seed=1)
    given = step(target + wrong, target, epoch=2)
    weighting = judged(weighting, calibration(target + wrong, target, target + 9), 2)
    found = weighting(given)
    assert len(found.unique()) == values
    torch.testing.assert_close(weighting(replace(given, whole=True)), found)


def test_given_responsibilities_by_hand() -> None:
    target = draw(40, 4, 1)
    low = (target.mean((1, 2)) < target.mean((1, 2)).median() + 1e-9)[:, None]
    teachers, shares = off(target, 1, 1), {"t1": [1.0, 0], "t0": [3.0, 5]}
    by_level = judged(LFME("quantile", 2, shares), calibration(teachers, target, target + 9), 2)
    expected = torch.where(low, torch.tensor([0.75, 0.25]), torch.tensor([1.0, 0])).T
    torch.testing.assert_close(by_level(step(teachers, target)), expected.double())
    by_step = judged(LFME("horizon", 2, shares), calibration(teachers, target, target + 9), 2)
    assert by_step(step(teachers, target))[:, 3].tolist() == [[0.75, 0.75, 1, 1], [0.25, 0.25, 0, 0]]
    valid = torch.ones(2, 40, dtype=torch.bool)
    valid[0] = False
    # nobody else has a forecast: who is there speaks, as with any weighting
    assert by_level(step(teachers, target, valid=valid)).tolist() == [[0] * 40, [1] * 40]


@pytest.mark.parametrize("scale", [1e-50, 5e307])
def test_given_responsibilities_are_proportions_whatever_their_scale(scale: float) -> None:
    target = draw(8, 4, 1, dtype=torch.float32)
    weighting = LFME("horizon", 2, {"t0": [3 * scale, 1], "t1": [scale, 0]})
    judged(weighting, calibration(off(target, 1, 1), target, target + 9), 2)
    assert weighting(step(off(target, 1, 1), target))[:, 3].tolist() == [[0.75, 0.75, 1, 1], [0.25, 0.25, 0, 0]]


def test_two_experts_that_are_garbage_outside_their_regime() -> None:
    """Uniform's target is wrong by ¼·E‖g − truth‖²; routed by regime it is not wrong."""
    target, garbage = draw(400, 3, 1), draw(400, 3, 1, seed=1) * 2 + 1
    high = target.mean((1, 2), keepdim=True) > target.mean((1, 2)).median() + 1e-9
    teachers = torch.stack([torch.where(high, target, garbage), torch.where(high, garbage, target)])
    weighting = judged(LFME("quantile", 2, "best"), calibration(teachers, target, target + 1), 2)
    weights = weighting(step(teachers, target))
    blended = (weights[..., None, None] * teachers).sum(0)
    uniform = (teachers.mean(0) - target).square().mean()
    assert float(uniform) == pytest.approx(float((garbage - target).square().mean()) / 4)
    torch.testing.assert_close(weights.sum(0), torch.ones(400).double())
    assert float((blended - target).square().mean()) == 0


REGIMES = st.sampled_from(["none", "quantile", "horizon"])


@given(REGIMES, st.sampled_from(["equal", "best"]), st.integers(1, 4), st.integers(0, 12), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_properties(regimes: Any, responsibility: Any, count: int, epoch: int, seed: int) -> None:
    target, wrong = draw(30, 5, 2, seed=seed), draw(count, 30, 5, 2, seed=seed + 1)
    scale = draw(count, 1, 1, 1, seed=seed + 2).exp()
    teachers, student = target + scale * wrong, target + draw(30, 5, 2, seed=seed + 3)
    valid = draw(count, 30, seed=seed + 4) > -1

    def weights(factor: float = 1, shift: float = 0, order: Any = slice(None), rows: Any = slice(None)) -> Tensor:
        moved, labels = teachers[order] * factor + shift, target * factor + shift
        seen = calibration(moved, labels, student * factor + shift, valid[order])
        weighting = judged(LFME(regimes, 3, responsibility), seen, count)
        silent = moved.masked_fill(~valid[order][..., None, None], math.nan)
        return weighting(step(silent[:, rows], labels[rows], epoch, valid[order][:, rows]))

    found = weights()
    assert found.isfinite().all() and (found >= 0).all() and (found.sum(0) < 1 + 1e-9).all()
    assert found[~valid].eq(0).all()
    torch.testing.assert_close(weights(1e6, 3e6), found, rtol=1e-6, atol=1e-6)
    order, rows = torch.arange(count).flip(0), torch.randperm(30)
    torch.testing.assert_close(weights(order=order), found[order])
    torch.testing.assert_close(weights(rows=rows), found[:, rows])


@pytest.mark.parametrize("regimes", ["none", "quantile", "horizon"])
@pytest.mark.parametrize("responsibility", ["equal", "best"])
def test_equal_teachers_share_evenly_and_a_perfect_one_gives_finite_weights(regimes: Any, responsibility: Any) -> None:
    target = draw(30, 4, 2)
    same = off(target, 1, 1, 1)
    weights = judged(LFME(regimes, 2, responsibility), calibration(same, target, target + 9), 3)(step(same, target))
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3))
    perfect = off(target, 0, 1)
    weights = judged(LFME(regimes, 2, responsibility), calibration(perfect, target, target + 9), 2)(
        step(perfect, target)
    )
    assert weights.isfinite().all() and (weights[0] > 0).all()


def test_teachers_of_which_nothing_is_known_are_followed_alike() -> None:
    target, valid = draw(30, 4, 1), torch.zeros(2, 30, dtype=torch.bool)
    for weighting in (LFME(), LFME("quantile"), LFME("horizon", responsibility="best")):
        weighting.set_up(["t0", "t1"])
        assert weighting(step(off(target, 1, 2), target)).eq(0.5).all()
        judged(weighting, calibration(off(target, 0, 0) * 0, target, target, valid), 2)
        assert weighting(step(off(target, 1, 2), target)).eq(0.5).all()


def test_state_goes_into_a_state_dict_and_back() -> None:
    target = draw(30, 4, 1)
    teachers = off(target, 1, 2)
    first = judged(LFME("quantile", 3), calibration(teachers, target, target * 0), 2)
    second = judged(LFME("quantile", 3), calibration(teachers + 5, target + 1, target), 2)
    assert not torch.equal(first(step(teachers, target)), second(step(teachers, target)))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(step(teachers, target)), second(step(teachers, target)))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"regimes": "hour"}, "regimes='hour': give 'none', 'quantile' or 'horizon'"),
        ({"bins": 0}, "bins=0"),
        ({"lead": 1}, "lead=1: give a finite number above 1"),
        ({"lead": math.inf}, "lead=inf"),
        ({"curriculum": -1}, "curriculum=-1"),
        ({"responsibility": "inverse"}, "responsibility='inverse': give 'equal', 'best'"),
        ({"responsibility": {"a": [1, 2]}}, r"responsibility\['a'\]=\[1, 2\]: give one number for each of 1 regimes"),
        ({"responsibility": {"a": [-1]}}, "none negative"),
        ({"responsibility": {"a": 3}}, r"responsibility\['a'\]=3: give one number for each of 1 regimes"),
        ({"responsibility": {}}, "responsibility={}: give 'equal', 'best', or numbers by teacher name"),
    ],
)
def test_what_cannot_be_is_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LFME(**kwargs)


def test_what_does_not_fit_the_teachers_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown teacher in responsibility 'nobody'"):
        LFME(responsibility={"nobody": [1]}).set_up(["a"])
    with pytest.raises(ValueError, match="unknown responsibility of teacher 'b'"):
        LFME(responsibility={"a": [1]}).set_up(["a", "b"])
    target = draw(9, 3, 1)
    with pytest.raises(ValueError, match="bins=4: give at most one for each of 3 steps"):
        LFME("horizon").calibrate(calibration(target[None], target, target))
    assert repr(LFME("quantile", lead=3)) == "LFME(regimes='quantile', lead=3)"


def wave(n: int) -> TimeSeries:
    """Far from what an untrained student says, and forecast almost without error by a linear one."""
    times = pd.date_range("2020-01-01", periods=n, freq="h")
    values = 3 * np.sin(2 * np.pi * np.arange(n) / 12)[:, None] + 0.1 * noise(n).values()
    return TimeSeries.from_times_and_values(times, values, columns=["y"])


@pytest.mark.parametrize("held_out", [False, True])
def test_the_bias_of_a_teacher_that_was_caught_up_with_does_not_stay(held_out: bool) -> None:
    """With a teacher wrong by ½ and α = ½ fixed weights end wrong by ¼, LFME by nothing."""
    series, later = wave(120), {"val_series": wave(60)} if held_out else {}
    inputs, labels = windows(series)
    plain = regression(inputs, labels)
    weights: list[float] = []

    class Watched(LFME):
        def forward(self, step: Step) -> Tensor:
            found = super().forward(step)
            weights.append(float(found.mean()))
            return found

    def bias(weighting: Weighting) -> float:
        student = linear(n_epochs=4)
        teacher = scripted(series, lambda y, _: y + 0.5)
        DistilledModel(student, teacher, weighting=weighting, balance=0.5).fit(series, **later)
        found = forecasts(student, series) - plain
        assert np.ptp(found) < 2e-3
        return float(found.mean())

    assert bias(Fixed([1])) == pytest.approx(0.25, abs=1e-3)
    assert bias(Watched(curriculum=0)) == pytest.approx(0, abs=1e-3)
    assert weights[0] == 1 and weights[-1] == 0


@pytest.mark.filterwarnings("ignore:teacher 'half'")
@pytest.mark.parametrize("regimes", ["none", "quantile", "horizon"])
def test_fits_with_several_teachers_of_which_some_are_silent_or_short(regimes: Any) -> None:
    def half(y: Tensor, keys: Tensor) -> Tensor:
        return y.masked_fill((keys[:, 1] % 2 == 0)[:, None, None], math.nan)

    series = noise(120, 2)
    short = NLinearModel(L, H - 1, normalize=False, **fast(random_state=1)).fit(series)
    teachers = [scripted(series, half, "half"), Scripted(short, lambda y, _: y + 1, "short")]
    weighting = LFME(regimes, bins=2, responsibility="best", curriculum=2)
    student = linear(n_epochs=3)
    DistilledModel(student, teachers, weighting=weighting, balance=0.5).fit(series, val_series=noise(60, 2, seed=4))
    assert np.isfinite(forecasts(student, series)).all()


def test_errors_are_means_over_what_has_a_label() -> None:
    """Components of errors 1 and 3: both known, one, the other, and a step without any, which has the others' mean."""
    forecasts = torch.tensor([1.0, 3.0]).double().expand(1, 2, 4, 2)
    labelled = torch.tensor([[[True, True], [True, False], [False, True], [False, False]], [[False, False]] * 4])
    found = _squared(forecasts, torch.zeros(2, 4, 2).double(), labelled)
    assert found[0].tolist() == [[5, 1, 9, 5], [0, 0, 0, 0]]


def test_blocks_have_means_over_the_steps_that_a_teacher_covers() -> None:
    blocks = torch.tensor([[True, True, False, False], [False, False, True, True]])
    covers = torch.tensor([[True, True, True, True], [False, True, True, False]])
    values = torch.tensor([[1.0, 2, 3, 4], [10, 20, 30, 40]]).double()[:, None]
    assert _over(blocks, values, covers)[:, 0].tolist() == [[1.5, 3.5], [20, 30]]


def test_a_regime_without_windows_has_the_error_of_each_step_over_all_regimes() -> None:
    """The second teacher forecasts nothing where labels are high."""
    target = torch.tensor([0.0, 1, 2, 10, 11, 12]).double()[:, None, None].expand(6, 2, 1)
    off = torch.tensor([[1.0, 2], [3, 5]]).double()[:, None, :, None].expand(2, 6, 2, 1)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 3:] = False
    weighting = LFME("quantile", bins=2)
    weighting.set_up(["a", "b"])
    weighting.calibrate(calibration(target + off, target, target, valid))
    assert weighting.teacher_error.tolist() == [[[1, 4]] * 2, [[9, 25]] * 2]
