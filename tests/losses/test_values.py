"""Losses against values by hand, or by a route of their own: numpy, brute force over pairs, torch.distributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import (
    Cauchy,
    Dirichlet,
    Distribution,
    Exponential,
    Gamma,
    Gumbel,
    Laplace,
    NegativeBinomial,
    Normal,
    kl_divergence,
)

from tskd.losses import (
    AttentionTransfer,
    AttentiveImitation,
    AutoregressiveKD,
    ChannelRelation,
    DistillationLoss,
    FeatureKD,
    HorizonWeighted,
    LevelShapeKD,
    LikelihoodKD,
    MultiPeriodKD,
    MultiScaleKD,
    OutlierRejection,
    OutputKD,
    Predictive,
    QuantileKD,
    SampleRelation,
    StudentTeacherPair,
    TeacherBounded,
    TemporalRelation,
)
from tskd.losses._numerics import standardised
from tskd.losses.sample_relation import Relation, angles

B, H, C = 6, 9, 3
LEVELS = (0.1, 0.5, 0.9)
GAUSSIAN = 1.4826


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def steps(*values: float) -> Tensor:
    """One window of one component."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)


def pair(student: Tensor, teacher: Tensor, target: Tensor | None = None, **given: Any) -> StudentTeacherPair:
    return StudentTeacherPair(student, teacher, torch.zeros_like(student) if target is None else target, **given)


def hidden(student: Tensor, teacher: Tensor) -> StudentTeacherPair:
    blank = torch.zeros(len(student), 1, 1, dtype=student.dtype)
    return StudentTeacherPair(blank, blank, blank, features=(student, teacher))


def forecast(student: Predictive, teacher: Predictive, teacher_point: Tensor | None = None) -> StudentTeacherPair:
    blank = torch.zeros(1, 1, 1, dtype=torch.float64)
    point = blank if teacher_point is None else teacher_point
    return StudentTeacherPair(torch.zeros_like(point), point, torch.zeros_like(point), predictive=(student, teacher))


def gaussians(student: Distribution, teacher: Distribution) -> StudentTeacherPair:
    return forecast(Predictive(student), Predictive(teacher))


def used(loss: Any, compared: StudentTeacherPair) -> Tensor:
    loss.set_up(compared)
    return loss(compared)


def close(found: Tensor, expected: Any, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(
    ("metric", "expected"), [("mse", [0, 0.25, 9]), ("mae", [0, 0.5, 3]), ("huber", [0, 0.125, 2.5])]
)
def test_output(metric: Any, expected: list[float]) -> None:
    found = used(OutputKD(metric), pair(steps(1, 2.5, 4), steps(1, 3, 1)))
    assert found.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "margin", "expected"),
    [
        ("mse", 0, [0, 0, 4, 9, 0]),
        ("mse", 3, [0, 0, 0, 9, 0]),
        ("mse", 8.5, [0, 0, 0, 0, 0]),
        ("mae", 0, [0, 0, 2, 3, 0]),
        ("mae", 1, [0, 0, 0, 3, 0]),
        ("huber", 0, [0, 0, 1.5, 2.5, 0]),
        ("huber", 1.5, [0, 0, 0, 2.5, 0]),
    ],
)
def test_a_student_worse_than_its_teacher_and_the_margin_is_counted_in_full(
    metric: Any, margin: float, expected: list[float]
) -> None:
    """Errors of the student 1, ½, 2, 3 and −1 beside the teacher's −1, 1, 1, −1 and 2."""
    target = steps(10, 10, 10, 10, 10)
    compared = pair(steps(11, 10.5, 12, 13, 9), steps(9, 11, 11, 9, 12), target)
    assert used(TeacherBounded(margin, metric), compared).flatten().tolist() == pytest.approx(expected)


def test_a_student_that_is_as_wrong_as_its_teacher_has_no_bounded_term() -> None:
    student = steps(2, -2).requires_grad_()
    found = used(TeacherBounded(), pair(student, steps(2, 2)))
    assert found.flatten().tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(found.sum(), student)
    assert gradient.flatten().tolist() == [0, 0]


def test_imitation_falls_from_the_best_window_to_the_worst() -> None:
    """Mean squared errors of the teacher 1, 3 and 9 in training: Φ = (9 − e)/8; beyond them it is clipped."""
    known = [(steps(1, 1), steps(0, 0)), (torch.cat([steps(3, 3), steps(1, math.sqrt(5))]), torch.zeros(2, 2, 1))]
    loss = AttentiveImitation()
    teacher = torch.cat([steps(1, 1), steps(0, 2), steps(3, 3), steps(0, 0), steps(4, 4)])
    student = teacher + steps(1, -2)
    compared = pair(student, teacher, torch.zeros_like(teacher))
    loss.set_up(compared)
    loss.fit_statistics(iter(known))
    trust = np.array([1, 7 / 8, 0, 1, 0])
    close(loss(compared)[:, :, 0], trust[:, None] * np.array([1, 4]))


def test_imitation_is_plain_where_the_teacher_is_always_as_right() -> None:
    loss = AttentiveImitation()
    compared = pair(steps(1, 5), steps(2, 2))
    loss.set_up(compared)
    loss.fit_statistics([(steps(2, 2), steps(0, 0)), (steps(-2, 2), steps(0, 0))])
    assert loss(compared).flatten().tolist() == pytest.approx([1, 9])


def test_labels_beyond_the_robust_limit_fade() -> None:
    """|y − t| of 1, 2, 30 at the first step, always 0 at the second, of 10, 0, 2 at the third: medians 2, 0 and 2."""
    target = torch.cat([steps(1, 0, 10), steps(-2, 0, 0), steps(30, 0, -2)])
    teacher = torch.zeros_like(target)
    limit = 0.5 * GAUSSIAN * 2
    asked = steps(4, 100, -limit / 2)
    for share in (1.0, 0.25):
        rejection = OutlierRejection(0.5, weight=share)
        rejection.set_up(pair(asked, asked, asked))
        rejection.fit_statistics([(teacher[:1], target[:1]), (teacher[1:], target[1:])])
        found = rejection(torch.zeros_like(asked), asked)
        assert found.flatten().tolist() == pytest.approx([1 - share * (1 - limit / 4), 1, 1])


