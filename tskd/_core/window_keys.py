"""Keys of windows, (series, origin): which training windows exist, and which steps a window spans and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, stack

from tskd._core.checks import check_whole

ORIGINS = 2**32


@dataclass(frozen=True)
class WindowSpan:
    """The steps of one window, relative to its forecast origin.

    Attributes:
        lookback: steps up to the origin, darts' `input_chunk_length`.
        horizon: steps that are forecast, darts' `output_chunk_length`.
        output_shift: steps between the origin and the first that is forecast, darts' `output_chunk_shift`.
    """

    lookback: int
    horizon: int
    output_shift: int = 0


@dataclass(frozen=True)
class WindowSampling:
    """Which windows of a series are trained on: darts' arguments of the same names.

    Attributes:
        stride: steps between consecutive windows.
        max_samples_per_ts: largest number of windows of a series, the newest ones; None for all.
    """

    stride: int = 1
    max_samples_per_ts: int | None = None

    def __post_init__(self) -> None:
        check_whole(self.stride, 1, "stride", "a number of steps")
        if self.max_samples_per_ts is not None:
            check_whole(self.max_samples_per_ts, 1, "max_samples_per_ts", "None for all, or a number of windows")
            # darts takes no NumPy numbers
            object.__setattr__(self, "max_samples_per_ts", int(self.max_samples_per_ts))
        object.__setattr__(self, "stride", int(self.stride))

    def arguments(self) -> dict[str, Any]:
        """The arguments for darts' `fit`."""
        return {"stride": self.stride, "max_samples_per_ts": self.max_samples_per_ts}


def encode(keys: Tensor) -> Tensor:
    """Keys `[N, 2]` as one whole number each `[N]`, in the same order."""
    return keys[:, 0] * ORIGINS + keys[:, 1]


def unique(keys: Tensor) -> Tensor:
    """The distinct keys among `keys [N, 2]`, sorted: `training_keys` repeats those of short series."""
    codes = encode(keys).unique()
    return stack([codes // ORIGINS, codes % ORIGINS], dim=1)


def training_keys(lengths: Sequence[int], span: WindowSpan, sampling: WindowSampling | None = None) -> Tensor:
    """Keys `[N, 2]` of the training windows in darts' order: per series from the newest window back.

    Every series contributes the same number of entries; one with fewer windows starts again from its newest, so that
    keys repeat.

    Raises:
        ValueError: a series is too short for a single window.
    """
    sampling = sampling or WindowSampling()
    lookback, horizon, shift, stride = span.lookback, span.horizon, span.output_shift, sampling.stride
    size = lookback + shift + horizon
    available = [-(-(length - size + 1) // stride) for length in lengths]
    for index, (count, length) in enumerate(zip(available, lengths, strict=True)):
        if count < 1:
            raise ValueError(
                f"series {index} has {length} steps; one window needs {size} "
                f"(lookback {lookback} + shift {shift} + horizon {horizon})"
            )
    per_series = max(available)
    if sampling.max_samples_per_ts is not None:
        per_series = min(per_series, sampling.max_samples_per_ts)
    back = torch.arange(per_series)
    keys = [
        torch.stack(
            [
                torch.full_like(back, index),
                length - (back % count) * stride - horizon - shift - 1,
            ],
            dim=1,
        )
        for index, (count, length) in enumerate(zip(available, lengths, strict=True))
    ]
    return torch.cat(keys)


def shared_steps(student: range, teacher: range) -> slice:
    """The part of the student's horizon that the teacher forecasts too; empty if there is none.

    Args:
        student, teacher: steps after the origin that each of them forecasts.
    """
    first, last = max(student[0], teacher[0]), min(student[-1], teacher[-1])
    return slice(first - student[0], max(last - student[0] + 1, first - student[0]))


def covered_steps(spans: Sequence[slice], horizon: int) -> Tensor:
    """Masks `[K, H]` of the steps of a horizon that lie in each of K parts of it."""
    covered = torch.zeros(len(spans), horizon, dtype=torch.bool)
    for steps, span in zip(covered, spans, strict=True):
        steps[span] = True
    return covered
