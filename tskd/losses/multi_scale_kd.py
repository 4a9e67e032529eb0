"""Matching coarse views of the forecast."""

from __future__ import annotations

import torch
from torch import Tensor

from tskd._core.checks import check_whole
from tskd.losses._numerics import per_window
from tskd.losses.base import DistillationLoss, StudentTeacherPair, check_steps
from tskd.losses.output_kd import Metric, check_metric, distance


def coarser(values: Tensor) -> Tensor:
    """Means of pairs of steps, `[B, H, C]` → `[B, H/2, C]`; a last step without a partner is left out."""
    steps = values.shape[1] // 2 * 2
    return (values[:, 0:steps:2] + values[:, 1:steps:2]) / 2


# stretches of a million steps
COARSEST = 20


class MultiScaleKD(DistillationLoss):
    """The distance between forecasts at several temporal resolutions.

    TimeDistill (Ni et al. 2025, arXiv:2502.15016): the mean over scales m = 0 … `scales` of the mean distance
    between the forecasts averaged over stretches of 2^m steps. In effect it weighs what is common to neighbouring
    steps (level, trend) above what is not.

    The term is `[B]`.

    Args:
        scales: the coarsest scale; stretches are of 1, 2, 4 … 2^scales steps.
        metric: `"mse"`, `"mae"` or `"huber"`, see `OutputKD`.
        weight: coefficient of the term.

    Raises:
        ValueError: (at the start of fit) the horizon is shorter than the longest stretch.
    """

    def __init__(self, scales: int = 3, metric: Metric = "mse", weight: float = 1.0) -> None:
        super().__init__(weight)
        check_whole(scales, 0, "scales", "the coarsest scale", COARSEST)
        check_metric(metric)
        self.scales = scales
        self.metric = metric

    def set_up(self, probe: StudentTeacherPair) -> None:
        check_steps(probe.student.shape[1], 2**self.scales, f"{type(self).__name__}(scales={self.scales})")

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        # the means of a difference are the differences of the means
        difference = pair.student - pair.teacher
        terms = []
        for scale in range(self.scales + 1):
            difference = coarser(difference) if scale else difference
            terms.append(per_window(distance(self.metric, difference, torch.zeros_like(difference))))
        return torch.stack(terms).mean(0)
