"""A panel of three series that differ in everything they may: length, start, level, spread, split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tests.helpers.experiments import toy_config, toy_model
from tskd.datasets import DataSet, Panel
from tskd.experiment import Experiment

# steps, start, level, spread, and steps before the validation and the test part
SERIES: dict[str, tuple[int, str, float, float, int, int]] = {
    "north": (150, "2021-03-01", 20.0, 1.0, 90, 120),
    "east": (101, "2021-03-02", -5.0, 3.0, 60, 79),
    "south": (120, "2021-03-01 12:00", 100.0, 0.2, 70, 95),
}


def member(name: str, **changes: Any) -> DataSet:
    steps, start, level, spread, validation, test = SERIES[name]
    rng = np.random.default_rng(len(name) + steps)
    times = pd.date_range(start, periods=steps, freq="h")
    sensor = rng.normal(size=(steps, 2))
    waves = np.sin(2 * np.pi * np.arange(steps) / 24) + sensor[:, 0] / 2 + rng.normal(size=steps) / 4
    given: dict[str, Any] = {
        "name": f"stations {name}",
        "series": TimeSeries.from_times_and_values(times, level + spread * waves, columns=["y"]),
        "privileged": {"sensor": TimeSeries.from_times_and_values(times, sensor, columns=["s0", "s1"])},
        "validation_start": times[validation],
        "test_start": times[test],
    }
    return DataSet(**given | changes)


def toy_panel(*names: str, **changes: DataSet) -> Panel:
    """`changes`: members in place of those of their names."""
    members = {name: member(name) for name in names or SERIES}
    return Panel("stations", members | changes, unit="K", source="made up")


def panel_experiment(**changes: Any) -> Experiment:
    """A teacher of a sensor, and its placebo, on three series."""
    sensor = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
    config: dict[str, Any] = {
        "data": toy_panel(),
        "student": toy_model(optimizer_kwargs={"lr": 0.01}),
        "teachers": {"sensor": {"model": toy_model(), "privileged": sensor}},
        "arms": [
            {"name": "taught", "teachers": "sensor", "balance": 0.5},
            {"name": "placebo", "teachers": "sensor", "balance": 0.5, "placebo": True},
        ],
        "seeds": [3, 5],
    }
    return Experiment(**toy_config(**config | changes))
