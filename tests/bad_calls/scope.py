"""The names that the texts of calls can use: small data and models, and folders of files that are wrong."""

from __future__ import annotations

import contextlib
import copy
import datetime
import io
import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import darts.models
import numpy as np
import pandas as pd
import torch
import yaml
from darts import TimeSeries
from darts.utils import likelihood_models as likelihoods

import tskd.balance
import tskd.losses
import tskd.privileged
import tskd.weighting
from tests.helpers.experiments import toy_config, toy_data
from tests.helpers.models import fast
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Reconstruction, Teacher, audit, expected_gain
from tskd._core.checksums import checksums
from tskd.cli import main
from tskd.datasets import ArchiveSeries, DataSet
from tskd.distillation.serialization import CHECKSUMS
from tskd.experiment import Experiment, Study
from tskd.teachers.crossfit import CrossFit

LOOKBACK, HORIZON = 4, 3
Y, LAB, PAST = walk(40, 2), walk(40, seed=1, name="lab"), walk(43, 2, seed=2, name="past")
FORECASTS = [Y[start : start + HORIZON] for start in range(5, 35)]
RUN = Path(__file__).parents[1] / "helpers" / "written" / "run"


def numbered(series: TimeSeries) -> TimeSeries:
    """The same steps, by whole numbers."""
    return TimeSeries.from_values(series.values(), columns=series.components)


def samples(series: TimeSeries) -> TimeSeries:
    return series.with_values(np.repeat(series.all_values(), 3, axis=2))


def renamed(series: TimeSeries) -> TimeSeries:
    return series.with_columns_renamed(list(series.components), [f"other {name}" for name in series.components])


def placed(series: TimeSeries, place: Any) -> TimeSeries:
    return series.with_static_covariates(pd.DataFrame({"place": [place]}))


def filled(series: TimeSeries, value: float, at: int | None = None) -> TimeSeries:
    """A series with one value everywhere, or at one step."""
    values = series.values().copy()
    values[slice(None) if at is None else at] = value
    return series.with_values(values)


def student(**settings: Any) -> Any:
    return darts.models.NLinearModel(LOOKBACK, HORIZON, **fast(**settings))


def teacher(**settings: Any) -> Teacher:
    given: dict[str, Any] = {"privileged": tskd.privileged.CostlySensors("lab"), "name": "seer"} | settings
    return Teacher(darts.models.DLinearModel(LOOKBACK, HORIZON, **fast()), **given)


def model_of_trees() -> Any:
    return darts.models.LinearRegressionModel(LOOKBACK, lags_past_covariates=[-1], output_chunk_length=HORIZON)


def new(**settings: Any) -> DistilledModel:
    """A model that is not fitted."""
    return DistilledModel(**{"student": student(), "teachers": teacher()} | settings)


@cache
def fitted(sensor: bool = False) -> DistilledModel:
    """A fitted model, the same until `forget` is called."""
    return new(soft_sensor=sensor).fit(Y, PAST, privileged={"lab": LAB}, verbose=False)


def forget() -> None:
    """Have the fitted models made anew."""
    fitted.cache_clear()


@cache
def _saved() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bad-calls-")) / "saved"
    fitted().save(folder)
    return folder


@cache
def elsewhere() -> Path:
    """A folder for whatever is written."""
    return Path(tempfile.mkdtemp(prefix="bad-calls-"))


def place(name: str) -> Path:
    """A path at which there is nothing."""
    path = elsewhere() / name
    shutil.rmtree(path, ignore_errors=True)
    return path


def damaged(name: str, how: str, at: float, sealed: bool) -> Path:
    """A saved model with a damaged file, under checksums that are right if it is sealed."""
    folder = Path(shutil.copytree(_saved(), place("damaged")))
    path = folder / name
    content = bytearray(path.read_bytes())
    position = min(int(at * len(content)), len(content) - 1)
    if how == "flip":
        content[position] ^= 1 << position % 8
    elif how == "cut":
        del content[position:]
    elif how == "double":
        content += content[position:]
    path.write_bytes(content)
    if how == "lose":
        path.unlink()
    return _sealed(folder) if sealed else folder


def described(path: str, value: Any) -> Path:
    """A saved model of whose description an entry is changed."""
    folder = Path(shutil.copytree(_saved(), place("described")))
    file = folder / "distilled.json"
    file.write_text(json.dumps(changed(json.loads(file.read_text()), {path: value}), default=repr))
    return _sealed(folder)


def _sealed(folder: Path) -> Path:
    (folder / CHECKSUMS).write_text(json.dumps(checksums(folder, CHECKSUMS)))
    return folder


def changed(config: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of nested dicts and lists with other values at dotted paths; `...` for none."""
    config = copy.deepcopy(config)
    # what is removed last and from behind, so that positions in lists stay what they are
    removed = sorted((path for path in changes if changes[path] is ...), reverse=True)
    for path in [*(path for path in changes if path not in removed), *removed]:
        value = changes[path]
        *above, last = (int(part) if part.isdigit() else part for part in path.split("."))
        inner = config
        for part in above:
            inner = inner[part]
        if value is ... and isinstance(inner, dict):
            inner.pop(last, None)
        elif value is ...:
            del inner[last]
        else:
            inner[last] = value
    return config


@cache
def _config() -> dict[str, Any]:
    arms = toy_config()["arms"]
    arms[1] |= {"losses": [{"class": "OutputKD", "kwargs": {"metric": "mse"}}], "weighting": {"class": "CAMKD"}}
    return toy_config(arms=arms, folds=1, sizes=[60], labels="all", controls=["placebo"], lookback=8, horizon=4)


def config(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration on toy data with something changed."""
    return changed({**_config(), "data": None}, {"data": toy_data(), **changes})


def text(changes: Mapping[str, Any]) -> str:
    """The same as YAML, on data that it can name."""
    return yaml.safe_dump(changed({**_config(), "data": "co2"}, changes), sort_keys=False)


def cut(written: str, at: float, count: int, instead: str = "") -> str:
    """A text with something in the place of some of its characters."""
    position = int(at * len(written))
    return written[:position] + instead + written[position + count :]


def file(content: str | bytes) -> Path:
    path = elsewhere() / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def run_folder(changes: Mapping[str, Any]) -> Path:
    """A finished run of whose configuration something is changed."""
    folder = Path(shutil.copytree(RUN, place("run")))
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(changed(yaml.safe_load(path.read_text()), changes)))
    return folder


def command(*arguments: Any) -> tuple[int, str, str]:
    """Exit code, output and errors of the command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    return code, out.getvalue(), err.getvalue()


MORE = (ArchiveSeries, CrossFit, DataSet, Decimal, Experiment, Fraction, Reconstruction, Study, audit, expected_gain)
PARTS = (tskd.losses, tskd.weighting, tskd.privileged, tskd.balance)
NAMES: dict[str, Any] = {
    **{name: getattr(module, name) for module in PARTS for name in module.__all__},
    **{name: getattr(darts.models, name) for name in ("DLinearModel", "NLinearModel", "NaiveSeasonal", "RNNModel")},
    **{name: value for name, value in globals().items() if not name.startswith("_")},
    **{name: getattr(likelihoods, name) for name in likelihoods.__all__},
    **{one.__name__: one for one in MORE},
    "QUIET": QUIET,
    "datetime": datetime,
    "torch": torch,
    "nan": math.nan,
    "inf": math.inf,
}
"""What the texts of calls are evaluated in."""
