"""A loss that compares forecasts window by window is asked once for all teachers: the same term, gradient and fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from darts.models import NLinearModel
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.series import walk
from tests.helpers.steps import draw, make_step
from tskd import DistilledModel, Teacher
from tskd._core.aspects import Aspect
from tskd.distillation import loss_sum
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import (
    AttentiveImitation,
    ChannelRelation,
    DistillationLoss,
    HorizonWeighted,
    LevelShapeKD,
    MultiPeriodKD,
    MultiScaleKD,
    OutputKD,
    SampleRelation,
    StudentTeacherPair,
    TeacherBounded,
    TemporalRelation,
)
from tskd.weighting import DEMKD, Fixed, Step, Uniform, Weighting

K, B, H, C = 3, 5, 8, 2


class OfSquares(DistillationLoss):
    """Another loss, of the squares of the forecasts."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return ChannelRelation()(replace(pair, student=pair.student.square(), teacher=pair.teacher.square()))


class Doubted(DistillationLoss):
    """Squared distances, times a factor that is computed first, without gradient."""

    def __init__(self, mode: type[torch.no_grad] | type[torch.inference_mode]) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        with self.mode():
            doubt = (pair.student - pair.target).abs() + pair.of_student(torch.sin)
        return doubt.clone() * (pair.student - pair.teacher).square() + pair.of_student(torch.sin)


AT_ONCE: list[DistillationLoss] = [
    OutputKD("mae"),
    OutputKD("huber", weight=0.7),
    LevelShapeKD(shape=0.5),
    MultiScaleKD(2),
    MultiPeriodKD(0.7),
    TemporalRelation(),
    ChannelRelation(weight=3),
    TeacherBounded(0.1),
    HorizonWeighted(OutputKD("mae"), rate=-2),
    OfSquares(),
    Doubted(torch.no_grad),
    Doubted(torch.inference_mode),
]


class Given(Weighting):
    """Given weights, others for what is common to all steps; they need not sum to one."""

    def __init__(self, weights: Tensor, of_level: Tensor | None = None) -> None:
        super().__init__()
        self.weights, self.of_level = weights, of_level

    @property
    def aspects(self) -> frozenset[Aspect]:
        return frozenset() if self.of_level is None else frozenset({"level"})

    def scores(self, step: Step) -> Tensor:
        return self.weights

    def forward(self, step: Step) -> Tensor:
        return self.weights

    def weights_of(self, step: Step, aspect: Aspect) -> Tensor:
        assert self.of_level is not None
        return self.of_level


def by_cell(values: Tensor) -> Tensor:
    """Of windows, or of their steps and components, at every step and component `[B, H, C]`."""
    return values.reshape(values.shape + (1,) * (3 - values.dim())).expand(B, H, C)


def by_hand(losses: list[DistillationLoss], pairs: list[StudentTeacherPair], weights: Tensor, of_labels: Tensor) -> Any:
    """Σ_l c_l Σ_k w_k ℓ of one teacher after the other, averaged over windows, and over steps and components."""
    total = torch.zeros(()).double()
    for loss in losses:
        for pair, weight in zip(pairs, weights, strict=True):
            values = loss(pair)
            if values.dim() == 1:
                factors = by_cell(weight).mean((1, 2)) * by_cell(of_labels).mean((1, 2))
                total = total + loss.weight * (values * factors).mean()
            else:
                total = total + loss.weight * (by_cell(values) * by_cell(weight) * by_cell(of_labels)).mean()
    return total


@pytest.mark.parametrize("labels", ["all", "some, weighted"])
@pytest.mark.parametrize("shape", [(), (H,), (H, C)], ids=["windows", "steps", "components"])
@pytest.mark.parametrize(
    "losses",
    [*([one] for one in AT_ONCE), [AT_ONCE[4], AT_ONCE[3], AT_ONCE[7]], [AT_ONCE[-1], AT_ONCE[-2], AT_ONCE[0]]],
    ids=repr,
)
def test_term_and_gradient_are_those_of_one_teacher_after_the_other(
    losses: list[DistillationLoss], shape: tuple[int, ...], labels: str
) -> None:
    student = draw(B, H, C, seed=1).requires_grad_()
    teachers, target, weights = draw(K, B, H, C), draw(B, H, C, seed=2), draw(K, B, *shape, seed=3).abs()
    labelled = None if labels == "all" else draw(B, H, C, seed=4) > 0
    sample_weight = None if labels == "all" else draw(B, H, 1, seed=5).abs()
    interface = ModelInterface("TiDEModel", range(1, H + 1))
    objective = Objective(losses, Given(weights), interface, dict.fromkeys("abc", interface), target)
    step = make_step(teachers, student=student, target=target, covers=objective.covers, whole=True, labelled=labelled)
    assert all(
        loss_sum.comparable_at_once([pair for pair in objective.pairs if pair.number == number], step)
        for number in range(len(losses))
    )
    found = objective(StudentOutput(student), step, [{}] * K, sample_weight).term
    pairs = [StudentTeacherPair(student, one, target, within=(0, H), labelled=labelled) for one in teachers]
    one = torch.ones(B).double() if sample_weight is None else sample_weight
    expected = by_hand(losses, pairs, weights, one)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    (mine,), (theirs,) = (torch.autograd.grad(value, student) for value in (found, expected))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
    assert mine.abs().max() > 0


