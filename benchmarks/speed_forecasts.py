"""Parts of `speed.py`: forward passes, teachers' outputs, evaluation, shuffled batches."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from darts.metrics import mae, mse
from darts.models import LightGBMModel, LinearRegressionModel
from memory_beside_darts import peaks
from speed_fits import STUDENTS, student_of
from speed_timing import cpu_seconds, noise, ratios
from torch import Tensor

from tskd import DistilledModel
from tskd._core.darts.capabilities import window_span
from tskd._core.darts.forward import evaluating, network_prediction
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import encode, training_keys
from tskd._core.windows import Windows
from tskd.experiment.data.preparation import DataPart
from tskd.experiment.run.forecast import of_student
from tskd.experiment.run.scoring import score
from tskd.teachers.network import NetworkPredictor, model_windows
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.outputs import TeacherOutputs, collect
from tskd.teachers.predictor import OutputRequest, TeacherPredictor
from tskd.teachers.regression import RegressionPredictor

HORIZON, SCORED = 96, 2_785
Calls = dict[str, Callable[[], float]]


def forward(model: Any, windows: Windows, keys: Tensor) -> float:
    """The network alone, in batches of 256 that are gathered beforehand."""
    batches = [windows.gather(part, labels=False) for part in keys.split(256)]

    def run() -> None:
        with evaluating(model.model):
            for slots in batches:
                network_prediction(model.model, slots)

    return cpu_seconds(run)


def outputs(model: Any, series: TimeSeries) -> Calls:
    """All outputs of a teacher of these weights, kept in memory."""
    windows = model_windows(model, ModelInputs([series]))
    keys = training_keys([len(series)], window_span(model)).flip(0)
    predictor = TeacherPredictor([series], NetworkPredictor([model], windows))
    request = OutputRequest(keys, slice(0, HORIZON), torch.float32)
    return {
        "forward": lambda: forward(model, windows, keys),
        "outputs": lambda: cpu_seconds(lambda: collect("t", predictor, request, OutputCache(), progress=False)),
    }


def evaluation(model: Any, series: TimeSeries) -> Calls:
    """Forecasts and both errors of the last windows."""
    reach = len(series) - HORIZON - SCORED + 1
    values = torch.from_numpy(series.values()).unfold(0, HORIZON, 1).transpose(1, 2)
    truth = values[reach:].contiguous().numpy()
    times = series.time_index[reach : reach + SCORED]
    scored, complete = np.ones((SCORED, HORIZON), dtype=bool), np.ones(SCORED, dtype=bool)
    part = DataPart(series, {}, None, None, truth, scored, complete, times, np.arange(3), reach)
    windows, keys = model_windows(model, ModelInputs([series])), torch.from_numpy(part.keys)
    rolling: dict[str, Any] = {"start": times[0], "forecast_horizon": HORIZON, "metric": [mse, mae], "retrain": False}
    return {
        "forward": lambda: forward(model, windows, keys),
        "forecasts and errors": lambda: cpu_seconds(lambda: score(of_student(model, part, {}, False), part, 1)),
        "`backtest`": lambda: cpu_seconds(lambda: DistilledModel(model, []).backtest(series, **rolling)),
        "darts' `backtest`": lambda: cpu_seconds(lambda: model.backtest(series, **rolling)),
    }


def shuffled(components: int, windows: int = 2_000, batch: int = 256) -> Calls:
    """Answers of three teachers in shuffled batches."""
    draw = torch.Generator().manual_seed(0)
    answers = [torch.randn(windows, HORIZON, components, generator=draw) for _ in range(3)]
    keys = torch.stack([torch.zeros(windows, dtype=torch.long), torch.arange(windows)], dim=1)
    every = torch.ones(windows, dtype=torch.bool)
    like = torch.zeros(1, HORIZON, components)
    spans = [slice(0, HORIZON)] * 3
    store = TeacherOutputs(encode(keys), [{"forecasts": one} for one in answers], [every] * 3, like, [[]] * 3, spans)
    rows = store.rows(keys)
    chosen = [rows[part] for part in torch.randperm(windows, generator=draw).split(batch)]
    return {
        "index_select": lambda: cpu_seconds(lambda: [one.index_select(0, c) for c in chosen for one in answers]),
        "store": lambda: cpu_seconds(lambda: [store.take(c) for c in chosen]),
    }


def regression_outputs(model: Any, series: TimeSeries) -> Calls:
    """All outputs of a fitted regression teacher, kept in memory, beside darts' forecasts of the same windows."""
    horizon = model.output_chunk_length
    model.fit(series)
    keys = training_keys([len(series)], window_span(model)).flip(0)
    request = OutputRequest(keys, slice(0, horizon), torch.float32)
    rolling = {"forecast_horizon": horizon, "retrain": False, "last_points_only": False, "show_warnings": False}

    def collected() -> Any:
        predictor = TeacherPredictor([series], RegressionPredictor([model], ModelInputs([series])))
        return collect("t", predictor, request, OutputCache(), progress=False)

    return {
        "forward": lambda: cpu_seconds(lambda: model.historical_forecasts(series, **rolling)),
        "outputs": lambda: cpu_seconds(collected),
    }


def kept(on_disk: bool) -> dict[str, float]:
    """Peak memory while the outputs of a teacher are made, over their size."""
    series = noise(4_000, 132)
    model = student_of("DLinear, shared").fit(series[:300], verbose=False)
    windows = model_windows(model, ModelInputs([series]))
    keys = training_keys([len(series)], window_span(model)).flip(0)
    request = OutputRequest(keys, slice(0, HORIZON), torch.float32)
    size = len(keys) * HORIZON * 132 * 4 / 2**20

    def run(folder: str | None) -> None:
        predictor = TeacherPredictor([series], NetworkPredictor([model], windows))
        collect("t", predictor, request, OutputCache(Path(folder) if folder else None), progress=False)

    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            found.append(peaks(lambda: run(folder if on_disk else None))["anonymous"] / size)
    return {"MiB": round(size), "anonymous memory": round(statistics.median(found), 2)}


def forecast_parts() -> dict[str, Callable[[], dict[str, Any]]]:
    """What is timed of forecasts, by name."""
    series, less, narrow = noise(8_640), noise(2_000), noise(2_000, 2)
    parts: dict[str, Callable[[], dict[str, Any]]] = {}
    for name in STUDENTS:
        fitted = student_of(name).fit(series[:300], verbose=False)
        parts[f"outputs, {name}"] = lambda fitted=fitted: ratios(outputs(fitted, series))  # type: ignore[misc]
        parts[f"evaluation, {name}"] = lambda fitted=fitted: ratios(evaluation(fitted, series))  # type: ignore[misc]
    linear = LinearRegressionModel(lags=96, output_chunk_length=96)
    parts["outputs, linear regression"] = lambda: ratios(regression_outputs(linear, less))
    trees = LightGBMModel(lags=24, output_chunk_length=12, n_estimators=20, verbose=-1)
    parts["outputs, LightGBM"] = lambda: ratios(regression_outputs(trees, narrow))
    for width in (7, 132):
        parts[f"batches, {width} components"] = lambda width=width: ratios(shuffled(width))  # type: ignore[misc]
    return parts | {"kept, in memory": lambda: kept(False), "kept, on disk": lambda: kept(True)}
