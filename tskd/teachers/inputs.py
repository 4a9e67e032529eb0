"""The inputs of a teacher: the deployable series, and the covariates that its privileged sources provide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from darts import TimeSeries
from darts.utils.utils import generate_index
from torch import Tensor

from tskd._core.coverage import check_long_enough, check_span, check_windows
from tskd._core.darts.capabilities import check_weighable_labels, reads_covariates, reads_static, window_span
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, has_gaps
from tskd._core.static_covariates import check_static
from tskd._core.time_grid import steps_between
from tskd._core.window_keys import WindowSampling
from tskd.privileged import CovariateBlock, Source
from tskd.teachers.input_checks import check_blocks, check_lags, check_reach
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
    keys, whose = None, f"teacher {teacher.name!r}"
    if sampling is not None:
        check_long_enough(data.series, window_span(teacher.model), f"{data.prefix}series", whose)
        keys = teacher.training_keys(data.series, sampling)
        read = replace(data, past_covariates=deployable["past"], future_covariates=deployable["future"])
        check_windows(read, keys, teacher.lookback, teacher.horizon, whose)
    privileged = data.privileged_of(teacher.series_names)
    own = data.series
    if teacher.target is not None:
        own = _own_targets(privileged[teacher.target], data.series, teacher.target, whose)
    if not teacher.sees_inputs:
        own = [target.with_static_covariates(None) for target in own]
    elif reads_static(teacher.model):
        check_static(own, f"{data.prefix}series", whose, teacher.model.static_covariates)
    past, future = _Slot(deployable["past"], data.series), _Slot(deployable["future"], data.series)
    for source in teacher.sources:
        if sampling is not None and not data.prefix:
            check_reach(source, teacher, data.series)
        try:
            (past if source.slot == "past" else future).add(source, privileged, teacher.horizon, data.prefix)
        except ValueError as error:
            raise ValueError(f"{whose}: {error}") from None
    visible = _visible(teacher, future.blocks[0], own[0].n_components)
    if sampling is not None and teacher.is_network and any(map(has_gaps, own)):
        check_weighable_labels(teacher.model, whose, missing=True)
    inputs = ModelInputs(own, past.joined(teacher.is_network), future.joined(teacher.is_network), visible, keys)
    if not teacher.is_network:
        check_lags(teacher, visible)
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

    def add(
        self, source: Source, privileged: Mapping[str, Sequence[TimeSeries]], horizon: range, prefix: str = ""
    ) -> None:
        """Append the blocks of a source.

        Args:
            privileged: series by name.
            horizon: steps after the origin that the teacher forecasts.
            prefix: of the names of arguments in messages.
        """
        for index, target in enumerate(self.series):
            values = target if source.name is None else privileged[source.name][index]
            name = f"{prefix}series" if source.name is None else f"{prefix}privileged[{source.name!r}]"
            what = f"{name}{f'[{index}]' if len(self.series) > 1 else ''} as {type(source).__name__} reads it"
            try:
                blocks = source.blocks(values, target, horizon)
            except ValueError as error:
                raise ValueError(f"{what}: {error}") from None
            check_blocks(source, values, blocks, target, horizon, what)
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


def _own_targets(
    privileged: Sequence[TimeSeries], series: Sequence[TimeSeries], name: str, whose: str
) -> list[TimeSeries]:
    """The privileged series that a teacher forecasts in place of the student's targets, over the same span.

    Raises:
        ValueError: one does not cover its target, or lacks one of the target's components.
    """
    for own, target in zip(privileged, series, strict=True):
        what = f"{whose}: privileged[{name!r}] as a teacher's target"
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
