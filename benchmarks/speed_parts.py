"""What `speed.py` compares: bare loops and forward passes, teachers' outputs, evaluation, shuffled batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.metrics import mae, mse
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

LOOKBACK, HORIZON, SCORED = 96, 96, 2_785
Calls = dict[str, Callable[[], float]]


def cpu_seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def noise(rows: int, components: int = 7) -> TimeSeries:
    values = np.random.default_rng(0).normal(size=(rows, components)).astype("float32")
    return TimeSeries.from_times_and_values(pd.date_range("2016-07-01", periods=rows, freq="h"), values)


def bare(model: Any, series: TimeSeries, batch: int, *, fused: bool) -> float:
    """An epoch over all windows, which are gathered beforehand."""
    network = model.model
    windows = Windows.of(ModelInputs([series]), window_span(model))
    slots = windows.gather(training_keys([len(series)], window_span(model)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=fused)
    network.train()

    def epoch() -> None:
        for chosen in torch.randperm(len(slots["past_target"])).split(batch):
            part = {name: values.index_select(0, chosen) for name, values in slots.items()}
            loss = torch.nn.functional.mse_loss(network_prediction(network, part).squeeze(-1), part["future_target"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return cpu_seconds(epoch)


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
