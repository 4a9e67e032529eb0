"""The batches of a training step: windows as darts batches them, with the teacher outputs for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.dataset import TorchTrainingBatch, WindowData
from tskd._core.window_keys import unique
from tskd._core.windows import LABEL_SLOTS, Windows
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import CalibrationWindows

# windows that are compared at once: the forecasts of more leave the caches
PART = 256


@dataclass
class Batch:
    """One batch of distillation.

    Attributes:
        labels: darts' own batch of the student's inputs and labels.
        keys: (series, origin) of its windows `[B, 2]`.
        forecasts: teacher forecasts `[K, B, H, C]`; 0 where not valid.
        valid: true where a teacher's forecast for a window can be used `[K, B]`.
        details: further outputs of each teacher, see `TeacherOutputs.details`.
        later: for each output chunk after the student's own, the inputs other than the target's past, of the windows
            for which they exist.
        rolled: true for these windows `[B]`.
        spread: standard deviations of the teacher forecasts `[K, B, H, C]`, if the weighting needs them.
        whole: whether it is known that all is valid.
        rows: in place of forecasts and validity, the rows of the windows among the teachers' outputs `[B]`, on the CPU.
    """

    labels: TorchTrainingBatch
    keys: Tensor
    forecasts: Tensor
    valid: Tensor
    details: Sequence[dict[str, Tensor]] = ()
    later: Sequence[dict[str, Tensor]] = ()
    rolled: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    spread: Tensor | None = None
    whole: bool = False
    rows: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        # a user's callback may read a batch as darts gives it
        if name not in TorchTrainingBatch.__dataclass_fields__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.labels, name)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; Lightning calls this method."""
        if self.keys.device == device:
            return self
        slots = {name: getattr(self.labels, name) for name in self.labels.__dataclass_fields__}
        moved = {name: value.to(device) for name, value in slots.items() if value is not None}
        return replace(
            self,
            labels=type(self.labels)(**moved),
            keys=self.keys.to(device),
            forecasts=self.forecasts.to(device),
            valid=self.valid.to(device),
            details=[_moved(one, device) for one in self.details],
            later=[_moved(one, device) for one in self.later],
            rolled=self.rolled.to(device),
            spread=None if self.spread is None else self.spread.to(device),
        )


def _moved(values: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in values.items()}


class DistillationData(WindowData):
    """A torch data set of windows with the teacher outputs for them.

    Args:
        keys: of the windows `[N, 2]`, in order.
        windows: the student's inputs and labels.
        outputs: of the teachers.
        starts: for each output chunk after the student's own, the number of steps before it.
        spread: whether batches hold the standard deviations of the teacher forecasts.
    """

    def __init__(
        self,
        keys: Tensor,
        windows: Windows,
        outputs: TeacherOutputs,
        starts: Sequence[int] = (),
        spread: bool = False,
    ) -> None:
        super().__init__(keys, windows)
        self.outputs: TeacherOutputs | None = outputs
        self.starts = starts
        self.spread = spread
        # whether batches have rows in place of forecasts
        self.rows_only = False
        self._answers = outputs.rows(keys)
        self._later: Windows | None = windows.without("past_target", *LABEL_SLOTS)

    def __getitems__(self, indices: list[int]) -> Batch:
        chosen = self.numbers(indices)
        keys, rows = self.keys.index_select(0, chosen), self._answers.index_select(0, chosen)
        if self.rows_only:
            nothing = keys.new_empty(0)
            return Batch(self._batch(chosen, keys), keys, nothing, nothing, whole=True, rows=rows)
        outputs = self.outputs
        assert outputs is not None
        forecasts, valid = outputs.take(rows)
        batch = Batch(self._batch(chosen, keys), keys, forecasts, valid, outputs.details(rows), whole=outputs.whole)
        if self.spread:
            batch.spread = outputs.spread(rows)
        if self.starts:
            batch.later, batch.rolled = self._ahead(keys)
        return batch

    def forecasts_and_labels(self, teacher: int) -> Iterator[tuple[Tensor, Tensor]]:
        """One teacher's forecasts and the labels `[m, h, C]`, NaN where missing, for all its valid windows, in chunks;
        of the horizon, the steps that it forecasts."""
        assert self.outputs is not None and self.windows is not None
        span = self.outputs.spans[teacher]
        for part in unique(self.keys).split(PART):
            forecasts, valid = self.outputs.of(part)
            slots = self.windows.gather(part)
            labels = slots["future_target"]
            labels = labels.where(slots["labelled"], torch.nan) if "labelled" in slots else labels
            labels = labels[:, -forecasts.shape[2] :]
            usable = valid[teacher]
            yield forecasts[teacher][usable, span], labels[usable, span]

    def features(self, teacher: int, field: str, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Features `[m, …]` of one of a teacher's layers and its forecasts `[m, h, C]`, in chunks, for its valid
        windows among at most `most` evenly spaced ones."""
        assert self.outputs is not None
        keys, span = unique(self.keys), self.outputs.spans[teacher]
        chosen = keys[torch.linspace(0, len(keys) - 1, min(len(keys), most)).long()]
        for part in chosen.split(PART):
            forecasts, valid = self.outputs.of(part)
            usable = valid[teacher]
            yield (
                self.outputs.details(self.outputs.rows(part))[teacher][field][usable],
                forecasts[teacher][usable, span],
            )

    def calibration_windows(self) -> Iterator[CalibrationWindows]:
        """All windows with inputs, teacher outputs and labels, in chunks."""
        assert self.outputs is not None and self.windows is not None
        for part in unique(self.keys).split(PART):
            forecasts, valid = self.outputs.of(part)
            slots = self.windows.gather(part)
            steps = slice(-forecasts.shape[2], None)
            labelled = slots["labelled"][:, steps] if "labelled" in slots else None
            inputs = {name: values for name, values in slots.items() if name not in LABEL_SLOTS}
            spread, covers = self.outputs.spread(self.outputs.rows(part)), self.outputs.covers()
            labels = slots["future_target"][:, steps]
            yield CalibrationWindows(part, inputs, forecasts, valid, spread, labels, covers, labelled)

    def labelled_batch(self, count: int, generator: torch.Generator) -> Batch:
        """A batch of `count` windows that are drawn from those with a label, or of all of them."""
        assert self.windows is not None
        rows = torch.nonzero(self.windows.has_labels(self.keys))[:, 0]
        drawn = torch.randperm(len(rows), generator=generator)[:count]
        return self.__getitems__(rows[drawn].tolist())

    def _ahead(self, keys: Tensor) -> tuple[list[dict[str, Tensor]], Tensor]:
        """See `Batch.later` and `Batch.rolled`."""
        assert self._later is not None
        chunks = [keys + torch.tensor([0, start]) for start in self.starts]
        covered = torch.ones(len(keys), dtype=torch.bool)
        if self._later.slots:
            covered = torch.stack([self._later.covers(chunk) for chunk in chunks]).all(0)
        return [self._later.gather(chunk[covered]) for chunk in chunks], covered

    def release(self) -> None:
        super().release()
        self.outputs = None
        self._later = None
