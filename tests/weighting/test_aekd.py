"""The shortest combination of the teachers' gradients: its solver against others, and what it does to a student."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import NLinearModel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.svm import OneClassSVM
from torch import Tensor, nn

from tests.helpers.closed_form import forecasts, noise, regression, windows
from tests.helpers.scripted import Scripted
from tests.helpers.series import QUIET
from tests.helpers.steps import make_step
from tskd import DistilledModel
from tskd.weighting import Step, StepContext, WeightingNeeds
from tskd.weighting.aekd import AEKD
from tskd.weighting.capped_simplex import RIDGE, kkt_residual, normalised, shortest

FAST = settings(max_examples=30, deadline=None, derandomize=True)
CAPS = (1.0, 0.6, 0.5, 1 / 3, 0.25)


def gradients(seed: int) -> tuple[np.ndarray, float]:
    """Two to eight vectors, of all ranks; some badly scaled, equal or 0; and a cap."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    found = rng.normal(size=(count, rng.integers(1, count + 4))) + rng.normal() * rng.integers(2)
    if seed % 4 == 0:
        found *= 10.0 ** rng.uniform(-6, 6, size=(count, 1))
    if seed % 5 == 0:
        found[rng.integers(count)] = found[0]
    if seed % 7 == 0:
        found[rng.integers(count)] = 0
    if seed % 3 == 0:
        found *= 10.0 ** rng.uniform(-100, 100)
    return found, (*CAPS, float(rng.uniform(1 / count, 1)))[seed % 6]


def relative_length(gram: np.ndarray, shares: np.ndarray) -> float:
    return math.sqrt(max(shares @ gram @ shares, 0) / gram.diagonal().mean())


def test_conditions_of_the_optimum_hold_whatever_the_gradients() -> None:
    worst = 0.0
    for seed in range(1500):
        vectors, cap = gradients(seed)
        gram = vectors @ vectors.T
        shares = shortest(gram, cap)
        worst = max(worst, kkt_residual(normalised(gram), shares, max(cap, 1 / len(gram))))
    assert worst < 1e-9


def test_shares_are_the_same_where_all_is_known_to_be_valid() -> None:
    rng = torch.Generator().manual_seed(0)
    teachers = torch.randn(3, 6, 4, 2, generator=rng)
    given = make_step(teachers, student=torch.randn(6, 4, 2, generator=rng))
    found = AEKD()(given)
    assert len(found.unique()) == 3
    torch.testing.assert_close(AEKD()(replace(given, whole=True)), found)


