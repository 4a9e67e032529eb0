"""What a darts model contains: the layers of its network, and what it keeps of the data that it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from darts import TimeSeries
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.tcn_model import _TCNModule
from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)
from torch import Tensor

from tskd._core.components import Orders, names_of
from tskd._core.darts.forward import evaluating, evaluation_mode, network_prediction, point_forecast, training_output
from tskd._core.head_gradients import last_linear
from tskd._core.layers import Layer, find
from tskd._core.series import trace
from tskd._core.windows import INPUT_SLOTS

# by class, path of the last hidden representation in darts' network; {-1} is the last of several children
HIDDEN = {
    "BlockRNNModel": "rnn",
    "Chronos2Model": "encoder",
    "NBEATSModel": "stacks.{-1}.blocks.{-1}.fc_stack.{-1}",
    "NHiTSModel": "stacks.{-1}.blocks.{-1}.layers",
    "TCNModel": "res_blocks.{-2}",
    "TFTModel": "pre_output_gan",
    "TSMixerModel": "conditional_mixer.{-1}",
    "TiDEModel": "encoders",
    "TransformerModel": "transformer.encoder",
}


def hidden_layers(
    network: PLForecastingModule, slots: Mapping[str, Tensor], training: bool = False
) -> dict[str, Layer]:
    """The hidden layers of a network, by path.

    Args:
        slots: inputs of at least one window, static covariates included.
        training: whether the network is run as in training, where a Transformer's decoder reads the labels.
    """

    def run(windows: int) -> None:
        some = {name: values[:1].expand(windows, *values.shape[1:]) for name, values in slots.items()}
        if training:
            training_output(network, some)
        else:
            network_prediction(network, some)

    with evaluating(network):
        return find(network, run, channels_first=isinstance(network, _TCNModule))


def output_layers(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> list[str]:
    """Paths of the last linear layers before the forecast, with the network run as in training."""
    with evaluation_mode(network), torch.enable_grad():
        return last_linear(network, lambda: point_forecast(network, training_output(network, slots)))


def last_hidden_layer(model: TorchForecastingModel, network: PLForecastingModule) -> str | None:
    """Path of the last hidden representation in a model's network; None for classes not listed in `HIDDEN`."""
    path = ""
    pattern = HIDDEN.get(type(model).__name__)
    if pattern is None:
        return None
    for part in pattern.split("."):
        if part.startswith("{"):
            children = [name for name, _ in network.get_submodule(path).named_children()]
            last = int(part[1:-1])
            part = children[last] if len(children) >= -last else children[-1]
        path = f"{path}.{part}" if path else part
    return path


def input_shapes(model: TorchForecastingModel) -> dict[str, tuple[int, ...] | None]:
    """Components by input slot (of static covariates the whole shape) of the sample that darts keeps of a training."""
    shapes = {slot: shape for slot, shape in model.train_sample.sample_shapes().items() if slot in INPUT_SLOTS}
    return {slot: shape and (shape if slot == "static_covariates" else shape[1:]) for slot, shape in shapes.items()}


def kept_components(model: GlobalForecastingModel) -> dict[str, Orders]:
    """Orders of component names, by slot, of the training series that darts keeps in a fitted model; empty after a fit
    on several."""
    kept = {
        "series": model.training_series,
        "past_covariates": model.past_covariate_series,
        "future_covariates": model.future_covariate_series,
    }
    return {slot: [names_of(series)] for slot, series in kept.items() if series is not None}


def trained_dtype(model: TorchForecastingModel) -> Any:
    """The precision in which a model was trained; None for one that is not fitted."""
    return None if model.model is None else model.train_sample.future_target.dtype


def trained_until(model: GlobalForecastingModel) -> Any:
    """Last time stamp of the training series that darts keeps in a fitted model; None after a fit on several."""
    return None if model.training_series is None else model.training_series.end_time()


def traces_of(model: GlobalForecastingModel) -> tuple[str, ...] | None:
    """The trace of the training series that darts keeps in a fitted model; None after a fit on several."""
    return None if model.training_series is None else (trace(model.training_series),)


def encoded_covariates(
    model: TorchForecastingModel,
    series: list[TimeSeries],
    past_covariates: list[TimeSeries] | None,
    future_covariates: list[TimeSeries] | None,
) -> tuple[list[TimeSeries] | None, list[TimeSeries] | None]:
    """Past and future covariates with the encodings of a fitted model's `add_encoders` appended."""
    if model.encoders is None or not model.encoders.encoding_available:
        return past_covariates, future_covariates
    return model.generate_fit_predict_encodings(
        n=model.output_chunk_length + model.output_chunk_shift,
        series=series,
        past_covariates=past_covariates,
        future_covariates=future_covariates,
    )
