"""Steps in bulk: the same training as Lightning's own way, which is taken where something asks for every step."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from darts.models import NLinearModel, TiDEModel
from pytorch_lightning.callbacks import Callback, LambdaCallback, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.profilers import SimpleProfiler
from torchmetrics import MeanAbsoluteError

from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tests.helpers.steps import EveryStep
from tskd import DistilledModel, Teacher
from tskd.distillation.student_step import StudentStep
from tskd.losses import FeatureKD, LossTerm, OutputKD, TemporalRelation
from tskd.weighting import CAMKD, Fixed, Uniform, Weighting

LOOKBACK, HORIZON, BATCH, EPOCHS = 6, 4, 7, 3


class LastSeen(Callback):
    """What a callback sees at the end of every epoch."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        progress = trainer.fit_loop.epoch_loop.state_dict()
        self.seen.append((trainer.current_epoch, trainer.global_step, metrics, str(progress)))


def student(callbacks: list[Callback] | None = None, trainer: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    """A network with dropout, so that random numbers count."""
    given = {"callbacks": callbacks or [], **QUIET, **(trainer or {})}
    sizes = {"hidden_size": 8, "decoder_output_dim": 3, "temporal_decoder_hidden": 5, "dropout": 0.2}
    options = fast(n_epochs=EPOCHS, batch_size=BATCH, **sizes) | {"pl_trainer_kwargs": given} | kwargs
    return TiDEModel(LOOKBACK, HORIZON, **options)


def teachers() -> list[Teacher]:
    series = walk(60)
    options = [fast(n_epochs=2, random_state=seed) for seed in (1, 2)]
    return [
        Teacher(NLinearModel(LOOKBACK, HORIZON, **one), name=name).fit(series)
        for one, name in zip(options, "ab", strict=True)
    ]


def trained(model: Any, loss: list[LossTerm], weighting: Weighting, val: bool = False) -> DistilledModel:
    distilled = DistilledModel(model, teachers(), losses=loss, weighting=weighting, balance=0.4)
    distilled.fit(walk(53), val_series=walk(31) if val else None, verbose=False)
    return distilled


def said_last(caplog: pytest.LogCaptureFixture) -> str:
    """How the student's steps were taken: teachers come before it."""
    return [message for message in caplog.messages if "training steps are taken" in message][-1]


CASES: dict[str, tuple[Callable[[], list[LossTerm]], Callable[[], Weighting]]] = {
    "constant weights": (lambda: [OutputKD(weight=0.7)], lambda: Fixed({"a": 0.3, "b": 0.7})),
    "weights that adapt": (lambda: [OutputKD()], CAMKD),
    "a relational loss": (lambda: [TemporalRelation(), OutputKD("mae")], Uniform),
    "parts that are trained": (lambda: [FeatureKD(teacher_layer="layer", weight=0.1)], Uniform),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("val", [False, True])
def test_it_is_the_same_training(case: str, val: bool, caplog: pytest.LogCaptureFixture) -> None:
    loss, weighting = CASES[case]
    caplog.set_level(logging.INFO, "tskd")
    one, other = LastSeen(), LastSeen()
    settings: dict[str, Any] = {"torch_metrics": MeanAbsoluteError()}
    bulk = trained(student([one], **settings), loss(), weighting(), val)
    assert said_last(caplog) == "training steps are taken in bulk"
    each = trained(student([other, EveryStep()], **settings), loss(), weighting(), val)
    assert "EveryStep.on_train_batch_end" in said_last(caplog)
    for (name, value), twin in zip(
        bulk.student.model.state_dict().items(), each.student.model.state_dict().values(), strict=True
    ):
        assert torch.equal(value, twin), name
    assert one.seen == other.seen and len(one.seen) == EPOCHS
    assert bulk.history == each.history


REASONS: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "a callback for batches": (lambda _: {"callbacks": [EveryStep()]}, "EveryStep.on_train_batch_end"),
    "a callback for gradients": (
        lambda _: {"callbacks": [LambdaCallback(on_before_optimizer_step=lambda *_: None)]},
        "LambdaCallback.on_before_optimizer_step",
    ),
    "rates that are watched": (
        lambda folder: {"callbacks": [LearningRateMonitor()], "logger": CSVLogger(str(folder))},
        "LearningRateMonitor.on_train_batch_start",
    ),
    "accumulation": (lambda _: {"accumulate_grad_batches": 2}, "accumulated gradients"),
    "a profiler": (lambda _: {"profiler": SimpleProfiler()}, "the profiler SimpleProfiler"),
    "validation within epochs": (lambda _: {"val_check_interval": 2}, "validation within an epoch"),
    "checkpoints by time": (
        lambda folder: {
            "callbacks": [ModelCheckpoint(folder, train_time_interval=timedelta(seconds=1000))],
            "enable_checkpointing": True,
        },
        "ModelCheckpoint.on_train_batch_end",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_asks_for_every_step_gets_it(case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given, reason = REASONS[case]
    caplog.set_level(logging.INFO, "tskd")
    settings = given(tmp_path)
    trained(student(settings.pop("callbacks", []), settings), [OutputKD()], Uniform(), val=True)
    assert f"one at a time, for {reason}" in said_last(caplog)


def test_a_rate_that_changes_by_step_gets_every_step(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tskd")
    scheduler: dict[str, Any] = {
        "lr_scheduler_cls": torch.optim.lr_scheduler.ExponentialLR,
        "lr_scheduler_kwargs": {"gamma": 0.8, "interval": "step"},
    }
    trained(student(**scheduler), [OutputKD()], Uniform())
    assert "one at a time, for a learning rate by step" in said_last(caplog)


@pytest.mark.parametrize("extra", [[], [EveryStep()]], ids=["bulk", "each"])
def test_a_logger_gets_its_steps(extra: list[Callback], tmp_path: Path) -> None:
    logger = CSVLogger(str(tmp_path), name="", version="")
    model = student(extra, {"logger": logger, "log_every_n_steps": 4})
    trained(model, [OutputKD()], Uniform())
    with (tmp_path / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["train_loss"] and not row["balance"]]
    # 44 windows in batches of 7 are 7 steps an epoch
    assert [int(row["step"]) for row in rows] == [3, 7, 11, 15, 19]


@pytest.mark.parametrize("extra", [[], [EveryStep()]], ids=["bulk", "each"])
def test_a_checkpoint_gets_its_steps(extra: list[Callback], tmp_path: Path) -> None:
    saving = ModelCheckpoint(tmp_path, every_n_train_steps=5, save_top_k=-1, filename="{step}")
    model = student([saving, *extra], {"enable_checkpointing": True})
    trained(model, [OutputKD()], Uniform())
    assert sorted(int(path.stem.split("=")[1]) for path in tmp_path.glob("*.ckpt")) == [5, 10, 15, 20]
    for path in tmp_path.glob("*.ckpt"):
        loops = torch.load(path, weights_only=False)["loops"]["fit_loop"]
        done = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"]["total"]["completed"]
        assert done == int(path.stem.split("=")[1])


def test_the_largest_number_of_steps_holds() -> None:
    seen = LastSeen()
    trained(student([seen], {"max_steps": 10}), [OutputKD()], Uniform())
    assert seen.seen[-1][1] == 10


def test_a_progress_bar_ends_at_the_last_step() -> None:
    shown: list[tuple[int, int]] = []

    class Shown(Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            bar: Any = trainer.progress_bar_callback
            shown.append((bar.train_progress_bar.n, bar.train_progress_bar.total))

    DistilledModel(student([Shown()], {"enable_progress_bar": True}), teachers(), balance=0.4).fit(walk(53))
    assert shown == [(7, 7)] * EPOCHS


def test_a_step_that_raises_leaves_true_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer tells, wherever it is asked, how many steps were taken."""
    seen: list[int] = []
    calls: list[int] = []
    loss = StudentStep.loss

    class Asked(Callback):
        def on_exception(self, trainer: pl.Trainer, *_: Any) -> None:
            seen.append(trainer.global_step)

    def failing(step: StudentStep, batch: Any, number: int) -> Any:
        calls.append(number)
        if len(calls) == 12:
            raise RuntimeError("no more")
        return loss(step, batch, number)

    monkeypatch.setattr(StudentStep, "loss", failing)
    distilled = DistilledModel(student([Asked()]), teachers(), balance=0.4)
    with pytest.raises(RuntimeError, match="no more"):
        distilled.fit(walk(53), verbose=False)
    assert seen == [11]
    assert calls == [*range(7), *range(5)]


def test_a_training_that_is_told_to_stop_stops_within_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a signal, in the second step: one more is Lightning's own, which ends the training."""
    calls: list[int] = []
    loss = StudentStep.loss
    model = student()

    def stopping(step: StudentStep, batch: Any, number: int) -> Any:
        calls.append(number)
        if len(calls) == 2:
            step.network.trainer.should_stop = True
        return loss(step, batch, number)

    monkeypatch.setattr(StudentStep, "loss", stopping)
    DistilledModel(model, teachers(), balance=0.4).fit(walk(53), verbose=False)
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("extra", [[], [EveryStep()]], ids=["bulk", "each"])
@pytest.mark.parametrize("asking", ["a logger", "a checkpoint", "both"])
def test_steps_are_numbered_on_after_one_that_was_asked_for(
    asking: str, extra: list[Callback], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of seven steps an epoch, where Lightning takes every third by itself, or every fifth over all epochs."""
    calls: list[int] = []
    loss = StudentStep.loss

    def counted(step: StudentStep, batch: Any, number: int) -> Any:
        calls.append(number)
        return loss(step, batch, number)

    monkeypatch.setattr(StudentStep, "loss", counted)
    given: dict[str, Any] = {}
    callbacks = list(extra)
    if asking != "a checkpoint":
        given |= {"logger": CSVLogger(str(tmp_path)), "log_every_n_steps": 3}
    if asking != "a logger":
        given |= {"enable_checkpointing": True}
        callbacks.append(ModelCheckpoint(tmp_path, every_n_train_steps=5))
    trained(student(callbacks, given), [OutputKD()], Uniform())
    assert calls == [*range(7)] * EPOCHS
