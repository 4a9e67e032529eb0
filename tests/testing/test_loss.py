"""The conformance tests of losses: what passes them, and that each fault fails the test made for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.batteries import failures
from tskd.losses import DistillationLoss, Needs, OutputKD, StudentTeacherPair
from tskd.testing import LossConformance


class Cubed(DistillationLoss):
    """Honest: the cubed distance, of steps that have a label."""

    labelled = True

    def __init__(self, power: float = 3.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.power = power

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return self.kept(pair, (pair.student - pair.teacher).abs() ** self.power)

    def kept(self, pair: StudentTeacherPair, values: Tensor) -> Tensor:
        return values if pair.labelled is None else values.where(pair.labelled, 0)


class Ranked(OutputKD):
    """Honest: distances relative to the mean of the batch, of which it says that it needs two windows."""

    least = 2

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        values = super().forward(pair)
        return values / values.detach().mean().clamp(min=1e-6)


class MixesWindows(OutputKD):
    """The same, and says nothing."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        values = super().forward(pair)
        return values / values.detach().mean().clamp(min=1e-6)


class Reduced(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair).mean()


class Narrow(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair).float()


class NotZero(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return (pair.student - 0.9 * pair.teacher).square()


class BelowZero(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return pair.student - pair.teacher


class RootOfZero(OutputKD):
    """Its gradient is infinite where the student says what the teacher says."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair).flatten(1).sum(1).sqrt()


class Detached(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return (pair.student.detach() - pair.teacher).square()


class CountsPositions(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        places = torch.arange(len(pair.student), dtype=pair.student.dtype)
        return (1 + places[:, None, None]) * super().forward(pair)


class ReadsLabels(OutputKD):
    """And says nothing."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair) * (pair.teacher - pair.target).abs().clamp(max=1)


class ReadsMissingLabels(Cubed):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        trust = (pair.teacher - pair.target).abs().clamp(max=1)
        return super().forward(pair) * trust.mean((1, 2), keepdim=True)


class SpeaksWithoutLabel(Cubed):
    def kept(self, pair: StudentTeacherPair, values: Tensor) -> Tensor:
        return values


class WeighsItself(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return self.weight * super().forward(pair)


class OtherParts(OutputKD):
    def parts(self, pair: StudentTeacherPair) -> dict[Any, Tensor]:
        return {"forecast": 2 * self(pair)}


class NamesNoParts(OutputKD):
    @property
    def aspects(self) -> Any:
        return ("level", "shape")

    def parts(self, pair: StudentTeacherPair) -> dict[Any, Tensor]:
        return {"level": self(pair)}


class Draws(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair) * (1 + 0.1 * torch.rand(()))


class Overwrites(OutputKD):
    def forward(self, pair: StudentTeacherPair) -> Tensor:
        values = super().forward(pair)
        pair.teacher.mul_(2)
        return values


class Scaled(OutputKD):
    """Divides by the spread of the teacher's forecasts of all training windows."""

    def set_up(self, probe: StudentTeacherPair) -> None:
        self.register_buffer("spread", torch.ones_like(probe.target[0, 0, 0]))

    @property
    def needs(self) -> Needs:
        return Needs(statistics=True)

    def fit_statistics(self, known: Any) -> None:
        self.spread = torch.cat([forecasts for forecasts, _ in known]).std()

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return super().forward(pair) / self.spread


class LosesState(Scaled):
    def set_up(self, probe: StudentTeacherPair) -> None:
        self.spread = torch.ones_like(probe.target[0, 0, 0])


class ForgetsAnArgument(OutputKD):
    def __init__(self, threshold: float = 0.3, weight: float = 1.0) -> None:
        super().__init__(weight=weight)


class HasNoValueAlone(OutputKD):
    """NaN where a window is by itself."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        values = super().forward(pair)
        return values if len(values) > 1 else values * torch.nan


class RootOfNegative(OutputKD):
    """NaN where the student is below the teacher, but for a forecast of both."""

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return (pair.student - pair.teacher).sqrt()


FAULTS = [
    (Reduced, "test_terms_are_of_windows_or_of_their_steps", "return \\[B\\] or \\[B, H, C\\]"),
    (Narrow, "test_terms_are_of_windows_or_of_their_steps", "keep that of the forecasts"),
    (NotZero, "test_it_is_zero_at_the_teachers_own_forecast_and_not_below", "zero_at_teacher=False"),
    (BelowZero, "test_it_is_zero_at_the_teachers_own_forecast_and_not_below", "below 0"),
    (RootOfZero, "test_gradients_are_finite_and_reach_the_student", "agreeing.*guard roots"),
    (Detached, "test_gradients_are_finite_and_reach_the_student", "do not detach"),
    (CountsPositions, "test_the_order_of_windows_does_not_matter", "in another order"),
    (MixesWindows, "test_other_windows_do_not_matter", "declare `least`"),
    (HasNoValueAlone, "test_other_windows_do_not_matter", "by itself has another term.*: a term is not finite"),
    (RootOfNegative, "test_the_order_of_windows_does_not_matter", "a term is not finite: guard roots"),
    (ReadsLabels, "test_labels_are_read_as_it_says", "declare labelled = True"),
    (ReadsMissingLabels, "test_labels_are_read_as_it_says", "read `pair.labelled`"),
    (SpeaksWithoutLabel, "test_labels_are_read_as_it_says", "a term where no label is"),
    (WeighsItself, "test_its_weight_is_not_in_the_term", "multiplied by the weight elsewhere"),
    (OtherParts, "test_its_parts_add_up_to_the_term", "the sum of the parts"),
    (NamesNoParts, "test_its_parts_add_up_to_the_term", "are not its aspects"),
    (Draws, "test_its_inputs_are_left_as_they_were_and_two_calls_give_the_same", "draw nothing"),
    (Overwrites, "test_its_inputs_are_left_as_they_were_and_two_calls_give_the_same", "the teacher's forecast was"),
    (LosesState, "test_its_state_is_in_its_state_dict_and_a_copy_has_its_own", "keep it in parameters or buffers"),
    (ForgetsAnArgument, "test_settings_and_repr_recreate_it", "threshold.*keep every argument"),
]


@pytest.mark.parametrize(("kind", "least"), [(Cubed, (1, 1, 1)), (Ranked, (2, 1, 1)), (Scaled, (1, 1, 1))])
def test_an_honest_loss_passes(kind: type[DistillationLoss], least: tuple[int, int, int]) -> None:
    assert failures(LossConformance.of(kind, least=least)) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_loss_is_found_out(faulty: type[DistillationLoss], test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        getattr(LossConformance.of(faulty)(), test)()


@pytest.mark.parametrize("least", [2, "121", (1, 2), (1, 2, 0), (1, 2.0, 1), (1, True, 1), None], ids=repr)
def test_a_least_that_is_no_three_whole_numbers_is_refused_where_it_is_given(least: Any) -> None:
    message = f"least={re.escape(repr(least))} must be three whole numbers of 1 or more, the fewest windows, steps"
    with pytest.raises(ValueError, match=message):
        LossConformance.of(OutputKD, least=least)
    with pytest.raises(ValueError, match=message):
        type("TestMine", (LossConformance,), {"least": least})
