"""Matching the level and the shape of a forecast, each with a share of its own."""

from __future__ import annotations

import math

from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps


class LevelShapeKD(DistillationLoss):
    """Squared distances between the levels and between the shapes of two forecasts.

    The level is the mean over the horizon, the shape is the rest. The two are orthogonal: with both shares 1 the mean
    over the horizon is exactly that of `OutputKD()`. The two are aspects for
    which a weighting may have weights of its own.

    The term is `[B, H, C]`, in squared units of the target.

    Args:
        level: share of the level, 0 or more.
        shape: share of the shape, 0 or more.
        weight: coefficient of the term.

    Raises:
        ValueError: a share is negative, or both are 0; (at the start of fit) `level=0`, and one step, which has no
            shape.
    """

    def __init__(self, level: float = 1.0, shape: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        for name, value in (("level", level), ("shape", shape)):
            check_real(value, 0, math.inf, name, "a finite number, 0 or more")
        if level == shape == 0:
            raise ValueError("level=0 and shape=0: nothing is matched")
        self.level = level
        self.shape = shape

    def set_up(self, probe: StudentTeacherPair) -> None:
        if self.level == 0:
            check_steps(probe.student.shape[1], 2, "LevelShapeKD(level=0)")

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        return ("level", "shape")

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        level, shape = self.parts(pair).values()
        return level + shape

    def parts(self, pair: StudentTeacherPair) -> dict[Aspect, Tensor]:
        difference = pair.student - pair.teacher
        level = difference.mean(1, keepdim=True)
        return {
            "level": (self.level * level.square()).expand_as(difference),
            "shape": self.shape * (difference - level).square(),
        }
