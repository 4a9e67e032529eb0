"""Which darts models can be a student."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tskd._core.darts.capabilities import (
    RNNModel,
    is_foundation,
    is_torch_model,
    is_trainable,
)

if TYPE_CHECKING:
    pass
from tskd._core.checks import type_name


def check_student(model: Any) -> Any:
    """The model, if it can be a student; the reason why not otherwise."""
    kind = type_name(model)
    if isinstance(model, RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a student; use BlockRNNModel")
    if not is_torch_model(model):
        raise TypeError(f"a student must be one of darts' torch models, got {kind}")
    if not is_trainable(model):
        raise TypeError(f"{kind} is used as it comes and is not trained; it cannot be a student")
    if is_foundation(model):
        # its output in training is not its forecast
        raise TypeError(f"{kind} is fine-tuned on all the quantiles of its first training; it cannot be a student")
    return model
