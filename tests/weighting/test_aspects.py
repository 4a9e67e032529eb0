"""Teachers weighed apart for level and shape, mean and spread, and hidden layers: algebra, and known answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import NLinearModel, TiDEModel
from darts.utils.likelihood_models import LaplaceLikelihood
from torch import Tensor, distributions
from torch.distributions import kl_divergence

from tests.helpers.calibration import Saying, calibrated, calibration, step
from tests.helpers.closed_form import H, forecasts, linear, noise, regression, windows
from tests.helpers.series import QUIET
from tests.helpers.steps import draw, make_step
from tskd import DistilledModel, Teacher
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import (
    DistillationLoss,
    FeatureKD,
    HorizonWeighted,
    LevelShapeKD,
    LikelihoodKD,
    OutputKD,
    Predictive,
    SampleRelation,
    StudentTeacherPair,
)
from tskd.weighting import CAMKD, DEMKD, CalibrationWindows, Fixed, Step, StepContext, StepFeatures, Uniform, Weighting
from tskd.weighting._aspect_errors import DIVERGENCE_DEVIATION, EXPECTED_DIVERGENCE, spread_divergence

Normal = distributions.Normal


def gaussians(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor]) -> StudentTeacherPair:
    sides = Predictive(Normal(*student)), Predictive(Normal(*teacher))
    return StudentTeacherPair(student[0], teacher[0], torch.zeros_like(student[0]), predictive=sides)


def test_parts_add_up_to_the_term() -> None:
    pair = StudentTeacherPair(draw(5, 4, 2), draw(5, 4, 2, seed=1), draw(5, 4, 2, seed=2))
    for loss in (LevelShapeKD(2.0, 0.5), HorizonWeighted(LevelShapeKD(2.0, 0.5, weight=3), rate=1.5), OutputKD("mae")):
        parts = loss.parts(pair)
        assert tuple(parts) == loss.aspects
        torch.testing.assert_close(torch.stack([*parts.values()]).sum(0), loss(pair))
    level, shape = LevelShapeKD(2.0, 0.5).parts(pair).values()
    difference = pair.student - pair.teacher
    torch.testing.assert_close(level, 2 * difference.mean(1, keepdim=True).square().expand_as(difference))
    torch.testing.assert_close(shape, (difference - difference.mean(1, keepdim=True)).square() / 2)
    assert HorizonWeighted(LevelShapeKD()).aspects == ("level", "shape")


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_the_divergence_of_gaussians_is_a_part_of_the_means_and_one_of_the_spreads(temperature: float) -> None:
    mean, other, width, wide = draw(6, 3, 1), draw(6, 3, 1, seed=1), *draw(2, 6, 3, 1, seed=2).exp()
    pair = gaussians((mean, width), (other, wide))
    for loss in (LikelihoodKD(temperature), HorizonWeighted(LikelihoodKD(temperature), rate=0.0)):
        loss.set_up(pair)
        assert loss.aspects == ("mean", "spread")
        parts = loss.parts(pair)
        exact = kl_divergence(Normal(other, temperature * wide), Normal(mean, width))
        torch.testing.assert_close(parts["mean"] + parts["spread"], exact)
        # each is a divergence of its own: of Gaussians that differ in one of the two
        torch.testing.assert_close(parts["mean"], kl_divergence(Normal(other, width), Normal(mean, width)))
        alike = kl_divergence(Normal(other, temperature * wide), Normal(other, width))
        torch.testing.assert_close(parts["spread"], alike)


def test_distributions_without_such_parts_are_weighed_as_forecasts() -> None:
    laplace = (distributions.Laplace(draw(4, 2, 1, seed=k), 1.0) for k in range(2))
    pair = StudentTeacherPair(*(torch.zeros(4, 2, 1),) * 3, predictive=tuple(map(Predictive, laplace)))  # type: ignore[arg-type]
    loss = LikelihoodKD()
    loss.set_up(pair)
    assert loss.aspects == ("forecast",)
    torch.testing.assert_close(loss.parts(pair), {"forecast": loss(pair)})


def of(weighting: Weighting, forecasts: Tensor, aspect: Any, **kwargs: Any) -> Tensor:
    """Weights `[K, H, C]` of the first window."""
    return weighting.weights_of(step(forecasts, **kwargs), aspect)[:, 0]


def crossed(windows: int = 40, horizon: int = 4) -> tuple[Tensor, Tensor]:
    """Labels of 0; a teacher off by 1 in level and by ±2 in shape, one off by −3 and ±1."""
    turn = torch.tensor([1.0, -1] * (horizon // 2), dtype=torch.float64)[:, None]
    said = torch.stack([1 + 2 * turn, -3 + turn])[:, None].expand(2, windows, horizon, 1)
    return torch.zeros(windows, horizon, 1, dtype=torch.float64), said


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_level_and_shape_by_hand(power: float) -> None:
    """Level: σ of 1 and 3; shape: of 2 and 1."""
    target, said = crossed()
    weighting = calibrated(DEMKD(power, shrinkage=0, decoupled=True), said, target, chunk=7)
    ratio = 3**power
    assert of(weighting, said, "level").flatten().tolist() == pytest.approx(
        [ratio / (ratio + 1)] * 4 + [1 / (ratio + 1)] * 4
    )
    ratio = 2**power
    assert of(weighting, said, "shape").flatten().tolist() == pytest.approx(
        [1 / (ratio + 1)] * 4 + [ratio / (ratio + 1)] * 4
    )
    # the forecasts' own are what they are without: 3² and 1² in turn, against 2² and 4²
    plain = calibrated(DEMKD(power, shrinkage=0), said, target)
    for aspect in ("forecast", "mean"):
        torch.testing.assert_close(of(weighting, said, aspect), plain(step(said))[:, 0])
    # half of the belief that both are alike: 40 windows of their own, and as many of belief
    believing = calibrated(DEMKD(power, shrinkage=40, decoupled=True), said, target)
    found = of(believing, said, "level").flatten()
    assert (found[0] / found[4]).item() == pytest.approx(3 ** (power / 2))


def judging(said: Tensor, covers: Tensor) -> DEMKD:
    """One that has judged forecasts `[K, m, H, C]` of labels of 0 by windows that do not overlap."""
    teachers, windows, horizon = said.shape[:3]
    keys = torch.stack([torch.zeros(windows).long(), horizon * torch.arange(windows)], 1)
    valid, spread = torch.ones(teachers, windows).bool(), torch.full_like(said, torch.nan)
    weighting = DEMKD(shrinkage=0, decoupled=True)
    said = said.where(covers[:, None, :, None], 0)
    weighting.calibrate(
        calibration_of([CalibrationWindows(keys, {}, said, valid, spread, torch.zeros_like(said[0]), covers)])
    )
    return weighting


def test_teachers_of_a_part_of_the_horizon_are_compared_on_the_steps_that_all_of_them_forecast() -> None:
    """Of spans of 2, 4 and 6 steps: by hand, on the first two steps of all, on the first four of two."""
    covers = torch.arange(6) < torch.tensor([2, 4, 6])[:, None]
    said = torch.tensor([[3.0, 1, 0, 0, 0, 0], [1, 0, 5, 6, 0, 0], [2, 6, 2, 2, 90, -70]], dtype=torch.float64)
    said = said[:, None, :, None].expand(3, 9, 6, 1)
    weighting = judging(said, covers)
    level, shape = (of(weighting, said, aspect, covers=covers)[..., 0] for aspect in ("level", "shape"))
    # levels of 2, ½ and 4, shapes of ±1, ±½ and ±2: weights 1/4, 4, 1/16 and 1, 4, 1/4
    # then levels of 3 and 3, shapes of (−2, −3, 2, 3) and (−1, 3, −1, −1): weights 1/26 and 1/12
    early = torch.tensor([[4.0, 64, 1], [4, 16, 1]], dtype=torch.float64)
    late = torch.tensor([[0.0, 1, 1], [0, 12, 26]], dtype=torch.float64)
    for found, first, then in zip((level, shape), early, late, strict=True):
        last = torch.tensor([0.0, 0, 1], dtype=torch.float64)
        expected = torch.stack([first, first, then, then, last, last], 1)
        torch.testing.assert_close(found, expected / expected.sum(0))


def test_equally_good_teachers_of_unlike_spans_are_followed_alike() -> None:
    """Errors that grow as those of a walk: a full teacher's late ones must not count against it."""
    errors = draw(2, 4000, 8, 1).cumsum(2)
    covers = torch.arange(8) < torch.tensor([4, 8])[:, None]
    weighting = judging(errors, covers)
    for aspect in ("forecast", "level", "shape"):
        found = of(weighting, errors, aspect, covers=covers)[..., 0]
        assert found[0, :4].tolist() == pytest.approx([0.5] * 4, abs=0.03)
        assert found[:, 4:].tolist() == [[0] * 4, [1] * 4]


