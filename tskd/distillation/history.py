"""The weights of the teachers in each epoch: sums over batches, entries of the history, and logged values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.aspects import Aspect
from tskd._core.step_values import StepValues

HOURS = 24
# windows whose weights are summed at once
TOGETHER = 8192
# weights of windows that differ by no more count as equal
ALIKE = 1e-6
# as a trainer's strategy has it: values of all processes, `reduce_op="sum"` or `"max"`
Reduce = Callable[..., Tensor]


class EpochRecord(TypedDict):
    """An entry of `DistilledModel.history`; `EpochRecords` describes its fields."""

    epoch: int
    weights: dict[str, float]
    by_step: dict[str, list[float]]
    by_hour: dict[str, list[float]]
    aspects: dict[Aspect, dict[str, float]]
    effective: float
    masked: float


@dataclass
class Hours:
    """The hour of the day of every time stamp of some series.

    Attributes:
        table: of all series, one after the other `[rows]`.
        begin: first row of each series `[series]`.
    """

    table: Tensor
    begin: Tensor

    @classmethod
    def of(cls, series: Sequence[TimeSeries]) -> Hours | None:
        """The hours of some series; None unless all have time stamps less than a day apart."""
        for one in series:
            start = one.start_time()
            if not isinstance(start, pd.Timestamp) or start + one.freq - start >= pd.Timedelta(days=1):
                return None
        hours = [torch.from_numpy(one.time_index.hour.to_numpy().astype(np.uint8)) for one in series]
        ends = torch.tensor([len(one) for one in series]).cumsum(0)
        return cls(torch.cat(hours), ends - torch.tensor([len(one) for one in series]))

    def __call__(self, keys: Tensor) -> Tensor:
        """Hours `[B]` of the forecast origins of the windows `keys [B, 2]`."""
        if self.table.device != keys.device:
            self.table, self.begin = self.table.to(keys.device), self.begin.to(keys.device)
        return self.table[self.begin[keys[:, 0]] + keys[:, 1]].long()


class Tally:
    """Sums of the weights over the windows of an epoch, kept on the training device, so that no step waits for them.

    Args:
        hours: of the series, if their time stamps have hours.
        aspects: those with weights of their own, whether or not a step has them, so that all processes sum the same.
    """

    def __init__(self, hours: Hours | None = None, aspects: Sequence[Aspect] = ()) -> None:
        self._hours, self._aspects = hours, aspects
        self.clear()

    def clear(self) -> None:
        # of batches that are not summed yet, weights, valid and keys, windows last
        self._batches = StepValues(), StepValues(), StepValues()
        # weights of the K teachers, effective number, windows with a teacher, share of teachers left out, windows
        self._sums: Tensor | None = None  # [K + 4, 24 or 1]
        self._by_step: Tensor | None = None  # [K, H]
        self._extremes: Tensor | None = None  # largest weights and largest of −weights [2, K]
        # of each aspect, weights of the K teachers and windows with a teacher
        self._apart: Tensor | None = None  # [A, K + 1]

    def __bool__(self) -> bool:
        return self._sums is not None or len(self._batches[0]) > 0

    def add(self, weights: Tensor, valid: Tensor, keys: Tensor, apart: Mapping[Aspect, Tensor] | None = None) -> None:
        """Add a batch.

        Args:
            weights: `[K, B]` to `[K, B, H, C]`, 0 in windows without a valid teacher.
            valid: true where a teacher's forecast can be used `[K, B]`.
            keys: of the windows `[B, 2]`.
            apart: weights `[K, B]` of the aspects that the batch has.
        """
        own = over_steps(weights)
        for kept, values in zip(self._batches, (own, valid, keys.T), strict=True):
            kept.add(values)
        if weights.dim() > 2 and weights.shape[2] > 1:
            # over windows first: averaging a few components of each window would take most of the time
            by_step = weights.sum(1).unsqueeze(-1).flatten(2).mean(2)
            self._by_step = _sum(self._by_step, by_step)
        if self._aspects:
            sums = own.new_zeros(len(self._aspects), len(own) + 1)
            for row, aspect in zip(sums, self._aspects, strict=True):
                if apart and aspect in apart:
                    row[:-1], row[-1] = apart[aspect].sum(1), valid.any(0).sum()
            self._apart = _sum(self._apart, sums)
        if len(self._batches[0]) >= TOGETHER:
            self._sum_up()

    def _sum_up(self) -> None:
        """Sum the batches that wait: many at once, since summing each takes as long as the rest of a step."""
        if not len(self._batches[0]):
            return
        own, valid, keys = (kept.all() for kept in self._batches)
        for kept in self._batches:
            kept.clear()
        known = valid.any(0)
        rest = [effective_number(own), known, (~valid).to(own.dtype).mean(0), torch.ones_like(known)]
        rows = torch.cat([own, torch.stack([values.to(own.dtype) for values in rest])])
        if self._hours is None:
            sums = rows.sum(1, keepdim=True)
        else:
            sums = rows.new_zeros(len(rows), HOURS).index_add_(1, self._hours(keys.T), rows)
        extremes = torch.stack([own, -own]).where(known, -math.inf).amax(2)
        if self._sums is None or self._extremes is None:
            self._sums, self._extremes = sums, extremes
        else:
            self._sums += sums
            self._extremes = torch.maximum(self._extremes, extremes)

    def record(self, epoch: int, names: Sequence[str], reduce: Reduce) -> EpochRecord:
        """The averages over the epoch, as an entry of the history.

        Args:
            epoch: its number.
            names: of the teachers.
            reduce: over all processes, as a trainer's strategy does.
        """
        self._sum_up()
        assert self._sums is not None and self._extremes is not None
        count = len(names)
        sums = reduce(self._sums, reduce_op="sum").double().cpu()
        most, least = reduce(self._extremes, reduce_op="max").cpu()
        totals = sums.sum(1)
        known = totals[count + 1].clamp(min=1)
        by_step = by_hour = None
        if self._by_step is not None:
            by_step = reduce(self._by_step, reduce_op="sum").double().cpu() / known
        if self._hours is not None and bool((most + least > ALIKE).any()):
            # 0/0, NaN, in an hour without a window
            by_hour = sums[:count] / sums[count + 1]
        apart: dict[Aspect, dict[str, float]] = {}
        if self._apart is not None:
            by_aspect = reduce(self._apart, reduce_op="sum").double().cpu()
            means = by_aspect[:, :-1] / by_aspect[:, -1:].clamp(min=1)
            apart = {aspect: _named(names, mean) for aspect, mean in zip(self._aspects, means, strict=True)}
        return {
            "epoch": epoch,
            "weights": _named(names, totals[:count] / known),
            "by_step": _named(names, by_step),
            "by_hour": _named(names, by_hour),
            "aspects": apart,
            "effective": float(totals[count] / known),
            "masked": float(totals[count + 2] / totals[count + 3]),
        }


class History:
    """The entries of `DistilledModel.history`, over several fits.

    Attributes:
        entries: one for each epoch in which the teachers had a share in the loss.
        done: number of epochs of the fits that ended without an error.
    """

    def __init__(self) -> None:
        self.entries: list[EpochRecord] = []
        self.done = 0
        self._next = 0

    def begin(self) -> None:
        """Start a fit: drop the entries of an earlier one that failed, whose student was put back."""
        self.entries = [entry for entry in self.entries if entry["epoch"] < self.done]
        self._next = self.done

    def number(self, first: int, current: int) -> int:
        """The number of an epoch over all fits.

        A trainer counts from 0 in every fit, unless it resumes another.

        Args:
            first: the trainer's number of the first epoch of this fit.
            current: the trainer's number of the epoch.
        """
        epoch = max(self.done, first) + current - first
        self._next = epoch + 1
        return epoch

    def end(self) -> None:
        """End a fit that did not fail."""
        self.done = self._next


def over_steps(weights: Tensor) -> Tensor:
    """Weights averaged over steps and components `[K, B]`."""
    return weights.flatten(2).mean(2) if weights.dim() > 2 else weights


def effective_number(weights: Tensor) -> Tensor:
    """(Σw)²/Σw² of weights `[K, …]`: the effective number of teachers; 0 if all weights are 0."""
    return weights.sum(0).square() / weights.square().sum(0).clamp(min=torch.finfo(weights.dtype).tiny)


def _sum(total: Tensor | None, values: Tensor) -> Tensor:
    return values if total is None else total.add_(values)


def _named(names: Sequence[str], values: Tensor | None) -> dict[str, Any]:
    return {} if values is None else dict(zip(names, values.tolist(), strict=True))


def logged_weights(entry: EpochRecord) -> dict[str, float]:
    """The logged values of an entry of the history."""
    shares = {f"weight/{name}": share for name, share in entry["weights"].items()}
    for aspect, weights in entry["aspects"].items():
        shares |= {f"weight/{aspect}/{name}": share for name, share in weights.items()}
    return {"masked_fraction": entry["masked"], "effective_teachers": entry["effective"]} | shares
