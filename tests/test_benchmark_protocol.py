"""The standard multivariate benchmark: windows as published, and scores as computed without any of this code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tskd.datasets import DataSet, load
from tskd.experiment import Experiment, Study
from tskd.experiment.run.case_plan import plan_study
from tskd.experiment.run.cell_store import CellStore

# rows of training, validation and test part; file; horizon
PUBLISHED = {
    "etth1": ((8640, 2880, 2880), "ETTh1.csv.gz", 96),
    "etth2": ((8640, 2880, 2880), "ETTh2.csv.gz", 96),
    "exchange": ((5311, 760, 1517), "exchange_rate.csv.gz", 96),
    "illness": ((676, 97, 193), "national_illness.csv.gz", 24),
}
SEASON = 24


@pytest.mark.parametrize("season", [1, SEASON], ids=["constant", "seasonal"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_naive_forecasters_have_the_scores_of_numpy(name: str, season: int, data_folder: Path) -> None:
    rows, file, horizon = PUBLISHED[name]
    # rolled forward by a step, it repeats the last season
    student = {
        "class": "GlobalNaiveSeasonal",
        "kwargs": {"input_chunk_length": season, "output_chunk_length": 1},
    }
    experiment = Experiment(name="naive", data=name, student=student, scored=(1, horizon), seeds=1)
    found = experiment.run(progress=False).rows.iloc[0]
    assert found.windows == rows[2] - horizon + 1

    table = pd.read_csv(data_folder / file, index_col=0).to_numpy("float64")[: sum(rows)]
    scaled = (table - table[: rows[0]].mean(0)) / table[: rows[0]].std(0)
    origins = np.arange(rows[0] + rows[1], sum(rows) - horizon + 1)[:, None]
    steps = np.arange(horizon)
    difference = scaled[origins - season + steps % season] - scaled[origins + steps]
    assert found.mse == pytest.approx(np.square(difference).mean(), rel=1e-5)
    assert found.mae == pytest.approx(np.abs(difference).mean(), rel=1e-5)


def _parts(data: DataSet) -> tuple[int, int, int]:
    index = data.series.time_index
    validation, test = (index.get_loc(stamp) for stamp in (data.validation_start, data.test_start))
    return validation, test - validation, len(index) - test


@pytest.mark.parametrize("name", PUBLISHED)
def test_parts_are_as_long_as_published(name: str, data_folder: Path) -> None:
    assert _parts(load(name)) == PUBLISHED[name][0]


KEPT = sorted((Path(__file__).parents[1] / "benchmarks" / "runs").glob("benchmark-*/parts"))


# the cells of four data sets at four horizons are listed in a minute
LONG = ("benchmark-ett",)


@pytest.mark.parametrize(
    "folder",
    [pytest.param(one, marks=[pytest.mark.slow] if one.parent.name in LONG else []) for one in KEPT],
    ids=[folder.parent.name for folder in KEPT],
)
def test_kept_parts_are_of_the_benchmark_as_it_is(folder: Path, data_folder: Path) -> None:
    """A change of what cells are named by, or of a configuration, would leave them without a use."""
    name = folder.parent.name.removeprefix("benchmark-")
    study = Study.from_yaml(folder.parents[2].parent / "configs" / "benchmark" / f"{name}.yaml")
    keys = {key for case in plan_study(study) for key in case.keys}
    files = list(folder.glob("*.npz"))
    assert files and len(CellStore(folder).finished(keys)) == len(files)
