"""The conformance tests of weightings: what passes them, and that each fault fails the test made for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.helpers.batteries import failures
from tskd.testing import WeightingConformance
from tskd.weighting import CalibrationSet, Step, Uniform, Weighting, WeightingNeeds
from tskd.weighting.base import Variation


def errors(step: Step) -> Tensor:
    """Squared errors `[K, B]` over the steps that a teacher forecasts; some number where it is not valid."""
    usable = step.covers[:, None, :, None] & step.valid[:, :, None, None]
    squares = (step.forecasts - step.target).square().where(usable, 0)
    return squares.sum((2, 3)) / usable.expand_as(squares).sum((2, 3)).clamp(min=1)


class Taught(Weighting):
    """Inverse errors over the evidence: honest, for the faults below to depart from."""

    errors: Tensor

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def set_up(self, names: list[str]) -> None:
        self.register_buffer("errors", torch.ones(len(names), dtype=torch.float64))

    def calibrate(self, calibration: CalibrationSet) -> None:
        total, count = torch.zeros_like(self.errors), torch.zeros_like(self.errors)
        for judged in calibration.chunks():
            usable = judged.valid[:, :, None, None]
            squares = (judged.forecasts.double() - judged.target).square().where(usable, 0)
            total += squares.mean((2, 3)).sum(1)
            count += judged.valid.sum(1)
        mean = total / count.clamp(min=1)
        common = total.sum() / count.sum().clamp(min=1)
        self.errors = mean.where(count > 0, common) + 1e-3 * common

    def scores(self, step: Step) -> Tensor:
        relative = self.errors / self.errors.mean().clamp(min=1e-300)
        return (1 / relative.clamp(min=1e-3))[:, None].expand(step.valid.shape)


class NotNormalised(Uniform):
    def forward(self, step: Step) -> Tensor:
        return 2 * super().forward(step)


class LeaksGradient(Uniform):
    def forward(self, step: Step) -> Tensor:
        distance = (step.forecasts - step.student).square().where(step.valid[:, :, None, None], 0).mean((2, 3))
        scores = (1 + distance).where(step.valid, 0)
        return scores / scores.sum(0).clamp(min=1e-6)


class ReadsNaN(Uniform):
    """0 · NaN is NaN."""

    def forward(self, step: Step) -> Tensor:
        return super().forward(step) + 0 * step.forecasts.detach().mean((2, 3))


class HasUnits(Uniform):
    def scores(self, step: Step) -> Tensor:
        return torch.exp(-errors(step))


class CountsPositions(Uniform):
    def scores(self, step: Step) -> Tensor:
        turn = torch.arange(step.valid.numel()).reshape(step.valid.shape)
        return 1.0 + turn.remainder(3)


class SeesBatch(Uniform):
    """Honest, with `sees_batch`: inverse mean errors over the batch."""

    def scores(self, step: Step) -> Tensor:
        found = errors(step)
        mean = found.where(step.valid, 0).sum(1, keepdim=True) / step.valid.sum(1, keepdim=True).clamp(min=1)
        return (1 / (mean / mean.sum().clamp(min=1e-30)).clamp(min=1e-3)).expand(step.valid.shape)


class SaysThatItNeverVaries(Uniform):
    """Follows the window's labels."""

    @property
    def varies(self) -> Variation:
        return "never"

    def scores(self, step: Step) -> Tensor:
        return torch.softmax(-errors(step), 0)


class SaysThatItVariesByWindow(SaysThatItNeverVaries):
    """Follows the student."""

    @property
    def varies(self) -> Variation:
        return "window"

    def scores(self, step: Step) -> Tensor:
        away = (step.forecasts - step.student).square().flatten(2).mean(2)
        return torch.softmax(-away, 0)


class CountsAbsentees(Uniform):
    """The scale is taken over all windows, whether or not they have a teacher."""

    def scores(self, step: Step) -> Tensor:
        scale = step.target.std() if step.target.numel() > 1 else torch.ones(())
        return torch.exp(-errors(step) / (scale.square() + 1e-6))


class FavoursFirst(Uniform):
    def scores(self, step: Step) -> Tensor:
        return torch.arange(len(step.valid), 0, -1.0)[:, None].expand(step.valid.shape)


class DividesByErrors(Uniform):
    def scores(self, step: Step) -> Tensor:
        return 1 / errors(step)


class DividesByTeachersLessOne(Uniform):
    """Nothing is left for the only teacher, in place of all."""

    def forward(self, step: Step) -> Tensor:
        return super().forward(step) * (len(step.valid) > 1)


class ReadsWhatIsNotForecast(Uniform):
    def scores(self, step: Step) -> Tensor:
        squares = (step.forecasts - step.target).square().mean((2, 3)).where(step.valid, 0)
        return 1 / (squares / squares.sum(0).clamp(min=1e-30)).clamp(min=0.01)


class FollowsTheInvalid(Uniform):
    def forward(self, step: Step) -> Tensor:
        return torch.full(step.valid.shape, 1 / len(step.valid))


class OverwritesForecasts(Uniform):
    def scores(self, step: Step) -> Tensor:
        step.forecasts.add_(1)
        return super().scores(step)


class Draws(Uniform):
    def scores(self, step: Step) -> Tensor:
        return torch.rand(step.valid.shape)


class WrongShape(Uniform):
    def forward(self, step: Step) -> Tensor:
        return super().forward(step).mean(1)


class Narrow(Uniform):
    def forward(self, step: Step) -> Tensor:
        return super().forward(step).half()


