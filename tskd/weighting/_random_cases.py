"""A random case to test weightings with."""

from __future__ import annotations

import torch
from torch import Tensor

from tskd.weighting._cases import Case
from tskd.weighting.base import Judged, Step

LOOKBACK = 6
# windows of the chunks of evidence
CHUNKS = (7, 12, 4)


def random_case(
    generator: torch.Generator,
    size: tuple[int, int, int, int],
    dtype: torch.dtype,
    *,
    spread: str = "none",
    partial: bool = False,
    agree: bool = False,
    gram: bool = False,
) -> Case:
    """A case `[K, B, H, C]` of teachers with biases and variances of their own.

    Args:
        spread: `"none"`, `"some"` (of the teachers have one) or `"all"`; the evidence has one of nobody, too, with
            `"none"`.
        partial: whether each teacher forecasts a part of the horizon only.
        agree: whether all teachers say the same, of the same windows.
        gram: whether the step has a `gram`, of a student with one to eight parameters.
    """
    teachers, windows, steps, components = size

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    bias, noise = 0.3 * normal(teachers, 1, 1, 1), 0.2 + chance(teachers, 1, 1, 1)
    points = chance(teachers) < 0.5 if spread == "some" else torch.full((teachers,), spread == "none")

    def told(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Lookback, labels, forecasts, validity, spread."""
        past = normal(count, LOOKBACK, components).cumsum(1)
        target = past[:, -1:] + 0.5 * normal(count, steps, components).cumsum(1)
        forecasts = target + bias + noise * normal(teachers, count, steps, components)
        valid = chance(teachers, count) > 0.3
        width = (noise * (0.5 + chance(teachers, count, steps, components))).index_fill(
            0, torch.nonzero(points)[:, 0], torch.nan
        )
        if agree:
            forecasts, valid, width = (values[:1].expand_as(values) for values in (forecasts, valid, width))
        usable = valid[:, :, None, None]
        return past, target, forecasts.where(usable, 0), valid.clone(), width.where(usable, torch.nan)

    chunks = []
    origin = LOOKBACK
    for count in CHUNKS:
        past, target, forecasts, valid, width = (_as(values, dtype) for values in told(count))
        keys = torch.stack([torch.zeros(count).long(), torch.arange(origin, origin + count)], 1)
        inputs = {"past_target": past, "future_covariates": _as(normal(count, steps, 2), dtype)}
        chunks.append(Judged(keys, inputs, forecasts, valid, width, target))
        origin += count
    _, target, forecasts, valid, width = (_as(values, dtype) for values in told(windows))
    if windows > 1:
        valid[:, int(chance(1) * windows)] = False
    covers = torch.ones(teachers, steps, dtype=torch.bool)
    if partial:
        ends = (chance(teachers, 2) * steps).long().sort(1).values
        at = torch.arange(steps)
        covers = (at >= ends[:, :1]) & (at <= ends[:, 1:])
    usable = valid[:, :, None, None] & covers[:, None, :, None]
    step = Step(
        forecasts=forecasts.where(usable, 0),
        valid=valid,
        student=target + _as(0.5 * normal(*target.shape), dtype),
        target=target,
        keys=torch.stack([torch.ones(windows).long(), torch.randperm(50, generator=generator)[:windows]], 1),
        epoch=int(chance(1) * 5),
        covers=covers,
        spread=None if spread == "none" else width.where(usable, torch.nan),
    )
    names = [f"teacher {k}" for k in range(teachers)]
    case = Case(names, step, tuple(chunks), held_out=bool(chance(1) < 0.5))
    return case.with_slopes(normal(windows, steps, components, 1 + int(chance(1) * 8))) if gram else case


def _as(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype) if values.is_floating_point() else values
