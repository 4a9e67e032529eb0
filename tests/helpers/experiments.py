"""A small data set and a small experiment on it, for the tests of experiments and reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries

from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment import Experiment
from tskd.experiment.config.any_teacher import AnyTeacherConfig
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.teacher import TeacherConfig

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


def toy_stations(target: float = 0.0, elsewhere: float = 0.0) -> DataSet:
    """An analyser, two cheap sensors to replace it, and an archive of two other stations.

    `target` changes the target after the training part, `elsewhere` the units of the archive's.
    """
    rng = np.random.default_rng(11)
    times = pd.date_range("2021-03-01", periods=STEPS, freq="h")

    def station(level: float) -> tuple[TimeSeries, TimeSeries]:
        cheap = np.stack([np.sin(2 * np.pi * np.arange(STEPS) / 24), rng.normal(size=STEPS).cumsum() / 5], axis=1)
        values = level + cheap @ [2.0, 1.0] + rng.normal(size=STEPS) / 4
        return (
            TimeSeries.from_times_and_values(times, values, columns=["y"]),
            TimeSeries.from_times_and_values(times, cheap, columns=["c0", "c1"]),
        )

    series, cheap = station(20.0)
    others = [station(level) for level in (0.0, 50.0)]
    values = series.values(copy=True)
    values[VALIDATION:] += target * rng.normal(size=(STEPS - VALIDATION, 1))
    return DataSet(
        name="stations",
        series=series.with_values(values),
        privileged={"own": series},
        past_covariates=cheap,
        validation_start=times[VALIDATION],
        test_start=times[TEST],
        archive=tuple(
            ArchiveSeries(
                f"station {number}",
                other[:VALIDATION] * (1 + elsewhere * number),
                {"own": other[:VALIDATION] * (1 + elsewhere * number)},
                covariates[:VALIDATION],
            )
            for number, (other, covariates) in enumerate(others, 1)
        ),
        unit="K",
        source="made up",
        licence="public domain",
    )


def toy_model(**kwargs: Any) -> dict[str, Any]:
    settings = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "n_epochs": 2, "const_init": False}
    return {"class": "NLinearModel", "kwargs": settings | kwargs}


def data_of(experiment: Experiment) -> DataSet:
    """The data set of an experiment on one series."""
    data = experiment.dataset()
    assert isinstance(data, DataSet)
    return data


def darts_model(teacher: AnyTeacherConfig) -> Spec:
    """The model of a teacher that is one."""
    assert isinstance(teacher, TeacherConfig)
    return teacher.model


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
