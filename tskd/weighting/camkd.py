"""Teachers weighted window by window, by how near they are to the label."""

from __future__ import annotations

import math
import warnings
from typing import Literal, get_args

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_real
from tskd.weighting._calibration_errors import FLOOR
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step import Step

Mode = Literal["paper", "softmin"]
Granularity = Literal["sample", "horizon"]
Confidence = Literal["error", "likelihood"]

# of a claimed variance, in units of the teachers' mean squared error: none is believed to be surer
LEAST_VARIANCE = 1e-6
# r·τ of a teacher that is off by, and claims to be off by, the typical error
AVERAGE: dict[Confidence, float] = {"error": 1, "likelihood": 0.5}


def mean_errors(calibration: CalibrationSet) -> Tensor:
    """Mean squared error of each teacher by step and component `[K, H, C]`; NaN of one that is valid nowhere."""
    sums, counts = [], []
    dtype = torch.float32
    for judged in calibration.chunks():
        errors = (judged.forecasts.double() - judged.target.double()).square()
        sums.append(errors.where(judged.valid[:, :, None, None], 0).sum(1))
        counts.append(judged.valid.sum(1))
        dtype = torch.promote_types(judged.forecasts.dtype, dtype)
    return (torch.stack(sums).sum(0) / torch.stack(counts).sum(0)[:, None, None]).to(dtype)


def typical_error(errors: Tensor, covers: Tensor) -> Tensor:
    """Mean `[H, C]` of the teachers' `[K, H, C]`, over those that forecast the step; NaN where there is none, and where
    all are exact, to within rounding of what they are off by at the component's other steps."""
    seen = errors.isfinite() & covers[:, :, None]
    found = errors.where(seen, 0).sum(0) / seen.sum(0)
    return found.where(found > FLOOR * found.nanmean(0), torch.nan)


def relative_errors(step: Step, forecasts: Tensor) -> Tensor:
    """Squared errors `[K, B, H, C]` over their mean in the batch, by step and component; NaN where that is 0."""
    forecasts = forecasts.to(torch.promote_types(forecasts.dtype, torch.float32))
    errors = (forecasts - step.target).square()
    present = (step.valid[:, :, None] & step.covers[:, None])[..., None].expand(errors.shape)
    return errors / (errors.where(present, 0).sum((0, 1)) / present.sum((0, 1)))


def negative_log_likelihood(errors: Tensor, variance: Tensor) -> Tensor:
    """Of Gaussian forecasts, without its constant; squared errors and variances over the typical squared error."""
    variance = variance.clamp(min=LEAST_VARIANCE)
    return (variance.log() + errors / variance) / 2


def confidence_weights(losses: Tensor, valid: Tensor, mode: Mode) -> Tensor:
    """(1 − softmax(r))/(K − 1) or softmax(−r) over the K valid teachers, up to a factor; 0 where K = 1 in the first."""
    losses = losses.where(valid, -math.inf if mode == "paper" else math.inf)
    if mode == "softmin":
        return torch.softmax(-losses, 0).nan_to_num(0)
    return 1 - torch.softmax(losses, 0).nan_to_num(0)