def test_level_and_shape_by_hand() -> None:
    """A difference of 1, 2 and 6 has level 3 and shape −2, −1 and 3."""
    compared = pair(steps(1, 2, 6), steps(0, 0, 0))
    assert used(LevelShapeKD(), compared).flatten().tolist() == pytest.approx([9 + 4, 9 + 1, 9 + 9])
    assert used(LevelShapeKD(2, 0.5), compared).flatten().tolist() == pytest.approx([18 + 2, 18 + 0.5, 18 + 4.5])
    assert used(LevelShapeKD(shape=0), compared).flatten().tolist() == pytest.approx([9, 9, 9])


def test_level_and_shape_add_up_to_the_whole() -> None:
    compared = pair(draw(B, H, C), draw(B, H, C, seed=1))
    close(used(LevelShapeKD(), compared).mean(1), used(OutputKD(), compared).mean(1))


@pytest.mark.parametrize("temperature", [1, 0.5, 3])
def test_divergence_of_gaussians_by_hand(temperature: float) -> None:
    """log(σ_s/Tσ_t) + (T²σ_t² + (μ_t − μ_s)²)/2σ_s² − ½."""
    mean, spread, teacher_mean, teacher_spread = 1.0, 2.0, 4.0, 0.5
    shape = (1, 1, 1)
    student = Normal(torch.full(shape, mean), torch.full(shape, spread))
    teacher = Normal(torch.full(shape, teacher_mean), torch.full(shape, teacher_spread))
    wide = temperature * teacher_spread
    expected = math.log(spread / wide) + (wide**2 + (teacher_mean - mean) ** 2) / (2 * spread**2) - 0.5
    found = used(LikelihoodKD(temperature), gaussians(student, teacher))
    assert found.shape == shape
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [Normal, Laplace, Cauchy, Gumbel])
@pytest.mark.parametrize("temperature", [1, 2.5])
def test_divergence_is_the_integral_over_the_teachers_density(kind: Any, temperature: float) -> None:
    size = (2, 2, 1)
    ones = torch.ones(*size, dtype=torch.float64)
    student, teacher = kind(0.3 * ones, 1.2 * ones), kind(draw(*size), 0.5 + draw(*size, seed=1).abs())
    found = used(LikelihoodKD(temperature), gaussians(student, teacher))
    softened = kind(teacher.loc, temperature * teacher.scale)
    close(found, kl_divergence(softened, student))
    # t = tan covers the line evenly enough for the heavy tails too
    angle = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000 * math.pi - math.pi / 2
    place, width = angle.tan().clamp(-1e5, 1e5), math.pi / 400_000 / angle.cos() ** 2
    for window, step in itertools.product(range(size[0]), range(size[1])):
        one = kind(softened.loc[window, step], softened.scale[window, step])
        other = kind(student.loc[window, step], student.scale[window, step])
        log_density = one.log_prob(place)
        difference = torch.where(log_density > -500, log_density - other.log_prob(place), 0)
        integral = (log_density.exp() * difference * width).sum()
        assert found[window, step].item() == pytest.approx(integral.item(), rel=1e-3)


def test_divergence_of_other_likelihoods() -> None:
    size = (2, 3, 2)
    shape, rate = (0.5 + draw(*size, seed=seed).abs() for seed in (1, 2))
    other, another = (0.5 + draw(*size, seed=seed).abs() for seed in (3, 4))
    by_hand = rate.log() - other.log() + other / rate - 1
    close(used(LikelihoodKD(), gaussians(Exponential(other), Exponential(rate))), by_hand)
    found = used(LikelihoodKD(), gaussians(Gamma(shape, rate), Gamma(other, another)))
    close(found, kl_divergence(Gamma(other, another), Gamma(shape, rate)))


def test_a_dirichlet_has_one_divergence_for_all_components() -> None:
    size = (2, 4, 3)
    student, teacher = (0.5 + draw(*size, seed=seed).abs() for seed in (1, 2))
    blank = torch.zeros(*size, dtype=torch.float64)
    compared = StudentTeacherPair(
        blank, blank, blank, predictive=(Predictive(Dirichlet(student)), Predictive(Dirichlet(teacher)))
    )
    expected = kl_divergence(Dirichlet(teacher), Dirichlet(student))
    found = used(LikelihoodKD(), compared)
    assert found.shape == (2, 4, 1)
    close(found[..., 0], expected)
    late = used(HorizonWeighted(LikelihoodKD(), rate=2), compared)
    growing = np.exp(2 * np.arange(4) / 3)
    close(late[..., 0], expected.numpy() * growing / growing.mean())


def quantiles(*values: float, levels: tuple[float, ...] = LEVELS) -> Predictive:
    return Predictive(quantiles=torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1), levels=levels)


@pytest.mark.parametrize(
    ("metric", "temperature", "expected"),
    [
        # misses t − s of 1, 0 and −2: pinball .1·1, 0 and .1·2
        ("pinball", 1, (0.1 + 0 + 0.2) / 3),
        ("mse", 1, (1 + 0 + 4) / 3),
        # the teacher says 1, 2 and 4, twice as far from its median 0, 2 and 6: misses 0, 0 and 0
        ("pinball", 2, 0),
        ("mse", 2, 0),
        # half as far: 1.5, 2 and 3, misses 1.5, 0 and −3
        ("pinball", 0.5, (0.15 + 0 + 0.3) / 3),
        ("mse", 0.5, (2.25 + 0 + 9) / 3),
    ],
)
def test_quantiles_by_hand(metric: Any, temperature: float, expected: float) -> None:
    compared = forecast(quantiles(0, 2, 6), quantiles(1, 2, 4), steps(2))
    assert used(QuantileKD(metric, temperature), compared).item() == pytest.approx(expected)


