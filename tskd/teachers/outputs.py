"""Teacher outputs for all training windows: computed once, or read from a cache, and looked up by key in each step."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tskd._core.window_keys import covered_steps, encode, shared_steps, unique
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.predictor import OutputRequest, TeacherPredictor
from tskd.teachers.usable_windows import usable_windows

FORECASTS, COVERED, AHEAD, SPREAD = "forecasts", "covered", "ahead", "spread"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TeacherOutputs:
    """The outputs of K teachers for M windows.

    Attributes:
        codes: keys of the windows as sorted numbers `[M]`.
        fields: for each teacher, arrays over the windows: `forecasts [M, h + A, C]` in the units of the target, for the
            h steps of the student's horizon that the teacher forecasts too and A steps past it; `spread [M, h + A, C]`
            (standard deviation) if it forecasts a distribution; and, on request, `parameters [M, h + A, C, P]` of the
            distribution and `features.<layer> [M, …]` of hidden layers.
        valid: for each teacher, true where its forecast is finite `[M]`.
        like: a tensor in the shape and dtype of one label `[1, H, C]`.
        extra: for each teacher, the fields that losses read beside the forecasts.
        spans: for each teacher, the part of the student's horizon that it forecasts.
    """

    codes: Tensor
    fields: Sequence[Mapping[str, Tensor]]
    valid: Sequence[Tensor]
    like: Tensor
    extra: Sequence[Sequence[str]] = ()
    spans: Sequence[slice] = ()

    @cached_property
    def whole(self) -> bool:
        """Whether every teacher has a usable forecast for every window and step."""
        steps = slice(0, self.like.shape[1])
        return all(bool(valid.all()) for valid in self.valid) and all(span == steps for span in self.spans)

    def rows(self, keys: Tensor) -> Tensor:
        """Where the outputs for the windows `keys [B, 2]` are `[B]`. Raises KeyError: there are none for a window."""
        codes = encode(keys)
        rows = torch.searchsorted(self.codes, codes).clamp(max=len(self.codes) - 1)
        unknown = self.codes[rows] != codes
        if bool(unknown.any()):
            raise KeyError(f"no teacher outputs for window (series, origin) = {tuple(keys[unknown][0].tolist())}")
        return rows

    def of(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Forecasts `[K, B, H, C]` and validity `[K, B]` for the windows `keys [B, 2]`; steps that a teacher does not
        forecast are 0.

        Raises:
            KeyError: there are no outputs for a window.
        """
        return self.take(self.rows(keys))

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Forecasts and validity as `of`, by the rows of the windows `[B]`."""
        shape = len(self.fields), len(rows), *self.like.shape[1:]
        if self.whole:
            forecasts = self.like.new_empty(shape)
            for own, fields in zip(forecasts, self.fields, strict=True):
                answers = fields[FORECASTS][:, : shape[2]]
                if answers.is_contiguous():
                    # a window in one piece is copied at once; of others, flatten would copy them all
                    answers, own = answers.flatten(1), own.flatten(1)
                torch.index_select(answers, 0, rows, out=own)
            return forecasts, torch.ones(shape[:2], dtype=torch.bool)
        forecasts = self.like.new_zeros(shape)
        for k, fields in enumerate(self.fields):
            span = self._span(k)
            forecasts[k, :, span] = fields[FORECASTS].index_select(0, rows)[:, : span.stop - span.start]
        valid = torch.stack([valid.index_select(0, rows) for valid in self.valid])
        return forecasts.where(valid[:, :, None, None], 0), valid

    def trusted(self, trust: Sequence[float] | None) -> TeacherOutputs:
        """These outputs without those of teachers in which there is no `trust` `[K]`; all, if it is None."""
        if trust is None:
            return self
        valid = [own & (share > 0) for own, share in zip(self.valid, trust, strict=True)]
        return replace(self, valid=valid)

    def valid_for(self, keys: Tensor) -> Tensor:
        """`[K, B]`, true where a teacher has a usable forecast for a window of `keys [B, 2]`."""
        rows = self.rows(keys)
        if not self.valid:
            return torch.zeros(0, len(keys), dtype=torch.bool)
        return torch.stack([valid.index_select(0, rows) for valid in self.valid])

    def covers(self) -> Tensor:
        """Masks `[K, H]` of the steps of the student's horizon that each teacher forecasts."""
        return covered_steps([self._span(k) for k in range(len(self.fields))], self.like.shape[1])

    def spread(self, rows: Tensor) -> Tensor:
        """Standard deviations `[K, B, H, C]` of the forecasts in `rows [B]`; NaN for teachers with point forecasts,
        and in steps that a teacher does not forecast."""
        spread = self.like.new_full((len(self.fields), len(rows), *self.like.shape[1:]), torch.nan)
        for k, fields in enumerate(self.fields):
            span = self._span(k)
            if SPREAD in fields:
                spread[k, :, span] = fields[SPREAD].index_select(0, rows)[:, : span.stop - span.start]
        return spread

    def details(self, rows: Tensor) -> list[dict[str, Tensor]]:
        """For each teacher, further outputs in `rows [B]`.

        Returns:
            The extra fields, over the part of the student's horizon that the teacher forecasts, and as `ahead` its
            forecasts past the horizon `[B, A, C]`, if there are any.
        """
        details = []
        for k, (fields, names) in enumerate(zip(self.fields, self.extra, strict=True)):
            steps = self._span(k).stop - self._span(k).start
            one = {name: fields[name].index_select(0, rows) for name in names}
            one = {name: values if "." in name else values[:, :steps] for name, values in one.items()}
            if fields[FORECASTS].shape[1] > steps:
                one[AHEAD] = fields[FORECASTS].index_select(0, rows)[:, steps:]
            details.append(one)
        return details

    def _span(self, teacher: int) -> slice:
        return self.spans[teacher] if self.spans else slice(0, self.like.shape[1])


