"""Down-weighting labels that are far from the teacher's forecast."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tskd._core.checks import check_real
from tskd.losses.base import LabelWeighting, Needs, StudentTeacherPair

# the standard deviation of a Gaussian over its median absolute deviation
GAUSSIAN = 1.4826


def huber_weight(residuals: Tensor, limit: Tensor) -> Tensor:
    """1 up to the limit, limit/|residual| beyond it."""
    size = residuals.abs()
    return torch.where(size > limit, limit / size.where(size > limit, 1), 1)


class OutlierRejection(LabelWeighting):
    """Labels far from the teacher count less in the student's own loss.

    Takamoto, Morishita and Imaoka (2020, arXiv:2002.12597) reject training labels that a teacher's prediction
    identifies as outliers. Here a label counts with Huber's weight min(1, threshold·σ/|y − t|), so that it fades rather
    than vanishes; σ is 1.4826 times the median of |y − t| over the training windows, for each step and component, so
    that the outliers do not set their own limit. Where it is 0 (a teacher that is exact in most windows) nothing is
    rejected.

    Returns weights of the labels `[B, H, C]`.

    Args:
        threshold: distance from the teacher, in robust standard deviations, up to which a label counts in full.
        weight: share of the rejection, 0 (none) to 1.

    Raises:
        ValueError: threshold is not above 0, or weight is not from 0 to 1.
    """

    limit: Tensor

    def __init__(self, threshold: float = 3.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_real(weight, 0, 1, "weight", "a share of the rejection from 0 to 1")
        check_real(threshold, 0, math.inf, "threshold", "a finite number, 0 or more")
        self.threshold = threshold
        self.register_buffer("limit", torch.tensor(math.inf))

    @property
    def needs(self) -> Needs:
        return Needs(statistics=True)

    def set_up(self, probe: StudentTeacherPair) -> None:
        # of its final shape, so that a checkpoint can be read
        self.limit = torch.full_like(probe.target[0], math.inf)

    def fit_statistics(self, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        residuals = torch.cat([(teacher - target).abs() for teacher, target in known])
        if not len(residuals):
            return
        deviation = residuals.nanmedian(0).values
        limit = self.threshold * GAUSSIAN * deviation
        self.limit = limit.where(deviation > 0, math.inf)

    def forward(self, teacher: Tensor, target: Tensor) -> Tensor:
        return 1 - self.weight * (1 - huber_weight(target - teacher, self.limit))
