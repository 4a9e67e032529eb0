"""Weights by the teachers' errors and their correlations."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.optimize import nnls
from torch import Tensor

from tskd._core.checks import check_real
from tskd.weighting._calibration_errors import WINDOWS, count_disjoint, horizon_blocks, log_mean, shrunk, weight_dtype
from tskd.weighting.base import Variation, Weighting, WeightingNeeds
from tskd.weighting.calibration_set import CalibrationSet, CalibrationWindows
from tskd.weighting.step_inputs import Step, with_labels

# least eigenvalue of correlations
LEAST = 1e-4


def least_risk(moments: np.ndarray) -> np.ndarray:
    """argmin w'Σw over w ≥ 0, Σ_k w_k = 1 `[K]`, for positive definite `moments [K, K]`.

    Exact: u minimises u'Σu/2 − 1'u over u ≥ 0 iff w = u / 1'u is the solution (both require Σw to be least and equal
    where w > 0), and that is non-negative least squares with a root of Σ, scaled to a diagonal of ones.
    """
    scale = np.sqrt(np.diag(moments))
    root = np.linalg.cholesky(moments / np.outer(scale, scale))
    ones = scale.min() / scale
    found = nnls(root.T, solve_triangular(root, ones, lower=True))[0] * ones
    return found / found.sum()


def second_moments(chunks: Iterable[CalibrationWindows], shrinkage: float) -> Tensor:
    """Shrunk second moments of the teachers' errors `[H, K, K]` in float64, relative to the teachers' mean.

    Each pair of teachers is compared on the windows that both forecast.
    """
    total: Tensor | None = None
    found = []
    for chunk in chunks:
        steps = chunk.target.shape[1]
        known = chunk.present.expand(-1, -1, steps)[..., None]
        known = with_labels(known, chunk.labelled).double()
        errors = (chunk.forecasts.double() - chunk.target.double()).where(known > 0, 0)
        cross = torch.einsum("ibhc,jbhc->ijhc", errors, errors)
        # masks have one column for all components, unless labels are missing
        own = torch.einsum("ibhc,jbhc->ijhc", errors.square(), known)
        sums = torch.stack([cross, own, torch.einsum("ibhc,jbhc->ijhc", known, known).expand_as(own)])
        total = sums if total is None else total + sums
        found.append((horizon_blocks(chunk), chunk.scored))
    assert total is not None
    cross, own, count = total
    teachers = range(len(own))
    windows = torch.stack([torch.stack([count_disjoint(found, [i, j]) for j in teachers]) for i in teachers])
    alone = windows.diagonal()

    # components in units of their own errors; one that all teachers forecast exactly is left out
    squares = (own / count).diagonal().movedim(-1, 0)
    logs, known, top = log_mean(squares, alone)
    scale = top * ((known * logs).sum(0) / known.sum(0)).exp()
    cross, own, squares = ((part / scale).where(scale > 0, 0).sum(-1) for part in (cross, own, squares))

    correlation = (cross / (own * own.transpose(0, 1)).sqrt()).nan_to_num(0)
    correlation = correlation * (windows / (windows + shrinkage)).nan_to_num(0)[:, :, None]
    squares = shrunk(squares.where(alone[:, None] > 0, torch.nan), alone, shrinkage)
    # no valid windows, or no errors
    squares = squares.where(squares > 0, 1).T
    return definite(correlation.movedim(-1, 0)) * (squares[:, :, None] * squares[:, None]).sqrt()


def definite(correlation: Tensor) -> Tensor:
    """Correlations `[…, K, K]`, with ones on the diagonal, shrunk until no eigenvalue is below `LEAST`."""
    eye = torch.eye(correlation.shape[-1], dtype=correlation.dtype)
    correlation = correlation * (1 - eye) + eye
    least = torch.linalg.eigvalsh(correlation)[..., 0]
    share = ((LEAST - least) / (1 - least)).clamp(min=0).nan_to_num(0)[..., None, None]
    return (1 - share) * correlation + share * eye


class BatesGranger(Weighting):
    """The combination of the teachers with the least squared error on the calibration set, at each step.

    Bates and Granger (Operational Research Quarterly, 1969), for two forecasts; Newbold and Granger (JRSS A, 1974) for
    several: w = Σ⁻¹1 / (1'Σ⁻¹1), with Σ the second moments of the errors. It was made for regression; with an MSE loss
    the combination is the target that the student learns. Different here:

    * No weight is negative: w minimises w'Σw over w ≥ 0, Σ_k w_k = 1, solved exactly as non-negative least squares.
    * Σ is pooled over components, each in units of its own error (the geometric mean of the teachers' mean squares).
    * Correlations are shrunk to 0 by the factor n / (n + shrinkage), mean squares as in `InverseError`; n counts
      windows that do not overlap. So weights tend to those of `InverseError`, and to uniform ones.
    * Pairs are compared on the windows that both teachers forecast; correlations that no errors can have are shrunk
      until they can. A teacher without valid windows counts as an average one.
    * In windows and at steps that some teachers do not forecast, w is the best combination of the others.

    Weights per step, and per window where teachers are missing, `[K, 1 or B, H, 1]`.

    Args:
        shrinkage: number of windows that weigh as much as the prior of equally good, uncorrelated teachers.

    Raises:
        ValueError: shrinkage is negative or not a finite number.
    """

    moments: Tensor
    weights: Tensor

    def __init__(self, shrinkage: float = 8.0) -> None:
        super().__init__()
        check_real(shrinkage, 0, math.inf, "shrinkage", WINDOWS)
        self.shrinkage = shrinkage
        self.register_buffer("moments", torch.empty(0))
        self.register_buffer("weights", torch.empty(0))

    @property
    def varies(self) -> Variation:
        return "never"

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(calibration=True)

    def calibrate(self, calibration: CalibrationSet) -> None:
        dtype = weight_dtype(next(iter(calibration.chunks())))
        moments = second_moments(calibration.chunks(), self.shrinkage)
        best = torch.stack([torch.from_numpy(least_risk(one.numpy())) for one in moments], 1)
        self.moments, self.weights = moments.to(dtype), best[:, None, :, None].to(dtype)

    def scores(self, step: Step) -> Tensor:
        if not len(self.weights):
            return step.valid.to(step.forecasts.dtype)
        if bool(step.valid.all()) and bool(step.covers.all()):
            return self.weights
        known = step.present.expand(*step.valid.shape, len(self.moments))
        # [B, H, K], of which few differ in B
        patterns, rows = known.movedim(0, -1).unique(dim=0, return_inverse=True)
        moments = self.moments.double().cpu().numpy()
        best = np.zeros(patterns.shape)
        for p, pattern in enumerate(patterns.cpu().numpy()):
            for h, there in enumerate(pattern):
                if there.any():
                    best[p, h, there] = least_risk(moments[h][np.ix_(there, there)])
        return torch.from_numpy(best).to(self.weights)[rows].movedim(-1, 0)[..., None]
