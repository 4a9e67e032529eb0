"""The teachers' errors on the calibration set, shrunk towards one another where windows are few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tskd.weighting.calibration_set import CalibrationWindows

# a squared error below this share of the worst teacher's counts as this share
FLOOR = 1e-12
# allowed values of `shrinkage`, for messages
WINDOWS = "a finite number of windows, 0 or more"


def mean_of_known(values: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Means over what is not NaN; NaN where nothing is."""
    # several times faster where all is known
    means = values.mean(dim)
    return values.nanmean(dim) if bool(means.isnan().any()) else means


@dataclass(frozen=True)
class Errors:
    """Errors of the teachers, in float64.

    Attributes:
        squares: mean squared errors `[K, H, C]`; NaN of a teacher without valid windows, and where no label exists.
        variances: mean σ² of their forecasts `[K, H, C]`; NaN of a teacher of point forecasts.
        windows: number of valid windows with a label of each teacher that do not overlap `[K]`.
        dtype: of the weights.
    """

    squares: Tensor
    variances: Tensor
    windows: Tensor
    dtype: torch.dtype


def calibration_errors(chunks: Iterable[CalibrationWindows]) -> Errors:
    """Errors of each teacher over its own valid windows."""
    total: Tensor | None = None
    found = []
    for chunk in chunks:
        squares = (chunk.forecasts.double() - chunk.target.double()).square()
        valid = chunk.comparable
        variances = chunk.spread.double().square()
        predicted = valid & variances.isfinite()
        parts = (valid.double(), squares.where(valid, 0), predicted.double(), variances.where(predicted, 0))
        sums = torch.stack([part.sum(1) for part in parts])
        total = sums if total is None else total + sums
        found.append((horizon_blocks(chunk), chunk.scored))
    assert total is not None
    count, squares, predicted, variances = total
    windows = torch.stack([count_disjoint(found, [k]) for k in range(len(squares))])
    return Errors(squares / count, variances / predicted, windows, weight_dtype(chunk))


def weight_dtype(chunk: CalibrationWindows) -> torch.dtype:
    return torch.promote_types(chunk.forecasts.dtype, torch.float32)


def horizon_blocks(chunk: CalibrationWindows) -> Tensor:
    """Series, and number of the horizon-long block in which a window begins `[m, 2]`."""
    series, origins = chunk.keys.unbind(1)
    return torch.stack([series, origins.div(chunk.target.shape[1], rounding_mode="floor")], 1)


def count_disjoint(found: Iterable[tuple[Tensor, Tensor]], teachers: list[int]) -> Tensor:
    """Number of windows that do not overlap and that all these teachers forecast.

    Args:
        found: in chunks, `horizon_blocks` and validity `[K, m]`.
    """
    both = torch.cat([block[valid[teachers].all(0)] for block, valid in found])
    return torch.tensor(len(both.unique(dim=0)), dtype=torch.float64)


def log_mean(values: Tensor, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of `values [K, …]` relative to the largest.

    Returns:
        The logarithms, the number of windows behind each (0 for what is not finite), and the largest value.
    """
    count = windows.reshape(-1, *(1,) * (values.dim() - 1)).where(values.isfinite(), 0)
    top = values.where(count > 0, 0).amax(0)
    logs = (values / top).clamp(min=FLOOR).log().where((count > 0) & (top > 0), 0)
    return logs, count, top


def shrunk(values: Tensor, windows: Tensor, shrinkage: float) -> Tensor:
    """Mean squares `[K, …]`, shrunk towards the teachers' geometric mean the fewer windows they are from.

    log v_k → m + n_k / (n_k + shrinkage) · (log v_k − m), with m the mean of log v_k weighted by n_k. What is NaN for
    all teachers stays NaN; what is 0 for all stays 0.
    """
    logs, count, top = log_mean(values, windows)
    mean = (count * logs).sum(0) / count.sum(0)
    share = (count / (count + shrinkage)).nan_to_num(0)
    return top * (mean + share * (logs - mean)).exp()


def over_largest(values: Tensor) -> Tensor:
    """Positive `values [K, …]` in proportion to the largest; 1 where there is none."""
    top = values.amax(0)
    return (values / top).where(top > 0, 1)
