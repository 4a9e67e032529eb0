"""Weights by how sure the teachers are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd.checks import refuse_not_real
from tskd.weighting._errors import FLOOR, WINDOWS, believed, judged_errors
from tskd.weighting.base import Evidence, Step, Weighting


def by_entropy(deviations: Tensor, valid: Tensor, power: float) -> Tensor:
    """exp(−power · log σ_k) `[K, …]`, relative to the surest valid teacher's.

    Args:
        deviations: σ `[K, …]`; where it is NaN the teacher counts as an average one.
        valid: of the same shape.
    """
    known = valid & deviations.isfinite()
    if bool(known.all()):
        top = deviations.amax(0)
        logs = (deviations / top).clamp(min=math.sqrt(FLOOR)).log().where(top > 0, 0)
        return (-power * (logs - logs.amin(0))).exp()
    top = deviations.where(known, 0).amax(0)
    logs = (deviations / top).clamp(min=math.sqrt(FLOOR)).log().where(known & (top > 0), 0)
    mean = logs.sum(0) / known.sum(0).clamp(min=1)
    logs = logs.where(known, mean)
    return (-power * (logs - logs.amin(0))).exp().where(valid, 0)


class DEMKD(Weighting):
    """The surer a teacher is of a value, the more it is followed there: w_k = softmax_k(−power · log σ_k).

    An interpretation, for regression, of "Decoupled Multi-Teacher Knowledge Distillation Based on Entropy" (Cheng,
    Tang, Zhang, Yu, Jiang and Zhou, ISCAS 2024; Cheng, Zhang, Weng, Yu and Zhou, Mathematics 12(11), 2024), of which
    there is no official code. Published for classification: teachers weighed by the entropies of their predicted
    classes, in a loss decoupled into target class and others. A normal distribution has the entropy log σ + const,
    which may be negative and moves with the units: ratios of entropies mean nothing, differences are free of units,
    hence the softmax. power=2 gives weights 1/σ², the best unbiased combination of independent forecasts; power=1 is
    the softmax of the entropies themselves.

    σ_k is the spread of the teacher's forecast where it forecasts a distribution; else the root of its mean squared
    error on the windows it is judged by, per step and component, with `InverseError`'s shrinkage (for point forecasts
    and power=2, it is `InverseError`). A teacher may be confident but wrong: with `recalibrate` its spread is
    multiplied by a factor per step and component, so that on these windows its mean σ² is its mean squared error,
    shrunk alike; one that claims σ = 0 in all of them is given its errors' σ. Of a teacher of which neither is known, σ
    is the others' geometric mean.

    Not in it: the decoupled form (weights for mean and spread, or for level and shape), two sets of weights for two
    parts of a loss, while a weighting gives one and does not know which loss it weighs; and weights by features.

    Judges teachers once, before the training; wants the spread of the forecasts. Weights per window, step and component
    `[K, B, H, C]`.

    Args:
        power: how sharply weights fall with σ; 0 is uniform.
        recalibrate: whether claims are checked against errors.
        shrinkage: as many windows weigh as much as the belief that all are equally good.

    Raises:
        ValueError: power or shrinkage is negative or not a finite number.
        TypeError: recalibrate is not a bool.
    """

    judges = True
    uses_spread = True
    residuals: Tensor
    factors: Tensor

    def __init__(self, power: float = 2.0, recalibrate: bool = True, shrinkage: float = 8.0) -> None:
        super().__init__()
        refuse_not_real(power, 0, math.inf, "power", "a finite number, 0 or more")
        refuse_not_real(shrinkage, 0, math.inf, "shrinkage", WINDOWS)
        if not isinstance(recalibrate, bool):
            raise TypeError(f"recalibrate={recalibrate!r}: give True or False")
        self.power = power
        self.recalibrate = recalibrate
        self.shrinkage = shrinkage
        self.register_buffer("residuals", torch.full((1, 1, 1, 1), torch.nan))
        self.register_buffer("factors", torch.ones(1, 1, 1, 1))

    def learn(self, evidence: Evidence) -> None:
        errors = judged_errors(evidence.chunks())
        squares = believed(errors.squares, errors.windows, self.shrinkage)
        factors = torch.ones_like(squares)
        if self.recalibrate:
            # where no teacher could be judged, claims are taken as they are
            factors = (squares / errors.claims).sqrt().where(~squares.isnan(), 1)
        self.residuals, self.factors = squares.sqrt()[:, None].to(errors.dtype), factors[:, None].to(errors.dtype)

    def scores(self, step: Step) -> Tensor:
        # one row for all windows, as long as no teacher claims anything and all are valid
        deviations = self.residuals.to(step.forecasts.device).expand(len(step.forecasts), -1, -1, -1)
        if step.spread is not None and not bool(step.spread.isnan().all()):
            claimed = step.spread * self.factors
            deviations = claimed.where(claimed.isfinite() & (claimed >= 0), deviations)
        if bool(step.valid.all()) and bool(step.covers.all()):
            return by_entropy(deviations, torch.ones_like(deviations, dtype=torch.bool), self.power)
        deviations = deviations.expand_as(step.forecasts)
        valid = (step.valid[:, :, None, None] & step.covers[:, None, :, None]).expand_as(deviations)
        return by_entropy(deviations, valid, self.power)