def calibration_of(chunks: list[CalibrationWindows]) -> Any:
    found = calibration(chunks[0].forecasts, chunks[0].target)
    return type(found)(True, lambda: iter(chunks), found.student)


N = 20_000


def combined(weights: Tensor, values: Tensor) -> Tensor:
    return (weights * values).sum(0)


def test_level_and_shape_are_combined_as_well_as_can_be() -> None:
    """One teacher has the right level and a noisy shape, one the reverse, one is middling in both.

    With independent errors of variance v_k the best combination has weights ∝ 1/v_k and the error 1/Σ v_k⁻¹, for level
    and shape by themselves; labels that are noisy themselves, by e, make the weights ∝ 1/(v_k + e).
    """
    horizon, label = 6, 0.3
    size = {"level": [0.1, 0.8, 0.5], "shape": [0.9, 0.2, 0.5]}
    errors = draw(3, N, horizon, 1, seed=1)
    errors = errors - errors.mean(2, keepdim=True)
    off = torch.tensor(size["shape"]).double()[:, None, None, None] * errors
    off = off + torch.tensor(size["level"]).double()[:, None, None, None] * draw(3, N, 1, 1, seed=2)
    truth = draw(N, horizon, 1, seed=3)
    said, labels = truth + off, truth + label * draw(N, horizon, 1, seed=4)
    weighting = calibrated(DEMKD(decoupled=True), said, labels)
    one_set = calibrated(DEMKD(), said, labels)
    level, shape = (of(weighting, said, aspect)[:, None] for aspect in ("level", "shape"))
    means = said.mean(2, keepdim=True)
    blended = combined(level, means) + combined(shape, said - means)
    found = (blended - truth).square().mean().item()

    variance = {"level": np.square(size["level"]), "shape": np.square(size["shape"]) * (horizon - 1) / horizon}
    seen = {"level": label**2 / horizon, "shape": label**2 * (horizon - 1) / horizon}
    expected = 0.0
    for aspect, values in variance.items():
        share = 1 / (values + seen[aspect])
        share /= share.sum()
        expected += (share**2 * values).sum()
    assert found == pytest.approx(expected, rel=0.02)
    # by one set of weights, the best there is (over all) and its own
    total = np.stack([*variance.values()]).sum(0)
    best = 1 / (1 / total).sum()
    own = (combined(one_set(step(said)), said) - truth).square().mean().item()
    assert found < 0.3 * best <= 0.3 * own * 1.02


