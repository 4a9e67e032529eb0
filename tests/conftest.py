"""Shared by all tests: small series, quiet models, one torch thread."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries

torch.set_num_threads(1)
for name in ("pytorch_lightning", "lightning.pytorch", "darts"):
    logging.getLogger(name).setLevel(logging.ERROR)

QUIET = {
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
    freq: str = "h",
    name: str = "y",
    dtype: str = "float32",
) -> TimeSeries:
    """A random walk of n steps; components are named name0, name1, …"""
    values = np.random.default_rng(seed).normal(size=(n, components)).cumsum(0) / 5
    times = pd.date_range(start, periods=n, freq=freq)
    columns = [f"{name}{i}" for i in range(components)]
    return TimeSeries.from_times_and_values(times, values.astype(dtype), columns=columns)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; tests that need it skip where TSKD_DATA does not name one."""
    folder = os.environ.get("TSKD_DATA")
    if not folder:
        pytest.skip("TSKD_DATA is not set: no real data")
    return Path(folder)
