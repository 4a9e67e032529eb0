"""The training step of distillation: a Lightning module in place of the student's own."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from tskd._core.darts.forward import ModuleStage, PLForecastingModule
from tskd._core.darts.training_step import loss_count, unlogged_step
from tskd._core.distributed import over_ranks
from tskd._core.rng import isolated_randomness
from tskd.balance import Balance
from tskd.distillation import checkpoint as checkpoint_parts
from tskd.distillation.batches import Batch
from tskd.distillation.extra_optimizer import step_by_hand
from tskd.distillation.history import History, Tally, logged_weights
from tskd.distillation.objective import Objective
from tskd.distillation.student_queries import Calibration
from tskd.distillation.student_step import StudentStep


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
        self.step = StudentStep(network, objective, calibration, tally)
        self._history = history
        self._first_epoch = 0
        trainable = [p for p in objective.parameters() if p.requires_grad]
        self._own_optimizer = torch.optim.Adam(trainable) if trainable else None
        self._restored: dict[str, Any] | None = None
        # DDP fails for parameters that are not used in every step; `optimizer_step` averages their gradients
        own = (name for named in (objective.named_parameters(), objective.named_buffers()) for name, _ in named)
        self._ddp_params_and_buffers_to_ignore = [f"objective.{name}" for name in own]
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
        self.step_own_optimizer(scale)

    def step_own_optimizer(self, scale: float = 1.0) -> None:
        """Step the trainable parts of losses, after the student; `scale` is that of the gradients."""
        if self._own_optimizer is not None:
            step_by_hand(self._own_optimizer, scale, self.step.over_ranks)

    def calibrate(self) -> None:
        """Calibrate the weighting, before a checkpoint restores its state."""
        if self.step.calibration is not None:
            self.objective.weighting.calibrate(self.step.calibration.set_for(self.student))

    def on_train_epoch_start(self) -> None:
        self._begin_epoch()
        calibration = self.step.calibration
        if calibration is not None and self.step.alpha > 0:
            with isolated_randomness():
                self.objective.weighting.start_epoch(self.current_epoch, calibration.set_for(self.student))
        if self.step.blender is not None and self.step.alpha > 0:
            self.step.blender.blend(self.current_epoch, self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.step.loss(batch, batch_idx)
        self._log_loss("train_loss", loss, loss_count(batch.labels, ModuleStage.TRAIN))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        labels = unlogged_step(self.student, batch.labels, ModuleStage.VALIDATE)
        self._log_loss("val_loss", labels, loss_count(batch.labels, ModuleStage.VALIDATE))
        return labels

    def on_train_epoch_end(self) -> None:
        self._log_metrics(self.student.train_metrics)
        epoch, step = self._history.number(self._first_epoch, self.current_epoch), self.step
        tally = step.complete_tally()
        if tally:
            record = tally.record(epoch, self.objective.names, self.trainer.strategy.reduce)
            self._history.entries.append(record)
            tally.clear()
            self.log_dict(logged_weights(record), sync_dist=True)
        # all processes in the same order: logged values are averaged over them
        self.log("balance", step.alpha, sync_dist=True)
        for name, mean in step.means.end_epoch(self.student, self.trainer).items():
            self.log(name, mean, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics(self.student.val_metrics)

    def on_fit_end(self) -> None:
        # a trainer that outlives the fit keeps a reference to this module
        self.step.release()
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
        self._begin_epoch()
        self.step.over_ranks = over_ranks(self.trainer.world_size)
        if self.trainer.world_size > 1:
            # without a seed, every process has drawn and calibrated for itself, and DDP does not synchronise this state
            self.objective.load_state_dict(self.trainer.strategy.broadcast(self.objective.state_dict()))
        self._first_epoch = self.current_epoch
        if self._restored is not None and self._own_optimizer is not None:
            self._own_optimizer.load_state_dict(self._restored)
        self._restored = None

    def _begin_epoch(self) -> None:
        self.step.epoch, self.step.alpha = self.current_epoch, self.balance.alpha(self.current_epoch)

    def _log_loss(self, name: str, loss: Tensor, count: int) -> None:
        self.log(name, loss, batch_size=count, prog_bar=True, sync_dist=True)

    def _log_metrics(self, metrics: Any) -> None:
        if len(metrics):
            self.log_dict(metrics.compute(), on_epoch=True, on_step=False, logger=True, prog_bar=True, sync_dist=True)
            metrics.reset()