def test_parts_with_weights_of_their_own_have_them() -> None:
    """Level and shape of two teachers, by hand: the first teaches the shape, the second the level."""
    student, teachers, target = draw(B, H, C, seed=1), draw(2, B, H, C), torch.zeros(B, H, C).double()
    first, second = (torch.tensor(one).double()[:, None].expand(2, B) for one in ([1.0, 0.0], [0.0, 1.0]))
    interface = ModelInterface("TiDEModel", range(1, H + 1))
    own = {"a": interface, "b": interface}
    objective = Objective([LevelShapeKD()], Given(first, second), interface, own, target)
    step = make_step(teachers, student=student, target=target, covers=objective.covers, whole=True)
    away = student - teachers
    level = away.mean(2, keepdim=True)
    expected = (away[0] - level[0]).square().mean() + level[1].square().mean()
    result = objective(StudentOutput(student), step, [{}, {}])
    torch.testing.assert_close(result.term, expected)
    torch.testing.assert_close(result.aspects["level"], second)


class Counted(OutputKD):
    """How many windows it is asked for at a time."""

    def __init__(self, own: str = "") -> None:
        super().__init__("mae")
        self.own, self.asked = own, list[int]()
        if own == "state":
            self.register_buffer("center", torch.zeros(()))
        self.least = 2 if own == "windows" else 1

    def __deepcopy__(self, memo: Any) -> Counted:
        copied = Counted(self.own)
        copied.asked = self.asked
        return copied

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        self.asked.append(len(pair.student))
        return super().forward(pair)


@pytest.mark.parametrize(
    ("own", "teachers", "some", "expected"),
    [
        ("", 3, False, [15]),
        ("", 1, False, [5]),
        ("windows", 3, False, [5] * 3),
        ("state", 3, False, [5] * 3),
        ("", 3, True, [5, 5, 4]),
        ("large", 3, False, [5] * 3),
    ],
)
def test_it_is_asked_once_where_nothing_else_counts(
    own: str, teachers: int, some: bool, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not if windows are related, if each teacher's copy has a state, where a teacher has no forecast, or if all would
    leave the caches."""
    monkeypatch.setattr(loss_sum, "AT_ONCE", 3 * B * H * C - (own == "large"))
    student, target, valid = draw(B, H, C, seed=1), draw(B, H, C, seed=2), torch.ones(teachers, B, dtype=torch.bool)
    valid[-1, 2] = not some
    interface, loss = ModelInterface("TiDEModel", range(1, H + 1)), Counted(own)
    named = dict.fromkeys("abc"[:teachers], interface)
    objective = Objective([loss], Uniform(), interface, named, target)
    step = make_step(
        draw(teachers, B, H, C), valid, student=student, target=target, covers=objective.covers, whole=not some
    )
    objective(StudentOutput(student), step, [{}] * teachers)
    assert loss.asked == expected


SERIES = walk(57, components=2).astype("float64")


@pytest.fixture(scope="module")
def teachers() -> list[Teacher]:
    seeds = enumerate("abc", 1)
    return [Teacher(NLinearModel(6, 4, **fast(random_state=seed)), name=name).fit(SERIES) for seed, name in seeds]


def fitted(teachers: list[Teacher], loss: DistillationLoss, weighting: Weighting) -> DistilledModel:
    student = NLinearModel(6, 4, **fast(n_epochs=2, batch_size=16))
    return DistilledModel(student, teachers, losses=loss, weighting=weighting, balance=0.4).fit(SERIES)


@pytest.mark.parametrize(
    ("loss", "weighting"),
    [
        (MultiScaleKD(2), Fixed([1, 3, 0])),
        (HorizonWeighted(LevelShapeKD(2)), DEMKD()),
        (TemporalRelation(), Uniform()),
        (SampleRelation(), Uniform()),
        (AttentiveImitation(), Uniform()),
    ],
    ids=repr,
)
def test_it_trains_as_one_teacher_after_the_other_does(
    loss: DistillationLoss, weighting: Weighting, teachers: list[Teacher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In double precision, with what is logged; so do those that are not asked at once."""
    once = fitted(teachers, loss, weighting)
    monkeypatch.setattr(loss_sum, "comparable_at_once", lambda *_: False)
    single = fitted(teachers, loss, weighting)
    for value, twin in zip(
        once.student.model.state_dict().values(), single.student.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, twin, rtol=1e-9, atol=1e-11)
    for entry, other in zip(once.history, single.history, strict=True):
        assert numbers(entry) == pytest.approx(numbers(other), rel=1e-9, nan_ok=True)
    found, expected = (
        {name: float(value) for name, value in one.student.trainer.callback_metrics.items()} for one in (once, single)
    )
    assert found == pytest.approx(expected, rel=1e-9) and "train_distillation_loss" in found


def numbers(value: Any) -> list[float]:
    """All numbers in an entry of the history."""
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers(one)]
    return [number for one in value for number in numbers(one)] if isinstance(value, list) else [float(value)]
