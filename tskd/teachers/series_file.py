"""Files of series that a teacher consists of: arrays as `.npz`, and times and names in a form that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.utils.utils import generate_index

from tskd.teachers.crossfit import stamp, stamp_text


def write_series(path: Path, groups: Mapping[str, Sequence[TimeSeries]]) -> dict[str, Any]:
    """Write groups of deterministic series to an `.npz` file, and return what is needed to read them again."""
    arrays = {
        f"{name}.{number}": series.values(copy=False)
        for name, items in groups.items()
        for number, series in enumerate(items)
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return {
        name: [
            {
                "start": stamp_text(series.start_time()),
                "freq": series.freq_str if isinstance(series.time_index, pd.DatetimeIndex) else int(series.freq),
                "components": list(series.components),
            }
            for series in items
        ]
        for name, items in groups.items()
    }


def read_series(path: Path, description: Mapping[str, Any]) -> dict[str, list[TimeSeries]]:
    """The groups of series that `write_series` wrote, given what it returned."""
    with np.load(path, allow_pickle=False) as arrays:
        return {
            name: [_series(entry, arrays[f"{name}.{number}"]) for number, entry in enumerate(items)]
            for name, items in description.items()
        }


def _series(entry: Mapping[str, Any], values: np.ndarray) -> TimeSeries:
    times = generate_index(start=stamp(entry["start"]), length=len(values), freq=entry["freq"])
    return TimeSeries.from_times_and_values(times, values, freq=entry["freq"], columns=entry["components"])