def test_how_far_a_spread_is_off() -> None:
    """log σ off by b + τ·N(0, 1): ½(exp(2τ² − 2b) − 1) + b exactly, b² + τ² to second order."""
    count = 400_000
    labels = draw(count, 1, 1)
    off = [(0.0, 0.0), (0.1, 0.0), (-0.3, 0.0), (0.0, 0.15), (0.1, 0.2)]
    spread = torch.stack([(b + tau * draw(count, 1, 1, seed=9)).exp() for b, tau in off])
    keys = torch.zeros(count, 2).long()
    one = CalibrationWindows(keys, {}, torch.zeros_like(spread), torch.ones(len(off), count).bool(), spread, labels)
    n = torch.full((len(off),), float(count), dtype=torch.float64)
    found = spread_divergence([(one, torch.zeros_like(labels))], n).flatten().tolist()
    least = DIVERGENCE_DEVIATION / math.sqrt(count)
    for value, (b, tau) in zip(found, off, strict=True):
        exact = (math.exp(2 * tau**2 - 2 * b) - 1) / 2 + b
        assert value == pytest.approx(max(exact, least), abs=4 * least)
        assert exact == pytest.approx(b**2 + tau**2, rel=0.3)
    # the constants are the mean and the standard deviation of ½(z² − 1 − log z²)
    value = (labels.square() - 1 - labels.square().log()) / 2
    assert value.mean().item() == pytest.approx(EXPECTED_DIVERGENCE, abs=4 * least)
    assert value.std().item() == pytest.approx(DIVERGENCE_DEVIATION, rel=0.01)


