"""Fitting and asking teachers that are any other of darts' global models: linear, trees, ensembles.

They are asked by darts' own `historical_forecasts`, which gives one forecast for every window.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import holds_torch_models, horizon_of, lookback_of, preserved_random_state
from tskd._core.window_keys import encode
from tskd.teachers.crossfit import Keep

SAMPLES = 200


def fit(model: Any, arguments: Mapping[str, Any], keys: Tensor, keep: Keep | None, **fit_kwargs: Any) -> None:
    """darts' `fit`, with those arguments that the model's class knows.

    Args:
        keys: the training windows `[N, 2]`.
        keep: which of them to train on; the series are cut into the stretches that these windows span.
    """
    known = inspect.signature(model.fit).parameters
    given = {
        name: value for name, value in ({**arguments, **fit_kwargs}).items() if value is not None and name in known
    }
    if keep is not None:
        pieces = list(_pieces(model, keys[keep(keys)]))
        if not pieces:
            raise ValueError("no window is left to train on")
        given["series"] = [arguments["series"][index][first:end] for index, first, end in pieces]
        for slot in ("past_covariates", "future_covariates"):
            if slot in given:
                given[slot] = [arguments[slot][index] for index, _, _ in pieces]
        if "sample_weight" in given and not isinstance(given["sample_weight"], str):
            weights = given["sample_weight"]
            weights = [weights] if isinstance(weights, TimeSeries) else weights
            given["sample_weight"] = [weights[index] for index, _, _ in pieces]
    model.fit(**given)


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
    """Every forecast that fitted models can make of some series.

    Args:
        models: fitted.
        arguments: the series and their covariates, lists or None.
    """

    def __init__(self, models: Sequence[Any], arguments: Mapping[str, Any]) -> None:
        self.models = models
        self.arguments = arguments

    @cached_property
    def _found(self) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        found = []
        for model in self.models:
            with preserved_random_state(model):
                found.append(_historical(model, self.arguments))
        return found

    @property
    def can_be_named(self) -> bool:
        return not any(holds_torch_models(model) for model in self.models)

    def covers(self, keys: Tensor) -> Tensor:
        codes, known = encode(keys), self._found[0][0]
        if not len(known):
            return torch.zeros(len(keys), dtype=torch.bool)
        return known[torch.searchsorted(known, codes).clamp(max=len(known) - 1)] == codes

    def add_to(self, digest: Any) -> None:
        """Feed everything that the answers depend on to a hash."""
        for model in self.models:
            digest.update(pickle.dumps(model))
        for slot, items in sorted(self.arguments.items()):
            for series in items or []:
                digest.update(repr((slot, series.start_time(), series.freq_str, list(series.components))).encode())
                digest.update(series.values(copy=False).tobytes())
                static = series.static_covariates
                digest.update(b"-" if static is None else repr((list(static), static.to_numpy().tolist())).encode())

    def of(self, model: int, keys: Tensor, extra: Sequence[str] = ()) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """See `tskd.teachers.network.RegressionPredictor`; there are no extra fields."""
        if extra:
            raise ValueError(f"it is no network and has no {', '.join(extra)}")
        codes, values, spread = self._found[model]
        rows = torch.searchsorted(codes, encode(keys))
        found = {"forecasts": values[rows]} | ({} if spread is None else {"spread": spread[rows]})
        yield slice(0, len(keys)), found


def _historical(model: Any, arguments: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor | None]:
    spreads = model.supports_probabilistic_prediction
    settings = {"num_samples": SAMPLES, "random_state": 0} if spreads else {}
    # darts refuses them all if one has no window
    long = [i for i, s in enumerate(arguments["series"]) if len(s) >= lookback_of(model) + horizon_of(model)[-1]]
    given: dict[str, Any] = {
        slot: None if items is None else [items[i] for i in long] for slot, items in arguments.items()
    }
    found = model.historical_forecasts(
        given["series"],
        past_covariates=given["past_covariates"],
        future_covariates=given["future_covariates"],
        forecast_horizon=len(horizon_of(model)),
        stride=1,
        retrain=False,
        last_points_only=False,
        verbose=False,
        show_warnings=False,
        **settings,
    )
    keys, values = [], []
    for index, series, forecasts in zip(long, given["series"], found, strict=True):
        for forecast in forecasts:
            step = series.get_index_at_point(forecast.start_time())
            keys.append((index, step - model.output_chunk_shift - 1))
            values.append(forecast.all_values(copy=False))
    if not keys:
        width = arguments["series"][0].n_components
        return torch.zeros(0, dtype=torch.long), torch.zeros(0, len(horizon_of(model)), width), None
    codes, order = encode(torch.tensor(keys)).sort()
    stacked = torch.from_numpy(np.stack(values))[order]
    return codes, stacked.mean(-1), stacked.std(-1) if spreads else None
