"""Predictors of teachers whose answers exist already: by time, or by forecast origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.window_keys import encode
from tskd._core.windows import CHUNK, Slot
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.predictor import Chunks


class AnswersByTime:
    """A predictor whose forecast of a step is the answer for its time stamp; see `ModelPredictor`.

    Windows whose horizon holds a step without an answer are not covered.

    Args:
        answers: for each target series, answers `[T', C·P]` of any time span, NaN where there is none.
        targets: target series.
        steps: after the origin, that are asked for.
        form: of the answers.
    """

    can_be_fingerprinted = covers_cheaply = True

    def __init__(
        self, answers: Sequence[TimeSeries], targets: Sequence[TimeSeries], steps: range, form: AnswerForm
    ) -> None:
        self.form = form
        self._slot = Slot.of(answers, targets, steps[0], len(steps))

    def covers(self, keys: Tensor) -> Tensor:
        return self._slot.covers(keys)

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        for start in range(0, len(keys), CHUNK):
            part = slice(start, min(start + CHUNK, len(keys)))
            yield part, self.form.outputs(self._slot.gather(keys[part]).unflatten(2, (-1, self.form.size)), fields)

    def add_to(self, digest: Any) -> None:
        slot = self._slot
        digest.update(repr(("by time", self.form, slot.first, slot.length, slot.table.shape)).encode())
        for part in (slot.table, slot.begin, slot.end, slot.zero):
            digest.update(part.contiguous().numpy().tobytes())


class AnswersByOrigin:
    """A predictor whose forecast of a window is the answer for its series and origin; see `ModelPredictor`.

    Windows without an answer, or with one in which a step is missing, are not covered.

    Args:
        keys: of the windows with an answer, distinct `[N, 2]`.
        answers: `[N, H, C, P]`, NaN where a step is missing.
        form: of the answers.
    """

    can_be_fingerprinted = covers_cheaply = True

    def __init__(self, keys: Tensor, answers: np.ndarray, form: AnswerForm) -> None:
        self.form = form
        self._codes, order = encode(keys).sort()
        self._answers = torch.from_numpy(answers)[order]
        self._whole = self._answers.isfinite().flatten(1).all(1)

    def covers(self, keys: Tensor) -> Tensor:
        if not len(self._codes):
            return torch.zeros(len(keys), dtype=torch.bool)
        codes, rows = encode(keys), self._rows(keys)
        return (self._codes[rows] == codes) & self._whole[rows]

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        for start in range(0, len(keys), CHUNK):
            part = slice(start, min(start + CHUNK, len(keys)))
            yield part, self.form.outputs(self._answers[self._rows(keys[part])], fields)

    def add_to(self, digest: Any) -> None:
        digest.update(repr(("by origin", self.form, self._answers.shape, str(self._answers.dtype))).encode())
        for part in (self._codes, self._answers):
            digest.update(part.contiguous().numpy().tobytes())

    def _rows(self, keys: Tensor) -> Tensor:
        return torch.searchsorted(self._codes, encode(keys)).clamp(max=len(self._codes) - 1)
