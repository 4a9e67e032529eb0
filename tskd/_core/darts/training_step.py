"""darts' training and validation step: the loss of the labels that exist, and its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.utils.data.torch_datasets.utils import ModuleStage, PLModuleOutput, TorchTrainingBatch
from torch import Tensor, nn

from tskd._core.darts.forward import evaluation_mode, network_output


def label_loss(
    network: PLForecastingModule,
    output: PLModuleOutput,
    batch: TorchTrainingBatch,
    stage: ModuleStage,
    weights: Tensor | None = None,
) -> Tensor:
    """The network's own darts loss, scalar, averaged over the labels that exist; 0 if none does.

    Args:
        weights: of the labels `[B, H, C]` beside darts' sample weights, or None.
    """
    criterion = network.train_criterion if stage is ModuleStage.TRAIN else network.val_criterion
    labelled, target = labels_known(batch), batch.future_target
    if weights is None and labelled is None:
        return network._compute_loss(output, target, criterion, batch.sample_weight)
    whole = torch.ones_like(target)
    if weights is not None:
        # TCN has labels in its lookback too
        whole[:, -weights.shape[1] :] = weights
    if labelled is not None:
        if not bool(labelled.any()):
            return 0 * output.prediction.sum()
        whole = whole * labelled * (labelled.numel() / labelled.sum())
        target = target.where(labelled, _some_label(target, labelled))
    whole = whole if batch.sample_weight is None else whole * batch.sample_weight
    if network.likelihood is not None:
        return network._compute_loss(output, target, criterion, whole)
    reduction = criterion.reduction
    criterion.reduction = "none"
    try:
        return network._compute_loss(output, target, criterion, whole)
    finally:
        criterion.reduction = reduction


def _some_label(target: Tensor, labelled: Tensor) -> Tensor:
    """A label of each component `[C]`, or of another: one that the likelihood accepts, for where it has no weight."""
    values, known = target.flatten(0, 1), labelled.flatten(0, 1)
    first = values.gather(0, known.int().argmax(0, keepdim=True))[0]
    return first.where(known.any(0), values[known][0])


def labels_known(batch: TorchTrainingBatch, steps: slice = slice(None)) -> Tensor | None:
    """True where a label exists `[B, H, C]`, at some steps; None if all do."""
    labelled = getattr(batch, "labelled", None)
    return None if labelled is None else labelled[:, steps]


def loss_count(batch: TorchTrainingBatch, stage: ModuleStage) -> int:
    """As how many a batch counts in the mean loss of an epoch: its windows; in validation its labels, if some lack."""
    labelled = labels_known(batch)
    if labelled is None or stage is ModuleStage.TRAIN:
        return batch.past_target.shape[0]
    return max(1, int(labelled.sum()))


def update_metrics(
    network: PLForecastingModule, output: PLModuleOutput, batch: TorchTrainingBatch, stage: ModuleStage
) -> None:
    """Update darts' training or validation metrics by the output for a batch, of which only labels that exist count."""
    metrics = network.train_metrics if stage is ModuleStage.TRAIN else network.val_metrics
    labelled = labels_known(batch)
    if labelled is None or not len(metrics):
        network._update_metrics(output, batch.future_target, metrics)
    elif bool(labelled.any()):
        likelihood, prediction = network.likelihood, output.prediction
        forecast = likelihood.sample(prediction) if likelihood else prediction.squeeze(-1)
        metrics.update(forecast[labelled][:, None], batch.future_target[labelled][:, None])


def unlogged_step(network: PLForecastingModule, batch: TorchTrainingBatch, stage: ModuleStage) -> Tensor:
    """darts' own step but for its log: the loss of a batch, of which only labels that exist count."""
    output = network_output(network, batch, stage)
    loss = label_loss(network, output, batch, stage)
    update_metrics(network, output, batch, stage)
    return loss


def has_darts_step(network: PLForecastingModule) -> bool:
    """Whether a network's training step is darts' own."""
    steps = ("training_step", "_train_val_step")
    return all(getattr(type(network), name) is getattr(PLForecastingModule, name) for name in steps)


def has_darts_loss(network: PLForecastingModule) -> bool:
    """Whether darts computes a network's loss from its outputs as for most; foundation models have their own way."""
    computed = type(network)._compute_loss
    return computed is PLForecastingModule._compute_loss


def takes_mean_squares(network: PLForecastingModule) -> bool:
    """Whether a network is trained on the mean squared error of its point forecast, where labels have no weights."""
    criterion = network.train_criterion
    plain = network.likelihood is None and has_darts_loss(network)
    return plain and type(criterion) is nn.MSELoss and criterion.reduction == "mean"


@contextmanager
def masking_labels(network: PLForecastingModule, masked: bool) -> Iterator[None]:
    """Let darts' own training and validation steps leave out missing labels, if there are any."""

    def step(batch: TorchTrainingBatch, stage: ModuleStage, criterion: Any, metrics: Any) -> Tensor:
        loss = unlogged_step(network, batch, stage)
        network.log(f"{stage.value}_loss", loss, batch_size=loss_count(batch, stage), prog_bar=True, sync_dist=True)
        return loss

    if not masked:
        yield
        return
    network._train_val_step = step
    try:
        yield
    finally:
        del network._train_val_step


def evaluation_loss(network: PLForecastingModule, batch: TorchTrainingBatch) -> Tensor:
    """A network's own label loss in evaluation mode, with gradient."""
    with evaluation_mode(network), torch.enable_grad():
        output = network_output(network, batch, ModuleStage.VALIDATE)
        return label_loss(network, output, batch, ModuleStage.VALIDATE)
