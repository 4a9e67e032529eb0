"""Keys of windows, (series, origin), as single numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, stack

ORIGINS = 2**32


def encode(keys: Tensor) -> Tensor:
    """Keys `[N, 2]` as one whole number each `[N]`, in the same order."""
    return keys[:, 0] * ORIGINS + keys[:, 1]


def unique(keys: Tensor) -> Tensor:
    """The windows of a plan, each once and sorted: short series repeat theirs."""
    codes = encode(keys).unique()
    return stack([codes // ORIGINS, codes % ORIGINS], dim=1)


def training_keys(
    lengths: Sequence[int],
    lookback: int,
    horizon: int,
    output_shift: int = 0,
    stride: int = 1,
    max_samples_per_ts: int | None = None,
) -> Tensor:
    """Keys `[N, 2]` of the training windows in darts' order: per series from the newest window back.

    Every series contributes the same number of entries; one with fewer windows starts again from its newest, so that
    keys repeat.

    Raises:
        ValueError: a series is too short for a single window.
    """
    span = lookback + output_shift + horizon
    available = [-(-(length - span + 1) // stride) for length in lengths]
    for index, (count, length) in enumerate(zip(available, lengths, strict=True)):
        if count < 1:
            raise ValueError(
                f"series {index} has {length} steps; one window needs {span} "
                f"(lookback {lookback} + shift {output_shift} + horizon {horizon})"
            )
    per_series = max(available)
    if max_samples_per_ts is not None:
        per_series = min(per_series, max_samples_per_ts)
    back = torch.arange(per_series)
    keys = [
        torch.stack(
            [
                torch.full_like(back, index),
                length - (back % count) * stride - horizon - output_shift - 1,
            ],
            dim=1,
        )
        for index, (count, length) in enumerate(zip(available, lengths, strict=True))
    ]
    return torch.cat(keys)
