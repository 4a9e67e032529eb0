"""A small file of measurements such as a user has: a load, a temperature, a costly reading, texts, a few gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tskd.experiment.config.yaml_file import to_yaml

ROWS = 161


def steel(rows: int = ROWS) -> pd.DataFrame:
    """Hourly, from 2018-01-01 on."""
    rng = np.random.default_rng(5)
    hour = np.arange(rows)
    costly = rng.normal(size=rows).cumsum() / 4
    return pd.DataFrame(
        {
            "date": pd.date_range("2018-01-01", periods=rows, freq="h"),
            "Usage (kWh)": 20 + 5 * np.sin(2 * np.pi * hour / 24) + costly + rng.normal(size=rows) / 2,
            "outside": 3 * np.cos(2 * np.pi * hour / 24) + rng.normal(size=rows) / 3,
            "power factor": costly,
            "kind": np.where(hour % 7 == 0, "light", "heavy"),
        }
    )


def own_data(**changes: Any) -> dict[str, Any]:
    """The section `data` of a configuration beside `steel.csv`."""
    return {
        "file": "steel.csv",
        "time": "date",
        "target": ["Usage (kWh)"],
        "past": ["outside"],
        "privileged": {"costly": ["power factor"]},
        "validation_start": 0.6,
        "test_start": 0.8,
    } | changes


def write_config(path: Path, **data: Any) -> Path:
    """Write a configuration with a student and a privileged teacher, each of one epoch; `data` changes its data."""
    model = {"class": "DLinearModel", "kwargs": {"kernel_size": 3, "n_epochs": 1}}
    config = {
        "name": "steel",
        "data": own_data(**data),
        "lookback": 6,
        "horizon": 3,
        "student": model,
        "teachers": {
            "costly": {"model": model, "privileged": {"class": "CostlySensors", "kwargs": {"name": "costly"}}}
        },
        "arms": [{"name": "costly", "teachers": "costly", "balance": 0.5}],
        "seeds": 1,
    }
    path.write_text(to_yaml(config), encoding="utf-8")
    return path
