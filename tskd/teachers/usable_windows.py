"""The windows for which a teacher's forecasts can be used."""

from __future__ import annotations

import logging
import warnings

import torch
from torch import Tensor

from tskd._core.windows import CHUNK

logger = logging.getLogger(__name__)


def usable_windows(name: str, forecasts: Tensor, covered: Tensor) -> Tensor:
    """The windows `[M]` for which a teacher's forecasts `[M, H, C]` exist and are finite; warns of unusable forecasts.

    Args:
        name: the teacher's name, for messages.
        covered: `[M]`, false where the teacher's own inputs do not exist.
    """
    finite = _finite(forecasts)
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
    if int(valid.sum()) > 1 and _alike(forecasts, torch.nonzero(valid)[:, 0]):
        warnings.warn(f"teacher {name!r} forecasts the same for every window", stacklevel=2)
    return valid


def _finite(forecasts: Tensor) -> Tensor:
    """True for windows whose forecasts are all finite `[M]`."""
    # sums are quicker than a look at every value, and are not finite if one value is not
    finite = forecasts.flatten(1).sum(1).isfinite()
    doubtful = torch.nonzero(~finite)[:, 0]
    if len(doubtful):
        finite[doubtful] = forecasts[doubtful].isfinite().flatten(1).all(1)
    return finite


def _alike(forecasts: Tensor, rows: Tensor) -> bool:
    """Whether the forecasts in some rows are all the same."""
    first = forecasts[rows[0]]
    # most differ at the first look
    return bool((forecasts[rows[-1]] == first).all()) and all(
        bool((forecasts[part] == first).all()) for part in rows.split(CHUNK)
    )
