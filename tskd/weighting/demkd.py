"""Weights by how sure the teachers are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd.weighting._aspect_errors import level_and_shape_squares, spread_divergence, unexplained
from tskd.weighting._calibration_errors import FLOOR, WINDOWS, Errors, believed, judged_errors
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet, CalibrationWindows
from tskd.weighting.step import Step

DECOUPLED: tuple[Aspect, ...] = ("level", "shape", "spread")


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

    `decoupled`: a loss of two parts has two sets of weights, each inverse to what the teacher's variance is in that
    part. The published two are those of the target class and of the others; here:

    - Level and shape (`LevelShapeKD`): σ² is the mean squared error on the windows it is judged by of the mean over the
      horizon, or of what is left without it; one weight a component for the whole shape, which is no longer one where
      its steps are mixed unequally. Where some teachers forecast a part of the horizon, those that forecast a step are
      compared, there, on the steps that all of them forecast: a full teacher's late steps do not count against it
      beside one that has none.
    - Mean and spread (`LikelihoodKD` between Gaussians): the mean has the weights above. For the spread, σ² is what
      log σ_k is off by, in the mean square: as log(error²) is too noisy to show it, it is read from the divergence,
      D_k = E[½(z² − 1 − log z²)] − 0.635, z = (y − m)/σ_k. That is the spread part of the loss, at its
      temperature 1, between the real distribution and the claimed one: 0 for one that is right, b² + τ² to second order
      if log σ_k is off by b on average and τ at random. m is the combination of the teachers' means with their own
      weights, not the teacher's mean: the spread that the student needs is that of labels about what it will itself
      say, and a teacher whose mean is poor may know it. Claims are taken as they are: with another temperature T the
      loss teaches T·σ_k, and the weights, which do not know of it, are still by how far σ_k is off. The constant is
      exact for Gaussian errors; where they have heavier tails, D is too large for all, and weights are flatter. No D is
      believed to be less than its standard error for a right claim, .857/√n.

    `features`: the term of hidden layers (`FeatureKD`) has weights of its own, one a teacher and batch (of several
    processes, each its own part of it): σ² is the share of the variance of the teacher's features over the batch that
    the student's, projected, leave unexplained: Σ residual² over Σ deviation² from the mean of the batch, both over
    positions and units. Features with what the student cannot know leave more of it. For relations of features, and
    all other losses, weights are those of the forecasts.

    Judges teachers once, before the training; wants the spread of the forecasts. Weights per window, step and component
    `[K, B, H, C]`.

    Args:
        power: how sharply weights fall with σ; 0 is uniform.
        recalibrate: whether claims are checked against errors.
        shrinkage: as many windows weigh as much as the belief that all are equally good.
        decoupled: whether level and shape, or mean and spread, have weights of their own.
        features: whether hidden layers have.

    Raises:
        ValueError: power or shrinkage is negative or not a finite number.
        TypeError: recalibrate, decoupled or features is not a bool.
    """

    residuals: Tensor
    factors: Tensor

    def __init__(
        self,
        power: float = 2.0,
        recalibrate: bool = True,
        shrinkage: float = 8.0,
        decoupled: bool = False,
        features: bool = False,
    ) -> None:
        super().__init__()
        check_real(power, 0, math.inf, "power", "a finite number, 0 or more")
        check_real(shrinkage, 0, math.inf, "shrinkage", WINDOWS)
        for name, value in (("recalibrate", recalibrate), ("decoupled", decoupled), ("features", features)):
            if not isinstance(value, bool):
                raise TypeError(f"{name}={value!r}: give True or False")
        self.power = power
        self.recalibrate = recalibrate
        self.shrinkage = shrinkage
        self.decoupled = decoupled
        self.features = features
        self.register_buffer("residuals", torch.full((1, 1, 1, 1), torch.nan))
        self.register_buffer("factors", torch.ones(1, 1, 1, 1))
        # σ of each aspect [K, 1, H, C]
        for aspect in DECOUPLED if decoupled else ():
            self.register_buffer(aspect, torch.full((1, 1, 1, 1), torch.nan))

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True, spread=True)

    @property
    def aspects(self) -> frozenset[Aspect]:
        own: tuple[Aspect, ...] = ("features",) if self.features else ()
        return frozenset(own + DECOUPLED) if self.decoupled else frozenset(own)

    def calibrate(self, calibration: CalibrationSet) -> None:
        errors = judged_errors(calibration.chunks())
        squares = believed(errors.squares, errors.windows, self.shrinkage)
        factors = torch.ones_like(squares)
        if self.recalibrate:
            # where no teacher could be judged, claims are taken as they are
            factors = (squares / errors.claims).sqrt().where(~squares.isnan(), 1)
        self.residuals, self.factors = squares.sqrt()[:, None].to(errors.dtype), factors[:, None].to(errors.dtype)
        if self.decoupled:
            self._learn_aspects(calibration, errors)

    def _learn_aspects(self, calibration: CalibrationSet, errors: Errors) -> None:
        level, shape = level_and_shape_squares(calibration.chunks())
        spread = spread_divergence(((chunk, self._mean(chunk)) for chunk in calibration.chunks()), errors.windows)
        for aspect, squares in zip(DECOUPLED, (level, shape, spread), strict=True):
            found = believed(squares, errors.windows, self.shrinkage).sqrt()
            setattr(self, aspect, found[:, None].to(errors.dtype))

    def _mean(self, judged: CalibrationWindows) -> Tensor:
        """The teachers' forecasts combined with their weights `[m, H, C]`, in float64."""
        step = Step(
            judged.forecasts,
            judged.valid,
            judged.target,
            judged.target,
            judged.keys,
            epoch=0,
            covers=judged.covers,
            spread=judged.spread,
        )
        usable = judged.valid[:, :, None, None] & judged.covers[:, None, :, None]
        return (self(step).double() * judged.forecasts.double().where(usable, 0)).sum(0)

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

    def scores_of(self, step: Step, aspect: Aspect) -> Tensor:
        if aspect == "features":
            assert step.features is not None
            deviations = unexplained(step.features, step.valid).sqrt()[:, None].expand(step.valid.shape)
            return by_entropy(deviations, step.valid, self.power)
        deviations = getattr(self, aspect).to(step.forecasts.device).expand_as(step.forecasts)
        valid = (step.valid[:, :, None, None] & step.covers[:, None, :, None]).expand_as(deviations)
        return by_entropy(deviations, valid, self.power)
