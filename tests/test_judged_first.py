"""Everything is judged before anything is trained: no teacher is fitted for a fit that is then refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, NLinearModel, TiDEModel
from darts.models.forecasting.nlinear import _NLinearModule
from darts.utils.data.torch_datasets.utils import PLModuleOutput

from tests.helpers.models import fast
from tests.helpers.refusals import refused, untouched
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Reconstruction, Teacher
from tskd.privileged import CostlySensors
from tskd.teachers.base import BaseTeacher
from tskd.teachers.crossfit import CrossFit

L, H = 4, 3
Y, LAB, PAST = walk(40, 2), walk(40, 2, seed=1, name="lab"), walk(43, 2, seed=2, name="past")


def holes(series: TimeSeries, every: int, first: int = 0) -> TimeSeries:
    values = series.values().copy()
    values[first::every] = np.nan
    return series.with_values(values)


def linear(**kwargs: Any) -> DLinearModel:
    return DLinearModel(L, H, **fast(**kwargs))


GIVEN: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "trainer": ({"trainer": True}, TypeError, "^trainer must be a Trainer"),
    "a trainer's name": ({"trainer": "gpu"}, TypeError, "^trainer must be a Trainer"),
    "a trainer's class": ({"trainer": pl.Trainer}, TypeError, "^trainer must be a Trainer.*class Trainer"),
    "half an epoch": ({"epochs": 0.5}, ValueError, "^epochs=0.5"),
    "epochs in words": ({"epochs": "2"}, ValueError, "^epochs='2'"),
    "a truth value for epochs": ({"epochs": True}, ValueError, "^epochs=True"),
    "a text for weights": ({"sample_weight": "abc"}, ValueError, "^sample_weight='abc'.*'linear'"),
    "an unknown argument of the loader": ({"dataloader_kwargs": {"nope": 1}}, TypeError, "^dataloader_kwargs.*nope"),
    "a loader of nothing": ({"dataloader_kwargs": {"batch_size": 0}}, ValueError, "^dataloader_kwargs"),
    "no dict for the loader": ({"dataloader_kwargs": 3}, TypeError, "^dataloader_kwargs must be a dict"),
    "a cache that is no path": ({"cache": 3}, TypeError, "^cache must be a path"),
    "a cache that can be no path": ({"cache": "a\0b"}, ValueError, "^cache=.*NUL"),
    "validation inputs with gaps": ({"val_series": holes(Y, 3)}, ValueError, "no validation window"),
}
STUDENTS: dict[str, dict[str, Any]] = {
    "accelerator": {"pl_trainer_kwargs": QUIET | {"accelerator": "nope"}},
    "nope": {"pl_trainer_kwargs": QUIET | {"nope": 1}},
    "learning rate": {"optimizer_kwargs": {"lr": -1}},
    "callable": {"loss_fn": 3},
}
LOSSES: dict[str, tuple[Callable[..., Any], str]] = {
    "unreduced": (torch.nn.MSELoss(reduction="none"), r"must give one number .* a tensor of shape \(1, 3, 2\)"),
    "failing": (lambda forecast, labels, more: forecast.mean(), "cannot be computed, TypeError: .*'more'"),
    "a number of Python": (lambda forecast, labels: 1.5, "float"),
    "nothing": (lambda forecast, labels: None, "NoneType"),
    "a constant": (lambda forecast, labels: labels.mean(), "a constant"),
    "without gradient": (lambda forecast, labels: (forecast - labels).abs().mean().detach(), "without its gradient"),
}
TEACHERS: dict[str, Callable[[], BaseTeacher]] = {
    "nope": lambda: Teacher(linear(pl_trainer_kwargs=QUIET | {"nope": 1}), name="b"),
    "learning rate": lambda: Teacher(linear(optimizer_kwargs={"lr": -1}), name="b"),
    "no window is left": lambda: Teacher(linear(), name="b", cross_fit=CrossFit(2, 1000)),
    "a LinearRegressionModel needs": lambda: Teacher(
        LinearRegressionModel(L, output_chunk_length=H), name="b", cross_fit=CrossFit(2, 1000)
    ),
    "labels at 7 time stamps": lambda: Reconstruction("lab", model="trees", name="b"),
}


@pytest.mark.parametrize("case", list(GIVEN))
def test_an_argument_of_a_fit(case: str, steps: list[str]) -> None:
    given, kind, message = GIVEN[case]
    model = DistilledModel(NLinearModel(L, H, **fast()), Teacher(linear()))
    with untouched(model):
        refused(lambda: model.fit(Y, **given), kind, message)
    assert not steps


@pytest.mark.parametrize("method", ["historical_forecasts", "backtest", "residuals"])
@pytest.mark.parametrize(
    "given", [{"num_samples": 3}, {"predict_likelihood_parameters": True}], ids=["samples", "parameters"]
)
def test_forecasts_that_a_refitted_student_could_not_give(method: str, given: dict[str, Any], steps: list[str]) -> None:
    model = DistilledModel(linear(), Teacher(linear(), name="a"))
    with untouched(model), pytest.raises(ValueError, match=f"{next(iter(given))}.*likelihood"):
        getattr(model, method)(Y, start=-5, start_format="position", **given)
    assert not steps


def test_samples_of_a_student_with_dropout_are_no_fault() -> None:
    model = DistilledModel(TiDEModel(L, H, **fast(), hidden_size=4, dropout=0.5), Teacher(linear(), name="a"))
    rolled = model.historical_forecasts(
        Y, start=-5, start_format="position", num_samples=3, predict_kwargs={"mc_dropout": True}
    )
    assert rolled.n_samples == 3


@pytest.mark.parametrize("message", list(STUDENTS))
def test_settings_of_the_student(message: str, steps: list[str]) -> None:
    model = DistilledModel(NLinearModel(L, H, **fast(**STUDENTS[message])), Teacher(linear()))
    with untouched(model), pytest.raises((TypeError, ValueError), match=message):
        model.fit(Y)
    assert not steps


# places of a model with a loss of its own in a fit, and whose it is in messages
PLACES: dict[str, tuple[Callable[[Any, Any], DistilledModel], str]] = {
    "alone": (lambda bad, good: DistilledModel(bad), "student"),
    "student": (lambda bad, good: DistilledModel(bad, Teacher(good)), "student"),
    "taught by a fitted one": (lambda bad, good: DistilledModel(bad, Teacher(linear().fit(Y))), "student"),
    "first teacher": (lambda bad, good: DistilledModel(good, Teacher(bad, name="a")), "teacher 'a'"),
    "last teacher": (
        lambda bad, good: DistilledModel(good, [Teacher(linear(), name="a"), Teacher(bad, name="b")]),
        "teacher 'b'",
    ),
}


@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("case", list(LOSSES))
def test_a_loss_that_cannot_be_followed(case: str, place: str, steps: list[str]) -> None:
    """With half the weight on teachers, a constant loss of the labels would train in silence."""
    loss, found = LOSSES[case]
    make, whose = PLACES[place]
    model = make(NLinearModel(L, H, **fast(loss_fn=loss)), NLinearModel(L, H, **fast()))
    steps.clear()
    with untouched(model), pytest.raises(ValueError, match=rf"^{whose}: loss_fn=.*{found}"):
        model.fit(Y)
    assert not steps


class Counted(torch.nn.MSELoss):
    """Grows with each call."""

    calls = 0

    def forward(self, *pair: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.calls * super().forward(*pair)


def test_a_loss_with_a_state_does_not_notice_that_it_is_tried() -> None:
    """Training by it is darts' own, bit for bit."""
    expected = NLinearModel(L, H, **fast(loss_fn=Counted())).fit(Y).predict(H)
    model = DistilledModel(NLinearModel(L, H, **fast(loss_fn=Counted()))).fit(Y)
    assert model.predict(H) == expected


