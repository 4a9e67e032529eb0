"""Weights by what a student can learn from each teacher."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from tskd._core.checks import check_positive
from tskd.weighting._calibration_errors import mean_of_known
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet
from tskd.weighting.step_inputs import Step

# limits on the windows of a fold: fewer are too few for a probe, and of more (they overlap) a selection is enough
LEAST, MOST = 8, 2000
PENALTIES = tuple(10 ** (number / 2) for number in range(-12, 9))


def folds(keys: Tensor, span: int) -> tuple[Tensor, Tensor]:
    """Rows of the earlier and of the later windows of each series, those `span` apart or more; `keys [N, 2]`."""
    early, late = [], []
    for series in keys[:, 0].unique():
        rows = torch.nonzero(keys[:, 0] == series)[:, 0]
        origins = keys[rows, 1]
        ordered = origins.unique()
        # doubled, to stay whole: the middle of the series' windows
        middle = ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]
        early.append(rows[2 * origins <= middle - span])
        late.append(rows[2 * origins >= middle + span])
    return torch.cat(early), torch.cat(late)


def by_series(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of every other series, and of those between; `keys [N, 2]`."""
    _, place = keys[:, 0].unique(return_inverse=True)
    first, second = (torch.nonzero(place % 2 == rest)[:, 0] for rest in (0, 1))
    return first, second


