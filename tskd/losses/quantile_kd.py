"""Matching the teacher's quantiles."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from tskd._core.checks import check_positive, is_choice
from tskd.losses.base import DistillationLoss, Needs, Predictive, StudentTeacherPair

QuantileMetric = Literal["pinball", "mse"]


def pinball(student: Tensor, teacher: Tensor, levels: Tensor) -> Tensor:
    """q·max(t − s, 0) + (1 − q)·max(s − t, 0), whose gradient is 0 where s = t."""
    above = teacher - student
    return levels * above.relu() + (1 - levels) * (-above).relu()


class QuantileKD(DistillationLoss):
    """Distance between the quantiles that student and teacher forecast at the same levels.

    The regression counterpart of softened probabilities for models with darts' `QuantileRegression`. With `"pinball"`
    a quantile that is missed on its own side of the median costs more, as in the student's own loss. The temperature
    moves the teacher's quantiles away from its median m, m + T·(q − m); T = 1 is the teacher itself.

    The term is `[B, H, C]`, the mean over the levels that both have.

    Args:
        metric: `"pinball"` or `"mse"`, in the units in which the model is trained (squared for `"mse"`).
        temperature: factor on the teacher's spread, above 0.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) a model that does not forecast quantiles, or no level in common.
    """

    def __init__(self, metric: QuantileMetric = "pinball", temperature: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        if not is_choice(metric, get_args(QuantileMetric)):
            raise ValueError(f"metric={metric!r}: give one of {', '.join(get_args(QuantileMetric))}")
        check_positive(temperature, "temperature")
        self.metric = metric
        self.temperature = temperature

    @property
    def needs(self) -> Needs:
        return Needs(likelihood=True)

    def set_up(self, probe: StudentTeacherPair) -> None:
        assert probe.predictive is not None
        student, teacher = probe.predictive
        if student.quantiles is None or teacher.quantiles is None:
            raise ValueError(
                "QuantileKD compares quantiles, and a model here forecasts a distribution: give both a "
                "QuantileRegression, or use LikelihoodKD"
            )
        if not _shared(probe):
            raise ValueError(f"the student's quantiles {student.levels} and the teacher's {teacher.levels} share none")

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        assert pair.predictive is not None
        shared = _shared(pair)
        student, teacher = (_quantiles_at(side, shared) for side in pair.predictive)
        if self.temperature != 1:
            median = pair.teacher.unsqueeze(-1)
            teacher = median + self.temperature * (teacher - median)
        if self.metric == "mse":
            return (student - teacher).square().mean(-1)
        return pinball(student, teacher, torch.tensor(shared, dtype=student.dtype, device=student.device)).mean(-1)


def _shared(pair: StudentTeacherPair) -> tuple[float, ...]:
    assert pair.predictive is not None
    student, teacher = pair.predictive
    return tuple(level for level in student.levels if any(math.isclose(level, other) for other in teacher.levels))


def _quantiles_at(predictive: Predictive, levels: tuple[float, ...]) -> Tensor:
    """Its quantiles at these levels `[B, H, C, Q]`."""
    assert predictive.quantiles is not None
    places = [next(i for i, own in enumerate(predictive.levels) if math.isclose(own, level)) for level in levels]
    return predictive.quantiles[..., torch.tensor(places, device=predictive.quantiles.device)]