class OfTwo(_NLinearModule):
    """In training it gives two numbers for each, and its own loss takes both, as foundation models do quantiles."""

    def forward(self, x_in: Any) -> PLModuleOutput:
        one = super().forward(x_in).prediction
        return PLModuleOutput(prediction=torch.cat([one, one / 2], -1) if self.training else one)

    def _compute_loss(
        self, output: PLModuleOutput, target: torch.Tensor, criterion: Any, sample_weight: Any
    ) -> torch.Tensor:
        first, second = output.prediction.unbind(-1)
        loss: torch.Tensor = criterion(first, target) + criterion(second, target)
        return loss


class OfTwoModel(NLinearModel):
    def _create_model(self, train_sample: Any) -> OfTwo:
        network = super()._create_model(train_sample)
        network.__class__ = OfTwo
        return network


@pytest.mark.parametrize("taught", [False, True], ids=["student alone", "teacher"])
def test_a_network_with_a_loss_of_its_own_outputs_is_not_tried(taught: bool) -> None:
    expected = OfTwoModel(L, H, **fast()).fit(Y)
    if taught:
        model = DistilledModel(linear(), Teacher(OfTwoModel(L, H, **fast()), name="of two")).fit(Y)
        found = model.teachers[0].models[0]
    else:
        found = DistilledModel(OfTwoModel(L, H, **fast())).fit(Y).student
    assert found.predict(H) == expected.predict(H)


