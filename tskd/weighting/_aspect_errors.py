"""Errors of the teachers in one aspect: level or shape of a forecast, its spread, or features."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tskd.weighting._calibration_errors import FLOOR
from tskd.weighting.calibration_set import CalibrationWindows
from tskd.weighting.step_inputs import StepFeatures, with_labels

# mean ½(γ + log 2) and standard deviation of ½(z² − 1 − log z²) for a standard normal z
EXPECTED_DIVERGENCE = 0.5 * (0.5772156649015329 + math.log(2))
DIVERGENCE_DEVIATION = math.sqrt(math.pi**2 / 2 - 2) / 2
# largest z²: that of a spread of a thousandth of the error
FARTHEST = 1e6


def level_and_shape_squares(chunks: Iterable[CalibrationWindows]) -> tuple[Tensor, Tensor]:
    """Mean squared errors of each teacher's level, its mean over a span, and of its shape, the rest.

    Early steps are easier, and the mean of few errors is larger, so teachers are compared on the same spans: for each
    step, the steps that all teachers forecast who forecast that one. Where labels are missing, a span consists of the
    steps that have one.

    Returns:
        `[K, H, C]` each, in float64, the shape's averaged over the span's steps; NaN of a teacher that does not
        forecast the step, and of one without valid windows.
    """
    sums = []
    for chunk in chunks:
        usable = with_labels(chunk.valid[:, :, None, None], chunk.labelled).expand_as(chunk.forecasts)
        errors = (chunk.forecasts.double() - chunk.target.double()).where(usable, 0)
        covers = chunk.covers.expand(len(errors), errors.shape[2])
        spans, span_of = _common_spans(covers).unique(dim=0, return_inverse=True)
        each = [_squares_over(errors[:, :, span], usable[:, :, span].double()) for span in spans]
        level, shape, count = torch.stack(each, 2)[:, :, span_of]
        sums.append(torch.stack([level, shape, count * covers[..., None]]))
    level, shape, count = torch.stack(sums).sum(0)
    return (level / count).where(count > 0, torch.nan), (shape / count).where(count > 0, torch.nan)


def _common_spans(covers: Tensor) -> Tensor:
    """For each step, the steps that all teachers forecast who forecast it `[H, H]`, from `covers [K, H]`."""
    return ~(covers[:, :, None] & ~covers[:, None]).any(0)


def _squares_over(errors: Tensor, usable: Tensor) -> Tensor:
    """Sums over windows of errors `[K, m, h, C]`: the squared level, the mean square of the rest, and how many windows
    have either `[3, K, C]`.

    Args:
        usable: 1 where an error exists `[K, m, h, C]`; elsewhere both are 0.
    """
    steps = usable.sum(2)
    level = errors.sum(2) / steps.clamp(min=1)
    rest = ((errors - level[:, :, None]) * usable).square().sum(2) / steps.clamp(min=1)
    return torch.stack([level.square().sum(1), rest.sum(1), (steps > 0).double().sum(1)])


def spread_divergence(chunks: Iterable[tuple[CalibrationWindows, Tensor]], windows: Tensor) -> Tensor:
    """Divergence of each teacher's predicted spread from the real one, D_k = E[½(z² − 1 − log z²)] − 0.635.

    z = (y − m)/σ_k, with m the combination of the teachers' means: the student learns a spread around what it will
    itself forecast. D_k is the spread part of `LikelihoodKD` at temperature 1. It is 0 for a right spread, and
    b² + τ² to second order if log σ_k is off by b on average and by τ at random. The constant is exact for Gaussian
    errors; heavier tails make D larger for all teachers. It is at least its standard error for a right spread, .857/√n.

    Args:
        chunks: windows, and the combination of the teachers' means there `[m, H, C]`.
        windows: number n of windows without overlap of each teacher `[K]`.

    Returns:
        `[K, H, C]` in float64; NaN of a teacher of point forecasts.
    """
    sums = []
    for chunk, mean in chunks:
        predicted = chunk.comparable & chunk.spread.isfinite()
        ratio = (chunk.target.double() - mean).square() / chunk.spread.double().square()
        # an error of 0 against a spread of 0 counts as right
        ratio = ratio.nan_to_num(nan=1).clamp(FLOOR, FARTHEST)
        sums.append(
            torch.stack([predicted.double().sum(1), ((ratio - 1 - ratio.log()) / 2).where(predicted, 0).sum(1)])
        )
    count, total = torch.stack(sums).sum(0)
    least = DIVERGENCE_DEVIATION / windows.clamp(min=1).sqrt()
    return (total / count - EXPECTED_DIVERGENCE).clamp(min=least[:, None, None])


def unexplained(features: StepFeatures, valid: Tensor) -> Tensor:
    """Share of the variance of each teacher's features over the batch that the student's do not explain `[K]`.

    It is NaN for features that do not vary there.

    Args:
        features: of student and teachers.
        valid: `[K, B]`.
    """
    return torch.stack([_residual(*one) for one in zip(features.student, features.teachers, valid, strict=True)])


def _residual(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    student, teacher = (values[valid].to(_wide(values)) for values in (student, teacher))
    deviation = (teacher - teacher.mean(0)).square().sum()
    # B windows have B − 1 independent deviations
    share = (student - teacher).square().sum() / deviation * ((len(teacher) - 1) / max(len(teacher), 1))
    return share.where(deviation > _rounding(teacher), torch.nan)


def _wide(values: Tensor) -> torch.dtype:
    return torch.promote_types(values.dtype, torch.float32)


def _rounding(values: Tensor) -> Tensor:
    """The largest sum of squares that rounding alone can make."""
    return values.square().sum() * (8 * torch.finfo(values.dtype).eps) ** 2
