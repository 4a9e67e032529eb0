"""What every loss promises, as tests that a new one inherits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

import tskd.losses
from tskd.losses import DistillationLoss
from tskd.testing._battery import Battery, check_recreated, require
from tskd.testing._loss_cases import LossCase, Said, Shapes, random_case

FAR = 1e3
PROBE_WINDOWS = 4


class LossConformance(Battery[DistillationLoss]):
    """The tests of a loss: `TestMine = LossConformance.of(Mine)`.

    A loss whose term of a window depends on other windows says so by its `least`, the number of windows that it needs,
    and one that reads labels by `labelled`. Whatever a loss does not promise is declared here, with the reason beside
    it.

    Attributes:
        least: fewest windows, steps and components for which it is defined.
        zero_at_teacher: it is 0 where the student says what the teacher says.
        silent_without_label: one that reads labels has no term where there is none.
        saved: its settings can be written as JSON; else a model that has it cannot be saved.
        distribution: that student and teacher forecast, of location and scale.
        tolerance: of comparisons in float64, relative to the largest term; in float32 it is 1e-4 at least.
        count: number of random cases of a test.
    """

    least = (1, 1, 1)
    zero_at_teacher = True
    silent_without_label = True
    saved = True
    distribution: Callable[[Tensor, Tensor], Any] = staticmethod(Normal)
    tolerance = 1e-6
    count = 6

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        given: Any = cls.least
        whole = isinstance(given, tuple | list) and [type(number) for number in given] == [int, int, int]
        if not whole or min(given) < 1:
            raise ValueError(
                f"least={given!r} must be three whole numbers of 1 or more, the fewest windows, steps and components "
                "for which the loss is defined, such as least=(1, 2, 1)."
            )

    def features(self, steps: int, components: int) -> Shapes:
        """Shapes of a window's hidden representation in the student and in the teacher."""
        return (steps, components), (steps, components)

    def cases(self) -> Iterator[LossCase]:
        """Random cases, the same at every call, in turn of either precision, and with all or some labels."""
        generator, needs = torch.Generator().manual_seed(0), self.make().needs
        for index in range(self.count):
            extra = torch.randint(0, 4, (3,), generator=generator).tolist()
            windows, steps, components = (fewest + more for fewest, more in zip(self.least, extra, strict=True))
            case = random_case(
                generator,
                (windows + 1, steps, components),
                needs,
                self.features(steps, components),
                dtype=(torch.float64, torch.float32)[index // 2 % 2],
                labels="some" if index % 2 else "all",
            )
            yield replace(case, distribution=self.distribution)

    def prepared(self, case: LossCase, loss: DistillationLoss | None = None, seed: int = 0) -> DistillationLoss:
        """A loss as it is at its first step: set up by a probe, and with statistics if it needs them."""
        loss = self.make() if loss is None else loss
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            loss.set_up(_probe(case))
        if loss.needs.statistics:
            loss.fit_statistics(case.known())
        return loss

    def close(self, found: Tensor, expected: Tensor, what: str) -> None:
        """Raise an AssertionError where terms differ, or one is not finite."""
        finite = bool(found.isfinite().all()) and bool(expected.isfinite().all())
        require(finite, f"{what}: a term is not finite: guard roots, logarithms and divisions, in every window")
        tolerance = self.tolerance if expected.dtype == torch.float64 else max(self.tolerance, 1e-4)
        atol = tolerance * max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(found, expected, rtol=0, atol=atol, msg=lambda text: f"{what}: {text}")

    def test_terms_are_of_windows_or_of_their_steps(self) -> None:
        for case in self.cases():
            values, (windows, steps, components) = self.prepared(case)(case.pair), case.target.shape
            allowed = {(windows,), (windows, steps, components), (windows, steps, 1)}
            require(tuple(values.shape) in allowed, f"{case}: a term {tuple(values.shape)}; return [B] or [B, H, C]")
            require(values.dtype == case.target.dtype, f"{case}: a term of {values.dtype}; keep that of the forecasts")
            require(bool(values.isfinite().all()), f"{case}: the term is not finite")

    def test_it_is_zero_at_the_teachers_own_forecast_and_not_below(self) -> None:
        for case in self.cases():
            loss = self.prepared(case)
            what = f"{case}: the term is below 0, so that another student than the teacher would be the best"
            values = loss(case.pair)
            self.close(values.clamp(min=0), values, what)
            if self.zero_at_teacher:
                values = loss(case.agreeing().pair)
                what = f"{case}: where the student says what the teacher says the term is not 0"
                self.close(values, torch.zeros_like(values), f"{what} (if it need not be: zero_at_teacher=False)")

    def test_gradients_are_finite_and_reach_the_student(self) -> None:
        reached = False
        for case in self.cases():
            loss = self.prepared(case)
            far = replace(case, student=case.student.of(lambda values: FAR * values))
            others = {
                "far apart": far,
                "agreeing": case.agreeing(),
                "all 0": case.constant(0),
                "all 1": case.constant(1),
            }
            for what, other in {"as they are": case, **others}.items():
                student = other.student.leaves()
                gradients = _gradients(loss, replace(other, student=student), student)
                finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
                require(finite, f"{other}, {what}: a gradient is not finite: guard roots, logarithms and divisions")
                reached |= what == "as they are" and any(bool(gradient.any()) for gradient in gradients)
        require(reached, "no term has a gradient for the student: do not detach it, nor compute without gradients")

    def test_the_order_of_windows_does_not_matter(self) -> None:
        for case in self.cases():
            loss, rows = self.prepared(case), torch.arange(len(case.target)).flip(0)
            self.close(loss(case.windows(rows).pair), loss(case.pair)[rows], f"{case}: windows in another order")

    def test_other_windows_do_not_matter(self) -> None:
        """Unless the loss needs several."""
        if self.make().least > 1:
            return
        for case in self.cases():
            loss = self.prepared(case)
            together = loss(case.pair)
            for row in torch.arange(len(case.target)).split(1):
                what = f"{case}: a window by itself has another term; compute it from the window, or declare `least`"
                self.close(loss(case.windows(row).pair), together[row], what)

    def test_labels_are_read_as_it_says(self) -> None:
        for case in self.cases():
            loss = self.prepared(case)
            values = loss(case.pair)
            if not loss.labelled:
                moved = loss(replace(case, target=FAR - case.target).pair)
                self.close(moved, values, f"{case}: other labels change the term; declare labelled = True")
            elif case.labelled is not None:
                moved = loss(replace(case, target=case.target.where(case.labelled, FAR)).pair)
                what = f"{case}: what stands where a label is missing changes the term; read `pair.labelled`"
                self.close(moved, values, what)
                if self.silent_without_label:
                    missing = ~case.labelled if values.dim() > 1 else ~case.labelled.flatten(1).any(1)
                    require(
                        not bool(values.where(missing.expand_as(values), 0).any()),
                        f"{case}: a term where no label is: leave it out, or say what stands for it and declare "
                        "silent_without_label = False",
                    )

    def test_its_weight_is_not_in_the_term(self) -> None:
        for case in self.cases():
            made = self.make()
            if "weight" in made.settings():
                heavier = self.prepared(case, type(made)(**{**made.settings(), "weight": 3.0}))
                what = f"{case}: with weight=3 the term is another; it is multiplied by the weight elsewhere"
                self.close(heavier(case.pair), self.prepared(case)(case.pair), what)

    def test_its_parts_add_up_to_the_term(self) -> None:
        for case in self.cases():
            loss = self.prepared(case)
            parts = loss.parts(case.pair)
            require(set(parts) == set(loss.aspects), f"parts {sorted(parts)} are not its aspects {loss.aspects}")
            self.close(sum(parts.values(), torch.zeros(())), loss(case.pair), f"{case}: the sum of the parts")

    def test_its_inputs_are_left_as_they_were_and_two_calls_give_the_same(self) -> None:
        for case in self.cases():
            loss, before = self.prepared(case), copy.deepcopy(case)
            first = loss(case.pair)
            for name in ("student", "teacher"):
                for what, values in vars(getattr(before, name)).items():
                    same = torch.equal(values, getattr(getattr(case, name), what))
                    require(same, f"{case}: the {name}'s {what} was changed: work on a copy")
            require(torch.equal(before.target, case.target), f"{case}: the labels were changed: work on a copy")
            same = torch.equal(first, loss(case.pair))
            require(same, f"{case}: asked again it gives another term: draw nothing, and keep nothing")

    def test_its_state_is_in_its_state_dict_and_a_copy_has_its_own(self) -> None:
        for case in self.cases():
            loss = self.prepared(case)
            expected = loss(case.pair)
            other = self.make()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                other.set_up(_probe(case))
            other.load_state_dict(loss.state_dict())
            self.close(other(case.pair), expected, f"{case}: its state restored; keep it in parameters or buffers")
            copied = copy.deepcopy(loss)
            with torch.no_grad():
                for values in (*copied.parameters(), *copied.buffers()):
                    values.add_(1)
            self.close(loss(case.pair), expected, f"{case}: after its copy has changed")

    def test_settings_and_repr_recreate_it(self) -> None:
        check_recreated(self.make(), tskd.losses, self.saved)


def _probe(case: LossCase) -> Any:
    """The shapes of a few windows, with values that mean nothing."""
    few = replace(case.windows(torch.arange(min(len(case.target), PROBE_WINDOWS))), labelled=None)
    student, teacher = (said.of(torch.ones_like) for said in (few.student, few.teacher))
    return replace(few, student=student, teacher=teacher, target=torch.zeros_like(few.target)).pair


def _gradients(loss: DistillationLoss, case: LossCase, student: Said) -> list[Tensor]:
    """Of the sum of all terms, for what the student says and for what the loss trains."""
    total = loss(case.pair).sum()
    if not total.requires_grad:
        return []
    given = [*vars(student).values(), *loss.parameters()]
    found = torch.autograd.grad(total, given, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]
