"""Several teachers of constant weights as one, where the student only takes squared errors to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tskd._core.window_keys import covered_steps
from tskd.teachers.outputs import FORECASTS, TeacherOutputs
from tskd.weighting import Step, Weighting

# of the blended forecasts, which are in memory
LARGEST = 2**30
# windows that are blended at once
PART = 128


@dataclass
class Blend:
    """What remains of the teachers: Σ_k w_k (s − t_k)² = (s − t̄)² + Σ_k w_k t_k² − t̄², with t̄ = Σ_k w_k t_k.

    Attributes:
        forecasts: t̄ of the windows `[M, H, C]`.
        scatter: Σ_k w_k t_k² − t̄², averaged over steps and components `[M]`.
        weights: of the teachers `[K]`.
    """

    forecasts: Tensor
    scatter: Tensor
    weights: Tensor

    @classmethod
    def of(cls, outputs: TeacherOutputs, weighting: Weighting) -> Blend | None:
        """The blend of outputs, or None where weights differ between windows, or it would be too large."""
        if not (weighting.constant and outputs.whole and outputs.fields):
            return None
        steps, size = outputs.like.shape[1], len(outputs.codes) * outputs.like.numel() * outputs.like.element_size()
        several = len(outputs.fields) > 1
        if several and size > LARGEST:
            return None
        weights = _constant_weights(weighting, outputs)
        teachers = [fields[FORECASTS][:, :steps] for fields in outputs.fields]
        if not several:
            return cls(teachers[0], weights.new_zeros(len(outputs.codes)), weights)
        return cls(*_blended(teachers, weights), weights)

    def take(self, rows: Tensor) -> Blend:
        """That of some windows, by their rows `[B]`."""
        return Blend(self.forecasts.index_select(0, rows), self.scatter.index_select(0, rows), self.weights)

    def to(self, device: torch.device) -> Blend:
        """That on a device."""
        return Blend(self.forecasts.to(device), self.scatter.to(device), self.weights.to(device))


def _constant_weights(weighting: Weighting, outputs: TeacherOutputs) -> Tensor:
    """The weights `[K]` that a weighting has for any window in which all teachers forecast every step."""
    forecasts = outputs.like.new_zeros(len(outputs.fields), *outputs.like.shape)
    valid = torch.ones(forecasts.shape[:2], dtype=torch.bool)
    covers = covered_steps(outputs.spans, forecasts.shape[2])
    key = torch.zeros(1, 2, dtype=torch.long)
    return weighting(Step(forecasts, valid, outputs.like, outputs.like, key, 0, covers))[:, 0]


def _blended(teachers: Sequence[Tensor], weights: Tensor) -> tuple[Tensor, Tensor]:
    """t̄ and its scatter for teachers `[M, H, C]` each."""
    blended, scatter = torch.empty_like(teachers[0]), weights.new_zeros(len(teachers[0]))
    shares = weights.tolist()
    for rows in torch.arange(len(blended)).split(PART):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        mean = blended[part].zero_()
        for own, share in zip(teachers, shares, strict=True):
            mean.add_(own[part], alpha=share)
        for own, share in zip(teachers, shares, strict=True):
            away = torch.linalg.vector_norm((own[part] - mean).flatten(1), dim=1)
            scatter[part] += share * away.square().to(scatter.dtype)
    return blended, scatter / blended[0].numel()
