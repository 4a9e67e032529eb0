"""What results need of the data of one fold and training size, so that nothing is prepared again for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tskd.experiment.data.preparation import Prepared, Scale


@dataclass(frozen=True, eq=False)
class ExampleWindow:
    """A test window whose forecasts are kept: time stamps of lookback and horizon, and scaled values of the first
    target component, both `[L + H]`."""

    times: pd.Index
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class DataSummary:
    """Windows of the three parts, and what tables show of the test part.

    Attributes:
        training: number of windows; so are `validation` and `test`.
        labelled: number of training windows that have all inputs of the student, and a label.
        not_scored: number of targets of the test part that are not scored.
        incomplete: number of test windows in which inputs of the student are missing, which are not scored.
        scored: positions `[M]` of the test windows that have a target that is scored.
        starts: time stamps `[M]` of their first targets.
        examples: test windows whose forecasts are kept.
        scale: how the target was scaled.
    """

    training: int
    validation: int
    test: int
    labelled: int
    not_scored: int
    incomplete: int
    scored: np.ndarray
    starts: pd.Index
    examples: tuple[ExampleWindow, ...]
    scale: Scale


def summarize(prepared: Prepared, student: tuple[int, int, int], steps: tuple[int, int]) -> DataSummary:
    """The summary of prepared data.

    Args:
        prepared: of one fold and size, with its complete windows.
        student: its lookback, and first and last step of its horizon.
        steps: first and last step that are scored.
    """
    part, (lookback, *learnt) = prepared.test, student
    labelled = np.isfinite(prepared.train.truth[:, learnt[0] - 1 : learnt[1]]).any(axis=(1, 2))
    scored = np.flatnonzero(part.counts)
    return DataSummary(
        training=len(prepared.train.truth),
        validation=len(prepared.validation.truth),
        test=len(part.truth),
        labelled=int((labelled & prepared.train.complete).sum()),
        incomplete=int((~part.complete).sum()),
        not_scored=_not_scored(part.scored[:, steps[0] - 1 :]),
        scored=scored,
        starts=part.starts[scored],
        examples=tuple(_example(prepared, window, lookback, steps[1]) for window in part.examples),
        scale=prepared.scale,
    )


def _example(prepared: Prepared, window: int, lookback: int, horizon: int) -> ExampleWindow:
    part = prepared.test
    rows = slice(window + part.reach - lookback, window + part.reach + horizon)
    return ExampleWindow(part.series.time_index[rows], part.series.values(copy=False)[rows, 0].copy())


def _not_scored(scored: np.ndarray) -> int:
    """How many targets are not, of windows `[W, H]` that overlap."""
    return int((~scored[:, -1]).sum() + (~scored[0, :-1]).sum())
