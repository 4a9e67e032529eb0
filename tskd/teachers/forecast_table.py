"""Forecasts by series and origin, from a table or from the lists that darts' `historical_forecasts` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd._core.checks import MOST, check_known, type_name
from tskd._core.components import Orders, names_of
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.given_series import check_all_same

NEEDED, OPTIONAL = ("origin", "step", "component", "value"), ("series", "quantile", "std")


@dataclass(frozen=True, eq=False)
class ForecastTable:
    """Forecasts by series and origin.

    Attributes:
        series: position of the target series of each row `[N]`.
        origins: time stamp (or whole number) of the last observed step of each row `[N]`; distinct in a series.
        values: `[N, H, C, P]`, NaN where there is none.
        first: step after the origin of the first of the H.
        components: names of the C, for each target series, or one list for all.
        form: of the values.
        count: number of target series; None if it is not known.
        freq: time between steps, as darts' `freq_str`; None if it is not known.
    """

    series: np.ndarray
    origins: pd.Index
    values: np.ndarray
    first: int
    components: Orders
    form: AnswerForm
    count: int | None = None
    freq: Any = None

    @property
    def horizon(self) -> range:
        """Steps after the origin that are forecast."""
        return range(self.first, self.first + self.values.shape[1])


def from_lists(forecasts: Sequence[Any], first: int, what: str) -> ForecastTable:
    """The forecasts in the lists of `historical_forecasts(last_points_only=False)`.

    Args:
        forecasts: a list for one target series, a list of lists for several.
        first: step after the origin of the first value of each forecast.
        what: for messages.
    """
    nested = all(isinstance(item, list | tuple) for item in forecasts)
    by_series = list(forecasts) if nested else [forecasts]
    items = [(number, forecast) for number, several in enumerate(by_series) for forecast in several]
    if not items:
        raise ValueError(f"{what} are empty")
    for _, forecast in items:
        if not isinstance(forecast, TimeSeries):
            raise TypeError(f"{what} must hold TimeSeries, one for each origin, got {type_name(forecast)}")
        if not len(forecast):
            raise ValueError(f"{what}: one has no steps")
    series = [forecast for _, forecast in items]
    check_all_same(series, what)
    frequencies = sorted({forecast.freq_str for forecast in series}, key=str)
    if len(frequencies) > 1:
        raise ValueError(f"{what} have several frequencies, {', '.join(map(repr, frequencies))}: give one")
    form = AnswerForm(gaussian=series[0].n_samples > 1)
    values = np.full((len(series), max(map(len, series)), series[0].n_components, form.size), np.nan, series[0].dtype)
    for row, forecast in zip(values, series, strict=True):
        samples = forecast.all_values(copy=False)
        row[: len(forecast), :, 0] = samples.mean(2)
        if form.gaussian:
            row[: len(forecast), :, 1] = samples.std(2, ddof=1)
    origins = pd.Index([forecast.start_time() - first * forecast.freq for forecast in series])
    numbers, components = np.array([number for number, _ in items]), _components(by_series, what)
    numbers, origins, values = _distinct(numbers, origins, values, what)
    return ForecastTable(numbers, origins, values, first, components, form, len(by_series), frequencies[0])


def _components(by_series: Sequence[Sequence[TimeSeries]], what: str) -> Orders:
    """The component names in the forecasts of each target series, the same from origin to origin; of a series without
    forecasts those of another."""
    names = [names_of(several[0]) if several else [] for several in by_series]
    for own, several in zip(names, by_series, strict=True):
        for forecast in several:
            if names_of(forecast) != own:
                raise ValueError(f"{what} has components {names_of(forecast)} and {own} for one series: give the same")
    some = next(own for own in names if own)
    return [own or some for own in names]


def from_frame(frame: pd.DataFrame, what: str) -> ForecastTable:
    """The forecasts in a table with a row for each number; see `Teacher.from_forecasts`."""
    check_known(map(str, frame.columns), [*NEEDED, *OPTIONAL], f"column in {what}")
    absent = [name for name in NEEDED if name not in frame.columns]
    if absent:
        raise ValueError(
            f"{what} lack the columns {absent}; a table has {', '.join(NEEDED)}, optionally series, and quantile or std"
        )
    if not len(frame):
        raise ValueError(f"{what} are empty")
    if {"quantile", "std"} <= set(frame.columns):
        raise ValueError(f"{what} have columns 'quantile' and 'std': give one of them")
    origins = _origins(frame["origin"], what)
    steps = _whole(frame, "step", 1, what)
    numbers = _whole(frame, "series", 0, what) if "series" in frame else np.zeros(len(frame), dtype=np.int64)
    components, column = _names(frame["component"], what)
    form, part, values = _numbers(frame, what)
    first = int(steps.min())
    rows, index = pd.factorize(pd.MultiIndex.from_arrays([numbers, origins]))
    shape = (len(index), int(steps.max()) - first + 1, len(components), max(len(form.levels), 1))
    place = np.ravel_multi_index((rows, steps - first, column, part), shape)
    _check_repeats(place, values, frame, what)
    table = np.full((int(np.prod(shape)), values.shape[1]), np.nan)
    table[place] = values
    series, stamps = index.get_level_values(0).to_numpy(), index.get_level_values(1)
    count = None if "series" in frame else 1
    return ForecastTable(series, pd.Index(stamps), table.reshape(*shape[:3], -1), first, [components], form, count)


def _numbers(frame: pd.DataFrame, what: str) -> tuple[AnswerForm, np.ndarray, np.ndarray]:
    """The form, the place of each row among the quantiles `[R]`, and its numbers `[R, 1 or 2]`."""
    values, part = [_floats(frame, "value", what)], np.zeros(len(frame), dtype=np.int64)
    if "std" in frame:
        std = _floats(frame, "std", what)
        if bool((std <= 0).any()):
            raise ValueError(f"std in {what} is {std[std <= 0][0]}: give numbers above 0, or NaN where it is unknown")
        return AnswerForm(gaussian=True), part, np.stack([*values, std], axis=1)
    if "quantile" not in frame:
        return AnswerForm(), part, values[0][:, None]
    quantiles = _floats(frame, "quantile", what)
    wrong = ~((quantiles > 0) & (quantiles < 1))
    if wrong.any():
        raise ValueError(f"quantile in {what} is {quantiles[wrong][0]}: give levels between 0 and 1")
    levels, part = np.unique(quantiles.round(9), return_inverse=True)
    if 0.5 not in levels:
        raise ValueError(f"{what} have the quantiles {levels.tolist()} without 0.5, the forecast")
    return AnswerForm(levels=tuple(levels.tolist())), part, values[0][:, None]


def _origins(column: pd.Series, what: str) -> pd.Index:
    """Origins `[R]` as time stamps without a time zone, or as whole numbers."""
    stamps = pd.api.types.is_datetime64_any_dtype(column)
    if stamps and column.dt.tz is not None:
        raise ValueError(
            f"origin in {what} has the time zone {column.dt.tz}, and series have none: convert it and the series to "
            "UTC, and leave the zone out (.dt.tz_convert('UTC').dt.tz_localize(None))"
        )
    if not stamps and not pd.api.types.is_integer_dtype(column):
        raise TypeError(
            f"origin in {what} holds {column.iloc[0]!r}: give time stamps (pandas.to_datetime), or whole numbers for "
            "series with a whole-number index"
        )
    if column.isna().any():
        raise ValueError(f"origin in {what} is missing in row {column.index[column.isna()][0]}")
    return pd.DatetimeIndex(column) if stamps else pd.Index(column.to_numpy(dtype=np.int64))


def _names(column: pd.Series, what: str) -> tuple[list[str], np.ndarray]:
    """The distinct components, and the place of each row's among them `[R]`."""
    place, found = pd.factorize(column)
    wrong = next((name for name in [*found, *([None] if (place < 0).any() else [])] if not isinstance(name, str)), "")
    if wrong != "":
        raise TypeError(f"component in {what} is {wrong!r}: give the names of the target's components")
    return list(found), place


