"""Small series, and settings of quiet models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "logger": False,
    "enable_checkpointing": False,
}


def walk(
    n: int,
    components: int = 1,
    *,
    seed: int = 0,
    start: str = "2020-01-01",
    freq: Any = "h",
    name: str = "y",
    dtype: str = "float32",
) -> TimeSeries:
    """A random walk of n steps; components are named name0, name1, …"""
    values = np.random.default_rng(seed).normal(size=(n, components)).cumsum(0) / 5
    times = pd.date_range(start, periods=n, freq=freq)
    columns = [f"{name}{i}" for i in range(components)]
    return TimeSeries.from_times_and_values(times, values.astype(dtype), columns=columns)


def single(forecast: TimeSeries | list[TimeSeries]) -> TimeSeries:
    """The forecast of a single series."""
    assert isinstance(forecast, TimeSeries)
    return forecast


def moving_average(windows: int, seed: int = 0, smooth: int = 1) -> np.ndarray:
    """[windows] moving averages of white noise, of standard deviation 1."""
    white = np.random.default_rng(seed).normal(size=windows + smooth - 1)
    return np.convolve(white, np.ones(smooth) / math.sqrt(smooth), mode="valid")
