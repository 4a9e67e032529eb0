"""Weights in each window by how close the teachers are to the label."""

from __future__ import annotations

import math
import warnings
from typing import Literal, get_args

import torch
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.checks import check_bool, check_positive, is_choice
from tskd.weighting._calibration_errors import FLOOR, mean_of_known
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step_inputs import Step, with_labels

Mode = Literal["paper", "softmin"]
Granularity = Literal["sample", "horizon"]
Confidence = Literal["error", "likelihood"]

# lower limit of predicted variances, in units of the teachers' mean squared error
LEAST_VARIANCE = 1e-6
# r·τ of a teacher whose error, and predicted spread, are the typical error
AVERAGE: dict[Confidence, float] = {"error": 1, "likelihood": 0.5}


def mean_errors(calibration: CalibrationSet) -> Tensor:
    """Mean squared error of each teacher by step and component `[K, H, C]`; NaN where it is valid nowhere, or no label
    exists."""
    sums, counts = [], []
    dtype = torch.float32
    for chunk in calibration.chunks():
        errors = (chunk.forecasts.double() - chunk.target.double()).square_()
        valid = with_labels(chunk.valid[:, :, None, None], chunk.labelled)
        sums.append((errors if bool(valid.all()) else errors.where(valid, 0)).sum(1))
        counts.append(valid.sum(1))
        dtype = torch.promote_types(chunk.forecasts.dtype, dtype)
    return (torch.stack(sums).sum(0) / torch.stack(counts).sum(0)).to(dtype)


def typical_error(errors: Tensor, covers: Tensor) -> Tensor:
    """Mean `[H, C]` of the teachers' `[K, H, C]`, over those that forecast the step.

    It is NaN where there is none, and where all are exact, to within rounding of their errors at the component's other
    steps.
    """
    seen = errors.isfinite() & covers[:, :, None]
    found = errors.where(seen, 0).sum(0) / seen.sum(0)
    return found.where(found > FLOOR * found.nanmean(0), torch.nan)


def relative_errors(step: Step, forecasts: Tensor) -> Tensor:
    """Squared errors `[K, B, H, C]` over their mean in the batch, by step and component; NaN where that is 0."""
    forecasts = forecasts.to(torch.promote_types(forecasts.dtype, torch.float32))
    errors = (forecasts - step.target).square()
    present = step.comparable
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
    """Weights in each window by how close the teachers' forecasts are to the label.

    Zhang, Chen and Wang (2022, ICASSP, arXiv:2201.00007): w_k = (1 − softmax(r)_k)/(K − 1), at most 1/(K − 1), with
    r_k the cross-entropy of teacher k. For regression r_k = e_k/(τ·s), free of units: e_k is the teacher's squared
    error in the window, s the teachers' mean squared error on the calibration set, by step and component; where that
    is 0, the step is left out. τ = 1 tells apart teachers whose errors differ several times over. Weights `[K, B]`.

    It trusts labels: a teacher that was fitted on the training windows, or whose privileged information holds the
    labels' noise, looks confident there. Uncalibrated, weights are even.

    Args:
        mode: `"paper"`, as above; `"softmin"`: softmax(−r). The same for two teachers.
        temperature: τ, above 0; the smaller, the harder the choice.
        granularity: `"sample"`; `"horizon"` for weights by step and component, which leak the labels' noise.
        confidence: `"error"`, or `"likelihood"`: r_k is the Gaussian negative log-likelihood of the label under the
            teacher's own spread, over τ, with its calibration error as the variance of point forecasts.
        features: whether `FeatureKD` (not of relations) has weights of its own: e_k is then, as published, the error
            of teacher k's last layers (here its linear probe) on the student's projected features, s a mean over the
            batch. If a probe explains less than 90 %, the weights of the forecasts are used, with a warning.

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
            if not is_choice(value, allowed):
                raise ValueError(f"{name}={value!r}: give {' or '.join(map(repr, allowed))}")
        check_positive(temperature, "temperature")
        check_bool(features, "features")
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
        # mean squared error of each teacher on the calibration set [K, H, C]
        self.register_buffer("errors", torch.full((1, 1, 1), torch.nan))

    @property
    def varies(self) -> Variation:
        return "window"

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
        present = step.present[..., None].expand(step.forecasts.shape)
        if not step.whole or step.labelled is not None:
            losses = losses.where(step.comparable, torch.nan)
        if self.granularity == "sample":
            losses, present = mean_of_known(losses.flatten(2), 2), step.valid
        limit = torch.finfo(losses.dtype).max
        # without a typical error, or a label, as for an average teacher
        losses = (losses / self.temperature).nan_to_num(nan=average / self.temperature, posinf=limit, neginf=-limit)
        return confidence_weights(losses, present, self.mode)

    def _losses(self, step: Step) -> Tensor:
        """r·τ by step and component `[K, B, H, C]`; NaN where uncalibrated, or where all are exact."""
        scale = typical_error(self.errors, step.covers)
        forecasts = step.forecasts.to(torch.promote_types(step.forecasts.dtype, torch.float32))
        errors = (forecasts - step.target).square_().div_(scale)
        if self.confidence == "error":
            return errors
        assert step.spread is not None
        predicted = step.spread.to(errors).square() / scale
        usual = (self.errors / scale).nan_to_num(nan=1)[:, None]
        predicted = torch.where(predicted.isnan(), usual, predicted)
        return negative_log_likelihood(errors, predicted)
