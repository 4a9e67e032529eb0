"""Batches of distillation: windows with the teachers' knowledge of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tskd._darts import TorchTrainingBatch
from tskd.knowledge import Knowledge
from tskd.window_data import WindowData
from tskd.windows import Windows


@dataclass
class Batch:
    """One batch of distillation.

    Attributes:
        labels: the student's own darts batch.
        keys: (series, origin) of its windows `[B, 2]`.
        forecasts: what the teachers say of them `[K, B, H, C]`; 0 where it is not valid.
        valid: whether a teacher's forecast of a window can be used `[K, B]`.
    """

    labels: TorchTrainingBatch
    keys: Tensor
    forecasts: Tensor
    valid: Tensor

    def __getattr__(self, name: str) -> Any:
        # a user's callback may read a batch as darts gives it
        if name not in TorchTrainingBatch.__dataclass_fields__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.labels, name)

    def to(self, device: torch.device) -> Batch:
        """Itself on a device; Lightning moves whatever has this method."""
        if self.keys.device == device:
            return self
        slots = {
            name: value.to(device)
            for name in TorchTrainingBatch.__dataclass_fields__
            if (value := getattr(self.labels, name)) is not None
        }
        return replace(
            self,
            labels=TorchTrainingBatch(**slots),
            keys=self.keys.to(device),
            forecasts=self.forecasts.to(device),
            valid=self.valid.to(device),
        )


class DistillationData(WindowData):
    """Windows with the teachers' knowledge of them."""

    def __init__(self, keys: Tensor, windows: Windows, knowledge: Knowledge) -> None:
        super().__init__(keys, windows)
        self.knowledge: Knowledge | None = knowledge

    def __getitems__(self, indices: list[int]) -> Batch:
        assert self.knowledge is not None
        keys = self.keys[indices]
        forecasts, valid = self.knowledge.of(keys)
        return Batch(super().__getitems__(indices), keys, forecasts, valid)

    def release(self) -> None:
        super().release()
        self.knowledge = None