def test_a_quantile_missed_on_its_own_side_of_the_median_costs_more() -> None:
    """A student that says less than the teacher, by 1: the quantile .9 costs .9, the quantile .1 costs .1."""
    for level, expected in ((0.1, 0.1), (0.9, 0.9)):
        sides = (quantiles(1, levels=(level,)), quantiles(2, levels=(level,)))
        assert used(QuantileKD(), forecast(*sides)).item() == pytest.approx(expected)


def test_quantiles_are_compared_at_common_levels() -> None:
    student = quantiles(0, 1, 2, 3, 4, levels=(0.05, 0.25, 0.5, 0.75, 0.95))
    teacher = quantiles(-1, 0, 2.5, 5, 6, levels=(0.1, 0.25, 0.5, 0.75, 0.9))
    assert used(QuantileKD("mse"), forecast(student, teacher)).item() == pytest.approx((1 + 0.25 + 4) / 3)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.5, 4.0])
def test_weights_over_the_horizon(rate: float) -> None:
    compared = pair(draw(B, H, C), draw(B, H, C, seed=1))
    growing = np.exp(rate * np.arange(H) / (H - 1))
    weights = growing / growing.mean()
    found = used(HorizonWeighted(OutputKD("mae"), rate), compared)
    close(found, weights[:, None] * (compared.student - compared.teacher).abs().numpy())


def test_weights_over_a_horizon_by_hand() -> None:
    """exp(log 4·h/2) is 1, 2 and 4, whose mean is 7/3; one step counts in full."""
    found = used(HorizonWeighted(rate=math.log(4)), pair(steps(1, 1, 1), steps(0, 0, 2)))
    assert found.flatten().tolist() == pytest.approx([3 / 7, 6 / 7, 12 / 7])
    assert used(HorizonWeighted(rate=5), pair(steps(3), steps(1))).item() == pytest.approx(4)


def test_coefficients_of_what_is_held_multiply() -> None:
    compared = pair(steps(1, 3), steps(0, 1))
    found = used(HorizonWeighted(HorizonWeighted(OutputKD(weight=3), rate=0, weight=0.5), rate=0, weight=7), compared)
    assert found.flatten().tolist() == pytest.approx([1.5 * 1, 1.5 * 4])
    features = hidden(draw(B, 4, 2), draw(B, 4, 2, seed=1))
    plain = used(FeatureKD(projector=None), features)
    close(used(FeatureKD(projector=None, loss=OutputKD(weight=3), weight=5), features), 3 * plain.numpy())


def test_scales_by_hand() -> None:
    """Differences 1, 3, −1, 5 and 2: means of two 2 and 2, of four 2; the last step fills no stretch."""
    compared = pair(steps(1, 3, -1, 5, 2), steps(0, 0, 0, 0, 0))
    mse = [(1 + 9 + 1 + 25 + 4) / 5, (4 + 4) / 2, 4]
    mae = [12 / 5, 2, 2]
    for scales in range(3):
        assert used(MultiScaleKD(scales), compared).item() == pytest.approx(np.mean(mse[: scales + 1]))
        assert used(MultiScaleKD(scales, "mae"), compared).item() == pytest.approx(np.mean(mae[: scales + 1]))


@pytest.mark.parametrize("horizon", [8, 11])
@pytest.mark.parametrize("metric", ["mse", "mae", "huber"])
def test_scales_are_means_of_stretches(horizon: int, metric: Any) -> None:
    student, teacher = draw(B, horizon, C), 3 * draw(B, horizon, C, seed=1)
    distance: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mse": np.square,
        "mae": np.abs,
        "huber": lambda e: np.where(abs(e) < 1, e**2 / 2, abs(e) - 0.5),
    }
    expected = []
    for scale in range(4):
        count = horizon // 2**scale
        whole = (student - teacher).numpy()[:, : count * 2**scale].reshape(B, count, 2**scale, C)
        expected.append(distance[metric](whole.mean(2)).mean((1, 2)))
    close(used(MultiScaleKD(3, metric), pair(student, teacher)), np.mean(expected, 0))


@pytest.mark.parametrize("temperature", [0.3, 1, 4])
@pytest.mark.parametrize("horizon", [4, 9, 24])
def test_periods_by_numpys_transform(temperature: float, horizon: int) -> None:
    student, teacher = draw(B, horizon, C), draw(B, horizon, C, seed=1)

    def shares(values: Tensor) -> np.ndarray:
        amplitudes = np.abs(np.fft.rfft(values.numpy(), axis=1))[:, 1:]
        scaled = np.exp(amplitudes / np.sqrt((amplitudes**2).mean(1, keepdims=True)) / temperature)
        return scaled / scaled.sum(1, keepdims=True)

    of_student, of_teacher = shares(student), shares(teacher)
    expected = (of_teacher * np.log(of_teacher / of_student)).sum(1).mean(1)
    close(used(MultiPeriodKD(temperature), pair(student, teacher)), expected)


def test_periods_by_hand() -> None:
    """Two pure waves over 6 steps have shares softmax(√3, 0, 0) and softmax(0, √3, 0)."""
    time = np.arange(6) * 2 * np.pi / 6
    student, teacher = (torch.from_numpy(5 + a * np.sin(k * time)).reshape(1, 6, 1) for a, k in ((0.3, 1), (7, 2)))
    peak, total = math.exp(math.sqrt(3)), math.exp(math.sqrt(3)) + 2
    expected = (peak / total - 1 / total) * math.sqrt(3)
    assert used(MultiPeriodKD(), pair(student, teacher)).item() == pytest.approx(expected)


def test_the_divergence_of_periods_does_not_fade_with_the_horizon() -> None:
    found = []
    for horizon in (24, 96, 384):
        time = np.arange(horizon) / horizon * 2 * np.pi
        waves = (torch.from_numpy(np.sin(k * time)).reshape(1, horizon, 1) for k in (1, 2))
        found.append(used(MultiPeriodKD(), pair(*waves)).item())
    assert min(found) > 0.5