def _floats(frame: pd.DataFrame, name: str, what: str) -> np.ndarray:
    """A column of numbers `[R]`."""
    column = frame[name]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        odd = next((value for value in column if isinstance(value, str)), column.iloc[0])
        raise TypeError(f"{name} in {what} holds {odd!r}: give numbers")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _whole(frame: pd.DataFrame, name: str, least: int, what: str) -> np.ndarray:
    """A column of whole numbers `[R]`, `least` or more."""
    values = _floats(frame, name, what)
    if bool((values > MOST).any()):
        raise ValueError(f"{name} in {what} is {values.max():g}: give whole numbers, {MOST:,} at most")
    wrong = ~(values >= least) | (values != np.floor(values))
    if wrong.any():
        meaning = {
            "step": "step 1 is the first after the origin, which is the last observed step: if the column origin holds "
            "the first forecast stamp, it is one step too late",
            "series": "the position of the target series, from 0",
        }[name]
        raise ValueError(f"{name} in {what} is {values[wrong][0]}: give whole numbers from {least} on; {meaning}")
    return values.astype(np.int64)


def _check_repeats(place: np.ndarray, values: np.ndarray, frame: pd.DataFrame, what: str) -> None:
    """Raise a ValueError if two rows of a table give the same number with different values."""
    _, first, inverse = np.unique(place, return_index=True, return_inverse=True)
    other = ~np.isclose(values, values[first][inverse], rtol=0, atol=0, equal_nan=True).all(1)
    if other.any():
        row = frame.iloc[int(np.argmax(other))]
        keys = [name for name in ("series", "origin", "step", "component", "quantile") if name in frame]
        named = ", ".join(f"{name} {row[name]}" for name in keys)
        raise ValueError(
            f"{what} give {named} twice, with different values: give one; if the clock was set back, convert to UTC"
        )


def _distinct(
    numbers: np.ndarray, origins: pd.Index, values: np.ndarray, what: str
) -> tuple[np.ndarray, pd.Index, np.ndarray]:
    """Series, origins and values with each origin once; a ValueError if two of its forecasts differ."""
    rows, _ = pd.factorize(pd.MultiIndex.from_arrays([numbers, origins]))
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return numbers, origins, values
    for row, same in enumerate(first[inverse]):
        if not np.array_equal(values[row], values[same], equal_nan=True):
            raise ValueError(
                f"{what} give the origin {origins[row]} twice, with different values: give one; if the clock was set "
                "back, convert to UTC"
            )
    return numbers[first], origins[first], values[first]