def test_claims_are_judged_about_the_combination_and_as_they_are() -> None:
    """z: 2 and ½ about the mean of the two means, which is 0; recalibration would make both the same."""
    target = torch.tensor([1.0, -1], dtype=torch.float64).repeat(500)[:, None, None]
    said = torch.tensor([4.0, -4], dtype=torch.float64)[:, None, None, None].expand(2, 1000, 1, 1)
    spread = torch.tensor([0.5, 2], dtype=torch.float64)[:, None, None, None].expand(2, 1000, 1, 1)
    weighting = calibrated(DEMKD(0.0, shrinkage=0, decoupled=True), said, target, spread=spread)
    weighting.power = 2.0  # type: ignore[assignment]
    off = [(4 - 1 - math.log(4)) / 2 - EXPECTED_DIVERGENCE, (1 / 4 - 1 - math.log(1 / 4)) / 2 - EXPECTED_DIVERGENCE]
    assert off[1] < DIVERGENCE_DEVIATION / math.sqrt(1000)
    expected = np.array([1 / off[0], math.sqrt(1000) / DIVERGENCE_DEVIATION])
    found = of(weighting, said, "spread", spread=spread).flatten().numpy()
    assert found == pytest.approx(expected / expected.sum())


def test_claims_of_no_spread_are_followed_least() -> None:
    target = draw(50, 1, 1)
    said = torch.zeros(3, 50, 1, 1, dtype=torch.float64)
    spread = torch.tensor([0.0, 1, math.nan], dtype=torch.float64)[:, None, None, None].expand_as(said)
    weights = of(
        calibrated(DEMKD(shrinkage=0, decoupled=True), said, target, spread=spread), said, "spread", spread=spread
    )
    assert weights.isfinite().all() and weights[0] < 1e-5 and weights[1] > 0.99


def test_mean_and_spread_are_combined_as_well_as_can_be() -> None:
    """One teacher has the right mean and a noisy spread, the other the reverse.

    Claimed variances are e·exp(2τ_k·N(0, 1)): the best weights are inverse to their mean squared errors, and D_k is in
    proportion to these for small τ_k.
    """
    count, label = 200_000, 0.5
    truth = draw(count, 1, 1)
    labels = truth + label * draw(count, 1, 1, seed=1)
    off, wrong = (torch.tensor(v, dtype=torch.float64)[:, None, None, None] for v in ([0.05, 4.0], [0.3, 0.1]))
    said = truth + off * draw(2, count, 1, 1, seed=2)
    spread = label * (wrong * draw(2, count, 1, 1, seed=3)).exp()
    weighting = calibrated(DEMKD(decoupled=True), said, labels, spread=spread)
    told = step(said, spread=spread)
    mean, variance = weighting(told), weighting.weights_of(told, "spread")

    # a claim, scaled so that it is right on average; the noise of claims moves the weights of the means too
    share = 1 / (spread.square() * (off.square() + label**2) / (label**2 * (2 * wrong.square()).exp()))
    share = share / share.sum(0)
    blended = (combined(mean, said) - truth).square().mean().item()
    assert blended == pytest.approx((share.square() * off.square()).sum(0).mean().item(), rel=0.02)
    # E D = ½(exp(2τ²) − 1) where m is right; it has an error of blended, which z shows
    excess = 1 + blended / label**2
    off_by = np.array([(excess * math.exp(2 * tau**2) - 1 - math.log(excess)) / 2 for tau in (0.3, 0.1)])
    expected = (1 / off_by) / (1 / off_by).sum()
    assert variance[:, 0, 0, 0].tolist() == pytest.approx(expected, abs=0.02)
    errors = [
        (combined(weights, spread.square()) - label**2).square().mean().item()
        for weights in (variance, mean, torch.full_like(variance, 0.5))
    ]
    claimed = (spread.square() - label**2).square().mean((1, 2, 3))
    assert errors[0] == pytest.approx((1 / (1 / claimed).sum()).item(), rel=0.1)
    assert errors[0] < 0.4 * min(errors[1:])


