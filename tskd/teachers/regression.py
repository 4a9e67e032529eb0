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
from tskd._core.darts.capabilities import holds_torch_models, horizon_of, lookback_of, read_lags
from tskd._core.model_inputs import ModelInputs
from tskd._core.own_code import source_digest
from tskd._core.series import has_gaps, without_gaps
from tskd._core.window_keys import encode
from tskd._core.windows import Slot
from tskd.teachers.crossfit import Keep
from tskd.teachers.predictor import Chunks

SAMPLES = 200


def fit(model: Any, inputs: ModelInputs, keep: Keep | None, **fit_kwargs: Any) -> None:
    """Fit a model by darts' `fit`, with those arguments that its class takes.

    A window of which an input or a label is missing is left out.

    Args:
        inputs: of the training part, with keys.
        keep: maps the training windows `[N, 2]` to those to train on `[N]`, into whose stretches the series are cut;
            None for all.
        fit_kwargs: further arguments of darts' `fit`.
    """
    known = inspect.signature(model.fit).parameters
    arguments = {**inputs.arguments(), **fit_kwargs}
    arguments = {name: value for name, value in arguments.items() if value is not None and name in known}
    kept = check_windows(model, inputs, keep)
    if kept is not None:
        pieces = _pieces(model, kept)
        arguments["series"] = [inputs.series[index][first:end] for index, first, end in pieces]
        for slot in ("past_covariates", "future_covariates"):
            if slot in arguments:
                arguments[slot] = [arguments[slot][index] for index, _, _ in pieces]
        if "sample_weight" in arguments and not isinstance(arguments["sample_weight"], str):
            weights = arguments["sample_weight"]
            weights = [weights] if isinstance(weights, TimeSeries) else weights
            arguments["sample_weight"] = [weights[index] for index, _, _ in pieces]
    model.fit(**arguments)


def check_windows(model: Any, inputs: ModelInputs, keep: Keep | None) -> Tensor | None:
    """Keys `[M, 2]` of the training windows that a model can be fitted on; None for all.

    Args:
        keep: as in `fit`.

    Raises:
        ValueError: there are none.
    """
    assert inputs.keys is not None
    usable = _windows_read(model, inputs, labels=True)
    if keep is None and usable is None:
        return None
    chosen = torch.ones(len(inputs.keys), dtype=torch.bool) if keep is None else keep(inputs.keys)
    for read in usable or []:
        chosen &= read.covers(inputs.keys)
    if not bool(chosen.any()):
        raise ValueError(
            f"no window is left to train on: a {type(model).__name__} needs windows with all inputs and labels; torch "
            "models train on windows with any label"
        )
    return inputs.keys[chosen]


def _pieces(model: Any, keys: Tensor) -> list[tuple[int, int, int]]:
    """Stretches (series, first step, end) of the target that the windows of consecutive origins span."""
    steps = horizon_of(model)
    # without lags of the target, darts would make windows of what lies before the labels too
    back, ahead = 1 - steps[0] if read_lags(model, "target") == [] else lookback_of(model), steps[-1]
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

    covers_cheaply = False

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
        covered = known[torch.searchsorted(known, codes).clamp(max=len(known) - 1)] == codes
        for slot in self._read:
            covered &= slot.covers(keys)
        return covered

    @cached_property
    def _read(self) -> list[Slot]:
        return _windows_read(self.models[0], self.inputs) or []

    def add_to(self, digest: Any) -> None:
        for model in self.models:
            digest.update(source_digest(type(model)).encode())
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


def _windows_read(model: Any, inputs: ModelInputs, labels: bool = False) -> list[Slot] | None:
    """What a window reads, to see where it is missing; None if nothing is."""
    if not any(has_gaps(series) for items in inputs.arguments().values() for series in items or []):
        return None
    return slots_read(model, inputs, labels)


def slots_read(model: Any, inputs: ModelInputs, labels: bool = False) -> list[Slot]:
    """What a window of a regression model reads: its lags, or if they cannot be told all that they may be.

    Args:
        labels: whether labels are read too.
    """
    back, ahead = lookback_of(model), horizon_of(model)
    slots = {"target": inputs.series, "past": inputs.past_covariates, "future": inputs.future_covariates}
    found = []
    for slot, items in slots.items():
        lags = read_lags(model, slot)
        last = ahead[-1] if slot == "future" else 0
        if items is None or lags == []:
            continue
        names = [str(component) for component in items[0].components]
        lags = list(range(-back, last)) if lags is None else lags
        read = lags if isinstance(lags, dict) else dict.fromkeys(names, lags)
        if not set(names) <= set(read):
            # of a model that was fitted on components of other names
            read = dict(zip(names, read.values(), strict=True))
        first, end = (edge(lag for one in read.values() for lag in one) for edge in (min, max))
        visible = torch.tensor([[lag in read[name] for name in names] for lag in range(first, end + 1)])
        found.append(Slot.of(items, inputs.series, first + 1, end - first + 1, visible))
    return [*found, Slot.of(inputs.series, inputs.series, ahead[0], len(ahead))] if labels else found


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
        slot: None if items is None else without_gaps([items[i] for i in long])
        for slot, items in inputs.arguments().items()
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
    codes, values = [torch.zeros(0, dtype=torch.long)], []
    for index, series, forecasts in zip(long, arguments["series"], by_series, strict=True):
        if not forecasts:
            continue
        # one for every step from the first on
        first = series.time_index.get_loc(forecasts[0].start_time()) - model.output_chunk_shift - 1
        origins = torch.arange(first, first + len(forecasts))
        codes.append(encode(torch.stack([torch.full_like(origins, index), origins], dim=1)))
        values += [forecast.all_values(copy=False) for forecast in forecasts]
    if not values:
        width = inputs.series[0].n_components
        return codes[0], torch.zeros(0, len(horizon_of(model)), width), None
    samples = torch.from_numpy(np.stack(values))
    found = torch.cat(codes)
    return (found, samples.mean(-1), samples.std(-1)) if spreads else (found, samples.squeeze(-1), None)
