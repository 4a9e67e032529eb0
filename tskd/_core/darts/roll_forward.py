"""Rolling a network forward past its output chunk, on its own forecasts, as darts' `predict` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.utils.data.torch_datasets.utils import ModuleStage, PLModuleInput
from torch import Tensor

from tskd._core.darts.forward import evaluating, network_prediction, point_forecast
from tskd._core.windows import INPUT_SLOTS


def roll_starts(horizon: int, steps: int) -> list[int]:
    """Number of forecast steps before each further output chunk in darts' `predict(horizon + steps)`.

    The last chunk ends with the last step, and replaces the forecast of an earlier one where they overlap.
    """
    return [min(chunk, steps) for chunk in range(horizon, horizon + steps, horizon)]


def roll_forward(
    network: PLForecastingModule, past: Tensor, forecast: Tensor, later: Sequence[Mapping[str, Tensor]], steps: int
) -> Tensor:
    """Forecasts past the first output chunk, from the network's own forecast as in `predict`, with gradient.

    Args:
        past: the target's past `[B, L, C]`.
        forecast: of the first output chunk `[B, H, C]`.
        later: for each further chunk (`roll_starts`), the inputs other than the target's past.
        steps: number of further steps.

    Returns:
        `[B, steps, C]`.
    """
    lookback, horizon = past.shape[1], forecast.shape[1]
    for start, slots in zip(roll_starts(horizon, steps), later, strict=True):
        known = torch.cat([past, forecast[:, :start]], dim=1)[:, -lookback:]
        inputs = {name: values for name, values in slots.items() if name in INPUT_SLOTS}
        # in the training stage a Transformer would read labels, of which there are none
        output = network(PLModuleInput(past_target=known, **inputs, stage=ModuleStage.PREDICT))
        chunk = point_forecast(network, output.prediction)[:, -horizon:]
        forecast = torch.cat([forecast[:, :start], chunk], dim=1)
    return forecast[:, horizon:]


def rolled_forecast(
    network: PLForecastingModule, slots: Mapping[str, Tensor], later: Sequence[Mapping[str, Tensor]], steps: int
) -> Tensor:
    """Point forecasts `[B, H + steps, C]` as of `predict`, in evaluation mode, without gradient, on the CPU.

    Args:
        slots: inputs of the windows, see `Windows.gather`.
        later, steps: as for `roll_forward`.
    """
    with evaluating(network):
        chunk = point_forecast(network, network_prediction(network, slots))[:, -network.output_chunk_length :]
        later = [{name: values.to(chunk) for name, values in one.items()} for one in later]
        past = slots["past_target"].to(chunk)
        return torch.cat([chunk, roll_forward(network, past, chunk, later, steps)], dim=1).cpu()
