"""A small data set and a small experiment on it, for the tests of experiments and reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.datasets import DataSet

STEPS, VALIDATION, TEST = 400, 240, 320
LOOKBACK, HORIZON = 8, 4


def toy_data(later: float = 0.0) -> DataSet:
    """Hourly means of a quarter-hourly series, those samples, and a sensor; `later` changes all of the test part."""
    rng = np.random.default_rng(7)
    fine_times = pd.date_range("2021-03-01", periods=4 * STEPS, freq="15min")
    daily = np.sin(2 * np.pi * np.arange(4 * STEPS) / 96)
    fine = 20 + 3 * daily + rng.normal(size=4 * STEPS).cumsum() / 20 + rng.normal(size=4 * STEPS) / 4
    sensor = np.stack([daily[::4] + rng.normal(size=STEPS), rng.normal(size=STEPS)], axis=1)
    fine[4 * TEST :] += later * rng.normal(size=4 * (STEPS - TEST))
    sensor[TEST:] += later
    times = fine_times[::4]
    return DataSet(
        name="toy",
        series=TimeSeries.from_times_and_values(times, fine.reshape(STEPS, 4).mean(1), columns=["y"]),
        privileged={
            "fine": TimeSeries.from_times_and_values(fine_times, fine, columns=["y"]),
            "sensor": TimeSeries.from_times_and_values(times, sensor, columns=["s0", "s1"]),
        },
        validation_start=times[VALIDATION],
        test_start=times[TEST],
        filled=frozenset(times[[330, 331]]),
        title="Toy series",
        unit="K",
        source="made up",
        licence="public domain",
    )


def toy_model(**kwargs: Any) -> dict[str, Any]:
    settings = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "n_epochs": 2, "const_init": False}
    return {"class": "NLinearModel", "kwargs": settings | kwargs}


def toy_config(**changes: Any) -> dict[str, Any]:
    """Three teachers, a placebo, self-distillation, two seeds; as read from YAML but for the data."""
    config: dict[str, Any] = {
        "name": "toy",
        "data": toy_data(),
        "student": toy_model(optimizer_kwargs={"lr": 0.01}),
        "teachers": {
            "future": {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
            "fine": {
                "model": toy_model(),
                "privileged": [
                    {"class": "HighResolution", "kwargs": {"name": "fine", "coarse": "mean"}},
                    {"class": "CostlySensors", "kwargs": {"name": "sensor"}},
                ],
            },
            "equal": {"model": toy_model()},
        },
        "arms": [
            {"name": "alone"},
            {"name": "both", "teachers": ["future", "fine"], "balance": [0, 0.5, 1]},
            {"name": "self", "teachers": "equal", "balance": 0.5},
            {"name": "placebo", "teachers": ["future", "fine"], "balance": 0.5, "placebo": True},
        ],
        "seeds": [3, 5],
    }
    return config | changes
