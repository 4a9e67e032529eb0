"""The base class of multi-teacher weightings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tskd._core.aspects import Aspect
from tskd._core.object_spec import Described
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step_inputs import MetaStep, Step

Variation = Literal["never", "window", "epoch", "step"]


@dataclass(frozen=True)
class WeightingNeeds:
    """What a weighting needs beside the forecasts and labels of a step.

    Attributes:
        calibration: whether it compares teachers on a `CalibrationSet`, before the training and before every epoch.
        spread: whether it reads the standard deviation of the teachers' forecasts in every step.
        gram: whose gradients' inner products it reads in every step: the student's last linear layers' or all its
            trainable parameters'; None for neither.
        linear_probe: whether, for the aspect `"features"`, it reads forecasts of the teachers' linear probes.
        meta_step_every: number of training steps from one `MetaStep` to the next; 0 for none.
        validation: whether it cannot do without a validation part.
    """

    calibration: bool = False
    spread: bool = False
    gram: Literal["head", "parameters"] | None = None
    linear_probe: bool = False
    meta_step_every: int = 0
    validation: bool = False


class Weighting(Described, nn.Module, ABC):
    """Weights of K teachers in every window, optionally at every step and in every component.

    Weights are detached, at least float32, non-negative, and sum to one over the valid teachers of a window; where some
    teachers forecast only a part of the horizon, they do so at every step. Without a valid teacher they are 0.

    A weighting keeps its state (scales, gates, meta-networks) in its `state_dict`. Calibrated state has the shape of
    the teachers, steps and components of its calibration set: a fresh weighting must be set up and calibrated on one of
    the same shape before it can load such a state, as a resumed training does.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        # how a parent's weights vary says nothing of others
        if "varies" not in own and not {"scores", "forward", "start_epoch", "meta_update"}.isdisjoint(own):
            cls.varies = Weighting.varies  # type: ignore[method-assign]

    def __init__(self) -> None:
        super().__init__()
        self._trust: tuple[float, ...] | None = None

    @property
    def needs(self) -> WeightingNeeds:
        """What it needs beside the forecasts and labels of a step."""
        return WeightingNeeds()

    @property
    def aspects(self) -> frozenset[Aspect]:
        """Aspects for which teachers have weights of their own; for others they have those of their forecasts.

        A fit raises a ValueError if `"features"` is among them and no loss has it, or if others are and no loss has any
        of these.
        """
        return frozenset()

    @property
    def varies(self) -> Variation:
        """How the weights vary, once calibrated, where all teachers have forecasts and labels are there: `"never"`;
        by `"window"`, with its forecasts and labels alone; also by `"epoch"`; or by `"step"`, with the batch or what
        the student forecasts."""
        return "step"

    def set_up(self, names: list[str]) -> None:
        """Take the `names` of the teachers, in order, before anything else.

        Raises:
            ValueError: the weighting does not fit them.
        """

    def set_trust(self, trust: Sequence[float] | None) -> None:
        """Multiply the weights by the `trust` in each teacher, before they are normalised; None for no factors."""
        self._trust = None if trust is None else tuple(trust)

    def calibrate(self, calibration: CalibrationSet) -> None:
        """Compare the teachers with the labels of the `calibration` set, once before the training."""

    def start_epoch(self, epoch: int, calibration: CalibrationSet) -> None:
        """Compare the student with the labels of the `calibration` set, before every `epoch` in which teachers have a
        share."""

    def meta_update(self, meta_step: MetaStep) -> None:
        """Update the weighting's own parameters by a `meta_step`, before the weights of the step are computed."""

    @abstractmethod
    def scores(self, step: Step) -> Tensor:
        """Non-negative scores of a `step` `[K, B]`, or broadcastable to `[K, B, H, C]`; weights are their shares."""

    def scores_of(self, step: Step, aspect: Aspect) -> Tensor:
        """Scores `[K, B]` or broadcastable, of a `step` for an `aspect`; NotImplementedError unless it is in `aspects`.

        Called only in steps in which a loss has a value for the aspect. Ranks without valid windows skip this, so no
        collective may run: here `step.context` is that of a single process, without `gram`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores for {aspect!r}")

    def forward(self, step: Step) -> Tensor:
        """Weights of a `step`, of the shape of the scores."""
        with torch.no_grad():
            return self._shares(self.scores(step), step)

    def weights_of(self, step: Step, aspect: Aspect) -> Tensor:
        """Weights of a `step` for an `aspect`, of the shape of its scores; for one that is not among `aspects`, those
        of the forecasts."""
        if aspect not in self.aspects:
            return self(step)
        with torch.no_grad():
            return self._shares(self.scores_of(step, aspect), step)

    def _shares(self, scores: Tensor, step: Step) -> Tensor:
        weights = _shares(scores, step)
        if self._trust is None:
            return weights
        trust = weights.new_tensor(self._trust)
        # shares again, so that teachers without a score keep none
        return _shares(weights * trust.reshape(-1, *[1] * (weights.dim() - 1)), step)


def _shares(scores: Tensor, step: Step) -> Tensor:
    """Scores as shares of the valid teachers; equal shares where all their scores are 0."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if step.whole or (bool(step.valid.all()) and bool(step.covers.all())):
        # as below, but with one row for all windows where the scores have one
        scores = scores.expand(len(step.valid), *scores.shape[1:])
        total = scores.sum(0, keepdim=True)
        weights = torch.where(total > 0, scores / total, 1 / len(scores))
        return weights.expand(*step.valid.shape, *scores.shape[2:])
    valid = step.valid
    if not bool(step.covers.all()):
        valid = step.present
        scores = scores.unsqueeze(-1) if scores.dim() == 2 else scores
    valid = valid.reshape(valid.shape + (1,) * (scores.dim() - valid.dim()))
    scores = scores.where(valid, 0)
    total = scores.sum(0, keepdim=True)
    even = valid.to(scores.dtype) / valid.sum(0, keepdim=True).clamp(min=1)
    return torch.where(total > 0, scores / total.where(total > 0, 1), even)
