"""What one model is given of the series: its covariates, and which of their steps it may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from darts import TimeSeries
from darts.utils.utils import generate_index
from torch import Tensor

from tskd._core.darts.capabilities import is_torch_model, lookback_of, reads_covariates
from tskd._core.series import SeriesLike, as_list, as_privileged, check_span, check_windows
from tskd._core.windows import steps_between
from tskd.privileged import CovariateBlock, Source

if TYPE_CHECKING:
    from tskd.teachers.teacher import Teacher


@dataclass(frozen=True)
class View:
    """Covariates of each target series, and per slot the steps that may be read.

    Attributes:
        past_covariates, future_covariates: one for each target series, or None.
        visible: masks `[steps, components]` of slots in which something is hidden.
    """

    past_covariates: list[TimeSeries] | None
    future_covariates: list[TimeSeries] | None
    visible: Mapping[str, Tensor] = field(default_factory=dict)


def widen(
    series: Sequence[TimeSeries],
    past_covariates: Sequence[TimeSeries] | None,
    future_covariates: Sequence[TimeSeries] | None,
    privileged: Mapping[str, Sequence[TimeSeries]],
    sources: Sequence[Source],
    lookback: int,
    horizon: range,
    sees_inputs: bool,
    components: int,
    pad: bool,
) -> View:
    """The deployable view plus what the sources show; without the former if the teacher does not see the inputs.

    Args:
        past_covariates, future_covariates: the deployable ones; those of the sources come behind them.
        privileged: series by name, one for each target series.
        lookback, horizon: the teacher's input_chunk_length, and the steps after the origin that it forecasts.
        components: of the teacher's own target.
        pad: whether the covariates hold NaN where they are not known, or end there.

    Raises:
        ValueError: a privileged series does not cover the windows, or is not on a grid that its source can read.
    """
    past: list[list[CovariateBlock]] = [[] for _ in series]
    future: list[list[CovariateBlock]] = [[] for _ in series]
    if sees_inputs:
        for blocks, covariates in ((past, past_covariates), (future, future_covariates)):
            for index, values in enumerate(covariates or []):
                blocks[index].append(CovariateBlock(values))
    for source in sources:
        for index, target in enumerate(series):
            given = target if source.name is None else privileged[source.name][index]
            found = source.blocks(given, target, horizon)
            _check_blocks(source, given, found, target, horizon)
            (past if source.slot == "past" else future)[index].extend(found)
    visible = {}
    if future[0]:
        steps = [_columns(block, block.steps, len(horizon)) for block in future[0]]
        history = [_columns(block, np.full(lookback, block.history and sees_inputs), lookback) for block in future[0]]
        visible = {"future_covariates": _joined(steps), "historic_future_covariates": _joined(history)}
    if not sees_inputs:
        visible["past_target"] = torch.zeros(lookback, components, dtype=torch.bool)
    visible = {slot: mask for slot, mask in visible.items() if not bool(mask.all())}
    return View(_stacked(past, series, pad), _stacked(future, series, pad), visible)


def own_targets(given: Sequence[TimeSeries], series: Sequence[TimeSeries], name: str) -> list[TimeSeries]:
    """The series that a teacher forecasts in place of the student's targets, over the same span.

    Raises:
        ValueError: one does not cover the target, or lacks a component of it.
    """
    for own, target in zip(given, series, strict=True):
        what = f"privileged[{name!r}] as a teacher's target"
        absent = [component for component in target.components if component not in own.components]
        if absent:
            raise ValueError(f"{what} has components {list(own.components)} and lacks {absent} of the student's target")
        try:
            steps_between(own, target)
        except ValueError as error:
            raise ValueError(f"{what} does not fit the student's target: {error}") from None
        check_span(own, target.start_time(), target.end_time(), what)
    return [own.slice_intersect(target) for own, target in zip(given, series, strict=True)]


def _columns(block: CovariateBlock, steps: np.ndarray | None, length: int) -> np.ndarray:
    shown = np.ones(length, dtype=bool) if steps is None else steps
    return np.repeat(shown[:, None], block.values.n_components, axis=1)


def _joined(masks: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(masks, axis=1))


def _check_blocks(
    source: Source, given: TimeSeries, blocks: list[CovariateBlock], target: TimeSeries, horizon: range
) -> None:
    what = f"privileged[{source.name!r}] as {type(source).__name__} reads it"
    values = blocks[0].values
    if values.freq != target.freq:
        raise ValueError(
            f"{what} has frequency {values.freq_str!r}, the target {target.freq_str!r}; HighResolution folds a finer "
            "series, any other must be resampled"
        )
    try:
        steps_between(values, target)
    except ValueError as error:
        raise ValueError(f"{what} does not fit the target: {error}") from None
    final = target.end_time()
    if source.slot == "past":
        # what lies past the end of the target is not known: windows that would read there are left out, not refused
        last = horizon[-1]
        final = min(final - last * target.freq, final - int(source.reads_until(last)) * target.freq)
        check_span(values, values.start_time(), final, what)
    check_span(given, target.start_time(), final, what)


def _stacked(blocks: list[list[CovariateBlock]], series: Sequence[TimeSeries], pad: bool) -> list[TimeSeries] | None:
    if not blocks[0]:
        return None
    return [_stack([b.values for b in parts], target, pad) for parts, target in zip(blocks, series, strict=True)]


def _stack(parts: list[TimeSeries], target: TimeSeries, pad: bool) -> TimeSeries:
    """Components of several covariates side by side, with the target's dtype.

    Args:
        pad: over the span of them all and of the target, NaN where one is not known (windows that would read it are
            left out later; darts asks that the newest one exists); else over the span that all of them have.
    """
    names = [component for part in parts for component in part.components]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"covariates share component names {repeated}; rename them")
    spans = [*parts, target] if pad else parts
    widest, narrowest = (min, max) if pad else (max, min)
    origin = parts[0]
    first = widest(steps_between(origin, part) for part in spans)
    end = narrowest(steps_between(origin, part) + len(part) for part in spans)
    values = np.full((end - first, len(names)), np.nan, dtype=target.dtype)
    column = 0
    for part in parts:
        at = steps_between(origin, part) - first
        rows = slice(max(at, 0), min(at + len(part), end - first))
        columns = slice(column, column + part.n_components)
        values[rows, columns] = part.values(copy=False)[rows.start - at : rows.stop - at]
        column = columns.stop
    times = generate_index(start=origin.start_time() + first * origin.freq, length=end - first, freq=origin.freq)
    return TimeSeries.from_times_and_values(times, values, columns=names)


def arguments_of(
    teacher: Teacher,
    series: SeriesLike,
    past_covariates: SeriesLike | None,
    future_covariates: SeriesLike | None,
    privileged: Mapping[str, SeriesLike] | None,
    what: str,
    rows: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], View]:
    """The teacher's own series and covariates, checked and widened by what its sources show.

    Args:
        series, past_covariates, future_covariates, privileged: as the user gives them.
        what: the name of the argument `privileged` was given as.
        rows: darts' `stride` and `max_samples_per_ts`; if given, covariates must cover the training windows.
    """
    prefix = "val_" if what.startswith("val_") else ""
    targets = as_list(series, f"{prefix}series") or []
    known = as_privileged(privileged, teacher.names, len(targets), f"{what} of teacher {teacher.name!r}")
    deployable = {
        slot: as_list(given, f"{prefix}{slot}_covariates", len(targets))
        if teacher.sees_inputs and reads_covariates(teacher.model, slot)
        else None
        for slot, given in (("past", past_covariates), ("future", future_covariates))
    }
    if rows is not None:
        covariates = {f"{slot}_covariates": items for slot, items in deployable.items()}
        check_windows(
            {"series": targets, **covariates},
            teacher.training_keys(targets, rows),
            teacher.lookback,
            teacher.horizon,
            prefix,
        )
    own = targets if teacher.target is None else own_targets(known[teacher.target], targets, teacher.target)
    if not teacher.sees_inputs:
        own = [target.with_static_covariates(None) for target in own]
    view = widen(
        targets,
        deployable["past"],
        deployable["future"],
        known,
        teacher.sources,
        teacher.lookback,
        teacher.horizon,
        teacher.sees_inputs,
        components=own[0].n_components,
        pad=is_torch_model(teacher.model),
    )
    if not is_torch_model(teacher.model):
        futures = any(source.slot == "future" for source in teacher.sources)
        check_lags_shown(teacher.model, view, teacher.horizon, teacher.name, futures)
    arguments = {
        "series": own,
        "past_covariates": view.past_covariates,
        "future_covariates": view.future_covariates,
    }
    return arguments, view


def check_lags_shown(model: Any, view: View, horizon: range, name: str, privileged: bool) -> None:
    """Raise a ValueError if the model reads steps that it must not see: it cannot be shown a part of a slot.

    Args:
        horizon: steps after the origin that it forecasts.
        privileged: whether there are privileged values among its future covariates.
    """
    hidden = {
        first + int(step)
        for slot, first in (("future_covariates", horizon[0]), ("historic_future_covariates", 1 - lookback_of(model)))
        if slot in view.visible
        for step in (~view.visible[slot]).any(1).nonzero()[:, 0]
    }
    lags = getattr(model, "lags", None)
    steps = hidden if lags is None else {lag + 1 for lag in lags.get("future", [])}
    read = {step for step in steps if step in hidden or (privileged and step > horizon[-1])}
    if read:
        raise ValueError(
            f"teacher {name!r}: {type(model).__name__} reads its future covariates at steps {sorted(read)} after the "
            "origin, which its sources do not show; leave them out of lags_future_covariates, or use a torch model"
        )