@pytest.mark.parametrize("horizon", [5, 24, 100])
@pytest.mark.parametrize("level", [1e6 / 3, -4e-7, 7e10])
def test_what_is_constant_but_for_rounding_has_no_period(level: float, horizon: int) -> None:
    """Its shares are even, as those of exact zeros, and nothing pulls the student; the second component has waves."""
    values = torch.full((1, horizon, 2), level, dtype=torch.float32)
    values[:, :, 1] += level * torch.from_numpy(np.sin(np.arange(horizon) / 3)).float()
    jittered = values.clone()
    jittered[:, ::3, 0] = torch.nextafter(values[:, ::3, 0], torch.tensor(math.inf))
    jittered[:, 1::3, 0] = torch.nextafter(values[:, 1::3, 0], torch.tensor(-math.inf))
    assert (jittered[:, :, 0] != values[:, :, 0]).any()
    flat, waves = values.clone(), 3 * values.flip(2)
    flat[:, :, 0] = 0
    expected = used(MultiPeriodKD(), pair(flat, waves))
    jittered.requires_grad_()
    found = used(MultiPeriodKD(), pair(jittered, waves))
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert jittered.grad is not None
    assert (jittered.grad[:, :, 0] == 0).all() and (jittered.grad[:, :, 1] != 0).any()


@pytest.mark.parametrize(("metric", "expected"), [("mse", 5.0), ("mae", 2.0), ("huber", 1.5)])
def test_the_roll_is_compared_over_its_steps(metric: Any, expected: float) -> None:
    """Differences 1 and 3 in the steps ahead, 100 within the output chunk."""
    compared = pair(steps(100, 100), steps(0, 0), ahead=(steps(1, -3), steps(0, 0)))
    found = used(AutoregressiveKD(2, metric), compared)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(expected)


def test_features_are_compared_by_their_mean_over_positions_and_units() -> None:
    student, teacher = draw(B, 4, 5), draw(B, 4, 5, seed=1)
    expected = ((student - teacher) ** 2).mean((1, 2))
    close(used(FeatureKD(projector=None), hidden(student, teacher)), expected)
    close(
        used(FeatureKD(projector=None), hidden(student[:, 0], teacher[:, 0])), ((student - teacher)[:, 0] ** 2).mean(1)
    )
    deep = hidden(student.reshape(B, 2, 2, 5), teacher.reshape(B, 2, 2, 5))
    close(used(FeatureKD(projector=None), deep), expected)
    coarse = student.reshape(B, 2, 2, 5).mean(2) - teacher.reshape(B, 2, 2, 5).mean(2)
    found = used(FeatureKD(projector=None, loss=MultiScaleKD(1)), hidden(student, teacher))
    close(found, (expected + (coarse**2).mean((1, 2))) / 2)