class LosesState(Taught):
    """What it learned is an attribute, no buffer."""

    def set_up(self, names: list[str]) -> None:
        self.errors = torch.ones(len(names), dtype=torch.float64)


class StateAppearsLate(Taught):
    """Its state is put back into an attribute of another shape."""

    def set_up(self, names: list[str]) -> None:
        self.register_buffer("errors", torch.ones(0, dtype=torch.float64))
        self.count = len(names)
        self.calls = 0

    def calibrate(self, calibration: CalibrationSet) -> None:
        self.errors = torch.ones(self.count, dtype=torch.float64)
        super().calibrate(calibration)

    def start_epoch(self, epoch: int, calibration: CalibrationSet) -> None:
        self.errors = torch.cat([self.errors, self.errors.new_zeros(1)])

    def scores(self, step: Step) -> Tensor:
        return (1 / self.errors[: self.count])[:, None].expand(step.valid.shape)


class SharesState(Taught):
    calibrated: Tensor | None = None

    def calibrate(self, calibration: CalibrationSet) -> None:
        super().calibrate(calibration)
        type(self).calibrated = self.errors

    def scores(self, step: Step) -> Tensor:
        calibrated = type(self).calibrated
        assert calibrated is not None
        return (1 / calibrated.clamp(min=1e-3))[:, None].expand(step.valid.shape)


class ForgetsSettings(Uniform):
    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = 2 * power


class HasObjects(Uniform):
    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype


class TrustsLearnedNaN(Taught):
    """A teacher that is valid nowhere in the evidence has no mean error."""

    def calibrate(self, calibration: CalibrationSet) -> None:
        super().calibrate(calibration)
        if not any(bool(judged.valid.any()) for judged in calibration.chunks()):
            self.errors = self.errors * torch.inf

    def forward(self, step: Step) -> Tensor:
        return super().forward(step) + 0 * self.errors[:, None]


FAULTS = [
    (NotNormalised, "test_weights_are_shares_of_the_valid_teachers", "sum over K"),
    (LeaksGradient, "test_no_gradient_goes_into_weights_or_teachers", "the weights have a gradient"),
    (ReadsNaN, "test_what_is_not_valid_is_not_read", "nan where nobody is valid: a weight is not finite"),
    (HasUnits, "test_units_do_not_matter", r"in other units \(if they matter: scale_free=False\)"),
    (SaysThatItNeverVaries, "test_weights_vary_as_it_says", "other forecasts"),
    (SaysThatItVariesByWindow, "test_weights_vary_as_it_says", "another student"),
    (CountsPositions, "test_the_order_of_windows_does_not_matter", "windows in another order"),
    (CountsAbsentees, "test_other_windows_do_not_matter", "a window by itself"),
    (CountsAbsentees, "test_windows_without_a_teacher_do_not_count", "windows of no teacher"),
    (FavoursFirst, "test_the_order_of_teachers_does_not_matter", "teachers in another order"),
    (FavoursFirst, "test_equal_teachers_have_equal_weights", "say the same"),
    (DividesByErrors, "test_a_perfect_teacher_leaves_weights_shares", "not finite"),
    (DividesByTeachersLessOne, "test_one_teacher_is_plain_distillation", "only teacher"),
    (ReadsWhatIsNotForecast, "test_steps_that_a_teacher_does_not_forecast_are_not_read", "in such steps"),
    (FollowsTheInvalid, "test_weights_are_shares_of_the_valid_teachers", "no say"),
    (OverwritesForecasts, "test_its_inputs_are_left_as_they_were", "forecasts was changed"),
    (Draws, "test_two_calls_give_the_same", "asked again"),
    (WrongShape, "test_weights_are_shares_of_the_valid_teachers", "for forecasts"),
    (Narrow, "test_weights_are_shares_of_the_valid_teachers", "float16"),
    (LosesState, "test_its_state_is_in_its_state_dict", "state is restored"),
    (StateAppearsLate, "test_its_state_is_in_its_state_dict", "size mismatch"),
    (SharesState, "test_a_copy_has_a_state_of_its_own", "copy has learned"),
    (ForgetsSettings, "test_settings_and_repr_recreate_it", "made again"),
    (HasObjects, "test_settings_and_repr_recreate_it", "JSON"),
    (TrustsLearnedNaN, "test_without_valid_calibration_windows_weights_are_shares", "not finite"),
]


@pytest.mark.parametrize(("kind", "attributes"), [(Taught, {}), (SeesBatch, {"sees_batch": True})], ids=str)
def test_an_honest_weighting_passes(kind: type[Weighting], attributes: dict[str, bool]) -> None:
    assert failures(WeightingConformance.of(kind, **attributes)) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_weighting_is_found_out(faulty: type[Weighting], test: str, message: str) -> None:
    with pytest.raises((AssertionError, RuntimeError, TypeError, SyntaxError), match=message):
        getattr(WeightingConformance.of(faulty)(), test)()


def test_weights_of_its_own_vary_by_step_if_it_does_not_say() -> None:
    assert Uniform().varies == "never" and SeesBatch().varies == "step"


def test_a_failure_says_in_which_case() -> None:
    with pytest.raises(AssertionError) as caught:
        WeightingConformance.of(NotNormalised)().test_weights_are_shares_of_the_valid_teachers()
    assert "in [K, B, H, C] = 1 × 1" in caught.value.__notes__[0]


def test_attributes_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="sees_batches"):
        WeightingConformance.of(Uniform, sees_batches=True)
    with pytest.raises(NotImplementedError, match=r"make\(\)"):
        WeightingConformance().make()
