"""A teacher from outside that is a series: its answer for a time stamp is the value there."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from darts import TimeSeries

from tskd._core.checks import check_known, check_positive, type_name
from tskd._core.components import check_components, names_of, orders_of
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesLike
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.answers import AnswersByTime
from tskd.teachers.crossfit import stamp, stamp_text
from tskd.teachers.outside import OutsideTeacher, columns_of
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.series_file import read_series, write_series


class GivenSeries(OutsideTeacher):
    """A teacher that answers by time with given values; see `Teacher.from_series`.

    Attributes:
        form: of the values.
        components: that the values for the first target series are of.
    """

    def __init__(self, series: SeriesLike, name: str, std: SeriesLike | float | None = None, seen_until: Any = None):
        super().__init__(name, seen_until)
        items = _series_list(series, f"series of teacher {name!r}")
        self.components = names_of(items[0])
        check_all_same(items, f"series of teacher {name!r}")
        stochastic = not items[0].is_deterministic
        if stochastic and std is not None:
            raise ValueError(f"std of teacher {name!r}: its series hold samples, which have a spread already")
        spreads = _spreads(items, std, name) if std is not None or stochastic else None
        self._form = AnswerForm(gaussian=spreads is not None)
        means = [item.all_values(copy=False).mean(2) if stochastic else item.values(copy=False) for item in items]
        self._answers = [
            item if spreads is None else _beside(item, mean, spread)
            for item, mean, spread in zip(items, means, spreads or means, strict=True)
        ]
        self._steps = range(1, 2)

    def __repr__(self) -> str:
        spread = ", with std" if self._form.gaussian else ""
        return f"Teacher.from_series({len(self._answers)} series of {self.components}{spread}, name={self.name!r})"

    @property
    def kind(self) -> str:
        return "given series"

    @property
    def form(self) -> AnswerForm:
        return self._form

    @property
    def horizon(self) -> range:
        return self._steps

    def answering(self, steps: range) -> Self:
        asked = copy.copy(self)
        asked._steps = steps
        return asked

    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        what = f"series of teacher {self.name!r}"
        if len(targets) != len(self._answers):
            raise ValueError(
                f"{what}: there are {len(self._answers)}, and {len(targets)} target series: give one for each"
            )
        answers = [
            _until(self._as_in(target, item, what), target).astype(target.dtype)
            for item, target in zip(self._answers, targets, strict=True)
        ]
        try:
            base = AnswersByTime(answers, targets, self._steps, self._form)
        except ValueError as error:
            raise ValueError(f"{what} do not fit the target series: {error}") from None
        return TeacherPredictor(targets, base)

    def _as_in(self, target: TimeSeries, item: TimeSeries, what: str) -> TimeSeries:
        """The columns of one series of answers in the order of its target's components."""
        columns, size = names_of(item), self._form.size
        own = [name.removesuffix(" mean") for name in columns[::size]] if self._form.gaussian else columns
        check_known(own, names_of(target), f"component in {what}")
        places = columns_of(target, own, what)
        return item[[columns[place * size + part] for place in places for part in range(size)]]

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        return {
            "name": self.name,
            "seen_until": stamp_text(self.seen_until),
            "components": self.components,
            "form": self._form.description(),
            "series": write_series(folder / f"{stem}.npz", {"answers": self._answers}),
        }

    @classmethod
    def restored(cls, folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()) -> GivenSeries:
        teacher = cls.__new__(cls)
        OutsideTeacher.__init__(teacher, entry["name"], stamp(entry["seen_until"]))
        teacher.components, teacher._form = entry["components"], AnswerForm.described(entry["form"])
        teacher._answers = read_series(folder / f"{stem}.npz", entry["series"])["answers"]
        teacher._steps = range(1, 2)
        return teacher


def _until(item: TimeSeries, target: TimeSeries) -> TimeSeries:
    """A series without its values after the end of a target, which may be asked for in steps past the horizon."""
    late = np.asarray(item.time_index > target.end_time())
    return item.with_values(np.where(late[:, None], np.nan, item.values(copy=False))) if late.any() else item


def _series_list(series: Any, what: str) -> list[TimeSeries]:
    items = [series] if isinstance(series, TimeSeries) else series
    if not isinstance(items, list | tuple) or not items or not all(isinstance(item, TimeSeries) for item in items):
        raise TypeError(f"{what} must be a TimeSeries or a list of them, one for each target, got {type_name(series)}")
    if not all(map(len, items)):
        raise ValueError(f"{what}: one has no steps")
    return list(items)


def check_all_same(items: Sequence[TimeSeries], what: str) -> None:
    """Raise a ValueError for series that differ in components, or of which some hold samples."""
    check_components(items, orders_of(items), what, "others have")
    for item in items:
        if item.n_samples != items[0].n_samples:
            raise ValueError(f"{what} hold {items[0].n_samples} samples a step, and {item.n_samples}: give one number")


def _spreads(items: Sequence[TimeSeries], std: Any, name: str) -> list[np.ndarray]:
    """Standard deviations `[T, C]` on the steps of each series, NaN where there is none."""
    if std is None:
        return [item.all_values(copy=False).std(2, ddof=1) for item in items]
    what = f"std of teacher {name!r}"
    if not isinstance(std, TimeSeries | list | tuple):
        check_positive(std, what)
        return [np.full((len(item), item.n_components), float(std), item.dtype) for item in items]
    given = _series_list(std, what)
    if len(given) != len(items):
        raise ValueError(f"{what} holds {len(given)} series, but there are {len(items)}: give one for each")
    spreads = []
    for item, spread in zip(items, given, strict=True):
        check_components([spread], [names_of(item)], what, "its series has")
        if spread.freq != item.freq:
            raise ValueError(f"{what} has frequency {spread.freq_str!r}, its series {item.freq_str!r}")
        rows = spread.time_index.get_indexer(item.time_index)
        values = spread.values(copy=False)[rows]
        values = np.where((rows >= 0)[:, None], values, np.nan)
        if bool((values <= 0).any()):
            raise ValueError(f"{what} holds {values[values <= 0][0]}: give numbers above 0, or NaN where it is unknown")
        spreads.append(values)
    return spreads


def _beside(item: TimeSeries, mean: np.ndarray, spread: np.ndarray) -> TimeSeries:
    """A series `[T, C·2]` of mean and standard deviation of each component in turn."""
    values = np.stack([mean, spread], axis=2).reshape(len(item), -1).astype(item.dtype)
    columns = [f"{component} {part}" for component in item.components for part in ("mean", "std")]
    return TimeSeries.from_times_and_values(item.time_index, values, freq=item.freq, columns=columns)