@pytest.mark.parametrize(
    ("source", "target"), [((5,), (3,)), ((4, 5), (4, 3)), ((4, 5), (6, 3)), ((5,), (4, 3)), ((2, 4, 5), (2, 3))]
)
def test_a_linear_projector_finds_a_linear_map(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    """By descent on the term, trained alone, as least squares would."""
    torch.manual_seed(0)
    student = draw(64, *source)
    truth = FeatureKD()
    compared = hidden(student, draw(64, *target, seed=1))
    truth.set_up(compared)
    sequence = student.flatten(1, -2) if student.dim() > 2 else student[:, None]
    regressor: Any = truth.regressor
    compared = hidden(student, regressor(sequence).detach().reshape(64, *target))
    loss = FeatureKD()
    before = used(loss, compared).mean().item()
    descent = torch.optim.LBFGS(loss.parameters(), max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def step() -> Tensor:
        descent.zero_grad()
        value = loss(compared).mean()
        value.backward()
        return value

    descent.step(step)
    assert loss(compared).mean().item() < 1e-4 * before


def test_only_an_mlp_projector_bends() -> None:
    kind: Literal["linear", "mlp"]
    for kind, linear in (("linear", True), ("mlp", False)):
        torch.manual_seed(0)
        loss = FeatureKD(projector=kind)
        loss.set_up(hidden(draw(4, 6, 5), draw(4, 6, 20)))
        regressor: Any = loss.regressor
        one, other = draw(3, 6, 5, seed=2), draw(3, 6, 5, seed=3)
        middle = (regressor(one) + regressor(other)) / 2
        assert torch.allclose(regressor((one + other) / 2), middle) == linear


@pytest.mark.parametrize("power", [1, 2, 3.5])
def test_attention_maps_by_numpy(power: float) -> None:
    student, teacher = draw(B, 4, 5), draw(B, 4, 7, seed=1)

    def attention(values: Tensor) -> np.ndarray:
        found = (np.abs(values.numpy()) ** power).sum(2)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    expected = ((attention(student) - attention(teacher)) ** 2).sum(1)
    close(used(AttentionTransfer(power=power), hidden(student, teacher)), expected)


def test_the_finer_attention_map_is_pooled() -> None:
    """(2, 2, 0, 4) squared is (4, 4, 0, 16), in two means (4, 8); (3, 4)/5 beside (1, 2)/√5."""
    student, teacher = (torch.tensor(v, dtype=torch.float64).reshape(1, -1, 1) for v in ([2.0, 2, 0, 4], [3**0.5, 2]))
    expected = (0.6 - 1 / math.sqrt(5)) ** 2 + (0.8 - 2 / math.sqrt(5)) ** 2
    for sides in ((student, teacher), (teacher, student)):
        assert used(AttentionTransfer(), hidden(*sides)).item() == pytest.approx(expected)


def huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


def brute_force(relation: str, student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Over all pairs and triplets of points `[B, D]`, one by one."""
    n = len(student)
    terms = np.zeros(n)
    if relation == "distance":
        pairs = list(itertools.permutations(range(n), 2))
        related = []
        for points in (student, teacher):
            found = {(i, j): float(np.linalg.norm(points[i] - points[j])) for i, j in pairs}
            positive = [length for length in found.values() if length > 0]
            scale = float(np.mean(positive)) if positive else 1
            related.append({key: length / scale for key, length in found.items()})
        for i, j in pairs:
            terms[i] += huber(related[0][i, j] - related[1][i, j]) / (n - 1)
        return terms
    if relation == "angle":
        for i, j, k in itertools.permutations(range(n), 3):
            cosines = []
            for points in (student, teacher):
                one, other = points[i] - points[j], points[k] - points[j]
                length = np.linalg.norm(one) * np.linalg.norm(other)
                cosines.append(float(one @ other / length) if length > 0 else 0.0)
            terms[j] += huber(cosines[0] - cosines[1]) / ((n - 1) * (n - 2))
        return terms
    grams = []
    for points in (student, teacher):
        centred = points - points.mean(0)
        gram = centred @ centred.T
        grams.append(gram / np.sqrt((gram**2).mean(1, keepdims=True)))
    return ((grams[0] - grams[1]) ** 2).mean(1)


RELATIONS = pytest.mark.parametrize("relation", ["distance", "angle", "similarity"])


@RELATIONS
@pytest.mark.parametrize("windows", [3, 7])
def test_relations_between_windows_by_brute_force(relation: Any, windows: int) -> None:
    student, teacher = draw(windows, H, C), draw(windows, H, C, seed=1)
    found = used(SampleRelation(relation), pair(student, teacher))
    close(found, brute_force(relation, student.flatten(1).numpy(), teacher.flatten(1).numpy()))
    features = hidden(draw(windows, 4, 2, seed=2), draw(windows, 5, seed=3))
    assert features.features is not None
    found = used(FeatureKD(projector=None, loss=SampleRelation(relation)), features)
    close(found, brute_force(relation, *(values.flatten(1).numpy() for values in features.features)))


@RELATIONS
def test_relations_between_some_windows_are_those_of_these_alone(relation: Any) -> None:
    """As of windows of which one teacher has a forecast."""
    loss, known = SampleRelation(relation), [5, 0, 3, 2]
    student, teacher = draw(B, H, C), draw(B, H, C, seed=1)
    loss.set_up(pair(student[:4], teacher[:4]))
    found = loss(pair(student[known], teacher[known]))
    close(found, brute_force(relation, student[known].flatten(1).numpy(), teacher[known].flatten(1).numpy()))
    assert not np.allclose(found, loss(pair(student, teacher))[known])


@pytest.mark.parametrize("relation", ["distance", "angle"])
def test_equal_windows_are_unrelated(relation: Any) -> None:
    student, teacher = draw(B, H, C), draw(B, H, C, seed=1)
    student[3] = student[1]
    teacher[:] = teacher[:1].clone() if relation == "angle" else teacher.clone()
    found = used(SampleRelation(relation), pair(student, teacher))
    close(found, brute_force(relation, student.flatten(1).numpy(), teacher.flatten(1).numpy()))


@RELATIONS
def test_nearly_equal_windows_are_related_as_precisely_in_single_precision(relation: Any) -> None:
    student, teacher = draw(B, H, C), draw(B, H, C, seed=1)
    student[1:4] = (student[:1] + 1e-4 * draw(3, H, C, seed=2)).float().double()
    expected = brute_force(relation, student.flatten(1).numpy(), teacher.flatten(1).numpy())
    close(used(SampleRelation(relation), pair(student.float(), teacher.float())), expected, rtol=0.05)


def test_distances_between_windows_by_hand() -> None:
    """Points 0, 1 and 4: distances 1, 3 and 4, mean 8/3; beside 0, 1 and 2: 1, 1 and 2, mean 4/3."""
    student, teacher = (torch.tensor(v, dtype=torch.float64).reshape(3, 1, 1) for v in ([0.0, 1, 4], [0.0, 1, 2]))
    first, second, third = ((a / 8 - b / 4) * 3 for a, b in ((1, 1), (3, 1), (4, 2)))
    expected = [huber(first) + huber(third), huber(first) + huber(second), huber(third) + huber(second)]
    close(used(SampleRelation(), pair(student, teacher)), np.array(expected) / 2)


def test_a_window_far_from_all_others_counts_linearly() -> None:
    """Its distances are six times their mean, the teacher's about as large as theirs."""
    student, teacher = draw(12, H, C), draw(12, H, C, seed=1)
    student[0] += 1e3
    found = used(SampleRelation(), pair(student, teacher))
    close(found, brute_force("distance", student.flatten(1).numpy(), teacher.flatten(1).numpy()))
    assert found[0] > 4


@pytest.mark.parametrize(
    ("horizon", "units"), [(3, (1, 1)), (7, (1, 1)), (9, (4, 4)), (5, (8, 8)), (9, (2, 5)), (4, (6, 3))]
)
def test_similarities_of_steps_by_numpy(horizon: int, units: tuple[int, int]) -> None:
    """Of hidden layers too, which need not have the same number of units."""
    student, teacher = (draw(B, horizon, count, seed=seed) for seed, count in enumerate(units))
    student[1, :, 0] = 3.3

    def similarity(values: np.ndarray) -> np.ndarray:
        spread = values.std(0)
        scaled = np.where(spread > 1e-9, (values - values.mean(0)) / np.where(spread > 1e-9, spread, 1), 0)
        return scaled @ scaled.T / values.shape[1]

    expected = [
        ((similarity(s) - similarity(t)) ** 2).mean() for s, t in zip(student.numpy(), teacher.numpy(), strict=True)
    ]
    close(used(TemporalRelation(), pair(student, teacher)), expected)


@pytest.mark.parametrize("steps", [8, 9])
@pytest.mark.parametrize(
    "loss",
    [
        TemporalRelation(),
        ChannelRelation(),
        *(SampleRelation(relation) for relation in get_args(Relation)),
        MultiPeriodKD(),
        MultiPeriodKD(0.7),
        LevelShapeKD(),
    ],
    ids=repr,
)
def test_gradients_are_slopes(loss: DistillationLoss, steps: int) -> None:
    """By finite differences; in a relation, a component that is constant has none."""
    student, teacher = (draw(4, steps, 2, seed=seed) for seed in (0, 1))
    assert torch.autograd.gradcheck(lambda own: loss(pair(own, teacher)), student.requires_grad_())
    flat = student.detach().clone()
    flat[0, :, 1] = 0.1
    if loss.least <= 1 and not isinstance(loss, LevelShapeKD):
        assert (torch.autograd.grad(loss(pair(flat.requires_grad_(), teacher)).sum(), flat)[0][0, :, 1] == 0).all()


def test_the_slope_of_each_angle() -> None:
    """Of each alone, by finite differences; equal points have no angle, and no slope."""
    points = draw(5, 3)
    assert torch.autograd.gradcheck(angles, points.requires_grad_())
    equal = points.detach().clone()
    equal[3] = equal[1]
    equal.requires_grad_()
    found = angles(equal)
    (slopes,) = torch.autograd.grad(found[1, 3].sum() + found[3, :, 1].sum(), equal)
    assert not found[1, 3].any() and not found[3, :, 1].any() and not slopes.any()
    assert torch.autograd.grad(angles(equal).sum(), equal)[0].isfinite().all()


@pytest.mark.parametrize("windows", [6, 7, 9, 13])
@pytest.mark.parametrize("values", [3, 27, 1001])
def test_equal_points_make_no_angle_of_rounding_errors(windows: int, values: int) -> None:
    """The squared distance between the first and the last, of inner products, is not exactly 0 in most sizes."""
    for seed in range(4):
        points = draw(windows, values, seed=seed)
        points[-1] = points[0]
        found = angles(points)
        assert not found[0, -1].any() and not found[-1, :, 0].any()
        expected = (points[2] - points[0]) @ (points[3] - points[0])
        expected /= (points[2] - points[0]).norm() * (points[3] - points[0]).norm()
        assert found[0, 2, 3].item() == pytest.approx(expected.item(), abs=1e-12)


def test_windows_that_are_close_in_single_precision_make_an_angle() -> None:
    """Of many values, whose sum of squares has larger rounding errors: at a millionth of their size apart."""
    points = draw(4, 49_152)
    points[1] = points[0] + 1e-6 * draw(49_152, seed=1)
    found = angles(points)[0, 1, 2].item()
    one, other = points[1] - points[0], points[2] - points[0]
    assert found == pytest.approx(float(one @ other / (one.norm() * other.norm())), abs=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e-21, 1e-19, 1.0, 3e18, 1e25])
def test_periods_of_values_of_any_size(scale: float) -> None:
    """In single precision: as of values of usual size, where their squares are numbers, else as of constant ones."""
    student, teacher = (draw(B, H, C, seed=seed).float() for seed in (0, 1))
    usual = MultiPeriodKD()(pair(student, teacher))
    own = (student * scale).requires_grad_()
    found = MultiPeriodKD()(pair(own, teacher))
    assert found.isfinite().all() and torch.autograd.grad(found.sum(), own)[0].isfinite().all()
    even = MultiPeriodKD()(pair(torch.zeros_like(student), teacher))
    if scale in (1e-19, 1.0):
        torch.testing.assert_close(found.detach(), usual, rtol=1e-4, atol=1e-5)
    if scale in (1e-30, 1e25):
        torch.testing.assert_close(found.detach(), even)


@pytest.mark.parametrize("root", [1.0, 0.3])
def test_the_slope_of_standardised_values(root: float) -> None:
    """By finite differences, and by numpy; constant values become 0, without a slope."""
    values = draw(3, 5)
    assert torch.autograd.gradcheck(lambda own: standardised(own, root), values.requires_grad_())
    numbers = values.detach().numpy()
    expected = root * (numbers - numbers.mean(1, keepdims=True)) / numbers.std(1, keepdims=True)
    close(standardised(values, root).detach(), expected)
    flat = torch.full((1, 5), 0.1, dtype=torch.float64, requires_grad=True)
    assert not standardised(flat, root).any()
    assert not torch.autograd.grad(standardised(flat, root)[0, 2], flat)[0].any()


@pytest.mark.parametrize("components", [2, 12])
def test_similarities_of_steps_that_are_nearly_equal_do_not_cancel(components: int) -> None:
    teacher = draw(B, H, components)
    student = teacher + 1e-4 * draw(B, H, components, seed=1)
    expected = used(TemporalRelation(), pair(student, teacher))
    close(used(TemporalRelation(), pair(student.float(), teacher.float())), expected.numpy(), rtol=0.01)
    assert 0 < expected.max() < 1e-7


@pytest.mark.parametrize(("horizon", "components"), [(3, 2), (9, 4)])
def test_correlations_of_components_by_numpy(horizon: int, components: int) -> None:
    student, teacher = draw(B, horizon, components), draw(B, horizon, components, seed=1)
    expected = []
    for one, other in zip(student.numpy(), teacher.numpy(), strict=True):
        pairs = list(itertools.combinations(range(components), 2))
        correlated = [[np.corrcoef(side[:, i], side[:, j])[0, 1] for i, j in pairs] for side in (one, other)]
        expected.append(np.mean(np.square(np.subtract(correlated[0], correlated[1]))))
    close(used(ChannelRelation(), pair(student, teacher)), expected)


def test_a_constant_component_correlates_with_nothing() -> None:
    """The teacher's two components are one, the student's second is constant: (1 − 0)²."""
    teacher = draw(2, H, 1).repeat(1, 1, 2)
    student = teacher.clone()
    student[0, :, 1] = 0.1
    assert used(ChannelRelation(), pair(student, teacher)).tolist() == pytest.approx([1, 0])


BLANK = torch.zeros(4, 8, 3)
NORMAL, LAPLACE = Normal(BLANK, BLANK + 1), Laplace(BLANK, BLANK + 1)
WITH_QUANTILES = Predictive(quantiles=torch.zeros(4, 8, 3, 3), levels=LEVELS)
BINOMIAL = NegativeBinomial(BLANK + 3, logits=BLANK)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OutputKD("rmse"), "metric='rmse': give one of mse, mae, huber"),  # type: ignore[arg-type]
        (lambda: TeacherBounded(metric="rmse"), "metric='rmse': give one of mse, mae, huber"),  # type: ignore[arg-type]
        (lambda: MultiScaleKD(metric="rmse"), "metric='rmse': give one of mse, mae, huber"),  # type: ignore[arg-type]
        (lambda: AutoregressiveKD(2, "rmse"), "metric='rmse': give one of mse, mae, huber"),  # type: ignore[arg-type]
        (lambda: QuantileKD("mae"), "metric='mae': give one of pinball, mse"),  # type: ignore[arg-type]
        (lambda: SampleRelation("cosine"), "relation='cosine': give one of distance, angle, similarity"),  # type: ignore[arg-type]
        (lambda: FeatureKD(projector="conv"), "projector='conv': give one of linear, mlp, or None"),  # type: ignore[arg-type]
        (lambda: TeacherBounded(-0.1), "margin=-0.1: give a finite number, 0 or more"),
        (lambda: TeacherBounded(math.inf), "margin=inf: give a finite number, 0 or more"),
        (lambda: LikelihoodKD(0), "temperature=0: give a finite number above 0"),
        (lambda: LikelihoodKD(-1), "temperature=-1: give a finite number above 0"),
        (lambda: QuantileKD(temperature=0.0), r"temperature=0(\.0)?: give a finite number above 0"),
        (lambda: QuantileKD(temperature=math.nan), "temperature=nan: give a finite number above 0"),
        (lambda: MultiPeriodKD(0), "temperature=0: give a finite number above 0"),
        (lambda: MultiPeriodKD(math.inf), "temperature=inf: give a finite number above 0"),
        (lambda: HorizonWeighted(rate=math.nan), "rate=nan: give a finite number"),
        (lambda: HorizonWeighted(rate=math.inf), "rate=inf: give a finite number"),
        (lambda: MultiScaleKD(-1), "scales=-1: give the coarsest scale, 0 or more"),
        (lambda: MultiScaleKD(1.5), "scales=1.5: give the coarsest scale, 0 or more"),  # type: ignore[arg-type]
        (lambda: AutoregressiveKD(0), "steps=0: give a number of steps, 1 or more"),
        (lambda: AutoregressiveKD(True), "steps=True: give a number of steps, 1 or more"),
        (lambda: AttentionTransfer(power=0.5), "power=0.5: give a finite number, 1 or more"),
        (lambda: LevelShapeKD(level=-1), "level=-1: give a finite number, 0 or more"),
        (lambda: LevelShapeKD(shape=math.nan), "shape=nan: give a finite number, 0 or more"),
        (lambda: LevelShapeKD(0, 0), "nothing is matched"),
        (lambda: OutlierRejection(-1), "threshold=-1: give a finite number, 0 or more"),
        (lambda: OutlierRejection(weight=1.5), "weight=1.5: give a share of the rejection from 0 to 1"),
        (lambda: FeatureKD(loss=AttentiveImitation()), "AttentiveImitation.. compares more than two forecasts"),
        (lambda: FeatureKD(loss=HorizonWeighted(LikelihoodKD())), "compares more than two forecasts"),
        (lambda: FeatureKD(loss=AutoregressiveKD(2)), "compares more than two forecasts"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, "1", None, True])
