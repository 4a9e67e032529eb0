"""The outputs of the teachers for each window: computed once, keyed by (series, origin), reused every epoch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tskd._core.window_keys import covered_steps, encode, shared_steps, unique
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.predictor import OutputRequest, TeacherPredictor

FORECASTS, COVERED, AHEAD, SPREAD = "forecasts", "covered", "ahead", "spread"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TeacherOutputs:
    """The outputs of K teachers for M windows.

    Attributes:
        codes: the windows' keys as sorted numbers `[M]`.
        fields: of each teacher, arrays over the windows: `forecasts [M, h + A, C]` in the units of the target, of the h
            steps of the student's horizon that the teacher forecasts too, and of A steps past it; `spread [M, h + A,
            C]` if it forecasts a distribution; and, if wanted, `parameters [M, h + A, C, P]` of the distribution and
            `features.<layer> [M, …]` of hidden layers.
        valid: of each teacher, where it has a finite forecast `[M]`.
        like: a tensor of the student's target `[1, H, C]`, for its shape and dtype.
        extra: of each teacher, which fields a loss reads beside the forecasts.
        spans: of each teacher, the part of the student's horizon that it forecasts.
    """

    codes: Tensor
    fields: Sequence[Mapping[str, Tensor]]
    valid: Sequence[Tensor]
    like: Tensor
    extra: Sequence[Sequence[str]] = ()
    spans: Sequence[slice] = ()

    def of(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Forecasts `[K, B, H, C]` and validity `[K, B]` of the windows `keys [B, 2]`; steps that a teacher does not
        forecast are 0.

        Raises:
            KeyError: a window for which there are none.
        """
        rows = self._rows(keys)
        if not self.fields:
            return self.like.new_zeros(0, len(keys), *self.like.shape[1:]), torch.zeros(0, len(keys), dtype=torch.bool)
        forecasts = self.like.new_zeros(len(self.fields), len(keys), *self.like.shape[1:])
        for k, fields in enumerate(self.fields):
            span = self._span(k)
            forecasts[k, :, span] = fields[FORECASTS].index_select(0, rows)[:, : span.stop - span.start]
        valid = torch.stack([valid.index_select(0, rows) for valid in self.valid])
        return forecasts.where(valid[:, :, None, None], 0), valid

    def covers(self) -> Tensor:
        """Which steps of the student's horizon each teacher forecasts `[K, H]`."""
        return covered_steps([self._span(k) for k in range(len(self.fields))], self.like.shape[1])

    def spread(self, keys: Tensor) -> Tensor:
        """Standard deviations of the forecasts `[K, B, H, C]` of the windows `keys [B, 2]`; NaN of a teacher of point
        forecasts, and in steps that a teacher does not forecast."""
        rows = self._rows(keys)
        found = self.like.new_full((len(self.fields), len(keys), *self.like.shape[1:]), torch.nan)
        for k, fields in enumerate(self.fields):
            span = self._span(k)
            if SPREAD in fields:
                found[k, :, span] = fields[SPREAD].index_select(0, rows)[:, : span.stop - span.start]
        return found

    def details(self, keys: Tensor) -> list[dict[str, Tensor]]:
        """Of each teacher, for the windows `keys [B, 2]`: the extra fields, over the part of the student's horizon that
        it forecasts, and as `ahead` its forecasts past that `[B, A, C]`, if there are."""
        rows = self._rows(keys)
        found = []
        for k, (fields, names) in enumerate(zip(self.fields, self.extra, strict=True)):
            steps = self._span(k).stop - self._span(k).start
            one = {name: fields[name].index_select(0, rows) for name in names}
            one = {name: values if "." in name else values[:, :steps] for name, values in one.items()}
            if fields[FORECASTS].shape[1] > steps:
                one[AHEAD] = fields[FORECASTS].index_select(0, rows)[:, steps:]
            found.append(one)
        return found

    def _span(self, teacher: int) -> slice:
        return self.spans[teacher] if self.spans else slice(0, self.like.shape[1])

    def _rows(self, keys: Tensor) -> Tensor:
        codes = encode(keys)
        rows = torch.searchsorted(self.codes, codes).clamp(max=len(self.codes) - 1)
        unknown = self.codes[rows] != codes
        if bool(unknown.any()):
            raise KeyError(f"no knowledge of window (series, origin) = {tuple(keys[unknown][0].tolist())}")
        return rows


@dataclass(frozen=True)
class OutputSource:
    """A teacher whose outputs are wanted.

    Attributes:
        name: for messages.
        horizon: steps after the origin that it forecasts.
        predictor: of the windows.
        fields: wanted beside its forecasts.
    """

    name: str
    horizon: range
    predictor: TeacherPredictor
    fields: Sequence[str] = ()


@dataclass(frozen=True)
class StudentWindows:
    """Windows of the student for which outputs are wanted.

    Attributes:
        keys: `[N, 2]`, in any order, and more than once if need be.
        horizon: steps after the origin that the student forecasts.
        like: labels of one window `[1, H, C]`, for their shape and dtype.
        ahead: steps wanted past the student's horizon.
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
    wanted, steps = unique(windows.keys), windows.horizon
    fields, valid, spans = [], [], []
    for source in sources:
        span = shared_steps(steps, source.horizon)
        first = steps[0] + span.start - source.horizon[0]
        part = slice(first, first + span.stop - span.start + windows.ahead)
        request = OutputRequest(wanted, part, windows.like.dtype, source.fields)
        values, usable = collect(source.name, source.predictor, request, cache, progress)
        fields.append(values)
        valid.append(usable)
        spans.append(span)
    extra = [source.fields for source in sources]
    return TeacherOutputs(encode(wanted), fields, valid, windows.like, extra, spans)


def collect(
    name: str, predictor: TeacherPredictor, request: OutputRequest, cache: OutputCache, progress: bool = True
) -> tuple[dict[str, Tensor], Tensor]:
    """The outputs of one teacher: computed, or read from a cache.

    Args:
        name: the teacher's, for messages.
        request: which outputs are wanted.
        cache: where they are kept.
        progress: whether to show a progress bar.

    Returns:
        Its fields, and where its forecast can be used `[M]`.

    Raises:
        ValueError: the teacher has its inputs for none of the windows.
    """
    keys = request.keys
    with cache.open(lambda: predictor.fingerprint(request), len(keys)) as entry:
        if not entry.complete:
            covered = predictor.covers(keys)
            at = torch.nonzero(covered)[:, 0]
            entry.write(COVERED, torch.arange(len(keys)), covered)
            bar = tqdm(total=len(at), desc=f"teacher {name}", unit="window", disable=not progress, delay=2, leave=False)
            for rows, found in predictor.outputs(keys[covered], request.fields):
                for field, values in found.items():
                    part = values if "." in field else values[:, request.steps]
                    entry.write(field, at[rows], part.to(request.dtype))
                bar.update(len(rows))
            bar.close()
        fields = entry.read()
    if FORECASTS not in fields:
        raise ValueError(f"teacher {name!r} has its inputs for none of the {len(keys)} windows")
    return fields, usable_windows(name, fields[FORECASTS], fields.pop(COVERED))


def usable_windows(name: str, forecasts: Tensor, covered: Tensor) -> Tensor:
    """For which windows a teacher's forecasts `[M, H, C]` can be used `[M]`; warns of what a user should know.

    Args:
        covered: `[M]`, false where the teacher's own inputs do not exist.
    """
    finite = forecasts.isfinite().flatten(1).all(1)
    valid = covered & finite
    without = int((~covered).sum())
    broken = int((covered & ~finite).sum())
    if without:
        logger.info("teacher %r lacks its inputs for %d of %d windows: left out there", name, without, len(covered))
    if broken:
        warnings.warn(
            f"teacher {name!r} forecasts NaN or infinity for {broken} of {len(covered)} windows; it is left out there",
            stacklevel=2,
        )
    usable = forecasts[valid]
    if len(usable) > 1 and bool((usable == usable[0]).all()):
        warnings.warn(f"teacher {name!r} forecasts the same for every window", stacklevel=2)
    return valid
