"""What a distillation loss is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from tskd._settings import Described
from tskd.checks import refuse_not_real


@dataclass(frozen=True)
class Comparison:
    """A student beside one teacher, for B windows.

    Attributes:
        student: the student's point forecast `[B, H, C]`, with gradient.
        teacher: the teacher's point forecast `[B, H, C]`, a constant; 0 in windows where it has none.
        target: the labels `[B, H, C]`.
    """

    student: Tensor
    teacher: Tensor
    target: Tensor


class DistillationLoss(Described, nn.Module):
    """Compares the student with one teacher.

    A loss returns an unreduced term, `[B]` or `[B, H, C]`, and knows nothing of other teachers. What it trains besides
    the student (projectors) are ordinary parameters, made in `set_up`; they belong to the distillation, never to the
    student. Each teacher gets its own copy.

    Args:
        weight: coefficient of the term in the whole loss, at least 0.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        refuse_not_real(weight, 0, math.inf, "weight", "a finite number, 0 or more")
        self.weight = weight

    def set_up(self, probe: Comparison) -> None:
        """Make trainable parts from a probe of the real shapes, or raise a ValueError where the loss is undefined."""

    def forward(self, pair: Comparison) -> Tensor:
        raise NotImplementedError