@pytest.mark.parametrize(
    "kind",
    [
        AttentionTransfer,
        AttentiveImitation,
        ChannelRelation,
        FeatureKD,
        HorizonWeighted,
        LevelShapeKD,
        LikelihoodKD,
        MultiPeriodKD,
        MultiScaleKD,
        OutlierRejection,
        OutputKD,
        QuantileKD,
        SampleRelation,
        TeacherBounded,
        TemporalRelation,
    ],
)
def test_a_coefficient_is_a_finite_number_from_0(kind: Any, weight: Any) -> None:
    kind(weight=0)
    with pytest.raises(ValueError, match="weight="):
        kind(weight=weight)


@pytest.mark.parametrize("kind", [FeatureKD, HorizonWeighted])
@pytest.mark.parametrize("held", [OutputKD, "mse", OutlierRejection()])
def test_only_a_loss_can_be_held(kind: Any, held: Any) -> None:
    with pytest.raises(TypeError, match="loss must be a DistillationLoss, got"):
        kind(loss=held)


@pytest.mark.parametrize(
    ("loss", "student", "teacher", "message"),
    [
        (LikelihoodKD(), WITH_QUANTILES, WITH_QUANTILES, "use QuantileKD"),
        (LikelihoodKD(), Predictive(NORMAL), WITH_QUANTILES, "use QuantileKD"),
        (LikelihoodKD(), Predictive(NORMAL), Predictive(LAPLACE), "student forecasts a Normal, the teacher a Laplace"),
        (LikelihoodKD(), Predictive(BINOMIAL), Predictive(BINOMIAL), "NegativeBinomial has no closed form"),
        (
            LikelihoodKD(2),
            Predictive(Exponential(BLANK + 1)),
            Predictive(Exponential(BLANK + 1)),
            "a Exponential has no scale for a temperature; these have: Normal",
        ),
        (QuantileKD(), Predictive(NORMAL), WITH_QUANTILES, "use LikelihoodKD"),
        (QuantileKD(), WITH_QUANTILES, Predictive(NORMAL), "use LikelihoodKD"),
        (
            QuantileKD(),
            WITH_QUANTILES,
            Predictive(quantiles=BLANK[..., None], levels=(0.25,)),
            r"\(0.1, 0.5, 0.9\) and the teacher's \(0.25,\) share none",
        ),
    ],
)
def test_forecasts_of_distributions_that_cannot_be_compared_are_refused(
    loss: DistillationLoss, student: Predictive, teacher: Predictive, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        loss.set_up(StudentTeacherPair(BLANK, BLANK, BLANK, predictive=(student, teacher)))


@pytest.mark.parametrize(
    "loss",
    [
        MultiScaleKD(),
        MultiPeriodKD(),
        AutoregressiveKD(2),
        SampleRelation(),
        TemporalRelation(),
        ChannelRelation(),
        AttentionTransfer(),
        FeatureKD(),
    ],
    ids=repr,
)
def test_a_term_for_whole_windows_cannot_be_weighed_over_the_horizon(loss: DistillationLoss) -> None:
    compared = StudentTeacherPair(BLANK, BLANK, BLANK, features=(BLANK, BLANK), ahead=(BLANK, BLANK))
    with pytest.raises(ValueError, match="gives one term for a window, not one for every step of the horizon"):
        HorizonWeighted(loss).set_up(compared)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    "loss", [OutputKD(), LevelShapeKD(), MultiScaleKD(0), HorizonWeighted(), MultiPeriodKD()], ids=repr
)
@pytest.mark.parametrize(
    ("source", "target"), [((8, 1), (8, 3)), ((8, 3), (8, 1)), ((3,), (8, 3)), ((8, 3), (7, 3)), ((8, 3), (2, 8, 3))]
)
def test_features_of_two_shapes_need_a_projector(
    loss: DistillationLoss, source: tuple[int, ...], target: tuple[int, ...]
) -> None:
    compared = hidden(torch.zeros(4, *source), torch.zeros(4, *target))
    with pytest.raises(ValueError, match="a projector makes them match"):
        FeatureKD("a", "b", projector=None, loss=loss).set_up(compared)
    FeatureKD("a", "b").set_up(compared)