def test_weights_of_the_validation_part_alone_are_no_fault_of_the_loss() -> None:
    DistilledModel(NLinearModel(L, H, **fast()), Teacher(linear())).fit(
        Y, val_series=Y, val_sample_weight=walk(40, 1, seed=5).map(np.abs)
    )


@pytest.mark.parametrize("message", list(TEACHERS))
def test_a_teacher_behind_one_that_can_be_fitted(message: str, steps: list[str]) -> None:
    bad, target, privileged = TEACHERS[message](), Y, None
    if isinstance(bad, Reconstruction):
        values = Y.values().copy()
        values[L + H :] = np.nan
        target, privileged = Y.with_values(values), {"lab": LAB}
    model = DistilledModel(NLinearModel(L, H, **fast()), [Teacher(linear(), name="a"), bad])
    with untouched(model), pytest.raises((TypeError, ValueError), match=message):
        model.fit(target, privileged=privileged)
    assert not steps


def test_a_validation_part_that_no_teacher_will_fill(steps: list[str]) -> None:
    """Its labels are all missing; gaps of its past, which a reconstruction fills, do not count."""
    filled = Reconstruction("lab", fills_past=True)
    model = DistilledModel(NLinearModel(L, H, **fast()), [Teacher(linear()), filled])
    val = Y.with_values(np.where(np.arange(40)[:, None] < L, Y.values(), np.nan))
    refused(
        lambda: model.fit(Y, privileged={"lab": LAB}, val_series=val, val_privileged={"lab": LAB}),
        ValueError,
        "no validation window",
    )
    assert not steps


WIDE = {
    "past_covariates": PAST,
    "future_covariates": walk(43, 1, seed=4, name="calendar"),
    "privileged": {"lab": LAB},
    "sample_weight": walk(40, 1, seed=5).map(np.abs),
    "val_series": Y,
    "val_past_covariates": PAST,
    "val_future_covariates": walk(43, 1, seed=4, name="calendar"),
    "val_privileged": {"lab": LAB},
    "val_sample_weight": walk(40, 1, seed=5).map(np.abs),
}


def widened(given: Any) -> Any:
    return {"lab": widened(given["lab"])} if isinstance(given, dict) else given.astype("float64")


@pytest.mark.parametrize("part", list(WIDE))
def test_series_of_another_precision_are_cast_to_that_of_the_target(part: str) -> None:
    """Before it, they failed in the first step of the student, after all teachers were trained."""
    student, twin = NLinearModel(L, H, **fast()), NLinearModel(L, H, **fast())
    model, other = (DistilledModel(one, Teacher(linear(), CostlySensors("lab"), name="a")) for one in (student, twin))
    model.fit(Y, **(WIDE | {part: widened(WIDE[part])}))
    other.fit(Y, **WIDE)
    # weights are darts' own, which multiplies by them as they are
    rounding = 1e-5 if "weight" in part else 0
    for mine, theirs in zip(student.model.parameters(), twin.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=rounding, atol=rounding)
    names = ("past_covariates", "future_covariates")
    wide = {"series": Y.astype("float64")} | {name: widened(WIDE[name]) for name in names}
    assert model.predict(H, **wide) == student.predict(H, Y, **{name: WIDE[name] for name in names})
    assert model.historical_forecasts(**wide, retrain=False).dtype == np.float32


def test_a_fit_that_fails_puts_back_the_reduction_of_the_loss() -> None:
    """darts changes it for sample weights, and puts it back only at the end of a fit."""
    student = NLinearModel(L, H, **fast()).fit(Y)
    weights = walk(40, seed=3).map(np.abs)
    model = DistilledModel(student, Teacher(linear(), name="a", cross_fit=CrossFit(2, 1000)))
    with pytest.raises(ValueError, match="no window is left"):
        model.fit(Y, sample_weight=weights)
    again = DistilledModel(student, Teacher(linear(), name="a"))
    again.fit(Y, sample_weight=weights)
    assert student.model.train_criterion.reduction == "mean"
    again.fit(Y)


def test_a_rehearsal_draws_no_random_number_and_leaves_no_trace() -> None:
    """There is one for a teacher that the fit fits, and none for one that was fitted before."""
    done = Teacher(linear(), name="a").fit(Y)
    students = [NLinearModel(L, H, **fast()) for _ in range(2)]
    DistilledModel(students[0], Teacher(linear(), name="a")).fit(Y)
    DistilledModel(students[1], done).fit(Y)
    mine, theirs = (student.model.state_dict() for student in students)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
