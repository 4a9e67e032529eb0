"""What one model is given of the series: its covariates, and which of their steps it may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd.checks import require_span
from tskd.privileged import Source


@dataclass(frozen=True)
class View:
    """Covariates of each target series, and per slot the steps that may be read.

    Attributes:
        past_covariates, future_covariates: one for each target series, or None.
        visible: masks `[steps, components]` of slots in which something is hidden.
    """

    past_covariates: list[TimeSeries] | None
    future_covariates: list[TimeSeries] | None
    visible: Mapping[str, Tensor]


def widen(
    series: Sequence[TimeSeries],
    past_covariates: Sequence[TimeSeries] | None,
    future_covariates: Sequence[TimeSeries] | None,
    privileged: Mapping[str, Sequence[TimeSeries]],
    sources: Sequence[Source],
    horizon: int,
    output_shift: int,
) -> View:
    """The deployable view plus what the sources show.

    Args:
        past_covariates, future_covariates: the deployable ones; those of the sources come behind them.
        privileged: series by name, one for each target series.
        horizon, output_shift: the teacher's output_chunk_length and output_chunk_shift.

    Raises:
        ValueError: a privileged series does not cover the windows, or is not on a grid that its source can read.
    """
    stacks: dict[str, list[list[TimeSeries]]] = {
        "past": [[] if past_covariates is None else [past_covariates[i]] for i in range(len(series))],
        "future": [[] if future_covariates is None else [future_covariates[i]] for i in range(len(series))],
    }
    masks: list[np.ndarray] = [] if future_covariates is None else [_all(future_covariates[0], horizon)]
    last = horizon + output_shift
    for source in sources:
        for index, target in enumerate(series):
            given = target if source.name is None else privileged[source.name][index]
            covariates = source.covariates(given, target)
            _require(source, covariates, target, last)
            stacks[source.slot][index].append(covariates)
        if source.slot == "future":
            steps = source.visible(output_shift + 1, last)
            whole = _all(stacks["future"][0][-1], horizon)
            masks.append(whole if steps is None else whole & steps[:, None])
    visible = {}
    if masks and not all(mask.all() for mask in masks):
        visible["future_covariates"] = torch.from_numpy(np.concatenate(masks, axis=1))
    return View(_stacked(stacks["past"], series), _stacked(stacks["future"], series), visible)


def _all(covariates: TimeSeries, horizon: int) -> np.ndarray:
    return np.ones((horizon, covariates.n_components), dtype=bool)


def _require(source: Source, covariates: TimeSeries, target: TimeSeries, last: int) -> None:
    if covariates.freq != target.freq:
        raise ValueError(
            f"privileged[{source.name!r}] has frequency {covariates.freq_str!r}, the target {target.freq_str!r}; "
            "HighResolution folds a finer series, any other must be resampled"
        )
    start = target.start_time() + source.incomplete_steps * target.freq
    end = target.end_time()
    if source.slot == "past":
        # what lies past the end of the target is not known: windows that would read there are left out, not refused
        end = min(end - last * target.freq, end - int(source.reads_until(last)) * target.freq)
    require_span(covariates, start, end, f"privileged[{source.name!r}] as {type(source).__name__} reads it")


def _stacked(stacks: list[list[TimeSeries]], series: Sequence[TimeSeries]) -> list[TimeSeries] | None:
    if not stacks[0]:
        return None
    return [_stack(parts, target.dtype) for parts, target in zip(stacks, series, strict=True)]


def _stack(parts: list[TimeSeries], dtype: np.dtype) -> TimeSeries:
    """Components of several covariates side by side, over the span that all of them have."""
    if len(parts) == 1:
        return parts[0].astype(dtype)
    start = max(part.start_time() for part in parts)
    end = min(part.end_time() for part in parts)
    cut = [part.slice(start, end) for part in parts]
    names = [component for part in cut for component in part.components]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"covariates share component names {repeated}; rename them")
    values = np.concatenate([part.values(copy=False) for part in cut], axis=1).astype(dtype)
    return TimeSeries.from_times_and_values(cut[0].time_index, values, columns=names)
