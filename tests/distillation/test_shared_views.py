"""What losses compute of the student's forecast is computed once for all teachers, and is never that of another."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from tests.helpers.steps import draw, make_step
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import (
    ChannelRelation,
    DistillationLoss,
    MultiPeriodKD,
    SampleRelation,
    StudentTeacherPair,
    TemporalRelation,
)
from tskd.weighting import Fixed

B, H, C = 5, 8, 3
RELATIONS: list[DistillationLoss] = [SampleRelation("distance"), SampleRelation("angle")]
VIEWED: list[DistillationLoss] = [ChannelRelation(), TemporalRelation(), MultiPeriodKD(0.7), *RELATIONS]


class Counted(DistillationLoss):
    """Squares of the forecast against the teacher's, and how often they were taken."""

    taken: ClassVar[list[Tensor]] = []

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return pair.of_student(squares) - pair.teacher


def squares(values: Tensor) -> Tensor:
    Counted.taken.append(values)
    return values.square()


def of_two(
    losses: list[DistillationLoss], student: Tensor, teachers: Tensor, valid: Tensor, second: range = range(1, H + 1)
) -> Tensor:
    """The term under weights of .25 and .75, where a teacher may forecast a part of the horizon."""
    own, theirs = ModelInterface("TiDEModel", range(1, H + 1)), ModelInterface("TiDEModel", second)
    labels = torch.zeros(B, H, C).double()
    objective = Objective(losses, Fixed({"a": 1, "b": 3}), own, {"a": own, "b": theirs}, labels)
    step = make_step(teachers, valid, student=student, target=labels, covers=objective.covers)
    found = objective(StudentOutput(student), step, [{}, {}]).term
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def none_taken() -> None:
    Counted.taken.clear()


@pytest.mark.parametrize("loss", VIEWED, ids=repr)
def test_term_and_gradient_are_those_of_each_teacher_alone(loss: DistillationLoss) -> None:
    student = draw(B, H, C, seed=1).requires_grad_()
    teachers, every = draw(2, B, H, C), torch.ones(2, B, dtype=torch.bool)
    found = of_two([loss], student, teachers, every)
    alone = [loss(StudentTeacherPair(student, own, own)).mean() for own in teachers]
    expected = 0.25 * alone[0] + 0.75 * alone[1]
    torch.testing.assert_close(found, expected)
    (mine,), (theirs,) = (torch.autograd.grad(value, student) for value in (found, expected))
    torch.testing.assert_close(mine, theirs)
    assert mine.abs().max() > 0


def test_all_teachers_share_it_where_they_are_shown_the_same() -> None:
    student, every = draw(B, H, C, seed=1), torch.ones(2, B, dtype=torch.bool)
    of_two([Counted(), Counted(weight=2)], student, draw(2, B, H, C), every)
    assert len(Counted.taken) == 1


def test_a_teacher_of_some_windows_or_steps_has_its_own() -> None:
    student, teachers = draw(B, H, C, seed=1), draw(2, B, H, C)
    some = torch.ones(2, B, dtype=torch.bool)
    some[1, 2] = False
    of_two([Counted()], student, teachers.where(some[..., None, None], 0), some)
    whole, fewer = Counted.taken
    torch.testing.assert_close(whole, student)
    torch.testing.assert_close(fewer, student[[0, 1, 3, 4]])
    Counted.taken.clear()
    of_two([Counted()], student, teachers, torch.ones(2, B, dtype=torch.bool), range(3, H + 1))
    assert [len(values[0]) for values in Counted.taken] == [H, H - 2]


def test_a_view_of_other_values_or_with_other_arguments_is_another() -> None:
    def scaled(values: Tensor, factor: float) -> Tensor:
        return factor * values

    pair = StudentTeacherPair(*draw(3, B, H, C))
    torch.testing.assert_close(pair.of_student(scaled, 2.0), 2 * pair.student)
    torch.testing.assert_close(pair.of_student(scaled, 3.0), 3 * pair.student)
    other = replace(pair, student=pair.teacher)
    torch.testing.assert_close(other.of_student(scaled, 2.0), 2 * pair.teacher)
    torch.testing.assert_close(pair.of_student(scaled, 2.0), 2 * pair.student)
    assert pair.of_student(scaled, 2.0) is pair.of_student(scaled, 2.0)
