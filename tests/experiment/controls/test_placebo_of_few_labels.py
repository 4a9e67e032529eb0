"""The placebo of a teacher that answers where labels are missing: a constant, and said to be so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries

from tests.helpers.experiments import HORIZON, LOOKBACK, toy_config, toy_stations
from tskd import Reconstruction
from tskd.datasets import DataSet
from tskd.experiment import Experiment
from tskd.experiment.controls.shuffling import placebo
from tskd.experiment.report import page
from tskd.experiment.report.page import render
from tskd.privileged import CostlySensors

HOURS = 1440
SENTENCE = "A placebo answers in windows without a label too"


def series(values: np.ndarray, name: str) -> TimeSeries:
    times = pd.date_range("2024-01-01", periods=HOURS, freq="h")
    return TimeSeries.from_times_and_values(times, values, columns=[name])


def test_a_reconstruction_from_shuffled_readings_answers_the_mean_of_the_labels() -> None:
    """Labels are of seven o'clock alone, when the quality is 2 above its mean; readings tell it to 0.1."""
    rng = np.random.default_rng(0)
    quality = 2 * np.cos(2 * np.pi * (np.arange(HOURS) - 7) / 24) + rng.normal(size=HOURS)
    readings = series(quality + 0.1 * rng.normal(size=HOURS), "raw")
    data = DataSet(
        "plant", series(quality, "quality"), privileged={"raw": readings}, validation_start=0.8, test_start=0.9
    )
    labels = series(np.where(np.arange(HOURS) % 24 == 7, quality, np.nan), "quality")
    nothing = labels.with_values(np.full((HOURS, 1, 1), np.nan))
    shuffled = next(iter(placebo(CostlySensors("raw"), data, 0)[1].values()))
    answers = {
        name: Reconstruction("raw").fit(labels, {"raw": read}).filled(nothing, {"raw": read})[0].values()[:, 0]
        for name, read in {"own": readings, "placebo": shuffled}.items()
    }
    assert np.mean((answers["own"] - quality) ** 2) < 0.02
    constant = np.nanmean(labels.values())
    apart = answers["placebo"] - constant
    assert np.mean(apart**2) < 0.02 * np.var(quality)
    # bias and variance of a constant, of a quality of mean 0 and variance 2 + 1
    assert np.mean((answers["placebo"] - quality) ** 2) == pytest.approx(constant**2 + 3, rel=0.1)


@pytest.mark.parametrize("labels", ["all", {"every": 9}])
def test_the_page_says_what_the_placebo_of_few_labels_is(labels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    kwargs = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "n_epochs": 1, "kernel_size": 3}
    config = {
        "data": replace(toy_stations(), archive=()),
        "student": {"class": "DLinearModel", "kwargs": kwargs},
        "teachers": {"own": {"reconstruction": "own"}},
        "arms": [{"name": "taught", "teachers": "own", "balance": 0.5}],
        "controls": ["placebo"],
        "soft_sensor": True,
        "seeds": [0],
        "labels": labels,
    }
    found = render(Experiment(**toy_config(**config)).run(progress=False)).html
    assert (SENTENCE in found) == (labels != "all")
