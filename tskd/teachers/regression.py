"""Teachers that are other global models of darts (linear, trees, ensembles): fitting, and computing their outputs.

Their outputs are computed by darts' own `historical_forecasts`, one forecast for every window.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.backtesting_view import preserved_random_state
from tskd._core.darts.capabilities import holds_torch_models, horizon_of, lookback_of
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import encode
from tskd.teachers.crossfit import Keep
from tskd.teachers.predictor import Chunks

SAMPLES = 200


def fit(model: Any, inputs: ModelInputs, keep: Keep | None, **fit_kwargs: Any) -> None:
    """Fit a model by darts' `fit`, with those arguments that its class takes.

    Args:
        inputs: of the training part, with keys.
        keep: maps the training windows `[N, 2]` to those to train on `[N]`, into whose stretches the series are cut;
            None for all.
        fit_kwargs: further arguments of darts' `fit`.
    """
    known = inspect.signature(model.fit).parameters
    arguments = {**inputs.arguments(), **fit_kwargs}
    arguments = {name: value for name, value in arguments.items() if value is not None and name in known}
    if keep is not None:
        assert inputs.keys is not None
        pieces = _pieces(model, inputs.keys[keep(inputs.keys)])
        if not pieces:
            raise ValueError("no window is left to train on")
        arguments["series"] = [inputs.series[index][first:end] for index, first, end in pieces]
        for slot in ("past_covariates", "future_covariates"):
            if slot in arguments:
                arguments[slot] = [arguments[slot][index] for index, _, _ in pieces]
        if "sample_weight" in arguments and not isinstance(arguments["sample_weight"], str):
            weights = arguments["sample_weight"]
            weights = [weights] if isinstance(weights, TimeSeries) else weights
            arguments["sample_weight"] = [weights[index] for index, _, _ in pieces]
    model.fit(**arguments)


def _pieces(model: Any, keys: Tensor) -> list[tuple[int, int, int]]:
    """Stretches (series, first step, end) that the windows of consecutive origins span."""
    back, ahead = lookback_of(model), horizon_of(model)[-1]
    pieces: list[tuple[int, int, int]] = []
    for index, origin in keys.unique(dim=0).tolist():
        first, end = max(0, origin - back + 1), origin + ahead + 1
        if pieces and pieces[-1][0] == index and pieces[-1][2] == end - 1:
            pieces[-1] = (index, pieces[-1][1], end)
        else:
            pieces.append((index, first, end))
    return pieces


class RegressionPredictor:
    """Outputs of fitted models for windows of some series; see `ModelPredictor`.

    Args:
        models: fitted models of one class.
        inputs: series and covariates.
    """

    def __init__(self, models: Sequence[Any], inputs: ModelInputs) -> None:
        self.models = models
        self.inputs = inputs

    @cached_property
    def _forecasts(self) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        forecasts = []
        for model in self.models:
            with preserved_random_state(model):
                forecasts.append(_historical(model, self.inputs))
        return forecasts

    @property
    def can_be_fingerprinted(self) -> bool:
        return not any(holds_torch_models(model) for model in self.models)

    def covers(self, keys: Tensor) -> Tensor:
        codes, known = encode(keys), self._forecasts[0][0]
        if not len(known):
            return torch.zeros(len(keys), dtype=torch.bool)
        return known[torch.searchsorted(known, codes).clamp(max=len(known) - 1)] == codes

    def add_to(self, digest: Any) -> None:
        for model in self.models:
            digest.update(pickle.dumps(model))
        for slot, items in sorted(self.inputs.arguments().items()):
            for series in items or []:
                digest.update(repr((slot, series.start_time(), series.freq_str, list(series.components))).encode())
                digest.update(series.values(copy=False).tobytes())
                static = series.static_covariates
                digest.update(b"-" if static is None else repr((list(static), static.to_numpy().tolist())).encode())

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        if fields:
            raise ValueError(f"it is no network and has no {', '.join(fields)}")
        codes, values, spread = self._forecasts[model]
        rows = torch.searchsorted(codes, encode(keys))
        yield slice(0, len(keys)), {"forecasts": values[rows]} | ({} if spread is None else {"spread": spread[rows]})


def _historical(model: Any, inputs: ModelInputs) -> tuple[Tensor, Tensor, Tensor | None]:
    """Forecasts of a model for every window of some series.

    Returns:
        Keys as sorted numbers `[M]`, forecasts `[M, H, C]`, and their standard deviation `[M, H, C]` over samples, or
        None for a model of point forecasts.
    """
    spreads = model.supports_probabilistic_prediction
    settings = {"num_samples": SAMPLES, "random_state": 0} if spreads else {}
    # darts raises for all of them if one has no window
    long = [i for i, s in enumerate(inputs.series) if len(s) >= lookback_of(model) + horizon_of(model)[-1]]
    arguments: dict[str, Any] = {
        slot: None if items is None else [items[i] for i in long] for slot, items in inputs.arguments().items()
    }
    by_series = model.historical_forecasts(
        arguments["series"],
        past_covariates=arguments["past_covariates"],
        future_covariates=arguments["future_covariates"],
        forecast_horizon=len(horizon_of(model)),
        stride=1,
        retrain=False,
        last_points_only=False,
        verbose=False,
        show_warnings=False,
        **settings,
    )
    keys, values = [], []
    for index, series, forecasts in zip(long, arguments["series"], by_series, strict=True):
        for forecast in forecasts:
            step = series.get_index_at_point(forecast.start_time())
            keys.append((index, step - model.output_chunk_shift - 1))
            values.append(forecast.all_values(copy=False))
    if not keys:
        width = inputs.series[0].n_components
        return torch.zeros(0, dtype=torch.long), torch.zeros(0, len(horizon_of(model)), width), None
    codes, order = encode(torch.tensor(keys)).sort()
    stacked = torch.from_numpy(np.stack(values))[order]
    return codes, stacked.mean(-1), stacked.std(-1) if spreads else None