def objective(loss: DistillationLoss, weighting: Weighting, teachers: int, labels: Tensor, **shown: Any) -> Objective:
    one = ModelInterface("TiDEModel", range(1, 1 + labels.shape[1]), **shown)
    return Objective([loss], weighting, one, {f"t{k}": one for k in range(teachers)}, labels)


class ByAspect(Weighting):
    """Given weights for every aspect; counts how often it is asked."""

    def __init__(self, given: dict[Any, list[float]]) -> None:
        super().__init__()
        self.given, self.asked = given, []  # type: ignore[var-annotated]

    @property
    def aspects(self) -> frozenset[Any]:
        return frozenset(self.given) - {"forecast"}

    def scores(self, step: Step) -> Tensor:
        return self.scores_of(step, "forecast")

    def scores_of(self, step: Step, aspect: Any) -> Tensor:
        self.asked.append(aspect)
        return torch.tensor(self.given[aspect]).double()[:, None].expand(step.valid.shape)


def test_each_part_of_a_term_has_its_own_weights() -> None:
    student, teachers, labels = draw(3, 4, 2), draw(2, 3, 4, 2, seed=1), draw(3, 4, 2, seed=2)
    given = {"forecast": [0.5, 0.5], "level": [0.9, 0.1], "shape": [0.2, 0.8]}
    plain = ModelInterface("TiDEModel", range(1, 5))
    losses = [LevelShapeKD(weight=2.0), OutputKD()]
    two = Objective(losses, ByAspect(given), plain, {"a": plain, "b": plain}, labels)
    valid = torch.tensor([[True, True, False], [True, False, False]])
    told = make_step(teachers, valid, student=student, target=labels)
    samples = draw(3, 4, 2, seed=3).exp()
    outcome = two(StudentOutput(student), told, [{}, {}], samples)
    share = {name: torch.tensor([[values[0], 1.0], [values[1], 0.0]]).double() for name, values in given.items()}
    difference = (student - teachers)[:, :2]
    level = difference.mean(2, keepdim=True)
    expected = sum(
        factor * (share[name][:, :, None, None] * values * samples[:2]).sum(0).flatten(1).mean(1)
        for name, factor, values in (
            ("level", 2, level.square()),
            ("shape", 2, (difference - level).square()),
            ("forecast", 1, difference.square()),
        )
    )
    assert outcome.term is not None and isinstance(expected, Tensor)
    torch.testing.assert_close(outcome.term, expected.mean())
    assert (outcome.weights.sum(1) / 2).tolist() == pytest.approx([0.75, 0.25])
    assert set(outcome.aspects) == {"level", "shape"}
    assert outcome.aspects["level"].flatten().tolist() == pytest.approx([0.9, 1, 0, 0.1, 0, 0])
    # once each, and not for what no loss has
    assert isinstance(two.weighting, ByAspect) and sorted(two.weighting.asked) == ["forecast", "level", "shape"]
    unused = objective(OutputKD(), ByAspect(given | {"spread": [1, 0]}), 2, labels)
    assert unused(StudentOutput(student), told, [{}, {}], None).aspects == {}
    assert isinstance(unused.weighting, ByAspect) and unused.weighting.asked == ["forecast"]


