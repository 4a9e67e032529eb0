"""Weights given by the user."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tskd._core.checks import check_known, check_real
from tskd.weighting.base import Variation, Weighting
from tskd.weighting.step_inputs import Step


def proportions(values: Sequence[float]) -> list[float]:
    """Non-negative values over the largest, or as they are where all are 0; float32 would lose their scale."""
    top = max(values)
    return [value / top for value in values] if top else list(values)


class Fixed(Weighting):
    """Given weights, normalised over the valid teachers of each window. Weights `[K, B]`.

    Args:
        weights: by teacher name, or in the order of the teachers; non-negative, not all 0.

    Raises:
        ValueError: no weights, or anything but non-negative numbers; (at the start of fit) other names, or
            another number of them, than the teachers'.
    """

    def __init__(self, weights: Mapping[str, float] | Sequence[float]) -> None:
        super().__init__()
        # an array of no dimension says that it is iterable, and is not
        if not isinstance(weights, Iterable) or (isinstance(weights, np.ndarray) and not weights.ndim):
            raise ValueError(f"weights={weights!r}: give numbers by teacher name, or in the order of the teachers")
        self.weights = dict(weights) if isinstance(weights, Mapping) else list(weights)
        values = list(self.weights.values()) if isinstance(self.weights, dict) else self.weights
        for value in values:
            check_real(value, 0, math.inf, "weight", f"finite numbers, none negative, in weights={weights!r}")
        if not any(values):
            raise ValueError(f"weights={weights!r}: give at least one that is not 0")
        self._ordered = values

    @property
    def varies(self) -> Variation:
        return "never"

    def set_up(self, names: list[str]) -> None:
        if isinstance(self.weights, dict):
            check_known(self.weights, names, "teacher in Fixed weights")
            check_known(names, self.weights, "Fixed weight for teacher")
            self._ordered = [self.weights[name] for name in names]
        elif len(self.weights) != len(names):
            raise ValueError(f"Fixed has {len(self.weights)} weights for {len(names)} teachers {names}")

    def scores(self, step: Step) -> Tensor:
        # half precision has too few digits for proportions
        dtype = torch.promote_types(step.forecasts.dtype, torch.float32)
        weights = step.forecasts.new_tensor(proportions(self._ordered), dtype=dtype)
        return weights[:, None].expand(step.valid.shape)
