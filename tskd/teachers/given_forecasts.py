"""A teacher from outside that is a table of forecasts: its answer for a window is the forecast from its origin."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries

from tskd._core.checks import check_known, check_whole, type_name
from tskd._core.components import names_of
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import shared_steps
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.answers import AnswersByOrigin
from tskd.teachers.crossfit import stamp, stamp_text
from tskd.teachers.forecast_table import ForecastTable, from_frame, from_lists
from tskd.teachers.outside import OutsideTeacher, columns_of
from tskd.teachers.predictor import TeacherPredictor


class GivenForecasts(OutsideTeacher):
    """A teacher that answers by forecast origin with given forecasts; see `Teacher.from_forecasts`."""

    def __init__(self, forecasts: Any, name: str, first_step: int = 1, seen_until: Any = None) -> None:
        super().__init__(name, seen_until)
        what = f"forecasts of teacher {name!r}"
        check_whole(first_step, 1, "first_step", "a step after the origin")
        if isinstance(forecasts, pd.DataFrame):
            if first_step != 1:
                raise ValueError(f"first_step={first_step}: a table says the step of each value itself")
            self._take(from_frame(forecasts, what))
        elif isinstance(forecasts, list | tuple):
            self._take(from_lists(forecasts, first_step, what))
        else:
            raise TypeError(
                f"{what} must be a pandas DataFrame, or the list that historical_forecasts(last_points_only=False) "
                f"returns, got {type_name(forecasts)}"
            )

    def __repr__(self) -> str:
        rows, steps = len(self.table.series), self.table.horizon
        return (
            f"Teacher.from_forecasts({rows} forecasts of {self.components}, steps {steps[0]} to {steps[-1]}, "
            f"name={self.name!r})"
        )

    @property
    def kind(self) -> str:
        return "table of forecasts"

    @property
    def form(self) -> AnswerForm:
        return self.table.form

    @property
    def horizon(self) -> range:
        return self._steps

    def answering(self, steps: range) -> Self:
        """The same teacher for those of the steps that the table has; itself if it has none of them."""
        shared = shared_steps(steps, self.table.horizon)
        asked = copy.copy(self)
        if shared.stop > shared.start:
            asked._steps = steps[shared]
        return asked

    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        table, what = self.table, f"forecasts of teacher {self.name!r}"
        wanted = list(dict.fromkeys(name for target in targets for name in names_of(target)))
        check_known(dict.fromkeys(name for names in table.components for name in names), wanted, f"component in {what}")
        count = int(table.series.max()) + 1 if table.count is None else table.count
        if count > len(targets) or (table.count is not None and count < len(targets)):
            raise ValueError(
                f"{what} are for {count} target series, and there are {len(targets)}: give a list for each, or a "
                "column 'series' with its position"
            )
        first = self._steps[0] - table.first
        keys, chosen = [], []
        for index, target in enumerate(targets):
            own = np.flatnonzero(table.series == index)
            positions = self._positions(table.origins[own], target, what)
            inside = positions >= 0
            keys.append(np.stack([np.full(int(inside.sum()), index), positions[inside]], axis=1))
            columns = columns_of(target, table.components[index if len(table.components) > 1 else 0], what)
            chosen.append(table.values[own[inside], first : first + len(self._steps)][:, :, columns])
        answers = np.ascontiguousarray(np.concatenate(chosen).astype(targets[0].dtype))
        base = AnswersByOrigin(torch.from_numpy(np.concatenate(keys)), answers, table.form)
        return TeacherPredictor(targets, base)

    def _positions(self, origins: pd.Index, target: TimeSeries, what: str) -> np.ndarray:
        """Positions of origins in a target series `[n]`, -1 for those before or after it.

        Raises:
            ValueError: they are not on the time grid of the series.
        """
        times, freq = target.time_index, target.freq_str
        if self.table.freq is not None and self.table.freq != freq:
            raise ValueError(f"{what} have the frequency {self.table.freq!r}, the target series {freq!r}")
        if not len(origins):
            return np.zeros(0, dtype=np.int64)
        if isinstance(times, pd.DatetimeIndex) != isinstance(origins, pd.DatetimeIndex):
            raise ValueError(f"origin in {what} is {origins[0]!r}, and the target series start at {times[0]!r}")
        positions = times.get_indexer(origins)
        astray = (positions < 0) & (origins >= times[0]) & (origins <= times[-1])
        if astray.any():
            raise ValueError(
                f"origin {origins[astray][0]} in {what} is not a time stamp of the target series, whose frequency is "
                f"{freq!r}"
            )
        return positions

    def _take(self, table: ForecastTable) -> None:
        self.table, self.components, self._steps = table, table.components[0], table.horizon

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        table = self.table
        stamps = isinstance(table.origins, pd.DatetimeIndex)
        origins = table.origins.as_unit("ns").asi8 if isinstance(table.origins, pd.DatetimeIndex) else table.origins
        with (folder / f"{stem}.npz").open("wb") as file:
            np.savez(file, series=table.series, origins=np.asarray(origins, dtype=np.int64), values=table.values)
        return {
            "name": self.name,
            "seen_until": stamp_text(self.seen_until),
            "components": table.components,
            "form": table.form.description(),
            "first": table.first,
            "count": table.count,
            "freq": table.freq,
            "stamps": stamps,
        }

    @classmethod
    def restored(
        cls, folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()
    ) -> GivenForecasts:
        teacher = cls.__new__(cls)
        OutsideTeacher.__init__(teacher, entry["name"], stamp(entry["seen_until"]))
        with np.load(folder / f"{stem}.npz", allow_pickle=False) as arrays:
            series, origins, values = arrays["series"], arrays["origins"], arrays["values"]
        index = pd.DatetimeIndex(origins.view("datetime64[ns]")) if entry["stamps"] else pd.Index(origins)
        form = AnswerForm.described(entry["form"])
        # earlier versions had the same components for all series
        components = [entry["components"]] if isinstance(entry["components"][0], str) else entry["components"]
        rest = (components, form, entry["count"], entry["freq"])
        teacher._take(ForecastTable(series, index, values, entry["first"], *rest))
        return teacher
