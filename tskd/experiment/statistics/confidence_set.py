"""Which arms may be the best: the Model Confidence Set of Hansen, Lunde and Nason, Econometrica 79 (2011), 453-497."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tskd._core.optional_imports import import_optional
from tskd.experiment.statistics.intervals import MINIMUM_BLOCKS

if TYPE_CHECKING:
    import pandas as pd


def confidence_set(errors: pd.DataFrame, block: int, level: float = 0.95) -> list[str]:
    """The arms among which the best one is with probability `level`, lowest mean error first.

    Windows that any arm lacks are left out. Arms of identical errors stay or go together. No arm is excluded where
    fewer than MINIMUM_BLOCKS blocks are left.

    Args:
        errors: of every test window `[W, arms]`, in order of time, averaged over seeds: their variance is not part of
            it.
        block: windows in a block of the bootstrap, at least L + H.
        level: of confidence.

    Raises:
        ImportError: arch is not installed.
        ValueError: there is no arm, two arms have one name, or `block` or `level` is out of range.
    """
    if errors.shape[1] == 0:
        raise ValueError("A confidence set is one of arms; there is none.")
    if not errors.columns.is_unique:
        raise ValueError(f"Two arms have the name {errors.columns[errors.columns.duplicated()][0]!r}.")
    if block < 1:
        raise ValueError(f"block must be at least 1 window; it is {block}.")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; it is {level}.")
    bootstrap = import_optional("arch.bootstrap", "The model confidence set", "statistics")
    known = errors.dropna()
    order = known.mean().sort_values(kind="stable").index.tolist()
    distinct = known.T.drop_duplicates().T
    if len(known) / block < MINIMUM_BLOCKS or distinct.shape[1] == 1:
        return order
    procedure = bootstrap.MCS(
        distinct.to_numpy("float64"), size=1 - level, reps=REPETITIONS, block_size=block, bootstrap="circular", seed=0
    )
    # a difference without any variance is as large as can be
    with np.errstate(divide="ignore", invalid="ignore"):
        procedure.compute()
    kept = distinct.iloc[:, procedure.included]
    return [arm for arm in order if kept.eq(known[arm], axis=0).all().any()]


REPETITIONS = 2000
"""Resamples of the bootstrap."""