def test_an_impossible_match_of_features_names_layers_and_shapes() -> None:
    compared = hidden(torch.zeros(4, 8, 3), torch.zeros(4, 7, 2))
    with pytest.raises(ValueError, match=r"OutputKD\(\) between features \(8, 3\) of 'a' and \(7, 2\) of 'b'"):
        FeatureKD("a", "b", projector=None).set_up(compared)
    with pytest.raises(ValueError, match="needs a layer with positions; the teacher's gives"):
        AttentionTransfer().set_up(hidden(torch.zeros(4, 8, 3), torch.zeros(4, 7)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "loss",
    [
        TemporalRelation(),
        ChannelRelation(),
        SampleRelation(),
        SampleRelation("angle"),
        SampleRelation("similarity"),
        MultiPeriodKD(),
        FeatureKD(projector=None, loss=TemporalRelation()),
        AttentionTransfer(),
    ],
    ids=repr,
)
def test_relations_in_half_precision_are_computed_in_single(loss: DistillationLoss, dtype: torch.dtype) -> None:
    student, teacher = (1e3 + 10 * draw(B, H, C, seed=seed) for seed in (0, 1))
    student, teacher = student.to(dtype), teacher.to(dtype)
    compared = pair(student, teacher, features=(student, teacher))
    single = pair(student.float(), teacher.float(), features=(student.float(), teacher.float()))
    found = used(loss, compared)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, used(loss, single))


