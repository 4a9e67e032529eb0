"""Training on labels with the teacher's error as an upper bound."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd._core.checks import check_real
from tskd.losses.base import DistillationLoss, StudentTeacherPair
from tskd.losses.output_kd import Metric, check_metric, distance


def bounded(student: Tensor, bound: Tensor, margin: float) -> Tensor:
    """Errors of the student where they exceed `bound + margin`, else 0."""
    return torch.where(student > bound + margin, student, 0)


class TeacherBounded(DistillationLoss):
    """The student's error against the label, counted once more wherever it is worse than the teacher's.

    Chen et al. (2017, NeurIPS, "Learning efficient object detection models with knowledge distillation"):
    ‖s − y‖² if ‖s − y‖² + m > ‖t − y‖², else 0, per box. Here per step and component, and the margin is on the
    teacher's side, e(s) > e(t) + margin, so that a student that equals its teacher has no term; the published m is
    −margin.

    The term is `[B, H, C]`, 0 where a label is missing.

    Args:
        margin: by how much the student may be worse, 0 or more, in units of the metric.
        metric: `"mse"`, `"mae"` or `"huber"`, see `OutputKD`.
        weight: coefficient of the term.

    Raises:
        ValueError: another metric, or a margin that is negative or not finite.
    """

    labelled = True

    def __init__(self, margin: float = 0.0, metric: Metric = "mse", weight: float = 1.0) -> None:
        super().__init__(weight)
        check_metric(metric)
        check_real(margin, 0, math.inf, "margin", "a finite number, 0 or more")
        self.margin = margin
        self.metric = metric

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        error, bound = (distance(self.metric, forecast, pair.target) for forecast in (pair.student, pair.teacher))
        term = bounded(error, bound, self.margin)
        return term if pair.labelled is None else term.where(pair.labelled, 0)
