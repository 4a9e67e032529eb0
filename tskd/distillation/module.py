"""One step of distillation, as a Lightning module that behaves as the student's own network does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from tskd._core.darts.dataset import TorchTrainingBatch
from tskd._core.darts.forward import (
    ModuleStage,
    PLForecastingModule,
    PLModuleOutput,
    label_loss,
    network_output,
    point_forecast,
    roll_forward,
    update_metrics,
)
from tskd._core.distributed import OverRanks, alone, average_over_ranks, over_ranks
from tskd._core.head_gradients import Call, recording
from tskd._core.layers import listening
from tskd._core.rng import isolated_randomness
from tskd.balance import Balance
from tskd.distillation import checkpoint as checkpoints
from tskd.distillation import history as logs
from tskd.distillation import student_queries as questions
from tskd.distillation.batches import Batch, DistillationData
from tskd.distillation.history import History, Hours, Tally
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.distillation.weighted_sum import DistillationTerm
from tskd.weighting import CalibrationSet, Step, StepContext


class Distillation(pl.LightningModule):
    """Trains a student's network on L = (1 − α)·L_labels + α·L_teachers.

    With α = 0 every random draw, gradient, log and checkpoint is what darts' own training gives. Checkpoints are in
    darts' layout, the state of the distillation beside it. Projectors have an optimizer of their own: in the
    student's, clipping would scale both.

    Args:
        network: the student's network.
        objective: losses and weighting, set up.
        balance: α by epoch.
        names: the teachers, for logs.
        evidence: windows by which the weighting judges teachers and student, and whether they are held out; None if it
            does not.
        history: told how far each teacher was followed.
        hours: of the forecast origins, if they have any.
    """

    def __init__(
        self,
        network: PLForecastingModule,
        objective: Objective,
        balance: Balance,
        names: list[str],
        calibration: tuple[DistillationData, bool] | None = None,
        history: History | None = None,
        hours: Hours | None = None,
    ) -> None:
        super().__init__()
        self.student = network
        self.objective = objective
        self.balance = balance
        self.names = names
        self._calibration = calibration
        self._history = History() if history is None else history
        self._tally = Tally(hours, objective.aspects)
        self._first_epoch = 0
        trainable = [p for p in objective.parameters() if p.requires_grad]
        self._own_optimizer = torch.optim.Adam(trainable) if trainable else None
        self._restored: dict[str, Any] | None = None
        # they are not in every step, which DDP would not forgive; see `optimizer_step`
        own = (name for found in (objective.named_parameters(), objective.named_buffers()) for name, _ in found)
        self._ddp_params_and_buffers_to_ignore = [f"objective.{name}" for name in own]
        self._means = logs.Means()
        # loggers and checkpoints show the student's hyperparameters
        self._hparams = network._hparams
        self._hparams_initial = network._hparams_initial
        self._hparams_name = network._hparams_name
        self._log_hyperparams = network._log_hyperparams

    def __getattr__(self, name: str) -> Any:
        # a user's callback may ask for anything that the student's own module has
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "student":
                raise
            return getattr(self.student, name)

    def configure_optimizers(self) -> Any:
        return self.student.configure_optimizers()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        scale = 1.0 if scaler is None else scaler.get_scale()
        super().optimizer_step(*args, **kwargs)
        if self._own_optimizer is not None:
            step_by_hand(self._own_optimizer, scale, over_ranks(self.trainer.world_size))

    def calibrate(self) -> None:
        """Let the weighting judge the teachers, before a checkpoint puts back what it had learned."""
        if self._calibration is not None:
            self.objective.weighting.calibrate(self._judged())

    def on_train_epoch_start(self) -> None:
        if self._calibration is not None and self.balance.alpha(self.current_epoch) > 0:
            with isolated_randomness():
                self.objective.weighting.start_epoch(self.current_epoch, self._judged())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        alpha = self.balance.alpha(self.current_epoch)
        teaching = alpha > 0 and bool(self.names)
        layers, heads = (self.objective.student_layers, self.objective.student_heads) if teaching else ({}, ())
        with listening(self.student, layers, len(batch.keys)) as features, recording(self.student, heads) as calls:
            output = network_output(self.student, batch.labels, ModuleStage.TRAIN)
        if teaching:
            outcome = self._teachers(output, batch, features, calls, batch_idx)
            labels = label_loss(self.student, output, batch.labels, ModuleStage.TRAIN, outcome.labels)
            term = outcome.term
            # label weights alone take nothing from the labels
            own = 1 - alpha if self.objective.compares else 1.0
            loss = own * labels if term is None else own * labels + alpha * term
        else:
            loss = labels = label_loss(self.student, output, batch.labels, ModuleStage.TRAIN)
        self._log_loss("train_loss", loss, batch.labels)
        self._means.add("train_label_loss", labels)
        self._means.add("balance", torch.as_tensor(alpha))
        self._means.end_step()
        update_metrics(self.student, output, batch.labels, ModuleStage.TRAIN)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        output = network_output(self.student, batch.labels, ModuleStage.VALIDATE)
        labels = label_loss(self.student, output, batch.labels, ModuleStage.VALIDATE)
        self._log_loss("val_loss", labels, batch.labels)
        update_metrics(self.student, output, batch.labels, ModuleStage.VALIDATE)
        return labels

    def on_train_epoch_end(self) -> None:
        self._log_metrics(self.student.train_metrics)
        epoch = self._history.number(self._first_epoch, self.current_epoch)
        if self._tally:
            entry = {"epoch": epoch, **self._tally.summary(self.names, self.trainer.strategy.reduce)}
            self._history.entries.append(entry)
            self._tally.clear()
            self.log_dict(logs.of_weights(entry), sync_dist=True)
        # all processes in the same order: logged values are meant over them
        for name, mean in self._means.end_epoch().items():
            self.log(name, mean, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics(self.student.val_metrics)

    def on_fit_end(self) -> None:
        # a trainer that outlives the fit keeps a reference to this module
        self._calibration = None
        self._tally = Tally()
        self.student.on_fit_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.student.on_save_checkpoint(checkpoint)
        checkpoints.part(checkpoint, self.objective, self._own_optimizer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.student.on_load_checkpoint(checkpoint)
        # put into the optimizer when the parameters are where, and what, they will be
        self._restored = checkpoints.join(checkpoint, self.objective, self.state_dict())

    def on_train_start(self) -> None:
        if self.trainer.world_size > 1:
            # unseeded, every process has drawn and judged for itself, and what DDP ignores stays as it is
            self.objective.load_state_dict(self.trainer.strategy.broadcast(self.objective.state_dict()))
        self._first_epoch = self.current_epoch
        if self._restored is not None and self._own_optimizer is not None:
            self._own_optimizer.load_state_dict(self._restored)
        self._restored = None

    def _teachers(
        self,
        output: PLModuleOutput,
        batch: Batch,
        features: Mapping[str, Tensor],
        calls: Sequence[Call],
        batch_idx: int,
    ) -> DistillationTerm:
        # TCN also predicts steps of its lookback; the forecast is what comes last
        steps = slice(-batch.forecasts.shape[2], None)
        prediction = output.prediction[:, steps]
        forecast = point_forecast(self.student, prediction)
        target = batch.labels.future_target[:, steps]
        covers = self.objective.covers().to(batch.valid.device)
        mean = over_ranks(self.trainer.world_size)
        weighting = self.objective.weighting
        needs = weighting.needs
        step = Step(
            batch.forecasts,
            batch.valid,
            forecast.detach(),
            target,
            batch.keys,
            self.current_epoch,
            covers,
            batch.spread,
            context=StepContext(mean, questions.gram(self.student, needs.gram, forecast, calls, mean)),
        )
        if needs.meta_step_every and batch_idx % needs.meta_step_every == 0:
            assert self._calibration is not None
            seed = 1_000_003 * self.current_epoch + batch_idx
            with isolated_randomness():
                weighting.meta_update(questions.meta_step(self.student, self._calibration[0], step, batch, seed))
        said = StudentOutput(forecast, prediction, features, *self._rolled(forecast, batch))
        weight = batch.labels.sample_weight
        outcome = self.objective(said, step, batch.details, None if weight is None else weight[:, steps])
        if self.objective.compares:
            # in every step: what is logged is asked of all processes
            term = outcome.term
            self._means.add("train_distillation_loss", forecast.new_zeros(()) if term is None else term)
        self._tally.add(outcome.weights, batch.valid, batch.keys, outcome.aspects)
        return outcome

    def _judged(self) -> CalibrationSet:
        assert self._calibration is not None
        return questions.calibration(self.student, *self._calibration)

    def _rolled(self, forecast: Tensor, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        if not batch.later:
            return None, None
        past, rolled, steps = batch.labels.past_target, batch.rolled, self.objective.ahead
        ahead = forecast.new_zeros(len(forecast), steps, forecast.shape[2])
        if bool(rolled.any()):
            found = roll_forward(self.student, past[rolled], forecast[rolled], batch.later, steps)
            ahead = ahead.index_put((rolled,), found)
        return ahead, rolled

    def _log_loss(self, name: str, loss: Tensor, batch: TorchTrainingBatch) -> None:
        self.log(name, loss, batch_size=batch.past_target.shape[0], prog_bar=True, sync_dist=True)

    def _log_metrics(self, metrics: Any) -> None:
        if len(metrics):
            self.log_dict(metrics.compute(), on_epoch=True, on_step=False, logger=True, prog_bar=True, sync_dist=True)
            metrics.reset()


def step_by_hand(optimizer: torch.optim.Optimizer, scale: float, mean: OverRanks = alone) -> None:
    """A step of an optimizer that the trainer does not know, over all ranks, for gradients of a loss times `scale`.

    Left out, as the trainer's own is, if a gradient is not finite.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    average_over_ranks(parameters, mean)
    gradients = [p.grad for p in parameters if p.grad is not None]
    if all(bool(gradient.isfinite().all()) for gradient in gradients):
        for gradient in gradients:
            gradient /= scale
        optimizer.step()
    optimizer.zero_grad()