class Asking(ByAspect):
    """Keeps the steps in which it is asked for scores of the forecasts, and of aspects."""

    def __init__(self) -> None:
        super().__init__({"forecast": [1, 1], "level": [1, 3]})
        self.steps: list[tuple[Any, Step]] = []

    def scores(self, step: Step) -> Tensor:
        self.steps.append(("forecast", step))
        return torch.ones(step.valid.shape)

    def scores_of(self, step: Step, aspect: Any) -> Tensor:
        self.steps.append((aspect, step))
        return super().scores_of(step, aspect)


@pytest.mark.parametrize("someone", [True, False])
def test_scores_of_an_aspect_wait_for_no_other_process(someone: bool) -> None:
    """Where a process has no window with a teacher they are not asked for; those of the forecasts always are."""
    asking = Asking()
    two = objective(LevelShapeKD(), asking, 2, draw(3, 4, 1))
    context = StepContext(lambda values: 2 * values, lambda cotangents: cotangents)
    told = step(draw(2, 3, 4, 1), torch.full((2, 3), someone))
    two(StudentOutput(draw(3, 4, 1)), replace(told, context=context), [{}, {}], None)
    assert isinstance(two.weighting, Asking)
    (forecast, first), *rest = two.weighting.steps
    assert forecast == "forecast" and first.context is context
    assert [aspect for aspect, _ in rest] == (["level"] if someone else [])
    assert all(one.context == StepContext() for _, one in rest)


@pytest.mark.parametrize(
    ("weighting", "losses", "message"),
    [
        (DEMKD(decoupled=True), None, "for level, shape, spread, and no loss has such a part: add LevelShapeKD, or"),
        (DEMKD(decoupled=True), FeatureKD(loss=LevelShapeKD()), "for level, shape, spread"),
        (DEMKD(decoupled=True), [OutputKD(), LevelShapeKD(weight=0)], "for level, shape, spread"),
        (DEMKD(decoupled=True, features=True), LevelShapeKD(), r"for features, .*: add FeatureKD \(not of relations"),
        (CAMKD(features=True), [OutputKD(), FeatureKD(projector=None, loss=SampleRelation())], "for features"),
    ],
    ids=str,
)
@pytest.mark.parametrize("balance", [0.5, 0.0])
def test_weights_for_what_no_loss_has_are_refused_before_any_training(
    weighting: Weighting, losses: Any, message: str, balance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Teacher, "fit", lambda *_, **__: pytest.fail("a teacher is fitted"))
    student, teacher = (TiDEModel(4, 3, hidden_size=4, n_epochs=1, pl_trainer_kwargs=QUIET) for _ in range(2))
    model = DistilledModel(student, Teacher(teacher), losses, weighting, balance)
    with pytest.raises(ValueError, match=message) as raised:
        model.fit(SERIES)
    assert str(raised.value).startswith(f"{weighting!r} weighs teachers apart") and student.model is None


def test_distributions_without_such_parts_cannot_be_weighed_by_them() -> None:
    laplace = {"likelihood": LaplaceLikelihood(), "n_epochs": 1, "pl_trainer_kwargs": QUIET}
    student, teacher = (TiDEModel(4, 3, hidden_size=4, **laplace) for _ in range(2))
    model = DistilledModel(student, Teacher(teacher), LikelihoodKD(), DEMKD(decoupled=True))
    with pytest.raises(ValueError, match="no loss has such a part"):
        model.fit(SERIES)


def test_without_a_teacher_there_is_nothing_to_weigh_apart() -> None:
    student = NLinearModel(4, 3, n_epochs=1, pl_trainer_kwargs=QUIET)
    assert DistilledModel(student, weighting=DEMKD(decoupled=True)).fit(SERIES).history == []


