"""What every weighting promises, as tests that a new one inherits."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import OutputKD
from tskd.testing._battery import require
from tskd.testing._cases import WeightingCase
from tskd.testing._state import StateTrial
from tskd.testing._trial import for_each, whole
from tskd.weighting.step_inputs import StepFeatures

NAN, FAR = float("nan"), 1e4


class WeightingConformance(StateTrial):
    """The tests of a weighting, as plain methods that pytest finds.

    Write a subclass, or one line: `TestUniform = WeightingConformance.of(Uniform)`. The attributes declare where a
    weighting differs from the default; give a reason beside each.

    Attributes:
        renormalised: weights sum to one over the valid teachers; else each is at most one.
        even_for_equal: teachers with the same forecasts have the same weight.
        scale_free: the units of the target do not matter.
        sees_batch: the weights of a window may depend on the other windows of the batch: in all aspects, or in some.
        saved: its settings can be written as JSON; else a model that has it cannot be saved.
        tolerance: of a comparison of weights in float64; in float32 it is 1e-4 at least.
        count: number of random cases of a test. From 30 on, all K = 1…5 with all B = 1…6 are among them.
        aspect: the aspect under test; every test sets it to each in turn.
    """

    @for_each()
    def test_weights_are_shares_of_the_valid_teachers(self, case: WeightingCase) -> None:
        self._check_shares(self.weights(case), case)

    @for_each(teachers=1)
    def test_one_teacher_is_plain_distillation(self, case: WeightingCase) -> None:
        if self.renormalised:
            self.close(self.weights(case), whole(case.usable.double(), case), case, "not 1 for the only teacher")

    @for_each()
    def test_the_order_of_teachers_does_not_matter(self, case: WeightingCase) -> None:
        order = torch.randperm(len(case.names), generator=torch.Generator().manual_seed(1)).tolist()
        self.close(self.weights(case.teachers_in(order)), self.weights(case)[order], case, "teachers in another order")

    @for_each()
    def test_the_order_of_windows_does_not_matter(self, case: WeightingCase) -> None:
        rows = torch.arange(len(case.step.keys)).flip(0)
        weighting = self.prepared(case)
        moved = whole(self.weights_of(copy.deepcopy(weighting), case.windows_in(rows).step), case)
        self.close(moved, whole(self.weights_of(weighting, case.step), case)[:, rows], case, "windows in another order")

    @for_each()
    def test_other_windows_do_not_matter(self, case: WeightingCase) -> None:
        if self.aspect in self.sees_batch if isinstance(self.sees_batch, frozenset) else self.sees_batch:
            return
        weighting = self.prepared(case)
        together = whole(self.weights_of(weighting, case.step), case)
        for row in torch.arange(len(case.step.keys)).split(1):
            alone = case.windows_in(row)
            self.close(
                whole(self.weights_of(weighting, alone.step), alone), together[:, row], case, "a window by itself"
            )

    @for_each()
    def test_weights_vary_as_it_says(self, case: WeightingCase) -> None:
        """Where all teachers have forecasts, and no label is missing."""
        weighting, step = self.prepared(case), case.step
        said = weighting.varies
        if self.aspect != "forecast" or said == "step":
            return
        step = replace(step, valid=torch.ones_like(step.valid), covers=torch.ones_like(step.covers), labelled=None)
        expected = whole(self.weights_of(weighting, step), case)
        others = {"another student": replace(step, student=FAR + step.student)}
        if said != "epoch":
            others["another epoch"] = replace(step, epoch=step.epoch + 1)
        if said == "never":
            others["other forecasts"] = replace(step, forecasts=-3 * step.forecasts, target=FAR + step.target)
        for what, other in others.items():
            self.close(whole(self.weights_of(weighting, other), case), expected, case, what)
        if said == "never":
            self.close(expected[:, :1].expand_as(expected), expected, case, "another window")

    @for_each(dtype=torch.float64)
    def test_units_do_not_matter(self, case: WeightingCase) -> None:
        if self.scale_free:
            self.close(
                self.weights(case.in_units(1e6, 3e6)),
                self.weights(case),
                case,
                "in other units (if they matter: scale_free=False)",
            )

    @for_each(agree=True)
    def test_equal_teachers_have_equal_weights(self, case: WeightingCase) -> None:
        if self.even_for_equal:
            weights = self.weights(case)
            even = whole(case.usable / len(case.names), case)
            expected = even if self.renormalised else weights[:1].expand_as(weights)
            self.close(
                weights, expected, case, "teachers that say the same (if they need not be even: even_for_equal=False)"
            )

    @for_each()
    def test_a_perfect_teacher_leaves_weights_shares(self, case: WeightingCase) -> None:
        perfect = case.perfect()
        self._check_shares(self.weights(perfect), case)
        # also with a student that equals a teacher
        student = perfect.step.forecasts[0]
        self._check_shares(self.weights(replace(perfect, step=replace(perfect.step, student=student))), case)

    @for_each()
    def test_without_differences_weights_are_shares(self, case: WeightingCase) -> None:
        """Labels, student and teachers are 0 everywhere."""
        self._check_shares(self.weights(case.in_units(0, 0)), case)

    @for_each()
    def test_without_valid_calibration_windows_weights_are_shares(self, case: WeightingCase) -> None:
        self._check_shares(self.weights(case.without_teachers()), case)

    @for_each()
    def test_what_is_not_valid_is_not_read(self, case: WeightingCase) -> None:
        expected = self.weights(case)
        for value in (NAN, FAR):
            self.close(self.weights(case.filled(invalid=value)), expected, case, f"{value} where nobody is valid")

    @for_each()
    def test_steps_that_a_teacher_does_not_forecast_are_not_read(self, case: WeightingCase) -> None:
        self.close(self.weights(case.filled(elsewhere=FAR)), self.weights(case), case, f"{FAR} in such steps")

    @for_each()
    def test_windows_without_a_teacher_do_not_count(self, case: WeightingCase) -> None:
        """Also where all teachers are valid elsewhere, for which there is a quicker way."""
        count = len(case.step.keys)
        everywhere = replace(case, step=replace(case.step, valid=torch.ones_like(case.step.valid)))
        for one in (case, everywhere):
            step = one.step
            twice = one.windows_in(torch.arange(count).repeat(2))
            valid = torch.cat([step.valid, torch.zeros_like(step.valid)], 1)
            target = torch.cat([step.target, FAR + step.target])
            larger = replace(twice, step=replace(twice.step, valid=valid, target=target)).filled()
            found = self.weights(larger)
            self.close(found[:, :count], self.weights(one), one, "with windows of no teacher in the batch")
            self.close(found[:, count:], torch.zeros_like(found[:, count:]), one, "in windows of no teacher")

    @for_each()
    def test_no_gradient_goes_into_weights_or_teachers(self, case: WeightingCase) -> None:
        names = ("forecasts", "student", "target")
        given = {name: getattr(case.step, name).clone().requires_grad_() for name in names}
        weighting = self.prepared(case)
        weights = self.weights_of(weighting, replace(case.step, **given))
        require(not weights.requires_grad, "the weights have a gradient")
        with_gradient = [name for name, value in weighting.named_parameters() if value.grad is not None]
        require(not with_gradient, f"a step left a gradient in {with_gradient}")

    @for_each()
    def test_its_inputs_are_left_as_they_were(self, case: WeightingCase) -> None:
        step, chunks = copy.deepcopy((case.step, case.chunks))
        self.weights(case)
        for before, after in [(step, case.step), *zip(chunks, case.chunks, strict=True)]:
            for name, value in vars(after).items():
                require(_same(value, getattr(before, name)), f"{name} was changed")

    @for_each()
    def test_two_calls_give_the_same(self, case: WeightingCase) -> None:
        weighting = self.prepared(case)
        first, second = (whole(self.weights_of(weighting, case.step), case) for _ in range(2))
        self.close(second, first, case, "asked again")

    @for_each()
    def test_the_term_is_the_weighted_loss_with_a_finite_gradient(self, case: WeightingCase) -> None:
        if self.aspect != "forecast":
            return
        step, names = case.filled(invalid=NAN).step, case.names
        interface = ModelInterface("student", range(1, 1 + step.target.shape[1]))
        spans = map(_span, step.covers)
        teachers = {name: ModelInterface("teacher", span) for name, span in zip(names, spans, strict=True)}
        objective = Objective([OutputKD()], self.make_for(names), interface, teachers, step.target)
        weights = whole(self.prepared(case, objective.weighting)(step), case)
        student = step.student.clone().requires_grad_()
        found = objective(StudentOutput(student), step, [{} for _ in names], None)
        known = step.valid.any(0)
        if not bool(known.any()):
            require(found.term is None, "there is a term without a teacher")
            return
        errors = (student - step.forecasts).double().square().where(case.usable, 0)
        expected = (weights * errors).sum(0).flatten(1).mean(1)[known].mean()
        torch.testing.assert_close(found.term.double(), expected, rtol=1e-3, atol=1e-6)
        (gradient,) = torch.autograd.grad(found.term, student)
        require(bool(gradient.isfinite().all()), "the student's gradient is not finite")
        require(not bool(gradient[~known].any()), "windows of no teacher send a gradient")


def _span(covers: Tensor) -> range:
    steps = torch.nonzero(covers)[:, 0].tolist()
    return range(1 + steps[0], 2 + steps[-1])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, StepFeatures):
        return _same(vars(one), vars(other))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if not isinstance(one, Tensor):
        return bool(one == other)
    return one.dtype == other.dtype and torch.equal(one.nan_to_num(7), other.nan_to_num(7))
