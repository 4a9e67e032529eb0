"""Matching the teacher's point forecast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional

from tskd._core.checks import is_choice
from tskd.losses.base import DistillationLoss, StudentTeacherPair

Metric = Literal["mse", "mae", "huber"]
DISTANCES: dict[str, Callable[..., Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}


def distance(metric: Metric, student: Tensor, teacher: Tensor) -> Tensor:
    """The unreduced distance of two tensors of one shape."""
    return DISTANCES[metric](student, teacher, reduction="none")


def check_metric(metric: str) -> None:
    """Raise a ValueError unless the metric is one of `Metric`."""
    if not is_choice(metric, get_args(Metric)):
        raise ValueError(f"metric={metric!r}: give one of {', '.join(get_args(Metric))}")


class OutputKD(DistillationLoss):
    """Distance of the student's forecast s from the teacher's t, at every step and component.

    Hinton, Vinyals and Dean (2015, arXiv:1503.02531) match softened class probabilities; a point forecast has no
    temperature, so the regression form is the plain distance: (s − t)² for `"mse"`, |s − t| for `"mae"`, and Huber's
    with δ = 1 for `"huber"`. Under MSE, labels weighted 1 − α and this term weighted α are a regression on the blended
    target (1 − α)·y + α·t.

    For a probabilistic student, it compares only the mean or the median. Labels train the rest, such as outer
    quantiles; where labels have no share (balance 1), the fit is refused. `QuantileKD` and `LikelihoodKD` compare the
    whole forecast.

    The term is `[B, H, C]`.

    Args:
        metric: `"mse"`, `"mae"` or `"huber"`, in the units in which the model is trained (squared for `"mse"`).
        weight: coefficient of the term.

    Raises:
        ValueError: another metric, or a weight that is negative or not finite.
    """

    def __init__(self, metric: Metric = "mse", weight: float = 1.0) -> None:
        super().__init__(weight)
        check_metric(metric)
        self.metric = metric

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        return distance(self.metric, pair.student, pair.teacher)
