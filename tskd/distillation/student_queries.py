"""What a weighting needs of the student in training: a calibration set, meta steps, gradients of its forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Calibration:
    """The windows that a weighting is calibrated on, and takes meta steps on.

    Attributes:
        data: the windows.
        held_out: whether they are the validation part.
    """

    data: DistillationData
    held_out: bool

    def set_for(self, network: PLForecastingModule) -> CalibrationSet:
        """All windows, and the forecasts of the student's network for them."""

        def student(windows: CalibrationWindows) -> Tensor:
            forecasts = network_forecast(network, windows.inputs)[:, -windows.target.shape[1] :]
            return forecasts.to(windows.target)

        return CalibrationSet(self.held_out, self.data.calibration_windows, student)

    def meta_step(self, network: PLForecastingModule, step: Step, batch: Batch, seed: int) -> MetaStep:
        """A step of the student before it is taken, with windows drawn anew to evaluate it on, as many as the batch
        has."""
        generator = torch.Generator().manual_seed(seed)
        some = torch.randperm(len(self.data), generator=generator)[: len(batch.keys)]
        held_out = self.data.__getitems__(some.tolist()).to(batch.keys.device).labels
        slots = {name: values for name in INPUT_SLOTS if (values := getattr(batch.labels, name)) is not None}

        def losses() -> Tensor:
            forecast = network_forecast(network, slots)[:, -step.target.shape[1] :]
            far = (forecast - step.forecasts).square() * step.covers[:, None, :, None]
            return far.flatten(2).mean(2)

        def outer() -> Tensor:
            return evaluation_loss(network, held_out)

        return MetaStep(step, losses, outer, _trainable(network))


def gradient_gram(
    network: PLForecastingModule,
    of: Literal["head", "parameters"],
    forecast: Tensor,
    calls: Sequence[Call],
    mean: OverRanks,
) -> Callable[[Tensor], Tensor]:
    """Inner products of gradients of the student's forecast, see `StepContext`.

    Args:
        of: with respect to what, see `WeightingNeeds.gram`.
        calls: of the last linear layers, in this step.
    """
    if of == "head":
        return partial(head_gram, forecast, calls, over_ranks=mean)
    return partial(parameter_gram, forecast, _trainable(network), over_ranks=mean)


def _trainable(network: PLForecastingModule) -> list[torch.nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]