def test_conditions_do_not_hold_elsewhere() -> None:
    gram = normalised(np.diag([1.0, 2, 4]))
    best = shortest(np.diag([1.0, 2, 4]), 1)
    assert best == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert kkt_residual(gram, best, 1) < 1e-12
    for wrong in ([1 / 3, 1 / 3, 1 / 3], [1.0, 0, 0], 1.01 * best, best + np.array([0, 0.2, -0.2])):
        assert kkt_residual(gram, np.asarray(wrong), 1) > 1e-2
    assert kkt_residual(gram, best, 0.5) > 0.05


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_a_general_solver_finds_nothing_shorter(first: int) -> None:
    for seed in range(first, first + 20):
        vectors, cap = gradients(seed)
        gram = vectors @ vectors.T
        count, cap = len(gram), max(cap, 1 / len(gram))
        unit = gram / gram.diagonal().mean()
        other = minimize(
            lambda a, g: 0.5 * a @ g @ a,
            np.full(count, 1 / count),
            jac=lambda a, g: g @ a,
            args=(unit,),
            bounds=[(0, cap)] * count,
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        mine, theirs = relative_length(unit, shortest(gram, cap)), relative_length(unit, other.x)
        assert mine <= theirs + 2 * math.sqrt(RIDGE)
        # that solver stops early on badly scaled problems
        if seed % 4:
            assert mine == pytest.approx(theirs, abs=1e-3)


def test_a_support_vector_machine_has_the_same_dual() -> None:
    """OneClassSVM: min ½ αᵀGα with 0 ≤ α ≤ 1 and Σα = ν·K; with ν = 1/(C·K) these are shares over C."""
    compared = 0
    for seed in range(60):
        vectors, cap = gradients(seed)
        count = len(vectors)
        if not seed % 4 or cap * count <= 1.001:
            continue
        gram = vectors @ vectors.T
        unit = gram / gram.diagonal().mean()
        machine = OneClassSVM(kernel="precomputed", nu=1 / (cap * count), tol=1e-7).fit(unit)
        theirs = np.zeros(count)
        theirs[machine.support_] = machine.dual_coef_[0] * cap
        theirs /= theirs.sum()
        assert relative_length(unit, shortest(gram, cap)) == pytest.approx(relative_length(unit, theirs), abs=3e-4)
        compared += 1
    assert compared > 30


def test_without_a_cap_it_is_the_multiple_gradient_descent_algorithm() -> None:
    """TorchJD's goes from vertex to vertex and comes near the optimum only slowly: never below it."""
    aggregation = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
    theirs = aggregation.MGDA(epsilon=1e-9, max_iters=500)
    gaps = []
    # it stops early on badly scaled problems
    for seed in (seed for seed in range(40) if seed % 4):
        vectors, _ = gradients(seed)
        vectors /= math.sqrt((vectors**2).sum(1).mean())
        gram = vectors @ vectors.T
        gaps.append(float(theirs(torch.as_tensor(vectors)).norm()) - relative_length(gram, shortest(gram, 1)))
    assert min(gaps) > -2 * math.sqrt(RIDGE)
    assert max(gaps) < 0.03 and np.median(gaps) < 1e-4


def test_solutions_by_hand() -> None:
    opposing = np.array([[1.0, 2], [-1, -2]])
    assert shortest(opposing @ opposing.T, 1) == pytest.approx([0.5, 0.5])
    assert np.abs(shortest(opposing @ opposing.T, 1) @ opposing).max() < 1e-12

    three = np.array([[1.0, 0], [-0.9, 0.1], [0.2, 1]])
    assert shortest(three @ three.T, 1) == pytest.approx([0.475, 0.525, 0], abs=1e-3)
    assert shortest(np.zeros((3, 3)), 0.6) == pytest.approx([1 / 3] * 3)
    assert shortest(np.full((3, 3), np.nan), 0.6) == pytest.approx([1 / 3] * 3)
    assert shortest(np.diag([1.0, 1e4, 1e4]), 0.6) == pytest.approx([0.6, 0.2, 0.2], abs=1e-6)
    assert shortest(np.diag([1.0, 2, 3]), 0.2) == pytest.approx([1 / 3] * 3)
    assert shortest(np.eye(1), 0.6).tolist() == [1]


def step_of(forecasts: Tensor, student: Tensor, valid: Tensor | None = None, **kwargs: Any) -> Step:
    return make_step(forecasts, valid, student=student, keys=torch.arange(2 * len(student)).reshape(-1, 2), **kwargs)


def some_step(seed: int, teachers: int, windows: int = 6, dtype: torch.dtype = torch.float64) -> Step:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(teachers + 1, windows, 4, 2, generator=generator, dtype=torch.float64)
    return step_of((draw[1:] + 0.3).to(dtype), draw[0].to(dtype))


def target_of(step: Step, cap: float) -> Tensor:
    return (AEKD(cap)(step)[..., None, None] * step.forecasts).sum(0)


@FAST
@given(seed=st.integers(0, 10**6), teachers=st.integers(1, 6))
def test_the_target_is_the_projection_on_the_hull_of_the_teachers(seed: int, teachers: int) -> None:
    """⟨s − p, t − p⟩ ≤ 0 for every teacher t says that p is the point of the hull that is nearest to s."""
    step = some_step(seed, teachers)
    target = target_of(step, 1)
    products = ((step.student - target) * (step.forecasts - target)).flatten(1).sum(1)
    assert products.max() < 1e-5
    # with a cap, of the hull's points that it allows
    capped, generator = target_of(step, 0.6), torch.Generator().manual_seed(seed)
    nearest = (step.student - capped).norm()
    assert nearest >= (step.student - target).norm() - 1e-6
    for _ in range(20):
        shares = torch.rand(teachers, generator=generator, dtype=torch.float64)
        shares /= shares.sum()
        if shares.max() <= max(0.6, 1 / teachers):
            assert (step.student - torch.einsum("k,kbhc->bhc", shares, step.forecasts)).norm() >= nearest - 1e-6


def test_a_student_among_its_teachers_is_its_own_target() -> None:
    step = some_step(1, 4)
    inside = torch.einsum("k,kbhc->bhc", torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), step.forecasts)
    torch.testing.assert_close(target_of(step_of(step.forecasts, inside), 1), inside, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(target_of(step_of(step.forecasts, inside), 0.4), inside, rtol=1e-5, atol=1e-6)


@FAST
@given(seed=st.integers(0, 10**6), teachers=st.integers(2, 6), cap=st.sampled_from(CAPS))
def test_weights_are_capped_and_do_not_mind_units_or_order(seed: int, teachers: int, cap: float) -> None:
    step = some_step(seed, teachers)
    weights = AEKD(cap)(step)
    assert weights.shape == (teachers, 6) and (weights == weights[:, :1]).all()
    assert weights.min() >= 0 and weights.max() <= max(cap, 1 / teachers) + 1e-9
    torch.testing.assert_close(weights.sum(0), torch.ones(6, dtype=torch.float64))
    moved = step_of(1e6 * step.forecasts + 3e6, 1e6 * step.student + 3e6)
    torch.testing.assert_close(AEKD(cap)(moved), weights, rtol=1e-5, atol=1e-6)
    order, rows = torch.arange(teachers).roll(1), torch.arange(6).flip(0)
    turned = step_of(step.forecasts[order][:, rows], step.student[rows])
    torch.testing.assert_close(AEKD(cap)(turned), weights[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_extremes_give_finite_weights(dtype: torch.dtype) -> None:
    step = some_step(2, 3, dtype=dtype)
    third = torch.full((3, 6), 1 / 3, dtype=torch.promote_types(dtype, torch.float32))
    for cap in (1.0, 0.6):
        alike = step_of(step.forecasts[:1].expand(3, -1, -1, -1), step.student)
        torch.testing.assert_close(AEKD(cap)(alike), third, rtol=1e-5, atol=1e-6)
        same = step_of(step.student.expand(3, -1, -1, -1), step.student)
        torch.testing.assert_close(AEKD(cap)(same), third)
        for value in (torch.finfo(dtype).max, torch.inf, torch.nan):
            lost = step_of(step.forecasts, torch.full_like(step.student, value))
            weights = AEKD(cap)(lost)
            assert weights.isfinite().all()
            torch.testing.assert_close(weights.sum(0), torch.ones(6, dtype=weights.dtype))
    one = step_of(step.forecasts[:1], step.student)
    assert (AEKD()(one) == 1).all() and AEKD()(one).dtype == third.dtype


def test_a_teacher_that_is_mostly_absent_is_not_favoured_for_it() -> None:
    """Three teachers that say the same, one of them in a window of twelve: all count alike where they are there."""
    step = some_step(3, 1, windows=12)
    valid = torch.ones(3, 12).bool()
    valid[0, 1:] = False
    forecasts = step.forecasts.expand(3, -1, -1, -1).where(valid[..., None, None], torch.nan)
    weights = AEKD(1)(step_of(forecasts, step.student, valid))
    torch.testing.assert_close(weights[:, 0], torch.full((3,), 1 / 3).double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        weights[:, 1:], torch.tensor([0, 0.5, 0.5]).double()[:, None].expand(3, 11), rtol=1e-5, atol=1e-6
    )


def test_what_an_absent_teacher_says_does_not_matter() -> None:
    """The mean of the others stands for it."""
    step = some_step(7, 3)
    valid = torch.ones(3, 6).bool()
    valid[0, :2] = False
    broken = step.forecasts.where(valid[..., None, None], torch.nan)
    filled = step.forecasts.clone()
    filled[0, :2] = step.forecasts[1:, :2].mean(0)
    weights = AEKD(1)(step_of(broken, step.student, valid))
    assert (weights[:, 2] - 1 / 3).abs().max() > 0.02
    torch.testing.assert_close(weights[:, 2:], AEKD(1)(step_of(filled, step.student))[:, 2:])


def test_teachers_without_a_window_count_for_nothing_not_even_in_the_cap() -> None:
    step = some_step(4, 3)
    valid = torch.ones(3, 6).bool()
    valid[1] = False
    broken = step.forecasts.where(valid[..., None, None], torch.nan)
    weights = AEKD(0.4)(step_of(broken, step.student, valid))
    torch.testing.assert_close(weights, torch.tensor([0.5, 0, 0.5]).double()[:, None].expand(3, 6))
    two = AEKD(1)(step_of(step.forecasts[[0, 2]], step.student))
    torch.testing.assert_close(AEKD(1)(step_of(broken, step.student, valid))[[0, 2]], two)
    nobody = AEKD()(step_of(step.forecasts, step.student, torch.zeros_like(valid)))
    assert (nobody == 0).all()
    alone = valid.clone()
    alone[:, 0] = torch.tensor([False, False, True])
    weights = AEKD()(step_of(broken, step.student, alone))
    assert weights[:, 0].tolist() == [0, 0, 1]


def test_a_teacher_of_a_part_of_the_horizon_is_not_favoured_for_it() -> None:
    step = some_step(5, 1)
    covers = torch.tensor([[True, False, False, False], [True] * 4])
    forecasts = step.forecasts.expand(2, -1, -1, -1) * covers[:, None, :, None]
    weights = AEKD(1)(step_of(forecasts, step.student, covers=covers))
    expected = torch.tensor([[0.5, 0, 0, 0], [0.5, 1, 1, 1]]).double()[:, None].expand(2, 6, 4)
    torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-6)


def test_weights_are_even_until_the_warm_up_is_over() -> None:
    step = some_step(6, 3)
    for epoch in (0, 1):
        now = step_of(step.forecasts, step.student, epoch=epoch)
        torch.testing.assert_close(AEKD(warm_up=2)(now), torch.full((3, 6), 1 / 3).double())
    now = step_of(step.forecasts, step.student, epoch=2)
    assert torch.equal(AEKD(warm_up=2)(now), AEKD()(now))
    assert (AEKD()(now) - 1 / 3).abs().max() > 0.05


def gram_of(slopes: Tensor) -> Callable[[Tensor], Tensor]:
    """Of a student whose forecast has these slopes `[B, H, C, P]`."""

    def gram(cotangents: Tensor) -> Tensor:
        rows = torch.einsum("nbhc,bhcp->np", cotangents, slopes)
        return rows @ rows.T

    return gram


def in_space(weighting: AEKD, step: Step, slopes: Tensor) -> list[float]:
    """Weights of the teachers, alike in all windows."""
    weights = weighting(replace(step, context=StepContext(gram=gram_of(slopes))))
    assert bool((weights == weights[:, :1]).all())
    return weights[:, 0].tolist()


@pytest.mark.parametrize("space", ["head", "parameters"])
def test_what_the_student_cannot_express_does_not_count(space: Any) -> None:
    """A student that forecasts one number for all. From its 0, the first teacher's pulls cancel; the others' are 1 and
    −3, of which the shortest combination without the first is 0 at ¾ and ¼."""
    student = torch.zeros(6, 4, 2).double()
    cancels = torch.tensor([5.0, -5, 5, -5]).double()[:, None].expand(6, 4, 2)
    three = torch.stack([cancels, student + 1, student - 3])
    slopes = torch.ones(6, 4, 2, 1).double()
    assert in_space(AEKD(1.0, space=space), step_of(three[1:], student), slopes) == pytest.approx([0.75, 0.25])
    weights = in_space(AEKD(1.0, space=space), step_of(three[:2], student), slopes)
    assert weights == pytest.approx([1, 0], abs=1e-6)
    # in the space of the output: 25·8·6 against 8·6, orthogonal
    assert AEKD(1.0)(step_of(three[:2], student))[:, 0].tolist() == pytest.approx([1 / 26, 25 / 26], abs=1e-6)
    # a student that can forecast anything
    whole = torch.eye(48).double().reshape(6, 4, 2, 48)
    assert in_space(AEKD(1.0, space=space), step_of(three, student), whole) == pytest.approx(
        AEKD(1.0)(step_of(three, student))[:, 0].tolist(), abs=1e-6
    )


def test_the_absent_pull_as_the_mean_of_the_others_in_every_space() -> None:
    step = some_step(8, 3)
    valid = torch.ones(3, 6).bool()
    valid[0, :2] = False
    valid[2] = False
    slopes = torch.randn(6, 4, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    absent = step_of(step.forecasts.where(valid[..., None, None], torch.nan), step.student, valid)
    filled = step.forecasts[:2].clone()
    filled[0, :2] = step.forecasts[1, :2]
    expected = in_space(AEKD(1.0, space="head"), step_of(filled, step.student), slopes)
    weights = AEKD(1.0, space="head")(replace(absent, context=StepContext(gram=gram_of(slopes))))
    assert weights[:, 3].tolist() == pytest.approx([*expected, 0])
    assert weights[:, 0].tolist() == [0, 1, 0]


class Shrunk(pl.Callback):
    """A student that starts near zero."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        with torch.no_grad():
            assert isinstance(pl_module.student, nn.Module)
            for parameter in pl_module.student.parameters():
                parameter.mul_(0.01)


NOISE = noise(120)
WAVE = NOISE.with_values(np.sin(np.arange(120) / 2)[:, None])


def length(weighting: AEKD, balance: float, series: TimeSeries) -> float:
    """Of what a student says whose teachers are 1.1 and .9 times the labels, and 0; over that of the regression."""

    def linear(n_epochs: int, *callbacks: pl.Callback) -> NLinearModel:
        descent = {"batch_size": 10**6, "optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 0.3}}
        own = {"random_state": 1, "n_epochs": n_epochs, "pl_trainer_kwargs": QUIET | {"callbacks": list(callbacks)}}
        return NLinearModel(5, 3, const_init=False, normalize=False, **own, **descent)

    scripts = {"more": lambda y, _: 1.1 * y, "less": lambda y, _: 0.9 * y, "zero": lambda y, _: torch.zeros_like(y)}
    teachers = [Scripted(linear(1).fit(series), script, name) for name, script in scripts.items()]
    student = linear(100, Shrunk())
    DistilledModel(student, teachers, weighting=weighting, balance=balance).fit(series)
    inputs, labels = windows(series)
    return float(np.linalg.norm(forecasts(student, series)) / np.linalg.norm(regression(inputs, labels)))


@pytest.mark.filterwarnings("ignore:teacher 'zero' forecasts the same")
def test_a_student_near_a_teacher_that_says_nothing_stays_there_unless_it_is_helped() -> None:
    assert length(AEKD(cap=1), 1, WAVE) < 0.02
    assert length(AEKD(cap=1), 0.95, WAVE) > 0.5
    assert length(AEKD(cap=1, warm_up=30), 1, WAVE) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.filterwarnings("ignore:teacher 'zero' forecasts the same")
def test_what_the_student_cannot_follow_draws_it_back() -> None:
    """The target of a·ŷ is its projection on the labels, a·R²·y: its regression is a·R²·ŷ, and a goes to
    (1 − α)/(1 − α·R²), after a warm-up too."""
    inputs, labels = windows(NOISE)
    explained = float((np.linalg.norm(regression(inputs, labels)) / np.linalg.norm(labels)) ** 2)
    assert length(AEKD(cap=1), 0.95, NOISE) == pytest.approx(0.05 / (1 - 0.95 * explained), rel=0.02)
    assert length(AEKD(cap=1, warm_up=20), 1, NOISE) < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cap": 0}, "cap=0: give a number above 0 and up to 1"),
        ({"cap": 1.01}, "cap=1.01: give a number above 0 and up to 1"),
        ({"cap": math.nan}, "cap=nan: give a number above 0 and up to 1"),
        ({"warm_up": -1}, "warm_up=-1: give a number of epochs, 0 or more"),
        ({"warm_up": 1.5}, "warm_up=1.5: give a number of epochs, 0 or more"),
        ({"space": "gradient"}, "space='gradient': give one of 'output', 'head', 'parameters'"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AEKD(**arguments)


def test_it_can_be_made_again_and_has_no_state() -> None:
    assert repr(AEKD(0.5, warm_up=3)) == "AEKD(cap=0.5, warm_up=3)"
    assert repr(AEKD(space="head")) == "AEKD(space='head')"
    assert not AEKD().state_dict() and AEKD().needs == WeightingNeeds()
    assert [AEKD(space=space).needs.gram for space in ("output", "head")] == [None, "head"]


@pytest.mark.parametrize("unknown", [False, True])
def test_the_batch_is_that_of_all_processes(unknown: bool) -> None:
    """Two halves, each told the mean of what both ask for, are weighted as the whole; also if one lacks a teacher."""
    generator = torch.Generator().manual_seed(3)
    forecasts = torch.randn(3, 8, 4, 2, generator=generator, dtype=torch.float64)
    student, target = torch.randn(2, 8, 4, 2, generator=generator, dtype=torch.float64)
    valid = torch.rand(3, 8, generator=generator) > 0.3
    valid[1, 4:] &= not unknown
    whole = make_step(forecasts.where(valid[:, :, None, None], 0), valid, student=student, target=target)
    halves = [
        replace(whole, forecasts=whole.forecasts[:, part], valid=valid[:, part], student=student[part])
        for part in (slice(0, 4), slice(4, 8))
    ]
    asked: list[list[Tensor]] = [[], []]

    def recorded(number: int, values: Tensor) -> Tensor:
        asked[number].append(values)
        # known to all at once: the first answer says which teachers there are
        return valid.any(1).to(values) if values.dim() == 1 else values

    for number, half in enumerate(halves):
        AEKD(1.0).scores(replace(half, context=StepContext(partial(recorded, number))))
    answers = [torch.stack(pair).mean(0) for pair in zip(*asked, strict=True)]
    for half in halves:
        found = AEKD(1.0).scores(replace(half, context=StepContext(partial(lambda told, _: next(told), iter(answers)))))
        torch.testing.assert_close(found[:, 0], AEKD(1.0).scores(whole)[:, 0])
