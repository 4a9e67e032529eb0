"""What a torch model's training watches: metrics that only a validation part gives."""

from __future__ import annotations

import functools
from typing import Any

import pytorch_lightning as pl
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel
from pytorch_lightning.callbacks import Callback, EarlyStopping
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tskd._core.checks import as_tuple

VALIDATION = "val_"
"""Beginning of the names of metrics of the validation part."""


def check_monitored(model: TorchForecastingModel, trainer: pl.Trainer | None, whose: str, needed: str) -> None:
    """Raise a ValueError if a training without a validation part would watch a metric of it.

    Lightning notices at the end of the first epoch.

    Args:
        trainer: the user's own, or None for the model's.
        whose: the model's, for messages.
        needed: arguments that give the validation part, for messages.
    """
    for watcher, metric in _watched(model, trainer):
        if metric.startswith(VALIDATION):
            raise ValueError(
                f"{whose}: {watcher} monitors {metric!r}, and there is no validation part: give {needed} (a rolling "
                "evaluation with retrain makes it of the last val_length steps), or monitor 'train_loss'"
            )


def _watched(model: TorchForecastingModel, trainer: pl.Trainer | None) -> list[tuple[str, str]]:
    """Who watches a metric without which training would not go on, and which."""
    given: Any = model.trainer_params.get("callbacks") if trainer is None else getattr(trainer, "callbacks", None)
    callbacks: tuple[Any, ...] = as_tuple(given or (), Callback, "callbacks")
    found = [
        (type(callback).__name__, str(callback.monitor))
        for callback in callbacks
        if isinstance(callback, EarlyStopping) and callback.strict
    ]
    scheduler = model.model_params.get("lr_scheduler_cls")
    scheduler = scheduler.func if isinstance(scheduler, functools.partial) else scheduler
    if isinstance(scheduler, type) and issubclass(scheduler, ReduceLROnPlateau):
        # the defaults are darts'
        settings = model.model_params.get("lr_scheduler_kwargs") or {}
        found += [(scheduler.__name__, settings.get("monitor", "val_loss"))] if settings.get("strict", True) else []
    return found
