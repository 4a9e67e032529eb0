"""Training protocols of peers: schedulers, loss functions and the best epoch, in Python and in a configuration."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from darts.models import NLinearModel, TiDEModel
from pydantic import ValidationError

from tests.helpers.experiments import darts_model, toy_config, toy_data, toy_model
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher
from tskd._core.quiet_logs import quiet
from tskd.callbacks import BestEpoch
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.plan import Block

SERIES, HELD_OUT = walk(90), walk(40, seed=3)


class Watch(pl.Callback):
    """Validation error and parameters of every epoch."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, dict[str, Any], float]] = []

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        state = {name: value.clone() for name, value in pl_module.state_dict().items()}
        (group,) = trainer.optimizers[0].param_groups
        self.seen.append((float(trainer.callback_metrics["val_loss"]), state, group["lr"]))


def trained(distilled: bool, patience: int, **trainer: Any) -> tuple[Any, list[tuple[float, dict[str, Any], float]]]:
    """A model of a learning rate so large that its errors rise and fall, and what was seen of its epochs."""
    watch = Watch()
    callbacks = [watch, BestEpoch(patience=patience)]
    settings: dict[str, Any] = {"n_epochs": 8, "random_state": 4, "optimizer_kwargs": {"lr": 0.3}, "batch_size": 16}
    student: Any = NLinearModel(
        6, 3, const_init=False, pl_trainer_kwargs=QUIET | {"callbacks": callbacks} | trainer, **settings
    )
    with quiet():
        if distilled:
            teacher = Teacher(TiDEModel(6, 3, n_epochs=1, random_state=1, pl_trainer_kwargs=QUIET))
            DistilledModel(student, teacher).fit(SERIES, val_series=HELD_OUT)
        else:
            student.fit(SERIES, val_series=HELD_OUT)
    return student, watch.seen


@pytest.mark.parametrize("distilled", [False, True], ids=["alone", "distilled"])
def test_the_best_epoch_is_restored(distilled: bool) -> None:
    student, seen = trained(distilled, patience=8)
    errors = [error for error, _, _ in seen]
    best = errors.index(min(errors))
    assert len(seen) == 8 and 0 < best < 7
    states = [{name.removeprefix("student."): value for name, value in state.items()} for _, state, _ in seen]
    for name, value in student.model.state_dict().items():
        assert torch.equal(value, states[best][name])
    assert any(not torch.equal(value, states[-1][name]) for name, value in student.model.state_dict().items())


def test_it_stops_as_early_stopping_does() -> None:
    _, whole = trained(False, patience=8)
    errors = [error for error, _, _ in whole]
    student, seen = trained(False, patience=1)
    stop = next(epoch for epoch in range(1, 8) if errors[epoch] >= min(errors[:epoch]))
    assert len(seen) == stop + 1 == student.epochs_trained
    for name, value in student.model.state_dict().items():
        assert torch.equal(value, seen[stop - 1][1][name])


PROTOCOL: dict[str, Any] = {
    "n_epochs": 4,
    "optimizer_cls": "Adam",
    "optimizer_kwargs": {"lr": 0.02},
    "lr_scheduler_cls": "ExponentialLR",
    "lr_scheduler_kwargs": {"gamma": 0.5},
    "pl_trainer_kwargs": {"callbacks": [{"class": "BestEpoch", "kwargs": {"patience": 3}}]},
    "loss_fn": {"class": "HuberLoss", "kwargs": {"delta": 0.5}},
}
"""As DLinear was published: Adam, a rate that halves each epoch, patience 3, and the best epoch."""


def block(experiment: Experiment) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))


