"""Loading models that darts saved, and removing target values from a model to be saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import darts.models
import numpy as np
from darts.models.forecasting.ensemble_model import EnsembleModel
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel


def load_model(class_name: str, path: Path, trainer: Mapping[str, Any] | None = None) -> Any:
    """A saved model, read by darts' safe loading.

    Args:
        class_name: name of one of darts' global models.
        path: the file that darts wrote.
        trainer: `pl_trainer_kwargs` of a torch model, or of those in an ensemble; darts' defaults if None.

    Raises:
        ValueError: the class is not one of darts' global models.
    """
    model_class: Any = getattr(darts.models, class_name, None)
    if GlobalForecastingModel not in getattr(model_class, "__mro__", ()):
        raise ValueError(f"{class_name!r} is not a global model of darts.models")
    if trainer and issubclass(model_class, TorchForecastingModel | EnsembleModel):
        return model_class.load(str(path), pl_trainer_kwargs=dict(trainer))
    return model_class.load(str(path))


def forget_target(model: TorchForecastingModel) -> None:
    """Replace the target values that darts keeps of the training by 0, so that a soft sensor's file holds none."""
    if model.training_series is not None:
        model.training_series = model.training_series.with_values(np.zeros_like(model.training_series.values()))
    sample = model.train_sample
    model.train_sample = sample.replace(
        past_target=np.zeros_like(sample.past_target), future_target=np.zeros_like(sample.future_target)
    )
