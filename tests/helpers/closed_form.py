"""Linear students whose least-squares solution is known, and that solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import NLinearModel
from torch import Tensor

from tests.helpers.models import fast
from tests.helpers.scripted import Scripted

L, H = 5, 3
FULL_BATCH = 10**6
LBFGS = {"max_iter": 300, "line_search_fn": "strong_wolfe", "tolerance_grad": 1e-12, "tolerance_change": 1e-14}


def noise(n: int, components: int = 1, *, seed: int = 0, name: str = "y", dtype: str = "float64") -> TimeSeries:
    """A stationary AR(1), .5: well conditioned, so that descent reaches the least-squares solution."""
    steps = np.random.default_rng(seed).normal(size=(n, components))
    for i in range(1, n):
        steps[i] += 0.5 * steps[i - 1]
    times = pd.date_range("2020-01-01", periods=n, freq="h")
    columns = [f"{name}{i}" for i in range(components)]
    return TimeSeries.from_times_and_values(times, steps.astype(dtype), columns=columns)


def linear(kind: Any = NLinearModel, **kwargs: Any) -> Any:
    """A model whose forecasts are any affine map of the lookback, trained to convergence."""
    own = {"normalize": False} if kind is NLinearModel else {"kernel_size": 3}
    defaults = fast(
        n_epochs=5, batch_size=FULL_BATCH, optimizer_cls=torch.optim.LBFGS, optimizer_kwargs=LBFGS, random_state=1
    )
    return kind(L, H, **own, **(defaults | kwargs))


def descending(lr: float = 0.05, **kwargs: Any) -> Any:
    """The same model under plain gradient descent."""
    return linear(**{"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": lr}, "n_epochs": 3} | kwargs)


def windows(series: TimeSeries) -> tuple[np.ndarray, np.ndarray]:
    """Lookbacks with a constant `[N, L·C + 1]` and horizons `[N, H, C]`, oldest first."""
    values = series.values()
    origins = range(L, len(values) - H + 1)
    inputs = np.array([np.append(values[i - L : i].ravel(), 1) for i in origins])
    return inputs, np.array([values[i : i + H] for i in origins])


def forecasts(model: Any, series: TimeSeries) -> np.ndarray:
    """`[N, H, C]` by darts' own rolling evaluation, oldest first."""
    found = model.historical_forecasts(series, retrain=False, last_points_only=False, forecast_horizon=H)
    return np.array([forecast.values() for forecast in found])


def regression(
    inputs: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None, at: np.ndarray | None = None
) -> np.ndarray:
    """Fitted values `[N, H, C]` of least squares, weights `[N, H]` given per window and step; or those `at` others."""
    where = inputs if at is None else at
    fitted = np.empty((len(where), *target.shape[1:]))
    for h in range(target.shape[1]):
        root = np.ones((len(target), 1)) if weights is None else np.sqrt(weights[:, [h]])
        fitted[:, h] = where @ np.linalg.lstsq(root * inputs, root * target[:, h], rcond=None)[0]
    return fitted


def parameters(model: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.model.state_dict().items()}


def largest_difference(a: Any, b: Any) -> float:
    mine, theirs = parameters(a), parameters(b)
    assert mine.keys() == theirs.keys()
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)


def scripted(series: TimeSeries, answer: Callable[[Tensor, Tensor], Tensor], name: str = "scripted") -> Scripted:
    return Scripted(descending(n_epochs=1).fit(series), answer, name)
