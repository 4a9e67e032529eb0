"""The windows on which a weighting compares teachers, and the student, with the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tskd.weighting.step_inputs import Comparisons


@dataclass(frozen=True)
class CalibrationWindows(Comparisons):
    """A chunk of m windows of the calibration set.

    Attributes:
        keys: (series, origin) `[m, 2]`.
        inputs: the student's inputs: `past_target [m, L, C]`, covariates `[m, steps, components]`.
        forecasts: the teachers' forecasts `[K, m, H, C]`, 0 where not valid.
        valid: which windows each teacher forecasts `[K, m]`.
        spread: standard deviation of the teachers' forecasts `[K, m, H, C]`, NaN for a teacher of point forecasts.
        target: the labels `[m, H, C]`; missing ones are finite, and mean nothing.
        covers: which steps each teacher forecasts `[K, H]`, or broadcastable to it; at others its forecasts are 0 and
            have no meaning.
        labelled: true where a label exists `[m, H, C]`; None if all do.
    """

    keys: Tensor
    inputs: Mapping[str, Tensor]
    forecasts: Tensor
    valid: Tensor
    spread: Tensor
    target: Tensor
    covers: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.bool))
    labelled: Tensor | None = None

    @property
    def scored(self) -> Tensor:
        """True where a teacher has a forecast for a window with a label `[K, m]`."""
        return self.valid if self.labelled is None else self.valid & self.labelled.flatten(1).any(1)


@dataclass(frozen=True)
class CalibrationSet:
    """The validation part, if teachers and student have their inputs there, else the training part.

    On the training part, a teacher that was fitted on it looks better than it is.

    Attributes:
        held_out: whether it is the validation part.
        chunks: yields the windows in chunks, the same at every call.
        student: forecasts `[m, H, C]` of the student as it now is for a chunk, in evaluation mode, without gradient.
    """

    held_out: bool
    chunks: Callable[[], Iterable[CalibrationWindows]]
    student: Callable[[CalibrationWindows], Tensor]
