"""Networks of darts as students, through the public API, with the teachers of the closed form.

Weight decay of every arm is the one of `DECAYS` with the least error to the labels of the last fifth of the training
windows, fitted on those before that share no label with them; then the student is fitted on all.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, SKLearnModel, TiDEModel
from noisy_folds import HORIZON, LOOKBACK, SPAN, Days, Fold, Windows, cut
from noisy_linear import smoothed
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from small_networks import QUIET, SMALL_TIDE

from tskd import DistilledModel, Teacher
from tskd.privileged import FutureHorizon

DECAYS = (0.1, 1.0, 10.0)
HELD_OUT = 0.2
ARMS = ("alone", "privileged", "self-distilled", "placebo", "smoothed")
NEIGHBOURS = 10
"""Days on each side of a smoothed label."""
SHARED: dict[str, Any] = {
    "input_chunk_length": LOOKBACK,
    "output_chunk_length": HORIZON,
    "batch_size": 32,
    "optimizer_cls": torch.optim.AdamW,
}
STUDENTS: dict[str, tuple[type, dict[str, Any]]] = {
    "DLinear": (DLinearModel, {"kernel_size": 5, "const_init": False}),
    "TiDE": (TiDEModel, SMALL_TIDE),
}
"""By name: class, and its own arguments."""
RATES = {"DLinear": 1e-2, "TiDE": 5e-3}
EPOCHS = {250: 20, 1000: 10}
"""By training windows."""


class Copy(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers with its inputs: a teacher with it says what a source reads."""

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> Copy:
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(inputs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def quiet() -> None:
    """One thread, and no chatter."""
    torch.set_num_threads(1)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "darts"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


def student(name: str, decay: float, epochs: int, seed: int) -> Any:
    """An untrained network."""
    kind, arguments = STUDENTS[name]
    return kind(
        **SHARED,
        n_epochs=epochs,
        **arguments,
        optimizer_kwargs={"lr": RATES[name], "weight_decay": decay},
        random_state=seed,
        pl_trainer_kwargs=QUIET,
    )


def teacher(arm: str) -> Teacher | None:
    """Least squares on the ranges of the days that are forecast, or on past labels; or what says smoothed labels."""
    if arm == "alone":
        return None
    if arm == "self-distilled":
        return Teacher(LinearRegressionModel(lags=LOOKBACK, output_chunk_length=HORIZON), name=arm)
    days = {"lags_future_covariates": list(range(HORIZON)), "output_chunk_length": HORIZON}
    if arm == "smoothed":
        return Teacher(SKLearnModel(**days, model=Copy()), privileged=FutureHorizon(arm), name=arm, sees_inputs=False)
    return Teacher(LinearRegressionModel(**days), privileged=FutureHorizon("range"), name=arm, sees_inputs=False)


def errors(fold: Fold, name: str, seed: int) -> dict[str, float]:
    """Mean squared errors on the test windows, by "student, arm"."""
    mean, deviation = fold.train.labels.mean(), fold.train.labels.std()

    def scaled(days: Days) -> Days:
        ranges = (days.ranges - fold.train.ranges.mean()) / fold.train.ranges.std()
        return Days((days.labels - mean) / deviation, ranges)

    train, test = scaled(fold.train), scaled(fold.test)
    epochs = EPOCHS[windows_in(train)]
    found = {}
    for arm in ARMS:
        order = np.random.default_rng(seed).permutation(len(train.ranges))
        used = Days(train.labels, train.ranges[order]) if arm == "placebo" else train

        def fit(days: Days, decay: float, arm: str = arm) -> DistilledModel:
            return fitted(days, arm, student(name, decay, epochs, seed))

        earlier, later = divided(used)
        validation = {decay: error(fit(earlier, decay), later) for decay in DECAYS}
        best = min(validation, key=lambda decay: validation[decay])
        found[f"{name}, {arm}"] = float(deviation**2 * error(fit(used, best), test))
    return found


def windows_in(days: Days) -> int:
    """How many windows some days hold."""
    return len(days.labels) - SPAN + 1


def divided(days: Days) -> tuple[Days, Days]:
    """Days to fit on, and days whose windows are the last fifth; they have no label in common that is forecast."""
    windows = windows_in(days)
    first = windows - round(HELD_OUT * windows)
    # the labels of the first window that is held out begin a lookback after it
    return cut(days, 0, first + LOOKBACK), cut(days, first, len(days.labels))


def fitted(days: Days, arm: str, network: Any) -> DistilledModel:
    """The student of one arm, trained on all windows of some days."""
    one = teacher(arm)
    model = DistilledModel(network, [] if one is None else [one], balance=0 if one is None else 1)
    privileged = {"range": days.ranges, "smoothed": smoothed(days.labels, NEIGHBOURS)}
    read = [] if one is None else [source.name for source in one.sources]
    return model.fit(series(days.labels), privileged={name: series(privileged[name]) for name in read} or None)


def error(model: DistilledModel, days: Days) -> float:
    """Mean squared error over all windows of some days."""
    forecasts = model.historical_forecasts(
        series(days.labels), retrain=False, forecast_horizon=HORIZON, last_points_only=False, start=LOOKBACK
    )
    labels = Windows.of(days).labels
    values = np.array([one.values().ravel() for one in forecasts])
    if values.shape != labels.shape:
        raise RuntimeError(f"there are {len(values)} forecasts of {len(labels)} windows")
    return float(((values - labels) ** 2).mean())


def series(values: np.ndarray) -> TimeSeries:
    """Days as whole numbers."""
    return TimeSeries.from_values(values.astype("float32"))
