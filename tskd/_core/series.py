"""Checks of the series that a user passes in, and the bundle of those that passed."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from darts import TimeSeries
from pandas.api.types import is_numeric_dtype

from tskd._core.checks import check_known
from tskd._core.components import Orders, check_components, orders_by_slot, orders_of
from tskd._core.time_grid import check_same_grid, check_same_index

logger = logging.getLogger(__name__)
# last steps of a series that its trace depends on
TRACED = 16

SeriesLike: TypeAlias = TimeSeries | Sequence[TimeSeries]


@dataclass(frozen=True)
class SeriesBundle:
    """Checked series of one part of the data: for training, for validation, or to forecast from.

    Attributes:
        series: target series.
        past_covariates, future_covariates: one for each target series, or None.
        privileged: series by name, one for each target series; None for a validation part without them.
        prefix: prefix of argument names in messages, `"val_"` for the validation part.
    """

    series: list[TimeSeries]
    past_covariates: list[TimeSeries] | None = None
    future_covariates: list[TimeSeries] | None = None
    privileged: Mapping[str, list[TimeSeries]] | None = None
    prefix: str = ""

    @classmethod
    def of(
        cls,
        series: SeriesLike | None,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        prefix: str = "",
        dtype: Any = None,
    ) -> SeriesBundle:
        """A bundle of deployable series, without privileged ones.

        Args:
            prefix: of the names of arguments in messages.
            dtype: precision of all series; None for that of the first target.

        Raises:
            TypeError, ValueError: see `as_list`; or there is no target series.
        """
        targets = as_list(series, f"{prefix}series")
        if targets is None:
            raise ValueError(f"{prefix}series is None: give the target series")
        past = as_list(past_covariates, f"{prefix}past_covariates", len(targets))
        future = as_list(future_covariates, f"{prefix}future_covariates", len(targets))
        dtype = targets[0].dtype if dtype is None else dtype
        for what, covariates in (("past_covariates", past), ("future_covariates", future)):
            check_same_grid(covariates, targets, f"{prefix}{what}")
        targets, past, future = (as_dtype(items, dtype) for items in (targets, past, future))
        return cls(targets, past, future, None, prefix)

    def with_privileged(
        self, privileged: Mapping[str, SeriesLike] | None, names: Sequence[str], whose: str = ""
    ) -> SeriesBundle:
        """The same bundle with privileged series, those with the names `names`.

        Args:
            whose: end of the argument's name in messages, such as `" of teacher 'a'"`.

        Raises:
            TypeError, ValueError: see `as_privileged`.
        """
        what = f"{self.prefix}privileged{whose}"
        known = as_privileged(privileged, names, len(self.series), what)
        for name, items in known.items():
            check_same_index(items, self.series, f"{what}[{name!r}]")
        return replace(self, privileged=known)

    def privileged_of(self, names: Sequence[str]) -> dict[str, list[TimeSeries]]:
        """The privileged series with these names."""
        return {name: (self.privileged or {})[name] for name in names}

    @property
    def deployable(self) -> dict[str, list[TimeSeries] | None]:
        """Series and covariates as keyword arguments of darts."""
        return {
            "series": self.series,
            "past_covariates": self.past_covariates,
            "future_covariates": self.future_covariates,
        }

    @property
    def components(self) -> dict[str, Orders]:
        """Orders of the component names of target and covariates, by argument."""
        return orders_by_slot(**self.deployable)

    def check_components_of(self, train: SeriesBundle) -> None:
        """Raise a ValueError if the components or covariates of this validation part do not fit the training part."""
        for slot in ("past_covariates", "future_covariates"):
            if getattr(self, slot) is not None and getattr(train, slot) is None:
                raise ValueError(f"val_{slot} is given, and {slot} is not: give both, or neither")
        privileged = orders_by_slot(**(train.privileged or {}))
        expected = train.components | {f"privileged[{name!r}]": names for name, names in privileged.items()}
        own = {**self.deployable, **{f"privileged[{name!r}]": v for name, v in (self.privileged or {}).items()}}
        for what, items in own.items():
            check_components(items, expected.get(what), f"val_{what}", "the training part has")


def as_list(
    series: SeriesLike | None, what: str, count: int | None = None, complete: bool = False
) -> list[TimeSeries] | None:
    """Convert one series or several to a list, and check that they are deterministic.

    Args:
        what: the argument's name, for messages.
        count: required number of series; None for any.
        complete: whether missing values (NaN or infinity) are an error.

    Raises:
        TypeError: the argument is not a series or a sequence of series.
        ValueError: there is none, their number or numbers of components differ, components of one are those of another
            in another order, one has no steps, or values are stochastic, or missing in static covariates or in a
            complete series.

    Warns:
        UserWarning: values are infinite, which count as missing.
    """
    if series is None:
        return None
    if not isinstance(series, TimeSeries | Sequence) or isinstance(series, str):
        raise TypeError(f"{what} must be a TimeSeries or a sequence of them, got {type(series).__name__}")
    items = [series] if isinstance(series, TimeSeries) else list(series)
    for item in items:
        if not isinstance(item, TimeSeries):
            raise TypeError(f"{what} must be a TimeSeries or a sequence of them, got {type(item).__name__}")
    if not items:
        raise ValueError(f"{what} is empty: give at least one series")
    if count is not None and len(items) != count:
        advice = "give one for each" + (f", a shared one {count} times" if len(items) == 1 else "")
        raise ValueError(f"{what} holds {len(items)} series, but there are {count} target series: {advice}")
    for index, item in enumerate(items):
        where = what if len(items) == 1 else f"{what}[{index}]"
        _check_usable(item, where, complete)
    check_components(items, orders_of(items), what, "others have")
    return items


def _check_usable(series: TimeSeries, where: str, complete: bool) -> None:
    if not len(series):
        raise ValueError(f"{where} has no steps")
    if not series.is_deterministic:
        raise ValueError(f"{where} holds {series.n_samples} samples a step; give a deterministic series")
    static = series.static_covariates
    unknown = [] if static is None else [name for name, column in static.items() if _unknown(column)]
    if unknown:
        raise ValueError(f"{where} has missing or infinite static covariates {unknown}")
    values = series.values(copy=False)
    bad = ~np.isfinite(values) if complete else np.isinf(values)
    if bad.any():
        step, component = np.argwhere(bad)[0]
        first = f"the first at {series.time_index[step]} in {series.components[component]!r}"
        if complete:
            raise ValueError(f"{where} has {int(bad.sum())} missing or infinite values, {first}; fill them first")
        warnings.warn(f"{where} has {int(bad.sum())} infinite values, {first}: they count as missing", stacklevel=2)


def _unknown(column: pd.Series) -> bool:
    return bool(column.isna().any()) or (is_numeric_dtype(column) and bool(np.isinf(column).any()))


def as_dtype(series: Any, dtype: Any) -> Any:
    """One series or several in a precision, those that are in it as they are; None stays None."""
    if isinstance(series, TimeSeries):
        return series if series.dtype == dtype else series.astype(np.dtype(dtype))
    return None if series is None else [as_dtype(item, dtype) for item in series]


def has_gaps(series: TimeSeries) -> bool:
    """Whether values are missing: NaN, or infinite."""
    return not bool(np.isfinite(series.values(copy=False)).all())


def trace(series: TimeSeries) -> str:
    """A hash of the end of a series, by which data that a model was fitted on are known again."""
    values = np.nan_to_num(series.values(copy=False)[-TRACED:].astype(np.float32), posinf=0, neginf=0)
    return hashlib.blake2b(str(series.end_time()).encode() + values.tobytes(), digest_size=12).hexdigest()


def without_gaps(series: Any) -> Any:
    """One series or several with 0 for missing values, for a model whose forecasts from them are then left out."""
    if isinstance(series, TimeSeries):
        if not has_gaps(series):
            return series
        return series.with_values(np.nan_to_num(series.all_values(copy=False), nan=0, posinf=0, neginf=0))
    return None if series is None else [without_gaps(item) for item in series]


def check_not_alone(**validation: Any) -> None:
    """Raise a ValueError if arguments of the validation part are given although there is no `val_series`."""
    for what, given in validation.items():
        if given is not None:
            raise ValueError(f"{what} is given without val_series, and would be ignored: give both, or neither")


def as_privileged(
    privileged: Mapping[str, SeriesLike] | None, names: Sequence[str], count: int, what: str
) -> dict[str, list[TimeSeries]]:
    """Check privileged series, and convert those with some names to lists, one series for each of `count` targets.

    Raises:
        TypeError, ValueError: see `only_read` and `as_list`.
    """
    by_name = only_read(privileged, names, what)
    lists = {name: for_each(by_name[name], f"{what}[{name!r}]", count) for name in names}
    for name, series in lists.items():
        if series is None:
            raise ValueError(f"{what}[{name!r}] is None: give a series for each of the {count} target series")
    return {name: series for name, series in lists.items() if series is not None}


def only_read(privileged: Mapping[str, SeriesLike] | None, names: Sequence[str], what: str) -> dict[str, SeriesLike]:
    """The privileged series that are read; the log says which are not.

    Args:
        names: those that are read.
        what: the argument's name, for messages.

    Raises:
        TypeError, ValueError: the argument is not a dict; one that is read is missing, or none is read.
    """
    if privileged is not None and not isinstance(privileged, Mapping):
        raise TypeError(f"{what} must be a dict of series by name, got {type(privileged).__name__}")
    if privileged and not names:
        raise ValueError(f"{what}: no teacher reads {', '.join(map(repr, privileged))}; give one a source of that name")
    absent = [name for name in names if name not in (privileged or {})]
    if absent:
        check_known(privileged or {}, names, f"name in {what}")
        raise ValueError(f"{what} lacks {', '.join(map(repr, absent))}, which teachers' sources read")
    unread = [name for name in privileged or {} if name not in names]
    if unread:
        logger.warning("%s: nothing reads %s, ignored", what, ", ".join(map(repr, unread)))
    return {name: series for name, series in (privileged or {}).items() if name in names}


def for_each(series: SeriesLike | None, what: str, count: int) -> list[TimeSeries] | None:
    """`as_list` of one series for each of `count` targets; a single one is shared by all."""
    items = as_list(series, what, None if isinstance(series, TimeSeries) else count)
    return items * count if items is not None and isinstance(series, TimeSeries) else items