class CAMKD(Weighting):
    """The nearer a teacher is to the label of a window, the more it counts there.

    Zhang, Chen and Wang (2022, ICASSP, arXiv:2201.00007, "Confidence-aware multi-teacher knowledge distillation"): w_k
    = (1 − softmax(L)_k)/(K − 1), L_k the cross-entropy of teacher k with the label; none has more than 1/(K − 1). That
    is the form for outputs, which serves all losses. With `features`, hidden layers have the published form of their
    own: L_k is that of the student's features, passed through the last layers of teacher k, with the label, and the
    weights are those of the loss that compares the features (`FeatureKD`, not of relations).

    Here r_k = e_k/(τ·s) takes the place of L_k: e_k is the squared error of the teacher in the window, s the mean
    squared error of all teachers over the evidence, so that weights have no units; every step and component is divided
    by its own s before the mean over the window. So r is 1/τ on average, whatever the teachers are worth: τ = 1 sees
    that a teacher is several times worse than usual, and little between teachers that are about equally good. A teacher
    that is bad everywhere raises s too: of K teachers its r is K/τ at most on average, and it keeps a few percent
    unless τ is smaller. Steps and components in which all teachers are exact over the evidence are left out: the first
    error there would outweigh all others. Where teachers know the training windows by heart, and others are held out, r
    is small and weights are flat: of their confidence there, little is to be believed.

    For features, e_k is the squared error of what the teacher's last layers make of the student's projected features,
    and s the mean of these errors over the teachers and windows of the batch (of several processes, each its own part
    of it), since they fall as the student learns. A darts network's last layers cannot be run on a feature alone, whose
    further inputs (the scale of the window, covariates) are gone: they are found by least squares, as the affine map of
    the teacher's features to its forecasts over up to 4,096 windows of the training part. That is exact where linear
    layers alone follow and there are clearly more windows than units. If, for one of the teachers, it explains less
    than 90 % of the forecasts' variance in windows that are held apart, the weights of the forecasts are used, and the
    log says so: confidences of two kinds do not compare.

    With `confidence="likelihood"`, r_k is the negative log-likelihood of the label over τ, the teacher's forecast a
    Gaussian of its own spread; that of a teacher of point forecasts is its error over the evidence, or an average
    teacher's if it has not been judged. A teacher that claims to be sure and is wrong is then followed least.

    One weight a teacher and window. One a step and component, `granularity="horizon"`, leaks the noise of the labels:
    the teacher that happens to agree with the noise is followed. It trusts labels: what a privileged teacher knows of
    the noise makes it look confident. Asks for `CalibrationSet`, and the spread where the likelihood is used. Where no
    teacher has been judged, weights are even.

    Args:
        mode: `"paper"`, as above; `"softmin"`: softmax(−r). The same for two teachers.
        temperature: τ, above 0; the smaller, the harder the choice.
        granularity: `"sample"` or `"horizon"`.
        confidence: `"error"` or `"likelihood"`, of forecasts; features have no spread, and are judged by errors.
        features: whether hidden layers have weights of their own.

    Raises:
        ValueError: an argument out of its range.
        TypeError: features is not a bool.
    """

    errors: Tensor

    def __init__(
        self,
        mode: Mode = "paper",
        temperature: float = 1.0,
        granularity: Granularity = "sample",
        confidence: Confidence = "error",
        features: bool = False,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("mode", mode, get_args(Mode)),
            ("granularity", granularity, get_args(Granularity)),
            ("confidence", confidence, get_args(Confidence)),
        ):
            if value not in allowed:
                raise ValueError(f"{name}={value!r}: give {' or '.join(map(repr, allowed))}")
        check_real(temperature, 0, math.inf, "temperature", "a finite number above 0")
        if not temperature:
            raise ValueError(f"temperature={temperature!r}: give a finite number above 0")
        if not isinstance(features, bool):
            raise TypeError(f"features={features!r}: give True or False")
        if granularity == "horizon":
            warnings.warn(
                "granularity='horizon' leaks the noise of the labels: teachers that are equally good make a target "
                "farther from the truth than their mean; 'sample' does not",
                stacklevel=2,
            )
        self.mode: Mode = mode
        self.temperature = temperature
        self.granularity: Granularity = granularity
        self.confidence: Confidence = confidence
        self.features = features
        # mean squared error of each teacher over the evidence [K, H, C]
        self.register_buffer("errors", torch.full((1, 1, 1), torch.nan))

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True, spread=self.confidence == "likelihood", linear_probe=self.features)

    @property
    def aspects(self) -> frozenset[Aspect]:
        return frozenset(("features",)) if self.features else frozenset()

    def calibrate(self, calibration: CalibrationSet) -> None:
        self.errors = mean_errors(calibration).to(self.errors.device)

    def scores(self, step: Step) -> Tensor:
        return self._scores(self._losses(step), step, AVERAGE[self.confidence])

    def scores_of(self, step: Step, aspect: Aspect) -> Tensor:
        assert step.features is not None
        if step.features.probe_forecasts is None:
            return self.scores(step)
        return self._scores(relative_errors(step, step.features.probe_forecasts), step, AVERAGE["error"])

    def _scores(self, losses: Tensor, step: Step, average: float) -> Tensor:
        present = (step.valid[:, :, None] & step.covers[:, None])[..., None].expand(step.forecasts.shape)
        losses = losses.where(present, torch.nan)
        if self.granularity == "sample":
            losses, present = losses.flatten(2).nanmean(2), step.valid
        limit = torch.finfo(losses.dtype).max
        # nothing is known of the steps: as of an average teacher
        losses = (losses / self.temperature).nan_to_num(nan=average / self.temperature, posinf=limit, neginf=-limit)
        return confidence_weights(losses, present, self.mode)

    def _losses(self, step: Step) -> Tensor:
        """r·τ by step and component `[K, B, H, C]`; NaN where no teacher has been judged, or all are exact."""
        scale = typical_error(self.errors, step.covers)
        forecasts = step.forecasts.to(torch.promote_types(step.forecasts.dtype, torch.float32))
        errors = (forecasts - step.target).square() / scale
        if self.confidence == "error":
            return errors
        assert step.spread is not None
        claimed = step.spread.to(errors).square() / scale
        usual = (self.errors / scale).nan_to_num(nan=1)[:, None]
        claimed = torch.where(claimed.isnan(), usual, claimed)
        return negative_log_likelihood(errors, claimed)
