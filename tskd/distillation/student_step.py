"""The loss of a training batch: its labels, the teachers, and what is recorded of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from torch import Tensor
from torch.nn.functional import mse_loss

from tskd._core.darts.dataset import TorchTrainingBatch
from tskd._core.darts.forward import ModuleStage, PLForecastingModule, PLModuleOutput, network_output, point_forecast
from tskd._core.darts.roll_forward import roll_forward
from tskd._core.darts.training_step import label_loss, labels_known, takes_mean_squares, update_metrics
from tskd._core.distributed import OverRanks, alone
from tskd._core.head_gradients import Call, recording
from tskd._core.layers import listening
from tskd._core.rng import isolated_randomness
from tskd.distillation.batches import Batch
from tskd.distillation.blend import Blender
from tskd.distillation.history import Tally
from tskd.distillation.means import Means
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.distillation.student_queries import Calibration, gradient_gram
from tskd.distillation.weighted_sum import DistillationTerm, mixed
from tskd.weighting import Step, StepContext


class StudentStep:
    """Computes L = (1 − α)·L_labels + α·L_teachers of batches; with α = 0, darts' own loss.

    Args:
        network: the student's network.
        objective: losses and weighting.
        calibration: windows on which the weighting is calibrated, or None.
        tally: sums the weights over an epoch.

    Attributes:
        alpha: share of the teachers.
        epoch: that of the batches.
        over_ranks: mean over the processes that train together.
        blender: of the teachers, where batches have rows in place of their forecasts.
        means: of losses, over an epoch.
    """

    def __init__(
        self, network: PLForecastingModule, objective: Objective, calibration: Calibration | None, tally: Tally
    ) -> None:
        self.network, self.objective, self.calibration, self.tally = network, objective, calibration, tally
        self.alpha, self.epoch = 0.0, 0
        self.over_ranks: OverRanks = alone
        self.means = Means()
        self.blender: Blender | None = None
        self._squares = takes_mean_squares(network)

    def loss(self, batch: Batch, number: int) -> Tensor:
        """The loss of the batch with a number in its epoch, scalar, with gradient."""
        network, objective = self.network, self.objective
        if not (self.alpha > 0 and objective.names):
            output = network_output(network, batch.labels, ModuleStage.TRAIN)
            loss = labels = label_loss(network, output, batch.labels, ModuleStage.TRAIN)
        elif batch.rows is not None:
            output = network_output(network, batch.labels, ModuleStage.TRAIN)
            labels, loss = self._blended(output, batch, batch.rows)
        else:
            output, features, calls = self._observed_output(batch)
            prediction, forecast = self._forecast(output)
            student = StudentOutput(forecast, prediction, features, *self._rolled(forecast, batch))
            term = self._term(student, batch, calls, number)
            labels = self._label_loss(output, forecast, batch.labels, term.labels)
            loss = term.with_labels(labels, self.alpha, objective.compares)
        self.means.add("train_label_loss", labels, labels_known(batch.labels))
        self.means.end_step(loss)
        update_metrics(network, output, batch.labels, ModuleStage.TRAIN)
        return loss

    def complete_tally(self) -> Tally:
        """The tally, once the windows of blended steps are added to it."""
        if self.blender is not None:
            self.blender.count(self.tally, self.network.device)
        return self.tally

    def release(self) -> None:
        """Drop the data: a trainer that outlives the fit keeps a reference to this object."""
        self.calibration, self.tally, self.blender = None, Tally(), None

    def _observed_output(self, batch: Batch) -> tuple[PLModuleOutput, Mapping[str, Tensor], Sequence[Call]]:
        """The network's output, features of the layers that losses compare, and calls of its last linear layers."""
        layers, heads = self.objective.student_layers, self.objective.student_heads
        features: Mapping[str, Tensor] = {}
        calls: Sequence[Call] = ()
        with ExitStack() as stack:
            if layers:
                features = stack.enter_context(listening(self.network, layers, len(batch.keys)))
            if heads:
                calls = stack.enter_context(recording(self.network, heads))
            output = network_output(self.network, batch.labels, ModuleStage.TRAIN)
        return output, features, calls

    def _term(self, student: StudentOutput, batch: Batch, calls: Sequence[Call], number: int) -> DistillationTerm:
        """The distillation term of a batch, for an output of the student's."""
        forecast = student.forecast
        steps = slice(-forecast.shape[1], None)
        target = batch.labels.future_target[:, steps]
        objective, mean = self.objective, self.over_ranks
        weighting, needs, gram = objective.weighting, objective.weighting.needs, None
        if needs.gram is not None:
            gram = gradient_gram(self.network, needs.gram, forecast, calls, mean)
        step = Step(
            batch.forecasts,
            batch.valid,
            forecast.detach(),
            target,
            batch.keys,
            self.epoch,
            objective.covers.to(batch.valid.device),
            batch.spread,
            context=StepContext(mean, gram),
            labelled=labels_known(batch.labels, steps),
            whole=batch.whole,
        )
        if needs.meta_step_every and number % needs.meta_step_every == 0:
            assert self.calibration is not None
            seed = 1_000_003 * self.epoch + number
            with isolated_randomness():
                weighting.meta_update(self.calibration.meta_step(self.network, step, batch, seed))
        weight = batch.labels.sample_weight
        result = objective(student, step, batch.details, None if weight is None else weight[:, steps])
        if objective.compares:
            # in every step, as logged values are averaged over all processes
            term = result.term
            self.means.add("train_distillation_loss", result.weights.new_zeros(()) if term is None else term)
        self.tally.add(result.weights, batch.valid, batch.keys, result.aspects)
        return result

    def _blended(self, output: PLModuleOutput, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of a batch's labels, and the whole one, from the blend of the teachers."""
        assert self.blender is not None
        forecast = self._forecast(output)[1]
        term = self.objective.blended(forecast, self.blender.take(rows, self.epoch, forecast.device))
        labels = self._label_loss(output, forecast, batch.labels)
        self.means.add("train_distillation_loss", term)
        return labels, mixed(labels, term, self.alpha)

    def _label_loss(
        self, output: PLModuleOutput, forecast: Tensor, batch: TorchTrainingBatch, weights: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch's labels, which may have weights `[B, H, C]`."""
        plain = weights is None and batch.sample_weight is None and labels_known(batch) is None
        if plain and self._squares and forecast.shape == batch.future_target.shape:
            # of the same view of the output, whose gradient is then summed up once
            return mse_loss(forecast, batch.future_target)
        return label_loss(self.network, output, batch, ModuleStage.TRAIN, weights)

    def _forecast(self, output: PLModuleOutput) -> tuple[Tensor, Tensor]:
        """The prediction of the student's horizon `[B, H, C, P]`, and the point forecast `[B, H, C]` in it."""
        prediction, horizon = output.prediction, self.objective.covers.shape[1]
        if prediction.shape[1] > horizon:
            # TCN also predicts steps of its lookback; the forecast is what comes last
            prediction = prediction[:, -horizon:]
        return prediction, point_forecast(self.network, prediction)

    def _rolled(self, forecast: Tensor, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The student's forecasts past its output chunk `[B, A, C]`, and the windows that have them `[B]`."""
        if not batch.later:
            return None, None
        past, rolled, steps = batch.labels.past_target, batch.rolled, self.objective.ahead
        ahead = forecast.new_zeros(len(forecast), steps, forecast.shape[2])
        if bool(rolled.any()):
            further = roll_forward(self.network, past[rolled], forecast[rolled], batch.later, steps)
            ahead = ahead.index_put((rolled,), further)
        return ahead, rolled
