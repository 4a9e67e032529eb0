"""Keys of windows, (series, origin), as single numbers."""

from torch import Tensor, stack

ORIGINS = 2**32


def encode(keys: Tensor) -> Tensor:
    """Keys `[N, 2]` as one whole number each `[N]`, in the same order."""
    return keys[:, 0] * ORIGINS + keys[:, 1]


def unique(keys: Tensor) -> Tensor:
    """The windows of a plan, each once and sorted: short series repeat theirs."""
    codes = encode(keys).unique()
    return stack([codes // ORIGINS, codes % ORIGINS], dim=1)