@pytest.mark.parametrize("loss", [LevelShapeKD(2.0, 0.3), HorizonWeighted(LevelShapeKD())], ids=repr)
@pytest.mark.parametrize("weighting", [Uniform(), Fixed([3, 1]), ByAspect({"forecast": [3, 1], "spread": [1, 0]})])
def test_weights_that_are_one_set_give_the_term_that_they_gave(loss: DistillationLoss, weighting: Weighting) -> None:
    student, teachers, labels = draw(3, 4, 2), draw(2, 3, 4, 2, seed=1), draw(3, 4, 2, seed=2)
    told = make_step(teachers, student=student, target=labels)
    found = objective(loss, weighting, 2, labels)(StudentOutput(student), told, [{}, {}], None)
    weights = weighting(told)[:, :, None, None]
    expected = sum(weights[k] * loss(StudentTeacherPair(student, teachers[k], labels)) for k in range(2))
    torch.testing.assert_close(found.term, expected.mean())
    assert found.aspects == {}


def test_what_the_best_student_of_two_gaussians_is() -> None:
    """μ = Σ w_k μ_k and σ² = Σ v_k σ_k² + Σ w_k (μ_k − μ)²: there the gradient is 0."""
    pairs = [[1.0, 3], [0.5, 2], [0.75, 0.25], [0.4, 0.6]]
    mean, width, w, v = torch.tensor(pairs, dtype=torch.float64)
    ours = (w * mean).sum()
    spread = ((v * width.square()).sum() + (w * (mean - ours).square()).sum()).sqrt()
    student = [value.reshape(1, 1, 1).requires_grad_() for value in (ours, spread)]
    loss = LikelihoodKD()
    total = torch.zeros(1, 1, 1, dtype=torch.float64)
    for k in range(2):
        pair = gaussians((student[0], student[1]), (mean[k].reshape(1, 1, 1), width[k].reshape(1, 1, 1)))
        parts = loss.parts(pair)
        total = total + w[k] * parts["mean"] + v[k] * parts["spread"]
    gradients = torch.autograd.grad(total.sum(), student)
    assert all(abs(value.item()) < 1e-12 for value in gradients)


def test_features_are_weighed_by_what_the_student_leaves_unexplained() -> None:
    """Residuals of ¼ and of 1 of the variance, features of unlike size and units."""
    ours = draw(40, 2, 3)
    ours = ours - ours.mean(0)
    turn = torch.tensor([1.0, -1] * 20).double()[:, None, None]
    turn = turn - (turn * ours).sum() / ours.square().sum() * ours  # orthogonal to the student's
    turn = turn * (ours.square().sum() / turn.square().sum()).sqrt()
    turn = turn - turn.mean(0)
    near, far = 5 + 1e3 * ours, ours
    teachers = [near + 1e3 * 0.5 * turn, far + turn]
    share = [
        (s - t).square().sum() / (t - t.mean(0)).square().sum() * 39 / 40
        for s, t in zip([near, far], teachers, strict=True)
    ]
    said = torch.zeros(2, 40, 1, 1, dtype=torch.float64)
    for power in (1.0, 2.0):
        told = replace(step(said), features=StepFeatures([near, far], teachers))
        found = DEMKD(power, features=True).weights_of(told, "features")
        expected = torch.stack(share) ** (-power / 2)
        torch.testing.assert_close(found, (expected / expected.sum())[:, None].expand(2, 40))
    assert (share[0] / share[1]).item() < 0.5


def test_features_with_what_the_student_cannot_know_are_followed_less() -> None:
    """Teachers' features are f + σ_k·noise, the student's f: weights ∝ (1 + σ_k²)/σ_k², inverse to what is noise."""
    f, sizes = draw(4000, 1, 8), [0.2, 1.0]
    teachers = [f + size * draw(4000, 1, 8, seed=5 + k) for k, size in enumerate(sizes)]
    said = torch.zeros(2, 4000, 1, 1, dtype=torch.float64)
    told = replace(step(said), features=StepFeatures([f, f], teachers))
    found = DEMKD(features=True).weights_of(told, "features")[:, 0]
    expected = np.array([(1 + s**2) / s**2 for s in sizes])
    assert found.tolist() == pytest.approx(expected / expected.sum(), abs=0.003)


