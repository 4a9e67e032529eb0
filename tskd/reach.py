"""What a darts model spans around a forecast origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tskd import _darts


def horizon_of(model: Any) -> range:
    """Steps after the origin that a model forecasts."""
    # an ensemble reports the chunk of the model that combines the others, one step after the other
    members = getattr(model, "forecasting_models", None) or [model]
    first = model.output_chunk_shift + 1
    return range(first, first + min(member.output_chunk_length for member in members))


def shared_steps(student: range, teacher: range) -> slice:
    """Which part of the student's horizon a teacher forecasts too; empty if there is none."""
    first, last = max(student[0], teacher[0]), min(student[-1], teacher[-1])
    return slice(first - student[0], max(last - student[0] + 1, first - student[0]))


def covered(spans: Sequence[slice], horizon: int) -> Tensor:
    """Which steps of the student's horizon these parts of it are `[K, H]`."""
    found = torch.zeros(len(spans), horizon, dtype=torch.bool)
    for steps, span in zip(found, spans, strict=True):
        steps[span] = True
    return found


def lookback_of(model: Any) -> int:
    """Steps up to the origin that a model reads."""
    if _darts.is_network(model):
        return model.input_chunk_length
    return max(1, *(-lag for lag in model.extreme_lags[0:5:2] if lag is not None))
