"""What the teachers know about each window: computed once, keyed by (series, origin), reused every epoch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ORIGINS = 2**32
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Knowledge:
    """Forecasts of K teachers for M windows.

    Attributes:
        codes: the windows' keys as sorted numbers `[M]` (see `encode`).
        forecasts: `[K, M, H, C]`, in the units of the target; 0 where not valid.
        valid: `[K, M]`, false where a teacher has no finite forecast of a window.
    """

    codes: Tensor
    forecasts: Tensor
    valid: Tensor

    @classmethod
    def collect(cls, keys: Tensor, forecasts: Sequence[Tensor], valid: Sequence[Tensor], like: Tensor) -> Knowledge:
        """Join the answers of K teachers, each `[M, H, C]` and `[M]`, to the windows `keys [M, 2]`.

        Args:
            keys: each window once, in any order.
            like: a tensor of the student's target `[…, H, C]`: gives dtype, and the shape where there is no teacher.
        """
        codes, order = encode(keys).sort()
        if not forecasts:
            return cls(codes, like.new_zeros(0, len(keys), *like.shape[-2:]), codes.new_zeros(0, len(keys)).bool())
        known = torch.stack(list(valid))[:, order]
        values = torch.stack([f.to(like.dtype) for f in forecasts])[:, order]
        return cls(codes, values.where(known[:, :, None, None], 0), known)

    def of(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Forecasts `[K, B, H, C]` and validity `[K, B]` of the windows `keys [B, 2]`.

        Raises:
            KeyError: a window that the teachers were not asked about.
        """
        codes = encode(keys)
        rows = torch.searchsorted(self.codes, codes).clamp(max=len(self.codes) - 1)
        unknown = self.codes[rows] != codes
        if bool(unknown.any()):
            raise KeyError(f"no knowledge of window (series, origin) = {tuple(keys[unknown][0].tolist())}")
        return self.forecasts.index_select(1, rows), self.valid.index_select(1, rows)


def encode(keys: Tensor) -> Tensor:
    """Keys `[N, 2]` as one whole number each, in the same order."""
    return keys[:, 0] * ORIGINS + keys[:, 1]


def unique(keys: Tensor) -> Tensor:
    """The windows of a plan, each once: short series repeat theirs."""
    codes = encode(keys).unique()
    return torch.stack([codes // ORIGINS, codes % ORIGINS], dim=1)


def judge(name: str, forecasts: Tensor, covered: Tensor) -> Tensor:
    """Which windows a teacher's answer `[M, H, C]` can be used for `[M]`; warns of what a user should know.

    Args:
        covered: `[M]`, false where the teacher's own inputs do not exist.
    """
    finite = forecasts.isfinite().flatten(1).all(1)
    valid = covered & finite
    without = int((~covered).sum())
    broken = int((covered & ~finite).sum())
    if without:
        logger.info("teacher %r lacks its inputs for %d of %d windows: left out there", name, without, len(covered))
    if broken:
        warnings.warn(
            f"teacher {name!r} forecasts NaN or infinity for {broken} of {len(covered)} windows; it is left out there",
            stacklevel=2,
        )
    usable = forecasts[valid]
    if len(usable) > 1 and bool((usable == usable[0]).all()):
        warnings.warn(f"teacher {name!r} forecasts the same for every window", stacklevel=2)
    return valid
