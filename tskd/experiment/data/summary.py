"""What results need of the data of one fold and training size, so that nothing is prepared again for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tskd.experiment.data.preparation import DataPart, Prepared, Scale


@dataclass(frozen=True, eq=False)
class ExampleWindow:
    """A test window whose forecasts are kept: time stamps of lookback and horizon, and scaled values of the first
    target component, both `[L + H]`; how they were scaled; and the name of the series, empty where there is one."""

    times: pd.Index
    values: np.ndarray
    scale: Scale
    series: str = ""


@dataclass(frozen=True, eq=False)
class DataSummary:
    """Windows of the three parts, and what tables show of the test part; of several series one after the other.

    Attributes:
        training: number of windows, with and without labels; so are `validation` and `test`.
        training_labelled: number of those that have all inputs of the student and a label; so is `validation_labelled`.
            Those of the test part are `scored`.
        not_scored: number of targets of the test part that are not scored.
        incomplete: number of test windows in which inputs of the student are missing, which are not scored.
        scored: positions `[M]` of the test windows that have a target that is scored.
        starts: time stamps `[M]` of their first targets.
        examples: test windows whose forecasts are kept.
        series: name of the series of each of the `[M]` scored windows, empty where there is one.
    """

    training: int
    validation: int
    test: int
    training_labelled: int
    validation_labelled: int
    not_scored: int
    incomplete: int
    scored: np.ndarray
    starts: pd.Index
    examples: tuple[ExampleWindow, ...]
    series: np.ndarray


def together(summaries: Sequence[DataSummary]) -> DataSummary:
    """The summaries of several series as one."""
    if len(summaries) == 1:
        return summaries[0]
    counted = ("training", "validation", "test", "training_labelled", "validation_labelled", "not_scored", "incomplete")
    counts = {name: sum(getattr(one, name) for one in summaries) for name in counted}
    before = np.cumsum([0, *(one.test for one in summaries)])
    starts = summaries[0].starts
    return DataSummary(
        **counts,
        scored=np.concatenate([one.scored + first for one, first in zip(summaries, before, strict=False)]),
        starts=starts.append([one.starts for one in summaries[1:]]),
        examples=tuple(example for one in summaries for example in one.examples),
        series=np.concatenate([one.series for one in summaries]),
    )


def summarize(
    prepared: Prepared, student: tuple[int, int, int], steps: tuple[int, int], label: str = ""
) -> DataSummary:
    """The summary of prepared data.

    Args:
        prepared: of one fold and size, with its complete windows.
        student: its lookback, and first and last step of its horizon.
        steps: first and last step that are scored.
        label: name of the series, if it is one of several.
    """
    part, (lookback, *learnt) = prepared.test, student
    scored = np.flatnonzero(part.counts)
    return DataSummary(
        training=len(prepared.train.truth),
        validation=len(prepared.validation.truth),
        test=len(part.truth),
        training_labelled=_labelled(prepared.train, learnt),
        validation_labelled=_labelled(prepared.validation, learnt),
        incomplete=int((~part.complete).sum()),
        not_scored=_not_scored(part.scored[:, steps[0] - 1 :]),
        scored=scored,
        starts=part.starts[scored],
        examples=tuple(_example(prepared, window, lookback, steps[1], label) for window in part.examples),
        series=np.full(len(scored), label, dtype=object),
    )


def _labelled(part: DataPart, learnt: Sequence[int]) -> int:
    """Number of windows with all inputs, and a label at a step that the student learns."""
    first, last = learnt
    known = np.isfinite(part.truth[:, first - 1 : last]).any(axis=(1, 2))
    return int((known & part.complete).sum())


def _example(prepared: Prepared, window: int, lookback: int, horizon: int, label: str) -> ExampleWindow:
    part = prepared.test
    rows = slice(window + part.reach - lookback, window + part.reach + horizon)
    values = part.series.values(copy=False)[rows, 0].copy()
    return ExampleWindow(part.series.time_index[rows], values, prepared.scale, label)


def _not_scored(scored: np.ndarray) -> int:
    """How many targets are not, of windows `[W, H]` that overlap."""
    return int((~scored[:, -1]).sum() + (~scored[0, :-1]).sum())
