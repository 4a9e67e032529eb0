"""The inputs of a teacher: the deployable series, and the covariates that its privileged sources provide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from darts import TimeSeries
from darts.utils.utils import generate_index
from torch import Tensor

from tskd._core.coverage import check_span, check_windows
from tskd._core.darts.capabilities import check_weighable_labels, reads_covariates
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, has_gaps
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
    """Check the series that a user passes in, and keep those that the teacher reads.

    Args:
        prefix: prefix of argument names in messages, `"val_"` for the validation part.
    """
    past, future = (
        covariates if teacher.sees_inputs and reads_covariates(teacher.model, slot) else None
        for slot, covariates in (("past", past_covariates), ("future", future_covariates))
    )
    bundle = SeriesBundle.of(series, past, future, prefix)
    return bundle.with_privileged(privileged, teacher.series_names, f" of teacher {teacher.name!r}")


def teacher_inputs(teacher: TeacherSpec, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
    """Build the inputs of a teacher: its target series, and deployable and privileged covariates side by side.

    Args:
        data: checked series, with the privileged ones that its sources read.
        sampling: of the windows it is fitted on, which its deployable covariates must cover; None to forecast only.

    Raises:
        ValueError: the teacher cannot use the series.
    """
    deployable = {
        slot: covariates if teacher.sees_inputs and reads_covariates(teacher.model, slot) else None
        for slot, covariates in (("past", data.past_covariates), ("future", data.future_covariates))
    }
    keys = None
    if sampling is not None:
        keys = teacher.training_keys(data.series, sampling)
        read = replace(data, past_covariates=deployable["past"], future_covariates=deployable["future"])
        check_windows(read, keys, teacher.lookback, teacher.horizon)
    privileged = data.privileged_of(teacher.series_names)
    own = data.series
    if teacher.target is not None:
        own = _own_targets(privileged[teacher.target], data.series, teacher.target)
    if not teacher.sees_inputs:
        own = [target.with_static_covariates(None) for target in own]
    past, future = _Slot(deployable["past"], data.series), _Slot(deployable["future"], data.series)
    for source in teacher.sources:
        if sampling is not None and not data.prefix:
            _check_reach(source, teacher, data.series)
        (past if source.slot == "past" else future).add(source, privileged, teacher.horizon)
    visible = _visible(teacher, future.blocks[0], own[0].n_components)
    if sampling is not None and teacher.is_network and any(map(has_gaps, own)):
        try:
            check_weighable_labels(teacher.model)
        except ValueError as error:
            raise ValueError(f"teacher {teacher.name!r}: labels are missing, and {error}") from None
    inputs = ModelInputs(own, past.joined(teacher.is_network), future.joined(teacher.is_network), visible, keys)
    if not teacher.is_network:
        _check_lags(teacher, visible)
    return inputs


@dataclass
class _Slot:
    """Blocks of past or future covariates: first the deployable ones, then those of the sources.

    Attributes:
        deployable: one series for each target series, or None.
        series: target series.
        blocks: for each target series, its blocks.
    """

    deployable: Sequence[TimeSeries] | None
    series: Sequence[TimeSeries]

    def __post_init__(self) -> None:
        self.blocks: list[list[CovariateBlock]] = [[] for _ in self.series]
        for blocks, values in zip(self.blocks, self.deployable or [], strict=False):
            blocks.append(CovariateBlock(values))

    def add(self, source: Source, privileged: Mapping[str, Sequence[TimeSeries]], horizon: range) -> None:
        """Append the blocks of a source.

        Args:
            privileged: series by name.
            horizon: steps after the origin that the teacher forecasts.
        """
        for index, target in enumerate(self.series):
            values = target if source.name is None else privileged[source.name][index]
            blocks = source.blocks(values, target, horizon)
            _check_blocks(source, values, blocks, target, horizon)
            self.blocks[index].extend(blocks)

    def joined(self, pad: bool) -> list[TimeSeries] | None:
        """The blocks of each target series side by side; see `_stack` for `pad`."""
        if not self.blocks[0]:
            return None
        return [
            _stack([block.values for block in blocks], target, pad)
            for blocks, target in zip(self.blocks, self.series, strict=True)
        ]


def _visible(teacher: TeacherSpec, future: list[CovariateBlock], components: int) -> dict[str, Tensor]:
    """Masks `[steps, components]` of the slots in which steps are hidden from the teacher.

    Args:
        future: blocks of its future covariates.
        components: number of components of its own target.
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


def _own_targets(privileged: Sequence[TimeSeries], series: Sequence[TimeSeries], name: str) -> list[TimeSeries]:
    """The privileged series that a teacher forecasts in place of the student's targets, over the same span.

    Raises:
        ValueError: one does not cover its target, or lacks one of the target's components.
    """
    for own, target in zip(privileged, series, strict=True):
        what = f"privileged[{name!r}] as a teacher's target"
        absent = [component for component in target.components if component not in own.components]
        if absent:
            raise ValueError(f"{what} has components {list(own.components)} and lacks {absent} of the student's target")
        try:
            steps_between(own, target)
        except ValueError as error:
            raise ValueError(f"{what} does not fit the student's target: {error}") from None
        check_span(own, target.start_time(), target.end_time(), what)
    return [own.slice_intersect(target) for own, target in zip(privileged, series, strict=True)]


def _columns(block: CovariateBlock, steps: np.ndarray | None, length: int) -> np.ndarray:
    visible = np.ones(length, dtype=bool) if steps is None else steps
    return np.repeat(visible[:, None], block.values.n_components, axis=1)


def _beside(masks: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(masks, axis=1))


def _check_reach(source: Source, teacher: TeacherSpec, series: Sequence[TimeSeries]) -> None:
    """Raise a ValueError if a source reads so far ahead that no window of the training part has what it reads."""
    last, longest = source.reads_until(teacher.horizon[-1]), max(map(len, series))
    if teacher.lookback + last > longest:
        raise ValueError(
            f"teacher {teacher.name!r}: {source!r} reads up to step {math.ceil(last)} after the origin, and the target "
            f"ends {longest - teacher.lookback} steps after the first origin or earlier: no window has what it reads"
        )


def _check_blocks(
    source: Source, series: TimeSeries, blocks: list[CovariateBlock], target: TimeSeries, horizon: range
) -> None:
    """Raise a ValueError if the blocks of a source, or the series that it reads, do not fit the target."""
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
        # there may be no values past the end of the target: windows that would read them are left out without an error
        last = horizon[-1]
        final = min(final - last * target.freq, final - int(source.reads_until(last)) * target.freq)
        check_span(values, values.start_time(), final, what)
    check_span(series, target.start_time(), final, what)


def _stack(parts: list[TimeSeries], target: TimeSeries, pad: bool) -> TimeSeries:
    """Concatenate the components of several covariates, with the target's dtype.

    Args:
        pad: whether the result spans all of them and the target, with NaN for missing values (darts requires the newest
            window to exist; windows that would read NaN are left out later), or only the steps that they share.
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
    """Raise a ValueError if a regression model has lags at hidden steps: it cannot read a slot in part."""
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
