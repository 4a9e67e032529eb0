"""Random cases to test weightings with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from tskd.testing._cases import WeightingCase
from tskd.weighting.base import Weighting
from tskd.weighting.calibration_set import CalibrationWindows
from tskd.weighting.step_inputs import Step

Spread = Literal["none", "some", "all"]
LOOKBACK = 6
# windows of the chunks of the calibration set
CHUNKS = (7, 12, 4)


def random_cases(
    weighting: Weighting,
    count: int,
    *,
    teachers: int | None = None,
    dtype: torch.dtype | None = None,
    partial: bool = True,
    agree: bool = False,
) -> Iterator[WeightingCase]:
    """Cases with what this weighting needs, the same at every call.

    Args:
        weighting: the weighting.
        count: number of cases.
        teachers: number of teachers of each case; None for 1 to 5.
        dtype: of each case; None for float32 and float64 in turn.
        partial: whether some have teachers of a part of the horizon.
        agree: whether the teachers have the same forecasts.
    """
    generator = torch.Generator().manual_seed(0)
    spreads: tuple[Literal["none", "some", "all"], ...] = (
        ("all", "some", "none") if weighting.needs.spread else ("none", "all")
    )
    for index in range(count):
        steps, components = (int(torch.randint(1, 1 + most, (), generator=generator)) for most in (5, 3))
        options = CaseOptions(
            (teachers or 1 + index % 5, 1 + index % 6, steps, components),
            dtype or (torch.float32, torch.float64)[index // 2 % 2],
            spread=spreads[index % len(spreads)],
            partial=partial and not agree and index % 3 == 0,
            agree=agree,
            gram=weighting.needs.gram is not None,
        )
        made = random_case(generator, options)
        # a weighting that needs the spread gets one, which is NaN for a teacher of point forecasts
        if len(spreads) == 3 and made.step.spread is None:
            made = replace(made, step=replace(made.step, spread=torch.full_like(made.step.forecasts, torch.nan)))
        yield made


@dataclass(frozen=True)
class CaseOptions:
    """What a random case is like.

    Attributes:
        size: numbers of teachers, windows, steps and components `(K, B, H, C)`.
        dtype: of all forecasts and labels.
        spread: which teachers forecast one; with `"none"` the step has no spread, and the calibration set only NaN.
        partial: whether each teacher forecasts only a part of the horizon.
        agree: whether all teachers have the same forecasts of the same windows.
        gram: whether the step's context has a `gram`, that of a student with one to eight parameters.
    """

    size: tuple[int, int, int, int]
    dtype: torch.dtype
    spread: Spread = "none"
    partial: bool = False
    agree: bool = False
    gram: bool = False


def random_case(generator: torch.Generator, options: CaseOptions) -> WeightingCase:
    """A case of teachers with biases and variances of their own."""
    teachers, windows, steps, components = options.size
    spread, dtype = options.spread, options.dtype

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    bias, noise = 0.3 * normal(teachers, 1, 1, 1), 0.2 + chance(teachers, 1, 1, 1)
    points = chance(teachers) < 0.5 if spread == "some" else torch.full((teachers,), spread == "none")

    def drawn(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Lookback, labels, forecasts, validity, spread."""
        past = normal(count, LOOKBACK, components).cumsum(1)
        target = past[:, -1:] + 0.5 * normal(count, steps, components).cumsum(1)
        forecasts = target + bias + noise * normal(teachers, count, steps, components)
        valid = chance(teachers, count) > 0.3
        width = (noise * (0.5 + chance(teachers, count, steps, components))).index_fill(
            0, torch.nonzero(points)[:, 0], torch.nan
        )
        if options.agree:
            forecasts, valid, width = (values[:1].expand_as(values) for values in (forecasts, valid, width))
        usable = valid[:, :, None, None]
        return past, target, forecasts.where(usable, 0), valid.clone(), width.where(usable, torch.nan)

    chunks = []
    origin = LOOKBACK
    for count in CHUNKS:
        past, target, forecasts, valid, width = (_as(values, dtype) for values in drawn(count))
        keys = torch.stack([torch.zeros(count).long(), torch.arange(origin, origin + count)], 1)
        inputs = {"past_target": past, "future_covariates": _as(normal(count, steps, 2), dtype)}
        chunks.append(CalibrationWindows(keys, inputs, forecasts, valid, width, target))
        origin += count
    _, target, forecasts, valid, width = (_as(values, dtype) for values in drawn(windows))
    if windows > 1:
        valid[:, int(chance(1) * windows)] = False
    covers = torch.ones(teachers, steps, dtype=torch.bool)
    if options.partial:
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
    case = WeightingCase(names, step, tuple(chunks), held_out=bool(chance(1) < 0.5))
    return case.with_slopes(normal(windows, steps, components, 1 + int(chance(1) * 8))) if options.gram else case


def _as(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype) if values.is_floating_point() else values
