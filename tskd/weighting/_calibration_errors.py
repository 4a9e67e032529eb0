"""The teachers' errors on the windows by which they are judged, and how far so few windows are believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tskd.weighting.calibration_set import CalibrationWindows

# a squared error below this share of the worst teacher's is as good as none
FLOOR = 1e-12
# an argument of every weighting that learns from errors
WINDOWS = "a finite number of windows, 0 or more"


@dataclass(frozen=True)
class Errors:
    """How the teachers did, in float64.

    Attributes:
        squares: mean squared errors `[K, H, C]`; NaN of a teacher that has no window.
        claims: mean σ² of their forecasts `[K, H, C]`; NaN of a teacher of point forecasts.
        windows: by how many windows that do not overlap each teacher was judged `[K]`.
        dtype: of weights.
    """

    squares: Tensor
    claims: Tensor
    windows: Tensor
    dtype: torch.dtype


def judged_errors(chunks: Iterable[CalibrationWindows]) -> Errors:
    """Errors of each teacher over its own valid windows."""
    total: Tensor | None = None
    found = []
    for judged in chunks:
        squares = (judged.forecasts.double() - judged.target.double()).square()
        valid = (judged.valid[:, :, None, None] & judged.covers[:, None, :, None]).expand_as(squares)
        claims = judged.spread.double().square()
        told = valid & claims.isfinite()
        parts = (valid.double(), squares.where(valid, 0), told.double(), claims.where(told, 0))
        sums = torch.stack([part.sum(1) for part in parts])
        total = sums if total is None else total + sums
        found.append((blocks(judged), judged.valid))
    assert total is not None
    count, squares, told, claims = total
    windows = torch.stack([disjoint(found, [k]) for k in range(len(squares))])
    return Errors(squares / count, claims / told, windows, weight_dtype(judged))


def weight_dtype(judged: CalibrationWindows) -> torch.dtype:
    return torch.promote_types(judged.forecasts.dtype, torch.float32)


def blocks(judged: CalibrationWindows) -> Tensor:
    """Series, and number of the horizon-long block in which a window begins `[m, 2]`."""
    series, origins = judged.keys.unbind(1)
    return torch.stack([series, origins.div(judged.target.shape[1], rounding_mode="floor")], 1)


def disjoint(found: Iterable[tuple[Tensor, Tensor]], teachers: list[int]) -> Tensor:
    """How many windows that do not overlap there are of which all these teachers have a forecast.

    Args:
        found: in chunks, `blocks` and validity `[K, m]`.
    """
    both = torch.cat([block[valid[teachers].all(0)] for block, valid in found])
    return torch.tensor(len(both.unique(dim=0)), dtype=torch.float64)


def log_mean(values: Tensor, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of `values [K, …]` relative to the largest, how many windows each is known from, and its size.

    What is not finite is known from none.
    """
    count = windows.reshape(-1, *(1,) * (values.dim() - 1)).where(values.isfinite(), 0)
    top = values.where(count > 0, 0).amax(0)
    logs = (values / top).clamp(min=FLOOR).log().where((count > 0) & (top > 0), 0)
    return logs, count, top


def believed(values: Tensor, windows: Tensor, shrinkage: float) -> Tensor:
    """Mean squares `[K, …]`, drawn towards the teachers' geometric mean the fewer windows they are known from.

    log v_k → m + n_k / (n_k + shrinkage) · (log v_k − m), with m the mean of log v_k weighted by n_k. What is known of
    no teacher stays NaN; what is 0 of all, 0.
    """
    logs, count, top = log_mean(values, windows)
    mean = (count * logs).sum(0) / count.sum(0)
    share = (count / (count + shrinkage)).nan_to_num(0)
    return top * (mean + share * (logs - mean)).exp()


def over_largest(values: Tensor) -> Tensor:
    """Positive `values [K, …]` in proportion to the largest; 1 where there is none."""
    top = values.amax(0)
    return (values / top).where(top > 0, 1)
