"""The training step of distillation: a Lightning module in place of the student's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from tskd._core.darts.forward import (
    ModuleStage,
    PLForecastingModule,
    PLModuleOutput,
    label_loss,
    labels_known,
    loss_count,
    network_output,
    point_forecast,
    update_metrics,
)
from tskd._core.darts.roll_forward import roll_forward
from tskd._core.distributed import OverRanks, alone, over_ranks
from tskd._core.head_gradients import Call, recording
from tskd._core.layers import listening
from tskd._core.rng import isolated_randomness
from tskd.balance import Balance
from tskd.distillation import checkpoint as checkpoint_parts
from tskd.distillation.batches import Batch
from tskd.distillation.extra_optimizer import step_by_hand
from tskd.distillation.history import History, Tally, logged_weights
from tskd.distillation.means import Means
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.distillation.student_queries import Calibration, gradient_gram
from tskd.distillation.weighted_sum import DistillationTerm
from tskd.weighting import Step, StepContext


class Distillation(pl.LightningModule):
    """Trains a student's network on L = (1 − α)·L_labels + α·L_teachers.

    With α = 0 every random draw, gradient, log and checkpoint is that of darts' own training. Checkpoints have darts'
    layout, with the state of losses and weighting beside it. Trainable parts of losses, such as projectors, have an
    optimizer of their own, since gradient clipping in the student's would scale both.

    Args:
        network: the student's network.
        objective: losses and weighting.
        balance: gives α for each epoch.
        calibration: windows on which the weighting is calibrated, or None.
        history: records the weights of the teachers in each epoch.
        tally: sums the weights over an epoch.
    """

    def __init__(
        self,
        network: PLForecastingModule,
        objective: Objective,
        balance: Balance,
        calibration: Calibration | None,
        history: History,
        tally: Tally,
    ) -> None:
        super().__init__()
        self.student = network
        self.objective = objective
        self.balance = balance
        self._calibration = calibration
        self._history = history
        self._tally = tally
        self._first_epoch = 0
        self._alpha = 0.0
        self._over_ranks: OverRanks = alone
        trainable = [p for p in objective.parameters() if p.requires_grad]
        self._own_optimizer = torch.optim.Adam(trainable) if trainable else None
        self._restored: dict[str, Any] | None = None
        # DDP fails for parameters that are not used in every step; `optimizer_step` averages their gradients
        own = (name for named in (objective.named_parameters(), objective.named_buffers()) for name, _ in named)
        self._ddp_params_and_buffers_to_ignore = [f"objective.{name}" for name in own]
        self._means = Means()
        # loggers and checkpoints show the student's hyperparameters
        self._hparams = network._hparams
        self._hparams_initial = network._hparams_initial
        self._hparams_name, self._log_hyperparams = network._hparams_name, network._log_hyperparams

    def __getattr__(self, name: str) -> Any:
        # a user's callback may read any attribute of the student's own module
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
            step_by_hand(self._own_optimizer, scale, self._over_ranks)

    def calibrate(self) -> None:
        """Calibrate the weighting, before a checkpoint restores its state."""
        if self._calibration is not None:
            self.objective.weighting.calibrate(self._calibration.set_for(self.student))

    def on_train_epoch_start(self) -> None:
        self._alpha = self.balance.alpha(self.current_epoch)
        if self._calibration is not None and self._alpha > 0:
            with isolated_randomness():
                calibration = self._calibration.set_for(self.student)
                self.objective.weighting.start_epoch(self.current_epoch, calibration)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        alpha, objective = self._alpha, self.objective
        if alpha > 0 and objective.names:
            output, features, calls = self._observed_output(batch)
            term = self._distillation_term(output, batch, features, calls, batch_idx)
            labels = label_loss(self.student, output, batch.labels, ModuleStage.TRAIN, term.labels)
            loss = term.with_labels(labels, alpha, objective.compares)
        else:
            output = network_output(self.student, batch.labels, ModuleStage.TRAIN)
            loss = labels = label_loss(self.student, output, batch.labels, ModuleStage.TRAIN)
        self._log_loss("train_loss", loss, loss_count(batch.labels, ModuleStage.TRAIN))
        self._means.add("train_label_loss", labels, labels_known(batch.labels))
        self._means.add("balance", torch.as_tensor(alpha))
        self._means.end_step(loss)
        update_metrics(self.student, output, batch.labels, ModuleStage.TRAIN)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        output = network_output(self.student, batch.labels, ModuleStage.VALIDATE)
        labels = label_loss(self.student, output, batch.labels, ModuleStage.VALIDATE)
        self._log_loss("val_loss", labels, loss_count(batch.labels, ModuleStage.VALIDATE))
        update_metrics(self.student, output, batch.labels, ModuleStage.VALIDATE)
        return labels

    def on_train_epoch_end(self) -> None:
        self._log_metrics(self.student.train_metrics)
        epoch = self._history.number(self._first_epoch, self.current_epoch)
        if self._tally:
            record = self._tally.record(epoch, self.objective.names, self.trainer.strategy.reduce)
            self._history.entries.append(record)
            self._tally.clear()
            self.log_dict(logged_weights(record), sync_dist=True)
        # all processes in the same order: logged values are averaged over them
        for name, mean in self._means.end_epoch(self.student, self.trainer).items():
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
        checkpoint_parts.split(checkpoint, self.objective, self._own_optimizer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.student.on_load_checkpoint(checkpoint)
        # loaded into the optimizer in `on_train_start`, once the parameters are on their device and restored
        self._restored = checkpoint_parts.join(checkpoint, self.objective, self.state_dict())

    def on_train_start(self) -> None:
        # an epoch that is resumed in the middle is not started again
        self._over_ranks, self._alpha = over_ranks(self.trainer.world_size), self.balance.alpha(self.current_epoch)
        if self.trainer.world_size > 1:
            # without a seed, every process has drawn and calibrated for itself, and DDP does not synchronise this state
            self.objective.load_state_dict(self.trainer.strategy.broadcast(self.objective.state_dict()))
        self._first_epoch = self.current_epoch
        if self._restored is not None and self._own_optimizer is not None:
            self._own_optimizer.load_state_dict(self._restored)
        self._restored = None

    def _observed_output(self, batch: Batch) -> tuple[PLModuleOutput, Mapping[str, Tensor], Sequence[Call]]:
        """The network's output, features of the layers that losses compare, and calls of its last linear layers."""
        layers, heads = self.objective.student_layers, self.objective.student_heads
        features: Mapping[str, Tensor] = {}
        calls: Sequence[Call] = ()
        with ExitStack() as stack:
            if layers:
                features = stack.enter_context(listening(self.student, layers, len(batch.keys)))
            if heads:
                calls = stack.enter_context(recording(self.student, heads))
            output = network_output(self.student, batch.labels, ModuleStage.TRAIN)
        return output, features, calls

    def _distillation_term(
        self,
        output: PLModuleOutput,
        batch: Batch,
        features: Mapping[str, Tensor],
        calls: Sequence[Call],
        batch_idx: int,
    ) -> DistillationTerm:
        """The distillation term of a batch, for an output of the student's network."""
        # TCN also predicts steps of its lookback; the forecast is what comes last
        steps = slice(-batch.forecasts.shape[2], None)
        prediction = output.prediction[:, steps]
        forecast = point_forecast(self.student, prediction)
        target = batch.labels.future_target[:, steps]
        objective, mean = self.objective, self._over_ranks
        weighting, needs, gram = objective.weighting, objective.weighting.needs, None
        if needs.gram is not None:
            gram = gradient_gram(self.student, needs.gram, forecast, calls, mean)
        step = Step(
            batch.forecasts,
            batch.valid,
            forecast.detach(),
            target,
            batch.keys,
            self.current_epoch,
            objective.covers.to(batch.valid.device),
            batch.spread,
            context=StepContext(mean, gram),
            labelled=labels_known(batch.labels, steps),
        )
        if needs.meta_step_every and batch_idx % needs.meta_step_every == 0:
            assert self._calibration is not None
            seed = 1_000_003 * self.current_epoch + batch_idx
            with isolated_randomness():
                weighting.meta_update(self._calibration.meta_step(self.student, step, batch, seed))
        student = StudentOutput(forecast, prediction, features, *self._rolled(forecast, batch))
        weight = batch.labels.sample_weight
        result = objective(student, step, batch.details, None if weight is None else weight[:, steps])
        if objective.compares:
            # in every step, as logged values are averaged over all processes
            term = result.term
            self._means.add("train_distillation_loss", forecast.new_zeros(()) if term is None else term)
        self._tally.add(result.weights, batch.valid, batch.keys, result.aspects)
        return result

    def _rolled(self, forecast: Tensor, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The student's forecasts past its output chunk `[B, A, C]`, and the windows that have them `[B]`."""
        if not batch.later:
            return None, None
        past, rolled, steps = batch.labels.past_target, batch.rolled, self.objective.ahead
        ahead = forecast.new_zeros(len(forecast), steps, forecast.shape[2])
        if bool(rolled.any()):
            further = roll_forward(self.student, past[rolled], forecast[rolled], batch.later, steps)
            ahead = ahead.index_put((rolled,), further)
        return ahead, rolled

    def _log_loss(self, name: str, loss: Tensor, count: int) -> None:
        self.log(name, loss, batch_size=count, prog_bar=True, sync_dist=True)

    def _log_metrics(self, metrics: Any) -> None:
        if len(metrics):
            self.log_dict(metrics.compute(), on_epoch=True, on_step=False, logger=True, prog_bar=True, sync_dist=True)
            metrics.reset()
