"""What the teachers know about each window: computed once, keyed by (series, origin), reused every epoch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tskd._core.darts.capabilities import covered
from tskd._core.window_keys import encode
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.predictor import TeacherPredictor

FORECASTS, COVERED, AHEAD, SPREAD = "forecasts", "covered", "ahead", "spread"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TeacherOutputs:
    """What K teachers say of M windows.

    Attributes:
        codes: the windows' keys as sorted numbers `[M]`.
        fields: of each teacher, arrays over the windows: `forecasts [M, h + A, C]` in the units of the target, of the h
            steps of the student's horizon that the teacher forecasts too, and of A steps past it; `spread [M, h + A,
            C]` if it forecasts a distribution; and, if asked for, `parameters [M, h + A, C, P]` of the distribution and
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
            KeyError: a window that the teachers were not asked about.
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
        return covered([self._span(k) for k in range(len(self.fields))], self.like.shape[1])

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


def collect(
    name: str,
    asked: TeacherPredictor,
    keys: Tensor,
    steps: slice,
    dtype: torch.dtype,
    store: OutputCache,
    extra: Sequence[str] = (),
    progress: bool = True,
) -> tuple[dict[str, Tensor], Tensor]:
    """Ask one teacher about the windows `keys [M, 2]`, each once and sorted, or read what it answered before.

    Args:
        name: the teacher's, for messages.
        steps: the part of its horizon that is wanted.
        dtype: of what is kept.
        store: where it is kept.
        extra: fields that are wanted beside its forecasts, see `TeacherPredictor.of`.

    Returns:
        Its fields, and where its forecast can be used `[M]`.
    """
    with store.open(lambda: asked.fingerprint(keys, steps, dtype, extra), len(keys)) as entry:
        if not entry.complete:
            covered = asked.covers(keys)
            at = torch.nonzero(covered)[:, 0]
            entry.write(COVERED, torch.arange(len(keys)), covered)
            bar = tqdm(total=len(at), desc=f"teacher {name}", unit="window", disable=not progress, delay=2, leave=False)
            for rows, found in asked.of(keys[covered], extra):
                for field, values in found.items():
                    entry.write(field, at[rows], (values if "." in field else values[:, steps]).to(dtype))
                bar.update(len(rows))
            bar.close()
        fields = entry.read()
    if FORECASTS not in fields:
        raise ValueError(f"teacher {name!r} has its inputs for none of the {len(keys)} windows")
    return fields, judge(name, fields[FORECASTS], fields.pop(COVERED))


def judge(name: str, forecasts: Tensor, covered: Tensor) -> Tensor:
    """Which windows a teacher's answer `[M, H, C]` can be used for `[M]`; warns of what a user should know.

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
