"""Weights by the entropies of the teachers' forecasts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_bool, check_real
from tskd.weighting._aspect_errors import level_and_shape_squares, spread_divergence, unexplained
from tskd.weighting._calibration_errors import FLOOR, WINDOWS, Errors, calibration_errors, shrunk
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet, CalibrationWindows
from tskd.weighting.step_inputs import Step

DECOUPLED: tuple[Aspect, ...] = ("level", "shape", "spread")


def by_entropy(deviations: Tensor, valid: Tensor, power: float) -> Tensor:
    """exp(−power · log σ_k) `[K, …]`, relative to the smallest σ of a valid teacher.

    Args:
        deviations: σ `[K, …]`; a NaN counts as the teachers' geometric mean.
        valid: of the same shape.
        power: see `DEMKD`.
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
    """Weights by the entropies of the teachers' forecasts: w_k = softmax_k(−power · log σ_k) `[K, B, H, C]`.

    For regression after "Decoupled Multi-Teacher Knowledge Distillation Based on Entropy" (Cheng et al., ISCAS 2024;
    Mathematics 12(11), 2024; no official code), which weighs by entropies of class probabilities. A Gaussian's is
    log σ + const: only differences are free of units, hence the softmax. σ_k is the spread of the teacher's forecast,
    of a point forecast the root of its mean squared error on the calibration set, shrunk as in `InverseError`; where
    neither is known, the others' geometric mean.

    Args:
        power: how sharply weights fall with σ; 0 is uniform, 1 as published, 2 best for independent unbiased teachers.
        recalibrate: whether spreads are scaled, by step and component, to the errors on the calibration set.
        shrinkage: number of windows that weigh as much as the prior that all teachers are equally good.
        decoupled: whether the parts of a loss (published: target class and others) have weights of their own: level
            and shape of `LevelShapeKD`, with the errors of the horizon's mean and of the rest as σ²; mean and spread
            of `LikelihoodKD` between Gaussians, with the `spread_divergence` as σ² of the spread.
        features: whether `FeatureKD` (not of relations) has weights of its own `[K, B]`, with σ² the share of the
            variance of the teacher's features over the batch that the student's, projected, do not explain.

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
            check_bool(value, name)
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
    def varies(self) -> Variation:
        return "window"

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True, spread=True)

    @property
    def aspects(self) -> frozenset[Aspect]:
        own: tuple[Aspect, ...] = ("features",) if self.features else ()
        return frozenset(own + DECOUPLED) if self.decoupled else frozenset(own)

    def calibrate(self, calibration: CalibrationSet) -> None:
        errors = calibration_errors(calibration.chunks())
        squares = shrunk(errors.squares, errors.windows, self.shrinkage)
        factors = torch.ones_like(squares)
        if self.recalibrate:
            # without valid windows, spreads are taken as they are
            factors = (squares / errors.variances).sqrt().where(~squares.isnan(), 1)
        self.residuals, self.factors = squares.sqrt()[:, None].to(errors.dtype), factors[:, None].to(errors.dtype)
        if self.decoupled:
            self._calibrate_aspects(calibration, errors)

    def _calibrate_aspects(self, calibration: CalibrationSet, errors: Errors) -> None:
        level, shape = level_and_shape_squares(calibration.chunks())
        spread = spread_divergence(((chunk, self._mean(chunk)) for chunk in calibration.chunks()), errors.windows)
        for aspect, squares in zip(DECOUPLED, (level, shape, spread), strict=True):
            found = shrunk(squares, errors.windows, self.shrinkage).sqrt()
            setattr(self, aspect, found[:, None].to(errors.dtype))

    def _mean(self, chunk: CalibrationWindows) -> Tensor:
        """The teachers' forecasts combined with their weights `[m, H, C]`, in float64."""
        step = Step(
            chunk.forecasts,
            chunk.valid,
            chunk.target,
            chunk.target,
            chunk.keys,
            epoch=0,
            covers=chunk.covers,
            spread=chunk.spread,
        )
        usable = chunk.present[..., None]
        return (self(step).double() * chunk.forecasts.double().where(usable, 0)).sum(0)

    def scores(self, step: Step) -> Tensor:
        # one row for all windows, as long as no teacher has a spread and all are valid
        deviations = self.residuals.to(step.forecasts.device).expand(len(step.forecasts), -1, -1, -1)
        if step.spread is not None and not bool(step.spread.isnan().all()):
            predicted = step.spread * self.factors
            deviations = predicted.where(predicted.isfinite() & (predicted >= 0), deviations)
        if bool(step.valid.all()) and bool(step.covers.all()):
            return by_entropy(deviations, torch.ones_like(deviations, dtype=torch.bool), self.power)
        deviations = deviations.expand_as(step.forecasts)
        valid = step.present[..., None].expand_as(deviations)
        return by_entropy(deviations, valid, self.power)

    def scores_of(self, step: Step, aspect: Aspect) -> Tensor:
        if aspect == "features":
            assert step.features is not None
            deviations = unexplained(step.features, step.valid).sqrt()[:, None].expand(step.valid.shape)
            return by_entropy(deviations, step.valid, self.power)
        deviations = getattr(self, aspect).to(step.forecasts.device).expand_as(step.forecasts)
        valid = step.present[..., None].expand_as(deviations)
        return by_entropy(deviations, valid, self.power)
