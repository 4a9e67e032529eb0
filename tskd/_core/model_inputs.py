"""The inputs of one model, student or teacher: series, covariates, and masks of the steps that it may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darts import TimeSeries
from torch import Tensor


@dataclass(frozen=True)
class ModelInputs:
    """Series and covariates of one part of the data (training or validation), as one model reads them.

    Attributes:
        series: target series.
        past_covariates, future_covariates: one for each target series, or None.
        visible: masks `[steps, components]` of the slots of a window in which something is hidden from the model.
        keys: training windows `[N, 2]`, in darts' order; None for inputs that the model only forecasts from.
        past_target: series that stand for the target's own past, with its gaps filled; None for the target itself.
    """

    series: Sequence[TimeSeries]
    past_covariates: Sequence[TimeSeries] | None = None
    future_covariates: Sequence[TimeSeries] | None = None
    visible: Mapping[str, Tensor] = field(default_factory=dict)
    keys: Tensor | None = None
    past_target: Sequence[TimeSeries] | None = None

    def arguments(self, prefix: str = "") -> dict[str, Any]:
        """Series and covariates as keyword arguments of darts' `fit`, prefixed by `"val_"` for the validation part."""
        return {
            f"{prefix}series": self.series,
            f"{prefix}past_covariates": self.past_covariates,
            f"{prefix}future_covariates": self.future_covariates,
        }