def thinned(rows: Tensor, most: int) -> Tensor:
    """At most so many of them, evenly spread."""
    return rows if len(rows) <= most else rows[torch.arange(most) * len(rows) // most]


@dataclass(frozen=True)
class Fold:
    """The student's inputs `[n, d]`, forecasts `[K, n, H, C]`, validity `[K, n]` and labels `[n, H, C]` of windows.

    Missing labels are NaN.
    """

    inputs: Tensor
    forecasts: Tensor
    valid: Tensor
    target: Tensor


@dataclass(frozen=True)
class Probe:
    """Affine map of inputs `[n, d]` to forecasts `[n, p]`."""

    mean: Tensor
    scale: Tensor
    slope: Tensor
    level: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        return self.level + ((inputs - self.mean) / self.scale) @ self.slope


def ridge_probe(inputs: Tensor, targets: Tensor, penalty: float | None = None) -> Probe:
    """Least squares of `targets [n, p]` on standardised `inputs [n, d]`, with n·penalty·|slope|².

    Args:
        penalty: the one with the smallest generalised cross-validation error, n·RSS/(n − df)², if None.
    """
    count = len(inputs)
    mean, level = inputs.mean(0), targets.mean(0)
    scale = inputs.std(0, correction=0)
    # what varies within rounding is constant
    scale = scale.where(scale > 1e-7 * inputs.abs().amax(0), torch.inf)
    left, singular, right = torch.linalg.svd((inputs - mean) / scale, full_matrices=False)
    seen = left.T @ (targets - level)
    rest = ((targets - level).square().sum() - seen.square().sum()).clamp(min=0)

    def error(penalty: float) -> float:
        shrunk = count * penalty / (singular.square() + count * penalty)
        left_over = count - 1 - (1 - shrunk).sum()
        return float((rest + (shrunk[:, None] * seen).square().sum()) / left_over.square())

    chosen = min(PENALTIES, key=error) if penalty is None else penalty
    inverse = singular / (singular.square() + count * chosen)
    inverse = inverse.where(singular > 1e-12 * singular.amax().clamp(min=1), 0)
    return Probe(mean, scale, right.T @ (inverse[:, None] * seen), level)


def preferences(risks: Tensor, floor: Tensor, temperature: float) -> Tensor:
    """exp(−(R_k − min R)/(temperature · min R)) over the first dimension; for a NaN risk the others' mean.

    Args:
        floor: risks that differ by no more are alike.
    """
    known = ~risks.isnan()
    least = risks.where(known, torch.inf).amin(0, keepdim=True)
    scale = temperature * torch.maximum(least, floor)
    excess = risks - least
    found = torch.exp(-torch.where(excess > 0, excess / scale, 0)).where(known, 0)
    mean = found.sum(0) / known.sum(0).clamp(min=1)
    return torch.where(known, found, torch.where(known.any(0), mean, 1))


class Imitability(Weighting):
    """Weights by how well a student forecasts that has learned from one teacher alone.

    w_k ∝ exp(−R_k/(temperature · min R)), R_k the mean squared error against the labels of a probe student fitted to
    teacher k's forecasts in other windows. With an MSE loss a student learns E[forecast | its inputs]: what a teacher
    knows beyond these inputs is noise in the probe, and its bias stays bias, so that oracles and trivial teachers both
    have a high risk. A method of this package, for regression; it is not published.

    The probe is a ridge regression on the student's standardised inputs. Probes are fitted on the earlier and scored on
    the later windows of each series, a lookback and a horizon apart, and the other way round; if series are too short,
    on every other series. Of more than 2,000 windows in a fold, an even selection is used. With too few windows,
    weights are uniform, with a warning; a teacher with too few valid forecasts has the others' mean weight.

    Weights `[K, 1]`, the same for all windows and epochs; per step with teachers of a part of the horizon.

    Args:
        temperature: by how much, relative to the best, a risk must be higher for 1/e of the weight.
        ridge: penalty, relative to the number of windows; None for generalised cross-validation, which with windows
            that overlap tends to choose a small one.

    Raises:
        ValueError: an argument is not positive and finite.
    """

    risks: Tensor
    floor: Tensor

    def __init__(self, temperature: float = 0.1, ridge: float | None = None) -> None:
        super().__init__()
        check_positive(temperature, "temperature")
        if ridge is not None:
            check_positive(ridge, "ridge")
        self.temperature = temperature
        self.ridge = ridge
        self.register_buffer("risks", torch.zeros(0, 1))
        self.register_buffer("floor", torch.zeros(1))

    @property
    def varies(self) -> Variation:
        return "never"

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def calibrate(self, calibration: CalibrationSet) -> None:
        keys, span, like = [], 0, None
        for chunk in calibration.chunks():
            keys.append(chunk.keys.cpu())
            past, like = chunk.inputs.get("past_target"), chunk
            span = chunk.target.shape[1] + (0 if past is None else past.shape[1])
        assert like is not None
        shape, dtype = like.forecasts.shape, torch.promote_types(like.target.dtype, torch.float32)
        self.risks = torch.full((shape[0], shape[2]), torch.nan, dtype=dtype)
        self.floor = torch.zeros(shape[2], dtype=dtype)
        found = folds(torch.cat(keys), span)
        if min(map(len, found)) < LEAST:
            # many short series are cut between, not within
            found = max(found, by_series(torch.cat(keys)), key=lambda pair: min(map(len, pair)))
        early, late = (thinned(rows, MOST) for rows in found)
        if min(len(early), len(late)) < LEAST:
            warnings.warn(
                f"Imitability needs {LEAST} windows or more before, and after, a gap of {span} steps in the middle of "
                f"each series (or in every other series), and has {len(early)} and {len(late)} of "
                f"{sum(map(len, keys))}: weights are uniform",
                stacklevel=2,
            )
            return
        first, second = _selected(calibration, (early, late))
        both = [_risks(*pair, self.ridge) for pair in ((first, second), (second, first))]
        self.risks.copy_(torch.stack(both).nanmean(0))
        labels = torch.cat([first.target, second.target])
        self.floor.copy_(1e-12 * mean_of_known((labels - mean_of_known(labels, 0)).square(), 0).nan_to_num(0).mean(-1))

    def scores(self, step: Step) -> Tensor:
        if not len(self.risks):
            return step.valid.to(step.forecasts.dtype)
        if bool(step.covers.all()):
            return preferences(self.risks.mean(1, keepdim=True), self.floor.mean(), self.temperature)
        # early steps are easier: teachers are compared where both forecast
        risks = self.risks.where(step.covers, torch.nan)
        return preferences(risks, self.floor, self.temperature)[:, None]


def _selected(calibration: CalibrationSet, wanted: tuple[Tensor, ...]) -> list[Fold]:
    """Each selection of rows of the calibration set, in one piece."""
    parts: list[list[Fold]] = [[] for _ in wanted]
    start = 0
    for chunk in calibration.chunks():
        count = len(chunk.keys)
        inputs = torch.cat([values.cpu().flatten(1).double() for values in chunk.inputs.values()], 1)
        forecasts, valid, target = chunk.forecasts.cpu().double(), chunk.valid.cpu(), chunk.target.cpu().double()
        target = target if chunk.labelled is None else target.where(chunk.labelled.cpu(), torch.nan)
        for part, rows in zip(parts, wanted, strict=True):
            here = rows[(rows >= start) & (rows < start + count)] - start
            part.append(Fold(inputs[here], forecasts[:, here], valid[:, here], target[here]))
        start += count
    return [
        Fold(
            torch.cat([one.inputs for one in part]),
            torch.cat([one.forecasts for one in part], 1),
            torch.cat([one.valid for one in part], 1),
            torch.cat([one.target for one in part]),
        )
        for part in parts
    ]


def _risks(fitted: Fold, scored: Fold, penalty: float | None) -> Tensor:
    """Mean squared error against the labels, at each step, of a probe of each teacher `[K, H]`."""
    found = torch.full((len(fitted.valid), scored.target.shape[1]), torch.nan, dtype=torch.float64)
    for k, valid in enumerate(fitted.valid):
        if int(valid.sum()) >= LEAST:
            probe = ridge_probe(fitted.inputs[valid], fitted.forecasts[k, valid].flatten(1), penalty)
            found[k] = mean_of_known((probe(scored.inputs).view_as(scored.target) - scored.target).square(), (0, 2))
    return found