@dataclass(frozen=True)
class OutputSource:
    """A teacher whose outputs are to be collected.

    Attributes:
        name: for messages.
        horizon: steps after the origin that it forecasts.
        predictor: computes its outputs.
        fields: requested beside its forecasts.
    """

    name: str
    horizon: range
    predictor: TeacherPredictor
    fields: Sequence[str] = ()


@dataclass(frozen=True)
class StudentWindows:
    """Windows of the student for which teacher outputs are to be collected.

    Attributes:
        keys: `[N, 2]`, in any order, with or without repeats.
        horizon: steps after the origin that the student forecasts.
        like: a tensor in the shape and dtype of one label `[1, H, C]`.
        ahead: number of steps requested past the student's horizon.
    """

    keys: Tensor
    horizon: range
    like: Tensor
    ahead: int = 0


def collect_outputs(
    sources: Sequence[OutputSource], windows: StudentWindows, cache: OutputCache, progress: bool = False
) -> TeacherOutputs:
    """The outputs of several teachers for the student's windows: computed, or read from a cache.

    Args:
        progress: whether to show progress bars.
    """
    keys, steps = unique(windows.keys), windows.horizon
    fields, valid, spans = [], [], []
    for source in sources:
        span = shared_steps(steps, source.horizon)
        first = steps[0] + span.start - source.horizon[0]
        part = slice(first, first + span.stop - span.start + windows.ahead)
        request = OutputRequest(keys, part, windows.like.dtype, source.fields)
        values, usable = collect(source.name, source.predictor, request, cache, progress)
        fields.append(values)
        valid.append(usable)
        spans.append(span)
    extra = [source.fields for source in sources]
    return TeacherOutputs(encode(keys), fields, valid, windows.like, extra, spans)


def collect(
    name: str, predictor: TeacherPredictor, request: OutputRequest, cache: OutputCache, progress: bool = True
) -> tuple[dict[str, Tensor], Tensor]:
    """The outputs of one teacher: computed, or read from a cache.

    Args:
        name: the teacher's name, for messages.
        request: which outputs to collect.
        cache: from which they are read, or to which they are added.
        progress: whether to show a progress bar.

    Returns:
        Its outputs by field, and the windows for which its forecast can be used `[M]`.

    Raises:
        ValueError: the teacher has its inputs for none of the windows.
    """
    keys = request.keys
    with cache.open(lambda: predictor.fingerprint(request), len(keys), partial(_check, predictor, request)) as entry:
        if not entry.complete:
            covered = predictor.covers(keys)
            at = torch.nonzero(covered)[:, 0]
            entry.write(COVERED, torch.arange(len(keys)), covered)
            bar = tqdm(total=len(at), desc=f"teacher {name}", unit="window", disable=not progress, delay=2, leave=False)
            for rows, outputs in predictor.outputs(keys[covered], request.fields):
                own = at.index_select(0, rows)
                for field, values in outputs.items():
                    part = values if "." in field else values[:, request.steps]
                    entry.write(field, own, part.to(request.dtype))
                bar.update(len(rows))
            bar.close()
        fields = entry.read()
    if FORECASTS not in fields:
        raise ValueError(f"teacher {name!r} has its inputs for none of the {len(keys)} windows")
    return fields, usable_windows(name, fields[FORECASTS], fields.pop(COVERED))


def _check(predictor: TeacherPredictor, request: OutputRequest, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError for arrays that are not the answers of a teacher to a request, whoever wrote them."""
    windows, steps = len(request.keys), request.steps.stop - request.steps.start
    width = predictor.series[0].n_components if predictor.columns is None else len(predictor.columns)
    dtype = torch.zeros(0, dtype=request.dtype).numpy().dtype
    covered = arrays[COVERED]
    if covered.shape != (windows,) or covered.dtype != np.bool_:
        raise ValueError(f"{COVERED} has shape {covered.shape} and type {covered.dtype}")
    if predictor.base.covers_cheaply and not np.array_equal(covered, predictor.covers(request.keys).numpy()):
        raise ValueError("other windows are covered")
    answers = {FORECASTS, *request.fields} if covered.any() else set()
    if not answers <= set(arrays) <= {COVERED, SPREAD, *answers}:
        raise ValueError(f"there are {', '.join(arrays)}")
    for name in set(arrays) - {COVERED}:
        array = arrays[name]
        fits = "." in name or array.shape[1:3] == (steps, width)
        if name in (FORECASTS, SPREAD):
            fits = array.shape == (windows, steps, width)
        if not fits or array.dtype != dtype:
            raise ValueError(f"{name} has shape {array.shape} and type {array.dtype}")