def test_a_teacher_of_few_windows_is_compared_by_its_own_variance() -> None:
    """Features 0 and 2 in turn, residuals of 1: variance 2 of two windows, 4/3 of four; weights ∝ 2 and 4/3."""
    units = torch.tensor([0.0, 2, 0, 2], dtype=torch.float64)[:, None, None]
    valid = torch.tensor([[True, True, False, False], [True] * 4])
    features = StepFeatures([units + 1] * 2, [units.where(v[:, None, None], 0) for v in valid])
    told = replace(step(torch.zeros(2, 4, 1, 1, dtype=torch.float64), valid), features=features)
    found = DEMKD(features=True).weights_of(told, "features")
    assert found[0].tolist() == pytest.approx([0.6, 0.6, 0, 0]) and found[1].tolist() == pytest.approx([0.4, 0.4, 1, 1])


def test_features_that_say_nothing_count_as_average_ones() -> None:
    f = draw(6, 1, 2)
    constant = torch.ones_like(f)
    said = torch.zeros(2, 6, 1, 1, dtype=torch.float64)
    for rows in (slice(0, 6), slice(0, 1)):
        features = StepFeatures([f[rows], f[rows]], [constant[rows], 2 * f[rows]])
        told = replace(step(said[:, rows]), features=features)
        found = DEMKD(features=True).weights_of(told, "features")
        torch.testing.assert_close(found, torch.full_like(found, 0.5))


SERIES = noise(120, seed=4)


@pytest.mark.parametrize("decoupled", [False, True])
def test_a_student_learns_the_level_of_one_and_the_shape_of_another(decoupled: bool) -> None:
    """Weights as by hand, and with an MSE for each part the target is the combination of levels and that of shapes."""

    def saying(level: float, shape: float, seed: int) -> Any:
        def answer(labels: np.ndarray, _: bool) -> np.ndarray:
            rng = np.random.default_rng(seed)
            wrong = rng.normal(size=labels.shape)
            return (
                labels + shape * (wrong - wrong.mean(1, keepdims=True)) + level * rng.normal(size=labels[:, :1].shape)
            )

        return answer

    answers = [saying(0.1, 2.0, 1), saying(2.0, 0.1, 2)]
    teachers = [Saying(answer, name=name) for answer, name in zip(answers, "ab", strict=True)]
    student = linear()
    weighting = DEMKD(decoupled=decoupled, shrinkage=0)
    DistilledModel(student, teachers, LevelShapeKD(), weighting=weighting, balance=1).fit(SERIES)
    # before forecasts are asked for, which brings a trainer of its own
    logged = {name: float(v) for name, v in student.trainer.callback_metrics.items() if name.startswith("weight/")}
    found = forecasts(student, SERIES)
    inputs, labels = windows(SERIES)
    soft = np.stack([answer(labels, False) for answer in answers])
    off = soft - labels
    level = off.mean(2, keepdims=True)
    if not decoupled:
        assert set(logged) == {"weight/a", "weight/b"}
        return
    target = np.zeros_like(labels)
    for aspect, parts in (("level", level), ("shape", off - level)):
        share = 1 / (parts**2).mean((1, 2, 3))
        share /= share.sum()
        assert [logged[f"weight/{aspect}/{name}"] for name in "ab"] == pytest.approx(share, abs=1e-5)
        whole = soft.mean(2, keepdims=True) if aspect == "level" else soft - soft.mean(2, keepdims=True)
        target = target + (share[:, None, None, None] * whole).sum(0)
    assert H > 1 and np.abs(found - regression(inputs, target)).max() < 1e-3


@pytest.mark.parametrize("name", ["decoupled", "features"])
def test_switches_are_bools(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}='yes': give True or False"):
        DEMKD(**{name: "yes"})  # type: ignore[arg-type]


def test_without_them_it_is_what_it_was() -> None:
    assert DEMKD().aspects == frozenset() and set(DEMKD().state_dict()) == {"residuals", "factors"}
    assert DEMKD(decoupled=True).aspects == {"level", "shape", "spread"}
    assert DEMKD(features=True).aspects == {"features"}
    with pytest.raises(NotImplementedError, match="compares no features"):
        OutputKD().representations(StudentTeacherPair(*(torch.zeros(1, 1, 1),) * 3))
