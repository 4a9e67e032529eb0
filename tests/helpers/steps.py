"""Random tensors, training steps, and a callback that asks for each of them."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from tskd.weighting import Step


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_step(
    forecasts: Tensor,
    valid: Tensor | None = None,
    *,
    target: Tensor | None = None,
    student: Tensor | None = None,
    **given: Any,
) -> Step:
    """A step of valid forecasts `[K, B, H, C]`, labels of 0, and a student whose forecasts are the labels."""
    valid = torch.ones(forecasts.shape[:2], dtype=torch.bool) if valid is None else valid
    target = torch.zeros_like(forecasts[0]) if target is None else target
    student = target if student is None else student.detach()
    fields: dict[str, Any] = {"keys": torch.zeros(len(target), 2, dtype=torch.long), "epoch": 0} | given
    return Step(forecasts, valid, student, target, **fields)


class EveryStep(Callback):
    """Asks for every step, and does nothing there."""

    def on_train_batch_end(self, *_: Any) -> None:
        pass
