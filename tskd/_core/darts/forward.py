"""Forward passes of darts' networks: outputs, point forecasts, distributions, and modes."""

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
    # networks that put steps last give transposed views, slow to read
    return {name: values.clone(memory_format=torch.contiguous_format).cpu() for name, values in outputs.items()}


def network_forecast(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's point forecasts `[B, H, C]` of gathered windows, in evaluation mode, without gradient."""
    with evaluating(network):
        return point_forecast(network, network_prediction(network, slots))


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
    training = [(module, True) for module in network.modules() if module.training]
    if training:
        network.eval()
    try:
        yield
    finally:
        restore_modes(training)


def restore_modes(modes: list[tuple[torch.nn.Module, bool]]) -> None:
    """Put modules back into training or evaluation mode; `train()` would set their children too."""
    for module, mode in modes:
        module.training = mode
