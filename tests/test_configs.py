"""The configurations that are shipped: each is read, and the recipes are run on a toy series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from darts import TimeSeries

from tskd.datasets import DataSet
from tskd.experiment import Experiment, Study
from tskd.experiment.config.experiment import ALONE
from tskd.experiment.config.yaml_file import read_yaml

CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = sorted((CONFIGS / "recipes").glob("*.yaml"))


def optional(config: Any) -> set[str]:
    """Packages that a configuration's models need beside darts."""
    text = yaml.safe_dump(config)
    return {
        package
        for model, package in (
            ("LightGBMModel", "lightgbm"),
            ("XGBModel", "xgboost"),
            ("CatBoostModel", "catboost"),
            ("Chronos2Model", "huggingface_hub"),
        )
        if model in text
    }


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_can_be_read(path: Path) -> None:
    config = read_yaml(path)
    for package in optional(config):
        pytest.importorskip(package, reason=f"{package} is not installed")
    if "local_dir" in path.read_text() and not Path("runs/tiny-chronos-2").is_dir():
        pytest.skip("the weights of the foundation model are not there")
    study = Study.from_yaml(path)
    assert path.stem in study.name or path.parent == CONFIGS
    experiments = list(study.cases.values())
    assert all(experiment.alone.name == ALONE for experiment in experiments)
    # to make each again would take long where there are eighty
    for experiment in experiments[:2]:
        assert Experiment.model_validate(yaml.safe_load(experiment.to_yaml())).to_yaml() == experiment.to_yaml()


def small(data: str) -> DataSet:
    """A series in the shape of the recipe's own data."""
    rng = np.random.default_rng(0)
    components = 7 if data == "etth1" else 1
    steps = np.arange(700)[:, None]
    values = np.sin(steps / 4 + np.arange(components)) + rng.normal(0, 0.3, (700, components))
    times = pd.date_range("2020-01-01", periods=700, freq="h")
    series = TimeSeries.from_times_and_values(times, values.astype("float32"))
    return DataSet(
        name=data,
        series=series,
        privileged={
            "neighbours": series.with_columns_renamed(list(series.components), [f"n{c}" for c in range(components)])
        },
        validation_start=times[250],
        test_start=times[470],
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs(path: Path) -> None:
    config = read_yaml(path)
    config |= {"data": small(config["data"]), "seeds": 1}
    models = [config["student"], *(teacher["model"] for teacher in config["teachers"].values())]
    for model in models:
        chunks = {"input_chunk_length": 12, "output_chunk_length": 12}
        model["kwargs"] = {**model["kwargs"], **chunks, "n_epochs": 1}
    results = Experiment(**config).run(progress=False)
    recipe = results.rows[results.rows.name == "recipe"]
    assert len(recipe) == 1 and np.isfinite(recipe.mse.iloc[0])


def test_the_recipes_are_those_that_are_promised() -> None:
    assert [path.stem for path in RECIPES] == [
        "distilts",
        "future-guided-learning",
        "generalized-distillation",
        "lupts",
        "timedistill",
        "timekd",
    ]
