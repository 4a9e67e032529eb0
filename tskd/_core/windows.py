"""The windows of one model: which of them have all their inputs, and the vectorised gather of inputs and labels.

The key of a window is (series, origin): the index of its series, and the position in that series of the forecast origin
`t`, the last time step that a deployed model has observed. Every slot of every model (student or teacher) is a stretch
of steps relative to `t`, so that one key determines what each model reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from torch import Tensor
from torch.nn import functional

from tskd._core.model_inputs import ModelInputs
from tskd._core.time_grid import steps_between
from tskd._core.window_keys import WindowSpan

# windows that are gathered at once where only a number of each is kept
CHUNK = 4096

INPUT_SLOTS = (
    "past_target",
    "past_covariates",
    "historic_future_covariates",
    "future_covariates",
    "static_covariates",
)

LABEL_SLOTS = ("future_target", "sample_weight", "labelled")


@dataclass(frozen=True)
class Slot:
    """One input (or the labels) of a window: a stretch of steps relative to the origin, for each of several series.

    Attributes:
        table: values of all series, concatenated `[rows, components]`.
        begin, end: first row of each series in the table, and the row after its last `[series]`.
        zero: row of step 0 of each target series `[series]`; outside begin…end where the two do not overlap.
        first: first step, relative to the origin (1 is the first step after it).
        length: number of steps.
        visible: `[length, components]`, false where a step is hidden and gathered as 0; None if nothing is hidden.
            Components beyond those of the mask are visible.
    """

    table: Tensor
    begin: Tensor
    end: Tensor
    zero: Tensor
    first: int
    length: int
    visible: Tensor | None = None
    _stretches: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        width = self.table.shape[1]
        if self.visible is not None and self.visible.shape[1] < width:
            rest = torch.ones(self.length, width - self.visible.shape[1], dtype=torch.bool)
            object.__setattr__(self, "visible", torch.cat([self.visible, rest], dim=1))
        flat = self.table.reshape(-1)
        # consecutive rows are contiguous, so that a window is one stretch of the flat table: an order of magnitude
        # faster than fancy indexing
        stretches = flat.unfold(0, self.length * width, width) if len(self.table) >= self.length else flat.new_empty(0)
        object.__setattr__(self, "_stretches", stretches)

    @classmethod
    def of(
        cls,
        values: Sequence[TimeSeries],
        series: Sequence[TimeSeries],
        first: int,
        length: int,
        visible: Tensor | None = None,
    ) -> Slot:
        """The slot with the values of `values[i]` for windows of `series[i]`, aligned by time stamp."""
        lengths = torch.tensor([len(v) for v in values])
        end = lengths.cumsum(0)
        begin = end - lengths
        lead = [0 if v is s else steps_between(v, s) for v, s in zip(values, series, strict=True)]
        tables = [_tensor(v.values(copy=False)) for v in values]
        table = torch.cat(tables) if len(tables) > 1 else tables[0]
        return cls(table.contiguous(), begin, end, begin + torch.tensor(lead), first, length, visible)

    def rows(self, keys: Tensor) -> Tensor:
        """First rows in the table `[N]` of the windows `keys [N, 2]`."""
        return self.zero.index_select(0, keys[:, 0]) + keys[:, 1] + self.first

    def covers(self, keys: Tensor) -> Tensor:
        """`[N]`, true where every visible step exists and is finite."""
        rows = self.rows(keys)
        inside = (rows >= self.begin[keys[:, 0]]) & (rows + self.length <= self.end[keys[:, 0]])
        known = self.known
        if known is None:
            return inside
        last = len(self.table) - 1
        if self.visible is None:
            before = functional.pad((~known).any(1).cumsum(0), (1, 0))
            first = rows.clamp(0, last)
            return inside & (before[first] == before[(first + self.length).clamp(max=last + 1)])
        # hidden steps may be missing
        for step in range(self.length):
            inside &= (known[(rows + step).clamp(0, last)] | ~self.visible[step]).all(1)
        return inside

    @cached_property
    def known(self) -> Tensor | None:
        """True where a value of the table is finite `[rows, components]`; None if all are."""
        known = self.table.isfinite()
        return None if bool(known.all()) else known

    def masked(self) -> tuple[Slot, Slot] | None:
        """This slot with missing values filled, and the slot of masks that are true where they are known.

        A missing value is filled by the last known one before it in its series and component, else by the next, else by
        another component's: by what a likelihood of the target accepts. None if nothing is missing.
        """
        if self.known is None:
            return None
        parts = zip(self.begin.tolist(), self.end.tolist(), strict=True)
        filled = torch.cat([_filled(self.table[begin:end]) for begin, end in parts])
        known = self.known.any()
        other = self.table[self.known][0] if bool(known) else filled.new_ones(())
        table = filled.where(filled.isfinite(), other)
        return replace(self, table=table), replace(self, table=self.known)

    def gather(self, keys: Tensor) -> Tensor:
        """Values `[B, length, components]` of the windows `keys [B, 2]`."""
        return self.take(self.rows(keys))

    def take(self, rows: Tensor) -> Tensor:
        """Values `[B, length, components]` of windows by their first rows `[B]`."""
        values = self._stretches.index_select(0, rows).view(len(rows), self.length, self.table.shape[-1])
        return values if self.visible is None else values.where(self.visible, 0)


@dataclass(frozen=True)
class Windows:
    """Inputs and labels of one model for the windows of some series.

    Attributes:
        slots: by darts' names, see `INPUT_SLOTS` and `LABEL_SLOTS`. If labels are missing, `labelled` masks those that
            exist, and the others are filled: they are finite, and mean nothing.
        static: static covariates of each series `[series, components, features]`, or None.
    """

    slots: Mapping[str, Slot]
    static: Tensor | None

    @classmethod
    def of(
        cls,
        inputs: ModelInputs,
        span: WindowSpan,
        sample_weight: Sequence[TimeSeries] | None = None,
        static_covariates: bool = True,
    ) -> Windows:
        """The windows of a model.

        Args:
            inputs: target series, covariates aligned with them by position (any time span), and masks.
            span: steps of one window, from the model's chunk lengths.
            sample_weight: weights of the labels, one series for each target series.
            static_covariates: whether the model reads the static covariates of the target series.
        """
        series = inputs.series
        past = (1 - span.lookback, span.lookback)
        future = (1 + span.output_shift, span.horizon)
        plan = {
            "past_target": (inputs.past_target or series, *past),
            "past_covariates": (inputs.past_covariates, *past),
            "historic_future_covariates": (inputs.future_covariates, *past),
            "future_covariates": (inputs.future_covariates, *future),
            "future_target": (series, *future),
            "sample_weight": (sample_weight, *future),
        }
        slots = {
            name: Slot.of(values, series, first, length, inputs.visible.get(name))
            for name, (values, first, length) in plan.items()
            if values is not None
        }
        masked = slots["future_target"].masked()
        if masked is not None:
            slots["future_target"], slots["labelled"] = masked
        static = None
        if static_covariates and series[0].static_covariates is not None:
            static = torch.stack([_tensor(s.static_covariates_values(copy=False)) for s in series])
        return cls(slots, static)

    def shape(self, slot: str) -> tuple[int, ...] | None:
        """Number of components of a slot as a tuple (for static covariates the whole shape); None if it is not used."""
        table = self.static if slot == "static_covariates" else self.slots[slot].table if slot in self.slots else None
        return None if table is None else tuple(table.shape[1:])

    def covers(self, keys: Tensor) -> Tensor:
        """`[N]`, true where every input exists and is finite; labels do not count."""
        covered = torch.ones(len(keys), dtype=torch.bool)
        for name, slot in self.slots.items():
            if name in INPUT_SLOTS:
                covered &= slot.covers(keys)
        return covered

    def has_labels(self, keys: Tensor) -> Tensor:
        """`[N]`, true where at least one label exists."""
        if "labelled" not in self.slots:
            return torch.ones(len(keys), dtype=torch.bool)
        labelled = self.slots["labelled"]
        return torch.cat([labelled.gather(part).flatten(1).any(1) for part in keys.split(CHUNK)])

    def without(self, *names: str) -> Windows:
        """The same windows without some slots."""
        return Windows({name: slot for name, slot in self.slots.items() if name not in names}, self.static)

    def one(self) -> dict[str, Tensor]:
        """Zeros in the shape of one window's inputs, by slot."""
        inputs = {
            name: slot.table.new_zeros(1, slot.length, slot.table.shape[1])
            for name, slot in self.slots.items()
            if name in INPUT_SLOTS
        }
        return inputs if self.static is None else {**inputs, "static_covariates": torch.zeros_like(self.static[:1])}

    def gather(self, keys: Tensor, labels: bool = True) -> dict[str, Tensor]:
        """The slots of the windows `keys [B, 2]`, each `[B, steps, components]`; unused slots are left out."""
        return self.take(self.rows(keys, labels), keys)

    def rows(self, keys: Tensor, labels: bool = True) -> dict[str, Tensor]:
        """Where the windows `keys [N, 2]` begin in each slot `[N]`."""
        return {name: slot.rows(keys) for name, slot in self.slots.items() if labels or name in INPUT_SLOTS}

    def take(self, rows: Mapping[str, Tensor], keys: Tensor) -> dict[str, Tensor]:
        """The slots of the windows `keys [B, 2]`, by their `rows`."""
        batch = {name: self.slots[name].take(first) for name, first in rows.items()}
        if self.static is not None:
            batch["static_covariates"] = self.static.index_select(0, keys[:, 0])
        return batch


def _filled(values: Tensor) -> Tensor:
    """Values `[steps, components]` of one series, missing ones by the last known before, else by the next."""
    frame = pd.DataFrame(values.numpy()).where(values.isfinite().numpy())
    return torch.from_numpy(frame.ffill().bfill().to_numpy(copy=True)).to(values.dtype)


def _tensor(values: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory, unless that is read-only, which torch does not support."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())
