"""Seeds as they may be given: a list, or how many to take from 0 on; whole numbers of Python's or NumPy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tskd.experiment.config.model_arguments import is_whole
from tskd.experiment.config.teacher import many

MOST = 10_000
"""Every seed is all fits once more."""


def listed(value: Any) -> tuple[Any, ...]:
    """The seeds that a configuration gives; what is no whole number is left for the validation of the field. Raises
    ValueError for none or too many."""
    value = _plain(value)
    seeds: Sequence[Any] = range(value) if is_whole(value, 0) else value if isinstance(value, range) else many(value)
    # `len` raises for a range of more than the machine can address
    if not 1 <= len(seeds[: MOST + 1]) <= MOST:
        given = value if isinstance(value, int | range) else len(seeds)
        raise ValueError(f"give at least one seed, and at most {MOST}; not {given}.")
    return tuple(_plain(seed) for seed in seeds)


def _plain(value: Any) -> Any:
    """An array as a list, a number of NumPy's as one of Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
