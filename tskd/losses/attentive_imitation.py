"""Imitating the teacher in proportion to its accuracy."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from tskd.losses._numerics import per_window
from tskd.losses.base import DistillationLoss, Needs, StudentTeacherPair


def attention(errors: Tensor, smallest: Tensor, largest: Tensor) -> Tensor:
    """(largest − error) / (largest − smallest), clipped to [0, 1]; 1 where all errors are alike."""
    range_ = largest - smallest
    return torch.where(range_ > 0, (largest - errors) / range_.where(range_ > 0, 1), 1).clamp(0, 1)


class AttentiveImitation(DistillationLoss):
    """The squared distance from the teacher, times the teacher's relative accuracy in the window.

    Saputra et al. (2019, ICCV, arXiv:1908.00858) weigh imitation by Φ = 1 − e/(e_max − e_min), e being the teacher's
    squared error of the sample, which is negative where e exceeds the range. Here Φ = (e_max − e)/(e_max − e_min), from
    1 in the teacher's best window to 0 in its worst, with extremes over all training windows, and e averaged over steps
    and components. Where labels are missing, e is an average over the others; a window without any counts in full.

    The term is `[B, H, C]`, in squared units of the target.

    Args:
        weight: coefficient of the term.

    Raises:
        ValueError: weight is negative or not finite.
    """

    labelled = True

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.register_buffer("smallest", torch.tensor(0.0))
        self.register_buffer("largest", torch.tensor(0.0))

    @property
    def needs(self) -> Needs:
        return Needs(statistics=True)

    def set_up(self, probe: StudentTeacherPair) -> None:
        # of their final type, so that a checkpoint can be read
        self.smallest, self.largest = (torch.zeros_like(probe.target[0, 0, 0]) for _ in range(2))

    def fit_statistics(self, known: Iterable[tuple[Tensor, Tensor]]) -> None:
        errors = torch.cat([_errors((teacher - target).square(), target.isfinite()) for teacher, target in known])
        errors = errors[errors.isfinite()]
        # a teacher without valid windows has no errors, and no term
        if len(errors):
            self.smallest, self.largest = errors.min(), errors.max()

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        errors = _errors((pair.teacher - pair.target).square(), pair.labelled)
        trust = attention(errors, self.smallest, self.largest).nan_to_num(1)
        return trust[:, None, None] * functional.mse_loss(pair.student, pair.teacher, reduction="none")


def _errors(squares: Tensor, labelled: Tensor | None) -> Tensor:
    """Mean squared errors of the windows `[B]`, over the labels that exist; NaN where none does."""
    if labelled is None or bool(labelled.all()):
        return per_window(squares)
    return squares.where(labelled, torch.nan).flatten(1).nanmean(1)
