"""Time stamps in a column of a table: read, checked, and laid on the regular grid that darts needs.

What could be read in two ways is refused with what to do: stamps of a time zone, given twice, out of order, or not
equally far apart.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ZONE = r":\d{2}(?:\.\d+)?\s?(?:Z|UTC|[+-]\d{2}:?\d{2})$"
SLASHED = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
MONTH = 28
"""Days; stamps that are further apart may be those of months."""


def parsed_stamps(column: pd.Series, where: str) -> list[pd.Index]:
    """The stamps [T] in a column, in every way in which its texts can be read as dates; whole numbers as they are.

    Args:
        column: texts, dates or whole numbers.
        where: file and column, for messages.

    Raises:
        ValueError: they are none of these, belong to a time zone, or one is missing.
    """
    import pandas as pd

    if column.isna().any():
        raise ValueError(f"{where}: row {_row(column.isna())} has no time stamp.")
    if pd.api.types.is_integer_dtype(column):
        days = column.astype(str)
        if days.str.fullmatch(r"(19|20)\d{6}").all():
            return [pd.DatetimeIndex(pd.to_datetime(days, format="%Y%m%d"))]
        return [pd.Index(column)]
    if pd.api.types.is_numeric_dtype(column):
        raise ValueError(f"{where}: {column.iloc[0]} is no time stamp; give dates, or whole numbers.")
    if pd.api.types.is_datetime64_any_dtype(column):
        if getattr(column.dtype, "tz", None) is not None:
            raise ValueError(_zone(where, column.iloc[0]))
        return [pd.DatetimeIndex(column)]
    texts = column.astype(str).str.strip()
    zoned = texts.str.contains(ZONE)
    if zoned.any():
        raise ValueError(_zone(where, texts[zoned].iloc[0]))
    ways: list[dict[str, Any]] = [{}, {"format": "ISO8601"}]
    if written := SLASHED.match(texts.iloc[0]):
        # with dots the day is first everywhere
        ways = [{"dayfirst": True}] if "." in written.group() else [{}, {"dayfirst": True}]
    found: list[pd.Index] = []
    for way in ways:
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                stamps = pd.DatetimeIndex(pd.to_datetime(texts, **way))
            if any("Could not infer format" in str(warning.message) for warning in said):
                # each text would be guessed by itself
                raise ValueError("they have no one format")
            found.append(stamps)
        except ValueError as error:
            reason = str(error).split(". You might")[0]
    if not found:
        raise ValueError(f"{where} cannot be read as time stamps: {reason}; write them as 2018-08-01 00:15:00.")
    return found


def check_order(stamps: pd.Index, where: str) -> None:
    """Raise a ValueError for a stamp that is given twice, or out of order."""
    twice = stamps.duplicated()
    if twice.any():
        raise ValueError(
            f"{where}: {stamps[twice][0]} is given twice (row {_row(twice)}), one of {twice.sum()} such rows. If "
            "several series lie below one another, choose one by `series`; if the clock was set back, convert to UTC; "
            "if the time of day is in another column, join the two; else leave one of them out."
        )
    late = stamps[1:] < stamps[:-1]
    if late.any():
        raise ValueError(
            f"{where}: {stamps[1:][late][0]} (row {_row(late) + 1}) is earlier than the row before it; sort the file "
            "by this column."
        )


def regular_grid(stamps: pd.Index, freq: str | None, where: str) -> pd.Index:
    """All stamps of the regular grid on which ordered stamps lie.

    Args:
        freq: of the grid, whose steps without a row are gaps; None: that of the stamps, which must have no gaps.

    Raises:
        ValueError: the stamps are not equally far apart, or do not lie on the grid of `freq`, or are fewer than three.
    """
    import pandas as pd

    if len(stamps) < 3:
        raise ValueError(f"{where}: {len(stamps)} rows are too few for a series.")
    if not isinstance(stamps, pd.DatetimeIndex):
        return _numbered(stamps, freq, where)
    if freq is not None:
        return _grid(stamps, freq, where)
    found = pd.infer_freq(stamps)
    if found is not None:
        return pd.date_range(stamps[0], periods=len(stamps), freq=found)
    step, likely = _common(stamps), likely_freq(stamps)
    odd = (stamps[1:] - stamps[:-1]) != step
    at = int(odd.argmax())
    advice = "resample the file to equal steps"
    if likely is not None:
        lacking = len(_grid(stamps, likely, where)) - len(stamps)
        rows = "1 row is" if lacking == 1 else f"{lacking} rows are"
        clock = "if the clock was set forward, convert to UTC; " if _spring(stamps[at], stamps[at + 1], step) else ""
        advice = f"{clock}if {rows} missing, give freq: {likely}, and the values there count as missing; else {advice}"
    raise ValueError(
        f"{where}: the time stamps are not equally far apart: most by {_span(step)}, but {stamps[at]} and "
        f"{stamps[at + 1]} by {_span(stamps[at + 1] - stamps[at])}; {advice}."
    )


def likely_freq(stamps: pd.DatetimeIndex) -> str | None:
    """The frequency, as pandas calls it, on whose grid all stamps lie, some of its steps being without a row; None if
    there is none."""
    step = _common(stamps)
    for freq in [*_calendar(stamps, step), _text_of(step)]:
        try:
            _grid(stamps, freq, "")
        except ValueError:
            continue
        return freq
    return None


def _calendar(stamps: pd.DatetimeIndex, step: pd.Timedelta) -> list[str]:
    if step.days >= MONTH:
        return ["MS", "ME"]
    return ["B"] if step.days == 1 and not (stamps.dayofweek > 4).any() else []


def _grid(stamps: pd.DatetimeIndex, freq: str, where: str) -> pd.DatetimeIndex:
    import pandas as pd

    try:
        offset: Any = pd.tseries.frequencies.to_offset(freq)
        first = pd.date_range(stamps[0], periods=2, freq=offset)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ValueError(
            f"{where}: freq={freq!r} is no frequency of pandas, such as 15min, h, D, W-SUN, MS."
        ) from error
    step, given = _common(stamps), first[1] - first[0]
    if 2 * given <= step:
        raise ValueError(f"{where}: freq={freq!r} is not the step of the rows, most of which lie {_span(step)} apart.")
    grid = pd.date_range(stamps[0], stamps[-1], freq=offset)
    off = ~stamps.isin(grid)
    if off.any():
        raise ValueError(
            f"{where}: {stamps[off][0]} (row {_row(off)}) is not on the grid of freq={freq!r} from {stamps[0]} on; "
            f"most rows lie {_span(step)} apart."
        )
    return grid


def _numbered(stamps: pd.Index, freq: str | None, where: str) -> pd.Index:
    import pandas as pd

    if freq is not None:
        raise ValueError(f"{where}: freq={freq!r} belongs to dates, and these rows are numbered; leave it out.")
    steps = stamps[1:] - stamps[:-1]
    odd = steps != steps[0]
    if odd.any():
        raise ValueError(
            f"{where}: the numbers are not equally far apart: {stamps[0]} and {stamps[1]}, but {stamps[:-1][odd][0]} "
            f"and {stamps[1:][odd][0]}; number all rows, or give dates."
        )
    return pd.RangeIndex(int(stamps[0]), int(stamps[-1]) + 1, int(steps[0]))


def _common(stamps: pd.DatetimeIndex) -> pd.Timedelta:
    """The most frequent step."""
    return (stamps[1:] - stamps[:-1]).value_counts().index[0]


def _spring(before: pd.Timestamp, after: pd.Timestamp, step: pd.Timedelta) -> bool:
    """Whether summer time may have begun between two stamps: an hour is missing in the night to a Sunday."""
    import pandas as pd

    return after - before - step == pd.Timedelta(hours=1) and after.dayofweek == 6 and 1 <= after.hour <= 3


def _text_of(step: pd.Timedelta) -> str:
    import pandas as pd

    if step.days and step == pd.Timedelta(days=step.days):
        return f"{step.days if step.days > 1 else ''}D"
    offset: Any = pd.tseries.frequencies.to_offset(step)
    return str(offset.freqstr)


def _span(step: pd.Timedelta) -> str:
    return str(step).removesuffix(" 00:00:00").removeprefix("0 days ")


def _zone(where: str, stamp: object) -> str:
    return (
        f"{where}: {stamp} is a time stamp of a time zone. Convert to UTC and leave the zone out: in pandas, "
        "pd.to_datetime(column, utc=True).dt.tz_localize(None)."
    )


def _row(marked: Any) -> int:
    """Number of the first marked row, counted from 1 below the names of the columns."""
    import numpy as np

    return int(np.argmax(np.asarray(marked))) + 1
