"""Forward passes of darts' networks: outputs, label losses, point forecasts, and forecasts rolled forward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)
from darts.utils.data.torch_datasets.utils import (
    ModuleStage,
    PLModuleInput,
    PLModuleOutput,
    TorchTrainingBatch,
)
from torch import Tensor

from tskd._core.darts.likelihoods import quantile_spread
from tskd._core.layers import FEATURES, Layer, listening
from tskd._core.windows import INPUT_SLOTS


def network_output(network: PLForecastingModule, batch: TorchTrainingBatch, stage: ModuleStage) -> PLModuleOutput:
    """A network's output for one of darts' batches, as darts' own step computes it."""
    return network(batch.to_module_input(stage=stage))


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


@contextmanager
def masking_labels(network: PLForecastingModule, masked: bool) -> Iterator[None]:
    """Let darts' own training and validation steps leave out missing labels, if there are any."""

    def step(batch: TorchTrainingBatch, stage: ModuleStage, criterion: Any, metrics: Any) -> Tensor:
        output = network_output(network, batch, stage)
        loss = label_loss(network, output, batch, stage)
        network.log(f"{stage.value}_loss", loss, batch_size=loss_count(batch, stage), prog_bar=True, sync_dist=True)
        update_metrics(network, output, batch, stage)
        return loss

    if not masked:
        yield
        return
    network._train_val_step = step
    try:
        yield
    finally:
        del network._train_val_step


def point_forecast(network: PLForecastingModule, prediction: Tensor) -> Tensor:
    """The point forecast `[B, H, C]` in a network's output `[B, H, C, P]`: itself, the median quantile, or the mean."""
    likelihood = network.likelihood
    if likelihood is None:
        return prediction.squeeze(-1)
    if hasattr(likelihood, "_median_idx"):
        return prediction[..., likelihood._median_idx]
    distribution = likelihood._distr_from_params(likelihood._params_from_output(prediction))
    # a Cauchy has no mean; its median is its location
    return distribution.loc if isinstance(distribution, torch.distributions.Cauchy) else distribution.mean


def forecast_std(network: PLForecastingModule, prediction: Tensor) -> Tensor | None:
    """The standard deviation `[B, H, C]` in a network's output `[B, H, C, P]`, or None for a point forecast.

    For quantiles, that of the Gaussian with the same distance between the outermost pair.
    """
    likelihood = network.likelihood
    if likelihood is None:
        return None
    if hasattr(likelihood, "_median_idx"):
        return quantile_spread(prediction, likelihood.quantiles)
    return likelihood._distr_from_params(likelihood._params_from_output(prediction)).stddev


def predictive_distribution(
    likelihood: Any, prediction: Tensor
) -> tuple[torch.distributions.Distribution | None, Tensor | None, tuple[float, ...]]:
    """The distribution in a network's output `[B, H, C, P]`, or its quantiles and their levels."""
    if hasattr(likelihood, "_median_idx"):
        return None, prediction, tuple(likelihood.quantiles)
    return likelihood._distr_from_params(likelihood._params_from_output(prediction)), None, ()


def model_outputs(
    model: TorchForecastingModel,
    slots: Mapping[str, Tensor],
    layers: Mapping[str, Layer] | None = None,
    parameters: bool = False,
) -> dict[str, Tensor]:
    """Outputs of a fitted model for gathered windows, in evaluation mode, without gradient, on the CPU.

    Args:
        model: a fitted torch model.
        slots: inputs of the windows, see `Windows.gather`.
        layers: hidden layers whose outputs are returned, by path.
        parameters: whether the network's whole output is returned.

    Returns:
        `forecasts [B, H, C]`, `spread [B, H, C]` if it forecasts a distribution, `features.<layer> [B, …]`,
        `parameters [B, H, C, P]`.
    """
    network = model.model
    features: Mapping[str, Tensor] = {}
    with evaluating(network), ExitStack() as stack:
        if layers:
            features = stack.enter_context(listening(network, layers, len(next(iter(slots.values())))))
        prediction = network_prediction(network, slots)
        outputs = {"forecasts": point_forecast(network, prediction)}
        deviation = forecast_std(network, prediction)
    outputs |= {FEATURES + path: values for path, values in features.items()}
    outputs |= {} if deviation is None else {"spread": deviation}
    outputs |= {"parameters": prediction} if parameters else {}
    return {name: values.clone().cpu() for name, values in outputs.items()}


def network_forecast(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's point forecasts `[B, H, C]` of gathered windows, in evaluation mode, without gradient."""
    with evaluating(network):
        return point_forecast(network, network_prediction(network, slots))


def evaluation_loss(network: PLForecastingModule, batch: TorchTrainingBatch) -> Tensor:
    """A network's own label loss in evaluation mode, with gradient."""
    with evaluation_mode(network), torch.enable_grad():
        output = network_output(network, batch, ModuleStage.VALIDATE)
        return label_loss(network, output, batch, ModuleStage.VALIDATE)


def loss_of_zeros(network: PLForecastingModule, batch: TorchTrainingBatch) -> Tensor:
    """The network's own label loss of an output of zeros: whether it has one, without a call of the network."""
    likelihood, target = network.likelihood, batch.future_target
    parameters = 1 if likelihood is None else likelihood.num_parameters
    output = PLModuleOutput(prediction=target.new_zeros(*target.shape, parameters))
    return label_loss(network, output, batch, ModuleStage.VALIDATE)


def training_output(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's output `[B, H, C, P]` as in training; labels are 0, for a network that reads them."""
    past = slots["past_target"]
    labels = past.new_zeros(len(past), network.output_chunk_length, past.shape[2])
    values = {**slots, "future_target": labels}
    typed = {name: value.to(device=network.device, dtype=network.dtype) for name, value in values.items()}
    return network_output(network, TorchTrainingBatch(**typed), ModuleStage.TRAIN).prediction


def network_prediction(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's output `[B, H, C, P]` for gathered windows, as darts' `predict` runs it."""
    inputs = {
        name: values.to(device=network.device, dtype=network.dtype)
        for name, values in slots.items()
        if name in INPUT_SLOTS
    }
    return network(PLModuleInput(**inputs, stage=ModuleStage.PREDICT)).prediction


@contextmanager
def evaluating(network: PLForecastingModule) -> Iterator[None]:
    """Evaluation mode, without gradient; each module's mode is put back at the end."""
    with evaluation_mode(network), torch.no_grad():
        yield


@contextmanager
def evaluation_mode(network: PLForecastingModule) -> Iterator[None]:
    """Evaluation mode; each module's mode is put back at the end."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        restore_modes(modes)


def restore_modes(modes: list[tuple[torch.nn.Module, bool]]) -> None:
    """Put modules back into training or evaluation mode; `train()` would set their children too."""
    for module, mode in modes:
        module.training = mode
