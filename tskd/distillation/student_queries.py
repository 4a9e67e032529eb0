"""What a weighting asks of the student in training: evidence, a rehearsal of a step, gradients of its forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from tskd._core.darts.forward import PLForecastingModule, evaluation_loss, network_forecast
from tskd._core.distributed import OverRanks
from tskd._core.head_gradients import Call, head_gram, parameter_gram
from tskd._core.windows import INPUT_SLOTS
from tskd.distillation.batches import Batch, DistillationData
from tskd.weighting import CalibrationSet, CalibrationWindows, MetaStep, Step


def calibration(network: PLForecastingModule, data: DistillationData, held_out: bool) -> CalibrationSet:
    """The windows of `data`, and what the student's network says of them."""

    def student(judged: CalibrationWindows) -> Tensor:
        forecasts = network_forecast(network, judged.inputs)[:, -judged.target.shape[1] :]
        return forecasts.to(judged.target)

    return CalibrationSet(held_out, data.judged, student)


def meta_step(network: PLForecastingModule, data: DistillationData, step: Step, batch: Batch, seed: int) -> MetaStep:
    """A rehearsal of a step, judged by windows of `data` that are drawn anew, as many as the batch has."""
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(data), generator=generator)[: len(batch.keys)]
    held_out = data.__getitems__(some.tolist()).to(batch.keys.device).labels
    slots = {name: values for name in INPUT_SLOTS if (values := getattr(batch.labels, name)) is not None}

    def losses() -> Tensor:
        forecast = network_forecast(network, slots)[:, -step.target.shape[1] :]
        far = (forecast - step.forecasts).square() * step.covers[:, None, :, None]
        return far.flatten(2).mean(2)

    def outer() -> Tensor:
        return evaluation_loss(network, held_out)

    return MetaStep(step, losses, outer, _trainable(network))


def gram(
    network: PLForecastingModule,
    of: Literal["head", "parameters"] | None,
    forecast: Tensor,
    calls: Sequence[Call],
    mean: OverRanks,
) -> Callable[[Tensor], Tensor] | None:
    """What `StepContext.gram` is, if a weighting needs it.

    Args:
        of: with respect to what, see `WeightingNeeds.gram`.
        calls: of the last linear layers, in this step.
    """
    if of is None:
        return None
    if of == "head":
        return partial(head_gram, forecast, calls, over_ranks=mean)
    return partial(parameter_gram, forecast, _trainable(network), over_ranks=mean)


def _trainable(network: PLForecastingModule) -> list[torch.nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]
