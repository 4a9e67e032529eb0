"""The inputs of a teacher: deployable series widened by what its sources of privileged information provide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from darts import TimeSeries
from darts.utils.utils import generate_index
from torch import Tensor

from tskd._core.darts.capabilities import reads_covariates
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, check_span, check_windows
from tskd._core.time_grid import steps_between
from tskd._core.window_keys import WindowSampling
from tskd.privileged import CovariateBlock, Source
from tskd.teachers.spec import TeacherSpec


def teacher_data(
    teacher: TeacherSpec,
    series: SeriesLike,
    past_covariates: SeriesLike | None,
    future_covariates: SeriesLike | None,
    privileged: Mapping[str, SeriesLike] | None,
    prefix: str = "",
) -> SeriesBundle:
    """The series that a teacher reads, of those that a user hands in, checked.

    Args:
        prefix: what precedes the names of the arguments, `"val_"` for a validation part.
    """
    past, future = (
        given if teacher.sees_inputs and reads_covariates(teacher.model, slot) else None
        for slot, given in (("past", past_covariates), ("future", future_covariates))
    )
    bundle = SeriesBundle.of(series, past, future, prefix)
    return bundle.with_privileged(privileged, teacher.series_names, f" of teacher {teacher.name!r}")


def teacher_inputs(teacher: TeacherSpec, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
    """A teacher's own series and covariates.

    Args:
        data: deployable series, and the privileged ones that its sources read, checked.
        sampling: which windows it is fitted on; None to forecast only. With it, covariates must cover these windows.

    Raises:
        ValueError: series that the teacher cannot use.
    """
    deployable = {
        slot: given if teacher.sees_inputs and reads_covariates(teacher.model, slot) else None
        for slot, given in (("past", data.past_covariates), ("future", data.future_covariates))
    }
    keys = None
    if sampling is not None:
        keys = teacher.training_keys(data.series, sampling)
        covariates = {f"{slot}_covariates": items for slot, items in deployable.items()}
        check_windows({"series": data.series, **covariates}, keys, teacher.lookback, teacher.horizon, data.prefix)
    privileged = data.privileged_of(teacher.series_names)
    own = data.series
    if teacher.target is not None:
        own = _own_targets(privileged[teacher.target], data.series, teacher.target)
    if not teacher.sees_inputs:
        own = [target.with_static_covariates(None) for target in own]
    past, future = _Slot("past", deployable["past"], data.series), _Slot("future", deployable["future"], data.series)
    for source in teacher.sources:
        (past if source.slot == "past" else future).add(source, privileged, teacher.horizon)
    visible = _visible(teacher, future.blocks[0], own[0].n_components)
    inputs = ModelInputs(own, past.joined(teacher.is_network), future.joined(teacher.is_network), visible, keys)
    if not teacher.is_network:
        _check_lags(teacher, visible)
    return inputs


@dataclass
class _Slot:
    """Blocks of covariates of one slot: first the deployable ones, then those of the sources.

    Attributes:
        name: `"past"` or `"future"`.
        deployable: one series for each target, or None.
        series: target series.
        blocks: of each target series.
    """

    name: str
    deployable: Sequence[TimeSeries] | None
    series: Sequence[TimeSeries]

    def __post_init__(self) -> None:
        self.blocks: list[list[CovariateBlock]] = [[] for _ in self.series]
        for blocks, values in zip(self.blocks, self.deployable or [], strict=False):
            blocks.append(CovariateBlock(values))

    def add(self, source: Source, privileged: Mapping[str, Sequence[TimeSeries]], horizon: range) -> None:
        """Append what a source provides."""
        for index, target in enumerate(self.series):
            given = target if source.name is None else privileged[source.name][index]
            found = source.blocks(given, target, horizon)
            _check_blocks(source, given, found, target, horizon)
            self.blocks[index].extend(found)

    def joined(self, pad: bool) -> list[TimeSeries] | None:
        """The blocks of each target series side by side; see `_stack` for `pad`."""
        if not self.blocks[0]:
            return None
        return [
            _stack([block.values for block in blocks], target, pad)
            for blocks, target in zip(self.blocks, self.series, strict=True)
        ]


def _visible(teacher: TeacherSpec, future: list[CovariateBlock], components: int) -> dict[str, Tensor]:
    """Masks `[steps, components]` of the slots in which something is hidden from the teacher.

    Args:
        future: blocks of its future covariates.
        components: of its own target.
    """
    lookback, horizon, visible = teacher.lookback, len(teacher.horizon), {}
    if future:
        steps = [_columns(block, block.steps, horizon) for block in future]
        history = [
            _columns(block, np.full(lookback, block.history and teacher.sees_inputs), lookback) for block in future
        ]
        visible = {"future_covariates": _beside(steps), "historic_future_covariates": _beside(history)}
    if not teacher.sees_inputs:
        visible["past_target"] = torch.zeros(lookback, components, dtype=torch.bool)
    return {slot: mask for slot, mask in visible.items() if not bool(mask.all())}


def _own_targets(given: Sequence[TimeSeries], series: Sequence[TimeSeries], name: str) -> list[TimeSeries]:
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


def _beside(masks: list[np.ndarray]) -> Tensor:
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


def _check_lags(teacher: TeacherSpec, visible: Mapping[str, Tensor]) -> None:
    """Raise a ValueError if a regression model reads steps that it must not see: part of a slot cannot be hidden."""
    horizon, model = teacher.horizon, teacher.model
    privileged = any(source.slot == "future" for source in teacher.sources)
    hidden = {
        first + int(step)
        for slot, first in (("future_covariates", horizon[0]), ("historic_future_covariates", 1 - teacher.lookback))
        if slot in visible
        for step in (~visible[slot]).any(1).nonzero()[:, 0]
    }
    lags = getattr(model, "lags", None)
    steps = hidden if lags is None else {lag + 1 for lag in lags.get("future", [])}
    read = {step for step in steps if step in hidden or (privileged and step > horizon[-1])}
    if read:
        raise ValueError(
            f"teacher {teacher.name!r}: {type(model).__name__} reads its future covariates at steps {sorted(read)} "
            "after the origin, which its sources do not show; leave them out of lags_future_covariates, or use a torch "
            "model"
        )
