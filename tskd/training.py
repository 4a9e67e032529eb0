"""One step of distillation, as a Lightning module that behaves as the student's own network does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from tskd import _darts
from tskd._darts import ModuleStage, TorchTrainingBatch
from tskd.balance import Balance
from tskd.batches import Batch, DistillationData
from tskd.comparing import Said
from tskd.heads import Call, head_gram, parameter_gram, recording
from tskd.history import History, Hours, Tally
from tskd.layers import listening
from tskd.objective import Objective
from tskd.outcome import Outcome
from tskd.ranks import OverRanks, alone, average_over_ranks, over_ranks
from tskd.weighting import Evidence, Judged, Rehearsal, Step
from tskd.windows import INPUT_SLOTS

STUDENT = "student."
OWN_STATE = "distillation"


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
        network: _darts.PLForecastingModule,
        objective: Objective,
        balance: Balance,
        names: list[str],
        evidence: tuple[DistillationData, bool] | None = None,
        history: History | None = None,
        hours: Hours | None = None,
    ) -> None:
        super().__init__()
        self.student = network
        self.objective = objective
        self.balance = balance
        self.names = names
        self._evidence = evidence
        self._history = History() if history is None else history
        self._tally = Tally(hours, objective.aspects)
        self._first_epoch = 0
        trainable = [p for p in objective.parameters() if p.requires_grad]
        self._own_optimizer = torch.optim.Adam(trainable) if trainable else None
        self._restored: dict[str, Any] | None = None
        # they are not in every step, which DDP would not forgive; see `optimizer_step`
        own = (name for found in (objective.named_parameters(), objective.named_buffers()) for name, _ in found)
        self._ddp_params_and_buffers_to_ignore = [f"objective.{name}" for name in own]
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
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

    def learn(self) -> None:
        """Let the weighting judge the teachers, before a checkpoint puts back what it had learned."""
        if self._evidence is not None:
            self.objective.weighting.learn(self._judged())

    def on_train_epoch_start(self) -> None:
        if self._evidence is not None and self.balance.alpha(self.current_epoch) > 0:
            with isolated_randomness():
                self.objective.weighting.start_epoch(self.current_epoch, self._judged())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        alpha = self.balance.alpha(self.current_epoch)
        teaching = alpha > 0 and bool(self.names)
        layers, heads = (self.objective.student_layers, self.objective.student_heads) if teaching else ({}, ())
        with listening(self.student, layers, len(batch.keys)) as features, recording(self.student, heads) as calls:
            output = _darts.forward(self.student, batch.labels, ModuleStage.TRAIN)
        if teaching:
            outcome = self._teachers(output, batch, features, calls, batch_idx)
            labels = _darts.label_loss(self.student, output, batch.labels, ModuleStage.TRAIN, outcome.labels)
            term = outcome.term
            # label weights alone take nothing from the labels
            own = 1 - alpha if self.objective.compares else 1.0
            loss = own * labels if term is None else own * labels + alpha * term
        else:
            loss = labels = _darts.label_loss(self.student, output, batch.labels, ModuleStage.TRAIN)
        self._log_loss("train_loss", loss, batch.labels)
        self._add("train_label_loss", labels)
        self._add("balance", torch.as_tensor(alpha))
        self._steps += 1
        _darts.update_metrics(self.student, output, batch.labels, ModuleStage.TRAIN)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        output = _darts.forward(self.student, batch.labels, ModuleStage.VALIDATE)
        labels = _darts.label_loss(self.student, output, batch.labels, ModuleStage.VALIDATE)
        self._log_loss("val_loss", labels, batch.labels)
        _darts.update_metrics(self.student, output, batch.labels, ModuleStage.VALIDATE)
        return labels

    def on_train_epoch_end(self) -> None:
        self._log_metrics(self.student.train_metrics)
        epoch = self._history.number(self._first_epoch, self.current_epoch)
        if self._tally:
            entry = {"epoch": epoch, **self._tally.summary(self.names, self.trainer.strategy.reduce)}
            self._history.entries.append(entry)
            self._tally.clear()
            self._log_weights(entry)
        # all processes in the same order: logged values are meant over them
        for name, total in sorted(self._sums.items()):
            self.log(name, total / self._steps, sync_dist=True)
        self._sums.clear()
        self._steps = 0

    def on_validation_epoch_end(self) -> None:
        self._log_metrics(self.student.val_metrics)

    def on_fit_end(self) -> None:
        # a trainer that outlives the fit keeps a reference to this module
        self._evidence = None
        self._tally = Tally()
        self.student.on_fit_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.student.on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        own = {name: value for name, value in state.items() if not name.startswith(STUDENT)}
        checkpoint["state_dict"] = {
            name.removeprefix(STUDENT): value for name, value in state.items() if name.startswith(STUDENT)
        }
        if own:
            optimizer = None if self._own_optimizer is None else self._own_optimizer.state_dict()
            checkpoint[OWN_STATE] = {"state_dict": own, "optimizer": optimizer, **self.objective.described}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.student.on_load_checkpoint(checkpoint)
        own = checkpoint.get(OWN_STATE)
        # a checkpoint of plain darts training has no state of ours: ours stays as it is
        kept = {name: value for name, value in self.state_dict().items() if not name.startswith(STUDENT)}
        student = {STUDENT + name: value for name, value in checkpoint["state_dict"].items()}
        found = {} if own is None else self._own_state(own, kept)
        checkpoint["state_dict"] = student | kept | found
        if own is not None and own["losses"] == self.objective.described["losses"]:
            # put into the optimizer when the parameters are where, and what, they will be
            self._restored = own["optimizer"]

    def on_train_start(self) -> None:
        if self.trainer.world_size > 1:
            # unseeded, every process has drawn and judged for itself, and what DDP ignores stays as it is
            self.objective.load_state_dict(self.trainer.strategy.broadcast(self.objective.state_dict()))
        self._first_epoch = self.current_epoch
        if self._restored is not None and self._own_optimizer is not None:
            self._own_optimizer.load_state_dict(self._restored)
        self._restored = None

    def _own_state(self, own: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """What a checkpoint holds of the losses and the weighting that this fit has too.

        Statistics of the training windows are those of this fit's. So is what the weighting has learned where the
        teachers are others or stand in another order: it is of teachers by their position.
        """
        trained = {f"objective.{name}" for name, _ in self.objective.named_parameters()}
        found: dict[str, Any] = {}
        mine = self.objective.described
        for number, described in enumerate(mine["losses"]):
            if described in own["losses"]:
                ours, theirs = (f"objective._copies.{n}." for n in (number, own["losses"].index(described)))
                found |= {
                    name: own["state_dict"][theirs + name.removeprefix(ours)]
                    for name in trained
                    if name.startswith(ours)
                }
        if own["weighting"] == mine["weighting"] and own["teachers"] == mine["teachers"]:
            found |= {name: own["state_dict"][name] for name in kept if name.startswith("objective.weighting.")}
        return {name: value for name, value in found.items() if _alike(value, kept[name])}

    def _teachers(
        self,
        output: _darts.PLModuleOutput,
        batch: Batch,
        features: Mapping[str, Tensor],
        calls: Sequence[Call],
        batch_idx: int,
    ) -> Outcome:
        # TCN also predicts steps of its lookback; the forecast is what comes last
        steps = slice(-batch.forecasts.shape[2], None)
        prediction = output.prediction[:, steps]
        forecast = _darts.point_forecast(self.student, prediction)
        target = batch.labels.future_target[:, steps]
        covers = self.objective.covers().to(batch.valid.device)
        step = Step(
            batch.forecasts,
            batch.valid,
            forecast.detach(),
            target,
            batch.keys,
            self.current_epoch,
            covers,
            batch.spread,
            self._gram(forecast, calls),
            over_ranks(self.trainer.world_size),
        )
        weighting = self.objective.weighting
        if weighting.rehearses and batch_idx % weighting.rehearses == 0:
            with isolated_randomness():
                weighting.rehearse(self._rehearsal(step, batch, batch_idx))
        said = Said(forecast, prediction, features, *self._rolled(forecast, batch))
        weight = batch.labels.sample_weight
        outcome = self.objective(said, step, batch.details, None if weight is None else weight[:, steps])
        if self.objective.compares:
            # in every step: what is logged is asked of all processes
            term = outcome.term
            self._add("train_distillation_loss", forecast.new_zeros(()) if term is None else term)
        self._tally.add(outcome.weights, batch.valid, batch.keys, outcome.aspects)
        return outcome

    def _gram(self, forecast: Tensor, calls: Sequence[Call]) -> Callable[[Tensor], Tensor] | None:
        wanted, mean = self.objective.weighting.uses_gram, over_ranks(self.trainer.world_size)
        if wanted is None:
            return None
        if wanted == "head":
            return partial(head_gram, forecast, calls, over_ranks=mean)
        return partial(parameter_gram, forecast, self._trainable(), over_ranks=mean)

    def _trainable(self) -> list[torch.nn.Parameter]:
        return [p for p in self.student.parameters() if p.requires_grad]

    def _rehearsal(self, step: Step, batch: Batch, batch_idx: int) -> Rehearsal:
        assert self._evidence is not None
        data, _ = self._evidence
        generator = torch.Generator().manual_seed(1_000_003 * self.current_epoch + batch_idx)
        some = torch.randperm(len(data), generator=generator)[: len(batch.keys)]
        held_out = data.__getitems__(some.tolist()).to(self.device).labels
        slots = {name: values for name in INPUT_SLOTS if (values := getattr(batch.labels, name)) is not None}

        def losses() -> Tensor:
            forecast = _darts.forecast(self.student, slots)[:, -step.target.shape[1] :]
            far = (forecast - step.forecasts).square() * step.covers[:, None, :, None]
            return far.flatten(2).mean(2)

        def outer() -> Tensor:
            return _darts.evaluated_loss(self.student, held_out)

        return Rehearsal(step, losses, outer, self._trainable())

    def _judged(self) -> Evidence:
        assert self._evidence is not None
        data, held_out = self._evidence

        def student(judged: Judged) -> Tensor:
            forecasts = _darts.forecast(self.student, judged.inputs)[:, -judged.target.shape[1] :]
            return forecasts.to(judged.target)

        return Evidence(held_out, data.judged, student)

    def _rolled(self, forecast: Tensor, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        if not batch.later:
            return None, None
        past, rolled, steps = batch.labels.past_target, batch.rolled, self.objective.ahead
        ahead = forecast.new_zeros(len(forecast), steps, forecast.shape[2])
        if bool(rolled.any()):
            found = _darts.roll(self.student, past[rolled], forecast[rolled], batch.later, steps)
            ahead = ahead.index_put((rolled,), found)
        return ahead, rolled

    def _add(self, name: str, value: Tensor) -> None:
        value = value.detach()
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def _log_loss(self, name: str, loss: Tensor, batch: TorchTrainingBatch) -> None:
        self.log(name, loss, batch_size=batch.past_target.shape[0], prog_bar=True, sync_dist=True)

    def _log_weights(self, entry: dict[str, Any]) -> None:
        shares = {f"weight/{name}": share for name, share in entry["weights"].items()}
        for aspect, weights in entry["aspects"].items():
            shares |= {f"weight/{aspect}/{name}": share for name, share in weights.items()}
        rest = {"masked_fraction": entry["masked"], "effective_teachers": entry["effective"]}
        self.log_dict(rest | shares, sync_dist=True)

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


def _alike(one: Any, other: Any) -> bool:
    return not isinstance(one, Tensor) or (isinstance(other, Tensor) and one.shape == other.shape)


@contextmanager
def isolated_randomness() -> Iterator[None]:
    """Leave the global random states as they were: whatever is drawn inside must not move the student's training."""
    state = np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        np.random.set_state(state)
