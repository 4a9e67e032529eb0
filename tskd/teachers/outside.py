"""What teachers from outside have in common: they are fitted from the beginning, and read nothing of a fit's data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn, Self

from darts import TimeSeries

from tskd._core.components import names_of
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle
from tskd._core.time_grid import as_stamp
from tskd._core.window_keys import WindowSampling
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.base import BaseTeacher


class OutsideTeacher(BaseTeacher):
    """A teacher that consists of given answers.

    Args:
        name: for messages, logs and weights by name.
        seen_until: last time stamp of the targets that went into the answers; None if that is not known.

    Attributes:
        components: that the answers to the first target series are of.
    """

    components: list[str]

    def __init__(self, name: str, seen_until: Any) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"name={name!r}: give the teacher's name, a text")
        self.name = name
        self._seen_until = None if seen_until is None else as_stamp(seen_until, "seen_until")

    @property
    @abstractmethod
    def form(self) -> AnswerForm:
        """What its numbers are."""

    @property
    def fitted(self) -> bool:
        return True

    @property
    def learns(self) -> bool:
        return False

    @property
    def seen_until(self) -> Any:
        return self._seen_until

    @property
    def likelihood(self) -> Any:
        return self.form.likelihood

    def inputs_on(self, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
        return ModelInputs(data.series)

    def fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> NoReturn:
        raise ValueError(f"teacher {self.name!r}, {self.kind}, cannot be fitted: its answers are given")

    def unfitted(self) -> Self:
        return self


def columns_of(target: TimeSeries, own: Sequence[str], what: str) -> list[int]:
    """The places of a target's components among those that answers are of, by name.

    Raises:
        ValueError: there are none of one.
    """
    names = names_of(target)
    absent = next((name for name in names if name not in own), None)
    if absent is not None:
        raise ValueError(f"{what} has components {list(own)} and lacks {absent!r} of the student's target")
    return [own.index(name) for name in names]
