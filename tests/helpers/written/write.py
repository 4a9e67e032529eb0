"""Writes what `tests/test_written_before.py` reads: run once, with tskd 0.1.0, before its layout changed.

python tests/helpers/written/write.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel

from tskd import DistilledModel, Teacher
from tskd.experiment import Study
from tskd.losses import LevelShapeKD, OutputKD
from tskd.privileged import CostlySensors, FutureHorizon
from tskd.weighting import CAMKD

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
SETTINGS: dict[str, Any] = {"n_epochs": 1, "random_state": 0, "pl_trainer_kwargs": QUIET}
CONFIG = """\
name: kept
data: co2
student: {class: NLinearModel, kwargs: {input_chunk_length: 8, output_chunk_length: 4, n_epochs: 1}}
teachers:
  season: {model: {class: NLinearModel, kwargs: {input_chunk_length: 8, output_chunk_length: 4, n_epochs: 1}},
           privileged: {class: FutureHorizon, kwargs: {end: 2}}}
  weekly: {model: {class: LinearRegressionModel, kwargs: {lags: 8, lags_past_covariates: 8, output_chunk_length: 4}},
           privileged: {class: HighResolution, kwargs: {name: weekly, coarse: mean}}, cross_fit: {folds: 2, block: 24}}
  broken: {model: {class: LinearRegressionModel, kwargs: {lags: 8, output_chunk_length: 4}},
           cross_fit: {folds: 2, block: 2}}
arms:
  - {name: both, teachers: [season, weekly], balance: [0, 0.5], weighting: InverseError}
  - {name: fails, teachers: broken, balance: 0.5}
controls: [self-distilled, placebo]
seeds: [0, 3]
sizes: [60]
"""


def series() -> tuple[TimeSeries, TimeSeries]:
    times = pd.date_range("2024-01-01", periods=300, freq="h")
    values = np.random.default_rng(3).normal(size=(300, 3)).astype("float32").cumsum(0)
    return (
        TimeSeries.from_times_and_values(times, values[:, :2], columns=["a", "b"]),
        TimeSeries.from_times_and_values(times, values[:, 2:], columns=["lab"]),
    )


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    target, lab = series()
    model = DistilledModel(
        NLinearModel(8, 4, **SETTINGS),
        [
            Teacher(NLinearModel(8, 4, **SETTINGS), FutureHorizon("lab"), name="network", cross_fit=2),
            Teacher(
                LinearRegressionModel(lags=8, lags_past_covariates=8, output_chunk_length=4),
                CostlySensors("lab"),
                name="linear",
            ),
        ],
        [OutputKD(), LevelShapeKD(weight=0.5)],
        CAMKD(),
    )
    model.fit(target, privileged={"lab": lab}, verbose=False)
    model.save(folder / "model", clean=True)
    np.save(folder / "forecast.npy", model.predict(6, target).values())
    # a model that was read back is fingerprinted otherwise than the one that was written
    read = DistilledModel.load(folder / "model")
    read.fit(target, privileged={"lab": lab}, cache=folder / "cache", verbose=False)
    (folder / "config.yaml").write_text(CONFIG)
    Study.from_yaml(folder / "config.yaml").run(folder / "run", progress=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
