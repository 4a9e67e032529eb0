"""The student as seen by a weighting during training: calibration sets, meta steps, gradients of its forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from tskd._core.darts.forward import PLForecastingModule, network_forecast
from tskd._core.darts.training_step import evaluation_loss
from tskd._core.distributed import OverRanks
from tskd._core.head_gradients import Call, head_gram, parameter_gram
from tskd._core.windows import INPUT_SLOTS
from tskd.distillation.batches import Batch, DistillationData
from tskd.weighting import CalibrationSet, CalibrationWindows, MetaStep, Step


@dataclass(frozen=True, eq=False)
class Calibration:
    """The windows for the calibration and the meta steps of a weighting.

    Attributes:
        data: the windows.
        held_out: whether they are the validation part.
    """

    data: DistillationData
    held_out: bool

    def set_for(self, network: PLForecastingModule) -> CalibrationSet:
        """All windows, with the forecasts of the student's network for them."""

        def student(windows: CalibrationWindows) -> Tensor:
            forecasts = network_forecast(network, windows.inputs)[:, -windows.target.shape[1] :]
            return forecasts.to(windows.target)

        return CalibrationSet(self.held_out, self.data.calibration_windows, student)

    def meta_step(self, network: PLForecastingModule, step: Step, batch: Batch, seed: int) -> MetaStep:
        """The next step of the student, with newly drawn windows to evaluate it on.

        Args:
            network: the student's.
            step, batch: of the step.
            seed: of the draw, of as many windows as the batch has.
        """
        generator = torch.Generator().manual_seed(seed)
        held_out = self.data.labelled_batch(len(batch.keys), generator).to(batch.keys.device).labels
        slots = {name: values for name in INPUT_SLOTS if (values := getattr(batch.labels, name)) is not None}

        def losses() -> Tensor:
            forecast = network_forecast(network, slots)[:, -step.target.shape[1] :]
            squared = (forecast - step.forecasts).square() * step.covers[:, None, :, None]
            return squared.flatten(2).mean(2)

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
        of: parameters of the gradients, see `WeightingNeeds.gram`.
        calls: of the last linear layers, in this step.
        mean: over the processes of the training.
    """
    if of == "head":
        return partial(head_gram, forecast, calls, over_ranks=mean)
    return partial(parameter_gram, forecast, _trainable(network), over_ranks=mean)


def _trainable(network: PLForecastingModule) -> list[torch.nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]
