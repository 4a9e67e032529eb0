"""Regimes of a series: levels of the windows' labels, and errors within each regime."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tskd.weighting._calibration_errors import mean_of_known
from tskd.weighting.calibration_set import CalibrationWindows
from tskd.weighting.step_inputs import Step


def best_known_target(windows: Step | CalibrationWindows) -> Tensor:
    """The labels `[B, H, C]`; where they are missing, the mean of the teachers' forecasts, or NaN if there is none."""
    target, labelled = windows.target, windows.labelled
    if labelled is None:
        return target
    present = windows.present[..., None]
    count = present.sum(0)
    mean = windows.forecasts.where(present, 0).sum(0) / count.clamp(min=1)
    return torch.where(labelled, target, mean.to(target.dtype).where(count > 0, torch.nan))


def level(target: Tensor) -> Tensor:
    """Mean of each window `[B]`, over what is not NaN; NaN where nothing is."""
    return mean_of_known(target.flatten(1), 1)


def level_edges(levels: Tensor, bins: int) -> Tensor:
    """Edges that part the levels `[n]` into equally large bins, half-way between neighbours `[bins − 1]`.

    Levels that are NaN do not count; without any other, there are no edges.
    """
    ordered = levels[~levels.isnan()].sort().values
    count = len(ordered)
    if not count:
        return ordered
    after = (torch.arange(1, bins) * count // bins).clamp(min=1)
    return (ordered[after - 1] + ordered[after.clamp(max=count - 1)]) / 2


def regime_sums(errors: Tensor, valid: Tensor, regime: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sums of errors `[K, m, H]` over the valid windows of each regime `[K, R, H]`, and their numbers `[K, R, H or 1]`.

    Args:
        errors: of teachers.
        valid: where they count `[K, m, H or 1]`.
        regime: of each window `[m]`.
        count: number R of regimes.
    """
    member = functional.one_hot(regime, count).to(errors.dtype)
    sums = torch.einsum("kmh,mr->krh", errors.where(valid, 0), member)
    return sums, torch.einsum("kmh,mr->krh", valid.to(errors.dtype), member)


def ranks(errors: Tensor, among: Tensor | None = None) -> Tensor:
    """Share of those `among`, or of all, with smaller errors, in (0, 1), along the last dimension; ties have their
    middle."""
    errors = errors.contiguous()
    if among is None:
        return _below(errors, errors) / (2 * errors.shape[-1])
    below = _below(errors, errors.where(among.contiguous(), torch.inf))
    return (below / (2 * among.sum(-1, keepdim=True).clamp(min=1))).clamp(max=1)


def _below(errors: Tensor, others: Tensor) -> Tensor:
    """Twice the number of others with smaller errors; of equal ones, every second counts."""
    ordered = others.sort(-1).values
    return torch.searchsorted(ordered, errors) + torch.searchsorted(ordered, errors, right=True)
