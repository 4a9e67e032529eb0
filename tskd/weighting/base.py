"""What a multi-teacher weighting is."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tskd._settings import Described


@dataclass(frozen=True)
class Step:
    """What a weighting is told of a step.

    Attributes:
        forecasts: teachers' forecasts `[K, B, H, C]`, 0 where not valid.
        valid: `[K, B]`.
        student: the student's forecast `[B, H, C]`, detached.
        target: the labels `[B, H, C]`.
        keys: (series, origin) of the windows `[B, 2]`.
        epoch: epochs completed.
        covers: which steps each teacher forecasts `[K, H]`, or broadcastable to it.
    """

    forecasts: Tensor
    valid: Tensor
    student: Tensor
    target: Tensor
    keys: Tensor
    epoch: int
    covers: Tensor = field(default_factory=lambda: torch.ones(1, 1, dtype=torch.bool))


class Weighting(Described, nn.Module):
    """How far each of K teachers is followed.

    Weights are detached, at least float32, non-negative, and sum to one over the valid teachers of a window; where some
    teachers forecast only a part of the horizon, they do so at every step. Where there is no valid teacher they are 0.
    A method's state (scales, gates, meta-networks) is what its `state_dict` holds.
    """

    def __init__(self) -> None:
        super().__init__()

    def set_up(self, names: list[str]) -> None:
        """Learn the teachers' names, in order.

        Raises:
            ValueError: the weighting does not fit them.
        """

    def scores(self, step: Step) -> Tensor:
        """Non-negative preferences, `[K, B]` or broadcastable to `[K, B, H, C]`."""
        raise NotImplementedError

    def forward(self, step: Step) -> Tensor:
        """Weights of the shape of the scores."""
        with torch.no_grad():
            scores = self.scores(step)
            scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
            valid = step.valid
            if not bool(step.covers.all()):
                valid = valid[:, :, None] & step.covers[:, None]
                scores = scores.unsqueeze(-1) if scores.dim() == 2 else scores
            valid = valid.reshape(valid.shape + (1,) * (scores.dim() - valid.dim()))
            scores = scores.where(valid, 0)
            total = scores.sum(0, keepdim=True)
            even = valid / valid.sum(0, keepdim=True).clamp(min=1)
            # valid teachers that are all scored 0 share the window evenly
            return torch.where(total > 0, scores / total.where(total > 0, 1), even.to(scores.dtype))