def test_what_has_no_label_counts_for_nothing() -> None:
    """Of three steps the second has no label: its place is filled with a number that means nothing."""
    student, teacher, target = steps(1, 5, 4), steps(2, 7, 2), steps(0, 1000, 0)
    labelled = torch.tensor([True, False, True]).reshape(1, 3, 1)
    pair = StudentTeacherPair(student, teacher, target, labelled=labelled)
    # errors of the student 1 and 16, of the teacher 4 and 4
    assert TeacherBounded()(pair).flatten().tolist() == [0, 0, 16]
    attentive = AttentiveImitation().double()
    attentive.set_up(StudentTeacherPair(student, teacher, target))
    known = target.where(labelled, torch.nan)
    attentive.fit_statistics(iter([(teacher, known), (steps(1, 0, 1), known), (steps(3, 0, 3), known)]))
    assert (attentive.smallest.item(), attentive.largest.item()) == (1, 9)
    # the teacher's mean error of 4 earns (9 − 4)/(9 − 1) of trust
    assert attentive(pair).flatten().tolist() == pytest.approx([5 / 8, 4 * 5 / 8, 4 * 5 / 8])


def test_the_two_parts_of_a_divergence_between_gaussians() -> None:
    """Of means 1 and 3, deviations 2 and 4, the teacher's doubled to 8: ½·(2/2)² and ½·(16 − 1 − log 16)."""
    student, teacher = (Normal(steps(mean), steps(deviation)) for mean, deviation in ((1, 2), (3, 4)))
    zero = steps(0)
    pair = StudentTeacherPair(zero, zero, zero, predictive=(Predictive(student), Predictive(teacher)))
    loss = LikelihoodKD(temperature=2.0)
    loss.set_up(pair)
    parts = loss.parts(pair)
    assert parts["mean"].item() == pytest.approx(0.5)
    assert parts["spread"].item() == pytest.approx(0.5 * (16 - 1 - math.log(16)))
    softened = kl_divergence(Normal(steps(3), steps(8)), student)
    torch.testing.assert_close(loss(pair), softened)
    torch.testing.assert_close(parts["mean"] + parts["spread"], softened)


@pytest.mark.parametrize("loss", [TeacherBounded(), HorizonWeighted(TeacherBounded())], ids=str)
def test_features_have_no_labels(loss: DistillationLoss) -> None:
    with pytest.raises(ValueError, match="reads labels, and features have none"):
        FeatureKD(loss=loss)
