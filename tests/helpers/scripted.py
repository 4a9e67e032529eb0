"""A teacher that answers from a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from tskd import Teacher
from tskd.teachers import network as networks
from tskd.teachers.predictor import Chunks, TeacherPredictor

Script = Callable[[Tensor, Tensor], Tensor]


class Scripted(Teacher):
    """A fitted teacher whose forecasts are a function of the labels `[M, H, C]` and keys `[M, 2]`."""

    def __init__(self, model: Any, answer: Script, name: str = "scripted") -> None:
        super().__init__(model, name=name)
        self.answer = answer

    def predictor_on(self, *args: Any, **kwargs: Any) -> TeacherPredictor:
        asked = super().predictor_on(*args, **kwargs)
        assert isinstance(asked.base, networks.NetworkPredictor)
        return replace(asked, base=_Answers(asked.base, self.answer))


class _Answers(networks.NetworkPredictor):
    def __init__(self, honest: networks.NetworkPredictor, answer: Script) -> None:
        super().__init__(honest.models, honest.windows)
        self.answer = answer

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        labels = self.windows.gather(keys)["future_target"].clone()
        forecasts = self.answer(labels, keys)
        if not fields:
            yield slice(0, len(keys)), {"forecasts": forecasts}
            return
        for rows, found in super().outputs(model, keys, fields):
            yield rows, found | {"forecasts": forecasts[rows]}
