"""Learned weights: the meta-gradient, the student left as it was, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from darts import TimeSeries
from darts.models import TiDEModel
from torch import Tensor, nn

from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import walk
from tests.helpers.steps import make_step
from tskd import DistilledModel
from tskd.weighting import MMKD, MetaStep, Step, StepContext, Uniform
from tskd.weighting.base import Variation
from tskd.weighting.mmkd import RELATIVE_STEP, directional, teacher_states

K, B, H, C = 3, 5, 4, 2
OPTIONS: dict[str, Any] = fast(n_epochs=2, batch_size=16)
SERIES, HELD_OUT = walk(90, 2), walk(60, 2, seed=3)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, H * C))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs).reshape(-1, H, C)


def problem(dtype: torch.dtype) -> tuple[Net, Tensor, Tensor, Tensor, Tensor, Tensor]:
    net = Net().to(dtype)
    generator = torch.Generator().manual_seed(1)
    draw = [(B, 6), (K, B, H, C), (B, H, C), (7, 6), (7, H, C)]
    inputs, teachers, target, other, labels = (torch.randn(s, generator=generator, dtype=dtype) for s in draw)
    return net, inputs, teachers, target, other, labels


def step_of(teachers: Tensor, student: Tensor, target: Tensor, valid: Tensor | None = None) -> Step:
    return make_step(teachers, valid, student=student, target=target)


def norm(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.detach().double().square().sum()) for tensor in tensors))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_two_forward_passes_give_the_product_of_gradients(dtype: torch.dtype) -> None:
    """Up to rounding, which depends on the CPU: of two losses, each to within ε·ℓ, whose difference is divided by two
    steps. It is up to 1.5·ε·ℓ per step on 300 problems of this size; what the step misses of the slope is far less.
    """
    net, inputs, teachers, _, other, labels = problem(dtype)
    parameters = list(net.parameters())
    outer = torch.autograd.grad((net(other) - labels).square().mean(), parameters)

    def losses() -> Tensor:
        with torch.no_grad():
            return (net(inputs) - teachers).square().flatten(2).mean(2)

    found = directional(losses, parameters, list(outer))
    per_teacher = (net(inputs) - teachers).square().flatten(2).mean(2)
    epsilon = torch.finfo(dtype).eps
    rounding = 2 * epsilon * losses() * norm(outer) / (RELATIVE_STEP * epsilon**0.5 * norm(parameters))
    assert float(rounding.max()) < 1e-2 * float(found.abs().max())
    for k in range(K):
        for b in range(B):
            inner = torch.autograd.grad(per_teacher[k, b], parameters, retain_graph=True)
            exact = sum(float((i * o).sum()) for i, o in zip(inner, outer, strict=True))
            assert found[k, b].item() == pytest.approx(exact, rel=0, abs=float(rounding[k, b]))


def test_parameters_are_put_back_bit_for_bit_even_if_a_pass_fails() -> None:
    net, inputs, teachers, *_ = problem(torch.float32)
    before = [p.detach().clone() for p in net.parameters()]
    calls = 0

    def losses() -> Tensor:
        nonlocal calls
        calls += 1
        assert any(not torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))
        if calls == 2:
            raise RuntimeError("enough")
        return (net(inputs) - teachers).square().flatten(2).mean(2)

    with pytest.raises(RuntimeError, match="enough"):
        directional(losses, list(net.parameters()), [torch.ones_like(p) for p in net.parameters()])
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_a_meta_step_lowers_the_loss_after_the_students_step() -> None:
    """Against the loss itself, one plain step of the student later, for the weights before and after."""
    net, inputs, teachers, target, other, labels = problem(torch.float64)
    weighting = MMKD(lr=0.05).double()
    weighting.set_up(["a", "b", "c"])
    step = step_of(teachers, net(inputs), target)
    parameters = list(net.parameters())

    def outer() -> Tensor:
        return (net(other) - labels).square().mean()

    def losses() -> Tensor:
        with torch.no_grad():
            return (net(inputs) - teachers).square().flatten(2).mean(2)

    def later(weights: Tensor, rate: float = 1e-3) -> float:
        loss = (weights * (net(inputs) - teachers).square().flatten(2).mean(2)).sum(0).mean()
        gradients = torch.autograd.grad(loss, parameters)
        moved = {n: p - rate * g for (n, p), g in zip(net.named_parameters(), gradients, strict=True)}
        said = torch.func.functional_call(net, moved, (other,))
        return (said - labels).square().mean().item()

    before = weighting(step)
    assert torch.allclose(before, torch.full((K, B), 1 / K, dtype=before.dtype))
    for _ in range(20):
        weighting.meta_update(MetaStep(step, losses, outer, parameters))
    after = weighting(step)
    assert later(after) < later(before)
    # the first step goes along the negative gradient of that loss with respect to the weights
    gain = directional(losses, parameters, list(torch.autograd.grad(outer(), parameters)))
    best = gain.sum(1).argmax()
    assert bool(after.mean(1)[best] > 1 / K)


def test_a_single_teacher_teaches_the_scorer_nothing() -> None:
    net, inputs, teachers, target, other, labels = problem(torch.float32)
    weighting = MMKD()
    before = {name: value.clone() for name, value in weighting.scorer.state_dict().items()}
    meta_step = MetaStep(
        step_of(teachers[:1], net(inputs), target),
        lambda: (net(inputs) - teachers[:1]).detach().square().flatten(2).mean(2),
        lambda: (net(other) - labels).square().mean(),
        list(net.parameters()),
    )
    weighting.meta_update(meta_step)
    assert all(torch.equal(value, before[name]) for name, value in weighting.scorer.state_dict().items())


def test_where_nothing_is_gained_the_other_processes_are_not_kept_waiting() -> None:
    """As if another process had a gradient of 1 at each meta step."""
    net, inputs, teachers, target, *_ = problem(torch.float32)
    asked = 0

    def average(gradient: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        assert not bool(gradient.any())
        return gradient + 0.5

    weighting = MMKD()
    before = [p.detach().clone() for p in weighting.scorer.parameters()]
    # a student that has met its labels has no outer gradient
    still = MetaStep(
        replace(step_of(teachers, net(inputs), target), context=StepContext(average)),
        lambda: (net(inputs) - teachers).detach().square().flatten(2).mean(2),
        lambda: 0 * net(inputs).sum(),
        list(net.parameters()),
    )
    weighting.meta_update(still)
    assert asked == len(before)
    assert all(bool((p < old).all()) for p, old in zip(weighting.scorer.parameters(), before, strict=True))


def test_states_have_no_units_and_are_those_of_the_valid() -> None:
    _, _, teachers, target, *_ = problem(torch.float64)
    valid = torch.tensor([[True] * B, [True, False, True, True, True], [True] * B])
    student = target + 1
    plain = teacher_states(step_of(teachers, student, target, valid))
    scaled = teacher_states(step_of(teachers * 1e6 + 3e6, student * 1e6 + 3e6, target * 1e6 + 3e6, valid))
    torch.testing.assert_close(plain, scaled, rtol=1e-6, atol=1e-9)
    assert bool((plain[1, 1] == 0).all()) and bool((plain[0, 1, :2] > 0).all())


def test_a_window_that_overflows_has_no_state_and_leaves_the_others_theirs() -> None:
    _, _, teachers, target, *_ = problem(torch.float32)
    rest = torch.tensor([0, 1, 3, 4])
    expected = teacher_states(step_of(teachers[:, rest], target[rest] + 1, target[rest]))
    for value in (torch.inf, torch.nan, 1e30):
        student, said = target + 1, teachers.clone()
        student[2, 1] = value
        for step in (step_of(teachers, student, target), step_of(said, target + 1, target)):
            if step.forecasts is said:
                said[0, 2, 1] = value
            found = teacher_states(step)
            assert bool((found[:, 2] == 0).all())
            torch.testing.assert_close(found[:, rest], expected)


def test_a_meta_step_with_an_overflow_teaches_what_the_other_windows_do() -> None:
    """One infinite forecast of the student used to make every parameter NaN for good."""
    net, inputs, teachers, target, other, labels = problem(torch.float32)
    weighting = MMKD(lr=0.05)

    def meta_update(student: Tensor) -> None:
        weighting.meta_update(
            MetaStep(
                step_of(teachers, student, target),
                lambda: (
                    (student.detach() - teachers + 0 * net(inputs)).detach().square().flatten(2).mean(2)
                    + (net(inputs) - teachers).detach().square().flatten(2).mean(2)
                ),
                lambda: (net(other) - labels).square().mean(),
                list(net.parameters()),
            )
        )

    student = net(inputs).detach()
    student[2, 1] = torch.inf
    before = [p.detach().clone() for p in weighting.scorer.parameters()]
    for _ in range(3):
        meta_update(student)
    after = list(weighting.scorer.parameters())
    assert all(bool(p.isfinite().all()) for p in after)
    assert any(not torch.equal(p, old) for p, old in zip(after, before, strict=True))
    weights = weighting(step_of(teachers, student, target))
    assert bool(weights.isfinite().all()) and not torch.allclose(weights, torch.full((K, B), 1 / K), atol=1e-3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_gradient_that_is_not_finite_in_one_process_is_left_out_in_all(value: float) -> None:
    """As if another process had one in its last layer: after an honest step, Adam has momentum of its own."""
    net, inputs, teachers, target, other, labels = problem(torch.float32)
    weighting, spoilt = MMKD(lr=0.05), False

    def average(gradient: Tensor) -> Tensor:
        return gradient + value if spoilt and gradient.shape == (1,) else gradient

    meta_step = MetaStep(
        replace(step_of(teachers, net(inputs), target), context=StepContext(average)),
        lambda: (net(inputs) - teachers).detach().square().flatten(2).mean(2),
        lambda: (net(other) - labels).square().mean(),
        list(net.parameters()),
    )
    weighting.meta_update(meta_step)
    before = [p.detach().clone() for p in weighting.scorer.parameters()]
    spoilt = True
    weighting.meta_update(meta_step)
    assert all(torch.equal(p, old) for p, old in zip(weighting.scorer.parameters(), before, strict=True))
    spoilt = False
    weighting.meta_update(meta_step)
    after = list(weighting.scorer.parameters())
    assert all(bool(p.isfinite().all()) for p in after)
    assert any(not torch.equal(p, old) for p, old in zip(after, before, strict=True))


def scripted(bias: float, name: str) -> Scripted:
    asked = TiDEModel(8, 4, hidden_size=4, **(OPTIONS | {"n_epochs": 1})).fit(SERIES)
    return Scripted(asked, lambda y, _: y + bias, name)


def trained(weighting: Any, teachers: list[Scripted], val: TimeSeries | None = HELD_OUT, **options: Any) -> Any:
    student = TiDEModel(8, 4, hidden_size=4, dropout=0.1, **(OPTIONS | options))
    return DistilledModel(student, teachers, weighting=weighting, balance=0.9).fit(SERIES, val_series=val).student


class Even(Uniform):
    """Computed in every step, as those of MMKD are."""

    @property
    def varies(self) -> Variation:
        return "step"


def test_a_scorer_that_does_not_learn_leaves_the_student_bit_identical() -> None:
    """Meta steps, with a learning rate of 0, in every step: nothing of student or randomness moves."""
    teachers = [scripted(0.0, "good"), scripted(5.0, "bad")]
    plain, meta = (trained(weighting, teachers) for weighting in (Even(), MMKD(every=1, lr=0.0)))
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, meta.model.state_dict()[name])


def test_the_teacher_that_helps_on_held_out_windows_is_followed() -> None:
    teachers = [scripted(0.0, "good"), scripted(5.0, "bad")]
    student = trained(MMKD(every=1, lr=0.05), teachers, n_epochs=10)
    assert float(student.trainer.callback_metrics["weight/good"]) > 0.8


def test_validation_is_asked_for_before_anything_is_trained() -> None:
    with pytest.raises(ValueError, match=r"MMKD\(\) learns from a validation part: give val_series"):
        trained(MMKD(), [scripted(0.0, "good")], val=None)
    assert trained(MMKD(outer="training"), [scripted(0.0, "good"), scripted(1.0, "bad")], val=None).model is not None


def test_the_scorers_optimizer_is_part_of_its_state() -> None:
    net, inputs, teachers, target, other, labels = problem(torch.float32)

    def meta_step() -> MetaStep:
        return MetaStep(
            step_of(teachers, net(inputs), target),
            lambda: (net(inputs) - teachers).detach().square().flatten(2).mean(2),
            lambda: (net(other) - labels).square().mean(),
            list(net.parameters()),
        )

    first = MMKD()
    first.meta_update(meta_step())
    second = MMKD()
    second.load_state_dict(first.state_dict())
    for weighting in (first, second):
        weighting.meta_update(meta_step())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"every": 0}, "every"), ({"lr": -1.0}, "lr"), ({"outer": "test"}, "outer='test': give one of")],
)
def test_bad_settings_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MMKD(**kwargs)


def test_the_scorers_shares_are_of_the_valid() -> None:
    """As the meta step sees them, too: a teacher that is not valid has no part in the softmax."""
    weighting = MMKD()
    with torch.no_grad():
        for parameter in weighting.scorer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    valid = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
    step = make_step(torch.randn(3, 3, 4, 2, generator=torch.Generator().manual_seed(2)), valid)
    scores = weighting.scorer(teacher_states(step))[..., 0].exp() * valid
    torch.testing.assert_close(weighting._weights(step), scores / scores.sum(0))
