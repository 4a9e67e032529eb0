"""A teacher that answers from a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from tskd import Teacher
from tskd.teachers import network as networks
from tskd.teachers.predictor import TeacherPredictor

Script = Callable[[Tensor, Tensor], Tensor]


class Scripted(Teacher):
    """A fitted teacher whose forecasts are a function of the labels `[M, H, C]` and keys `[M, 2]`."""

    def __init__(self, model: Any, answer: Script, name: str = "scripted") -> None:
        super().__init__(model, name=name)
        self.answer = answer

    def ask(self, *args: Any, **kwargs: Any) -> TeacherPredictor:
        asked = super().ask(*args, **kwargs)
        assert isinstance(asked.answers, networks.NetworkPredictor)
        return replace(asked, answers=_Answers(asked.answers, self.answer))


class _Answers(networks.NetworkPredictor):
    def __init__(self, honest: networks.NetworkPredictor, answer: Script) -> None:
        super().__init__(honest.models, honest.seen)
        self.answer = answer

    def of(self, model: int, keys: Tensor, extra: Sequence[str] = ()) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        labels = self.seen.gather(keys)["future_target"].clone()
        forecasts = self.answer(labels, keys)
        if not extra:
            yield slice(0, len(keys)), {"forecasts": forecasts}
            return
        for rows, found in super().of(model, keys, extra):
            yield rows, found | {"forecasts": forecasts[rows]}
