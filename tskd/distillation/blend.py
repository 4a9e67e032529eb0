"""Several teachers as one, where the student takes squared errors to them under weights that hold for an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tskd._core.row_file import RowFile
from tskd._core.step_values import StepValues
from tskd._core.window_keys import unique
from tskd.distillation.batches import PART, DistillationData
from tskd.distillation.history import Tally
from tskd.distillation.squared_errors import weighted_squares
from tskd.teachers.outputs import FORECASTS
from tskd.weighting import Step, Weighting

# of the blended forecasts
LARGEST = 2**30
# windows whose weights are counted at once
COUNTED = 1024
# of sums of shares, in units of the precision
ROUNDING = 8


@dataclass
class Blend:
    """What remains of the teachers: Σ_k w_k (s − t_k)² = W (s − t̄)² + Σ_k w_k (t_k − t̄)², t̄ = Σ_k w_k t_k / W.

    Attributes:
        forecasts: t̄ of the windows `[M, H, C]`.
        scatter: Σ_k w_k (t_k − t̄)², averaged over steps and components `[M]`; None for one teacher.
        total: W = Σ_k w_k `[M, 1 or H, 1 or C]`; None where all are 1.
    """

    forecasts: Tensor
    scatter: Tensor | None
    total: Tensor | None = None

    def error(self, forecast: Tensor) -> Tensor:
        """Σ_k w_k (s − t_k)² for forecasts s `[M, H, C]`, averaged: a scalar."""
        if self.total is None:
            error = functional.mse_loss(forecast, self.forecasts)
        else:
            error = weighted_squares(forecast, self.forecasts[None], self.total[None]) / len(forecast)
        return error if self.scatter is None else error + self.scatter.mean()


@dataclass
class WholeBlend:
    """The blend of all windows, see `Blend`.

    Attributes:
        forecasts: on disk if they are large.
        weights: w of the teachers `[K, M]` or `[K, M, H]`, averaged over components.
    """

    forecasts: Tensor | RowFile
    scatter: Tensor | None
    weights: Tensor
    total: Tensor | None = None

    def take(self, rows: Tensor, device: torch.device) -> Blend:
        """That of some windows, by their rows `[B]`, on a device."""
        kept = self.forecasts
        forecasts = kept.take(rows) if isinstance(kept, RowFile) else kept.index_select(0, rows)
        scatter = None if self.scatter is None else self.scatter.index_select(0, rows).to(device)
        total = None if self.total is None else self.total.index_select(0, rows).to(device)
        return Blend(forecasts.to(device), scatter, total)


class Blender:
    """Blends the teachers of a fit: once, or in every epoch, as their weights vary.

    Args:
        data: the training windows; from now on without the teachers' forecasts in their batches.
        weighting: of the teachers.
    """

    def __init__(self, data: DistillationData, weighting: Weighting) -> None:
        self._data, self._weighting = data, weighting
        # of the windows that outputs are of
        self._keys = unique(data.keys)
        self._blend: WholeBlend | None = None
        self._epoch = 0
        # rows of the windows whose weights no tally has yet
        self._taken = StepValues()
        data.rows_only = True

    @classmethod
    def of(cls, data: DistillationData, weighting: Weighting) -> Blender | None:
        """None where weights may vary by step, labels are missing or weighted, or the blend would be too large."""
        outputs, windows = data.outputs, data.windows
        assert outputs is not None and windows is not None
        if weighting.varies == "step" or {"labelled", "sample_weight"} & set(windows.slots):
            return None
        if not outputs.whole or not outputs.fields:
            return None
        size = len(outputs.codes) * outputs.like.numel() * outputs.like.element_size()
        if len(outputs.fields) > 1 and size > LARGEST:
            return None
        # as many as there are outputs: these are of the same windows, in the same order
        return cls(data, weighting) if len(unique(data.keys)) == len(outputs.codes) else None

    def blend(self, epoch: int, device: torch.device) -> WholeBlend:
        """The blend in an epoch, whose weights are computed on a device."""
        by_epoch = self._weighting.varies == "epoch"
        if self._blend is None or (by_epoch and epoch != self._epoch):
            # freed before the next is made
            self._blend = None
            self._blend, self._epoch = self._blended(epoch, device), epoch
            if not by_epoch:
                self._data.outputs = None
        return self._blend

    def take(self, rows: Tensor, epoch: int, device: torch.device) -> Blend:
        """The blend of the windows of a step in an epoch, by their rows `[B]`, of which `count` is to know."""
        self._taken.add(rows)
        return self.blend(epoch, device).take(rows, device)

    def count(self, tally: Tally, device: torch.device) -> None:
        """Add the windows that were taken since the last time, on a device: what only a history needs, no step does."""
        if self._blend is None or not len(self._taken):
            return
        for rows in self._taken.all().split(COUNTED):
            weights = self._blend.weights.index_select(1, rows).to(device)
            valid = torch.ones(weights.shape[:2], dtype=torch.bool, device=device)
            tally.add(weights, valid, self._keys.index_select(0, rows).to(device))
        self._taken.clear()

    def _blended(self, epoch: int, device: torch.device) -> WholeBlend:
        outputs, keys = self._data.outputs, self._keys
        assert outputs is not None
        teachers = [fields[FORECASTS][:, : outputs.like.shape[1]] for fields in outputs.fields]
        several, like = len(teachers) > 1, teachers[0]
        same = self._step_weights(keys[:1], epoch, device) if self._weighting.varies == "never" else None
        stored = RowFile.like(like) if like.numel() * like.element_size() <= LARGEST else None
        if stored is None and same is not None and not several and bool((same == 1).all()):
            return WholeBlend(like, None, same.new_ones(1, len(keys)))
        forecasts = torch.empty_like(like) if several and stored is None else like
        scatter = like.new_zeros(len(keys)) if several else None
        shares, totals = [], []
        for start in range(0, len(keys), PART):
            part = slice(start, start + PART)
            count = len(keys[part])
            weights = (
                self._step_weights(keys[part], epoch, device)
                if same is None
                else same.expand(-1, count, *same.shape[2:])
            )
            mean = forecasts[part] if stored is None or not several else torch.empty_like(like[part])
            if scatter is not None:
                _combine([own[part] for own in teachers], weights, mean, scatter[part])
            if stored is not None:
                stored.write(start, mean)
            shares.append(_over_components(weights))
            totals.append(weights.sum(0))
        total = torch.cat(totals)
        ones = bool(((total - 1).abs() <= ROUNDING * torch.finfo(total.dtype).eps).all())
        kept = forecasts if stored is None else stored
        return WholeBlend(kept, scatter, torch.cat(shares, 1), None if ones else total)

    def _step_weights(self, keys: Tensor, epoch: int, device: torch.device) -> Tensor:
        """The weights of the teachers in some windows `[K, m, 1 or H, 1 or C]`."""
        data, outputs = self._data, self._data.outputs
        assert outputs is not None and data.windows is not None
        rows = outputs.rows(keys)
        forecasts, valid = outputs.take(rows)
        target = data.windows.gather(keys)["future_target"][:, -forecasts.shape[2] :]
        spread = outputs.spread(rows).to(device) if data.spread else None
        forecasts, valid, target, keys = (values.to(device) for values in (forecasts, valid, target, keys))
        covers = outputs.covers().to(device)
        step = Step(forecasts, valid, target, target, keys, epoch, covers, spread, whole=True)
        weights = self._weighting(step).cpu()
        return weights.reshape(weights.shape + (1,) * (4 - weights.dim()))


def _combine(answers: Sequence[Tensor], weights: Tensor, mean: Tensor, scatter: Tensor) -> None:
    """Write t̄ `[m, H, C]` and its scatter `[m]` of teachers `[m, H, C]` under weights `[K, m, 1 or H, 1 or C]`.

    One teacher after the other is added to the mean of those before it, which needs fewer passes than the formula.
    """
    latest, before = answers[0], weights[0]
    for own, weight in zip(answers[1:], weights[1:], strict=True):
        total = before + weight
        share = (weight / total.where(total > 0, 1)).to(mean.dtype)
        away = own - latest
        latest = torch.addcmul(latest, away, share, out=mean)
        squares = away.square_().sum_to_size(share.shape) * (share * before)
        scatter += squares.flatten(1).sum(1) / mean[0].numel()
        before = total


def _over_components(weights: Tensor) -> Tensor:
    """Weights `[K, m, 1 or H, 1 or C]` averaged over components, `[K, m]` where they are the same at all steps."""
    means = weights.mean(3)
    return means[..., 0] if means.shape[2] == 1 else means