@pytest.mark.parametrize("arm", [0, 1], ids=["alone", "distilled"])
def test_a_published_protocol_can_be_configured(arm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = BestEpoch.on_train_epoch_end

    def watched(self: BestEpoch, trainer: Any, pl_module: Any) -> None:
        original(self, trainer, pl_module)
        rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    arms = [{"name": "taught", "teachers": "equal", "balance": 0.5}]
    experiment = Experiment(**toy_config(student=toy_model(**PROTOCOL), arms=arms))
    run = block(experiment)
    run.teacher("equal")
    monkeypatch.setattr(BestEpoch, "on_train_epoch_end", watched)
    with quiet():
        student = run.distilled(experiment.arms[1], 0).student if arm else run.plain(experiment.alone)
    # after each epoch
    assert rates == [0.01, 0.005, 0.0025, 0.00125]
    assert isinstance(student.model.train_criterion, torch.nn.HuberLoss) and student.model.train_criterion.delta == 0.5


def test_a_scheduler_that_watches_the_validation_part_has_one() -> None:
    plateau = {"lr_scheduler_cls": "ReduceLROnPlateau", "lr_scheduler_kwargs": {"monitor": "val_loss", "patience": 0}}
    experiment = Experiment(**toy_config(student=toy_model(**plateau)))
    run = block(experiment)
    assert "val_series" in run.supply.training(experiment.student)
    assert "val_series" not in run.supply.training(darts_model(experiment.teachers["equal"]))
    with quiet():
        assert run.plain(experiment.alone).epochs_trained == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_scheduler_cls": "StepLR"}, "lr_scheduler_kwargs: StepLR: .*step_size"),
        ({"lr_scheduler_cls": "ExponentalLR"}, "not allowed as learning-rate scheduler.*'ExponentialLR'"),
        ({"optimizer_kwargs": {"lr": -1.0}}, "optimizer_kwargs: Adam: Invalid learning rate"),
        ({"optimizer_cls": "SGD", "optimizer_kwargs": {"betas": 1}}, "optimizer_kwargs: SGD: .*betas"),
        ({"loss_fn": "Linear"}, "'Linear' is not allowed as loss function"),
        (
            {"pl_trainer_kwargs": {"callbacks": [{"class": "BestEpoch", "kwargs": {"monitor": "val_los"}}]}},
            "BestEpoch: monitor='val_los' must be one of 'train_loss', 'val_loss'",
        ),
    ],
    ids=["scheduler", "name", "rate", "optimizer", "loss", "monitor"],
)
@pytest.mark.parametrize("whose", ["student", "teacher", "candidate"])
def test_what_trains_no_model_is_refused(whose: str, settings: dict[str, Any], message: str) -> None:
    config = toy_config()
    if whose == "student":
        config["student"] = toy_model(**settings)
    elif whose == "teacher":
        config["teachers"]["equal"] = {"model": toy_model(**settings)}
    else:
        config["arms"].append({"name": "tuned", "students": [{}, settings]})
    with pytest.raises(ValidationError, match=message):
        Experiment(**config)


def lags(**kwargs: Any) -> dict[str, Any]:
    return {"class": "LinearRegressionModel", "kwargs": {"lags": 8, "output_chunk_length": 4} | kwargs}


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"model": lags(lags_future_covariates=[0, 5]), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
        {},
        r"teacher 'some': LinearRegressionModel reads its future covariates at steps \[6\] after the origin",
    ),
    (
        {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"start": 1, "end": 900}}},
        {},
        "teacher 'some'.*reads up to step 900 after the origin",
    ),
    (
        {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
        {"weighting": {"class": "Fixed", "kwargs": {"weights": {"sme": 1}}}},
        "arm 'taught': .*'sme'",
    ),
    (
        {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
        {"losses": "LikelihoodKD"},
        "arm 'taught': .*LikelihoodKD",
    ),
]


@pytest.mark.parametrize(("teacher", "arm", "message"), REFUSED, ids=["lags", "reach", "weights", "loss"])
def test_what_could_be_fitted_in_no_cell_is_refused_before_any(
    teacher: dict[str, Any], arm: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockRun, "cell", lambda *_: pytest.fail("a cell is computed"))
    arms = [{"name": "taught", "teachers": "some", "balance": [0, 0.5]} | arm]
    experiment = Experiment(**toy_config(data=toy_data(), teachers={"some": teacher}, arms=arms, seeds=[3]))
    with pytest.raises(ConfigError, match=message):
        experiment.run(progress=False)
