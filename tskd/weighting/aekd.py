"""Weights for which the teachers' gradients agree."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from tskd._core.checks import check_real, check_whole, is_choice
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.capped_simplex import shortest
from tskd.weighting.step_inputs import Step

Space = Literal["output", "head", "parameters"]


def output_gradients(step: Step) -> Tensor:
    """Student minus teacher `[K, B, H, C]`, in float64.

    Where a teacher has no forecast, the mean of those that have one takes its place, so that its share goes to them. A
    0 would shorten the vector of a teacher that is often absent, and so enlarge its share.
    """
    if step.whole or (bool(step.valid.all()) and bool(step.covers.all())):
        dtype = torch.promote_types(step.forecasts.dtype, torch.float32)
        return (step.student.to(dtype) - step.forecasts).double()
    present = step.present[..., None]
    forecasts, student = step.forecasts.double().where(present, 0), step.student.double()
    count = present.sum(0)
    stand_in = torch.where(count > 0, forecasts.sum(0) / count.clamp(min=1), student)
    return student - torch.where(present, forecasts, stand_in)


class AEKD(Weighting):
    """Weights with which the teachers' gradients add up to the shortest vector.

    Du et al. (2020, NeurIPS, "Agree to Disagree: Adaptive Ensemble Knowledge Distillation in Gradient Space"):
    min over α of ½‖Σ α_k g_k‖² with Σ α_k = 1 and 0 ≤ α_k ≤ C, g_k the gradient of the student's divergence from
    teacher k. C = 1 is the multiple-gradient descent algorithm, C = 1/K is `Uniform`.

    For regression g_k is the gradient of half the squared error over the batch of all processes, whatever the losses
    are: s − t_k with respect to the forecast. The published solver stops at an absolute tolerance, which small
    gradients meet at its start; here the problem is normalised and solved exactly. A teacher counts as the mean of
    the others in windows where it is not valid and at steps that it does not forecast. Weights `[K, B]`, one a batch.

    It follows the teachers nearest to the student: with C = 1, and no labels in the loss, a student that starts near a
    useless teacher, such as a constant 0, stays there. Labels, a warm-up or a smaller C help.

    Args:
        cap: C, largest weight of a teacher, above 0 and up to 1; exceeded in windows that some teachers lack.
        warm_up: epochs with even weights before.
        space: with respect to what gradients are taken: the forecast (`"output"`), the student's last linear layers
            (`"head"`), or all trainable parameters (`"parameters"`, at the cost of a backward pass a teacher).

    Raises:
        ValueError: an argument out of its range; (at the start of fit) `"head"` for a student without a linear layer.
    """

    def __init__(self, cap: float = 0.6, warm_up: int = 0, space: Space = "output") -> None:
        super().__init__()
        check_real(cap, 0, 1, "cap", "a number above 0 and up to 1")
        if not cap:
            raise ValueError(f"cap={cap!r}: give a number above 0 and up to 1")
        check_whole(warm_up, 0, "warm_up", "a number of epochs")
        if not is_choice(space, get_args(Space)):
            raise ValueError(f"space={space!r}: give one of {', '.join(map(repr, get_args(Space)))}")
        self.cap = cap
        self.warm_up = warm_up
        self.space: Space = space

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(gram=None if self.space == "output" else self.space)

    def scores(self, step: Step) -> Tensor:
        dtype = torch.promote_types(step.forecasts.dtype, torch.float32)
        if step.epoch < self.warm_up:
            return step.valid.to(dtype)
        gradients = output_gradients(step)
        if step.whole:
            return self._shortest(step, gradients, dtype)[:, None]
        known = step.context.mean_over_ranks(step.valid.any(1).to(dtype)) > 0
        if not bool(known.any()):
            return step.valid.to(dtype)
        shares = self._shortest(step, gradients if bool(known.all()) else gradients[known], dtype)
        return shares.new_zeros(len(known)).masked_scatter(known, shares)[:, None].expand(step.valid.shape)

    def _shortest(self, step: Step, gradients: Tensor, dtype: torch.dtype) -> Tensor:
        """The shares `[n]` of teachers with gradients `[n, B, H, C]`."""
        found = shortest(self._gram(step, gradients).cpu().numpy(), self.cap)
        return torch.as_tensor(found, dtype=dtype, device=step.forecasts.device)

    def _gram(self, step: Step, gradients: Tensor) -> Tensor:
        """Inner products of the gradients in their space, from those with respect to the forecast `[n, B, H, C]`."""
        if self.space == "output":
            vectors = gradients.flatten(1)
            # windows of other processes are dimensions of their own
            return step.context.mean_over_ranks(vectors @ vectors.T)
        assert step.context.gram is not None
        return step.context.gram(gradients)
