"""Loading models that darts saved, and removing target values from a model to be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import darts.models
import numpy as np
from darts.models.forecasting.ensemble_model import EnsembleModel
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel
from darts.utils.serialization import safe_globals

from tskd._core.object_spec import dotted, trusted_class


def class_name(model: Any) -> str:
    """The name of a model's class, by which `load_model` finds it: with its module, if it is not darts' own."""
    made = type(model)
    return made.__name__ if getattr(darts.models, made.__name__, None) is made else dotted(made)


def load_model(
    class_name: str, path: Path, trainer: Mapping[str, Any] | None = None, trusted: Sequence[type] = ()
) -> Any:
    """A saved model, read by darts' safe loading.

    Args:
        class_name: name of one of darts' global models, or with its module of one that is trusted.
        path: the file that darts wrote.
        trainer: `pl_trainer_kwargs` of a torch model, or of those in an ensemble; darts' defaults if None.
        trusted: classes of the user's own that the file may hold beside those that darts knows.

    Raises:
        ValueError: the class is neither one of darts' global models nor trusted.
    """
    own = "." in class_name
    model_class: Any = trusted_class(class_name, trusted) if own else getattr(darts.models, class_name, None)
    if GlobalForecastingModel not in getattr(model_class, "__mro__", ()):
        raise ValueError(f"{class_name!r} is not a global model{' of darts.models' * (not own)}")
    takes_trainer = issubclass(model_class, TorchForecastingModel | EnsembleModel)
    arguments = {"pl_trainer_kwargs": dict(trainer)} if trainer and takes_trainer else {}
    with safe_globals([*trusted]):
        loaded = model_class.load(str(path), **arguments)
    if type(loaded) is not model_class:
        raise ValueError(f"{path.name} holds a {dotted(type(loaded))}, not a {class_name}")
    return loaded


def forget_target(model: TorchForecastingModel) -> None:
    """Replace the target values that darts keeps of the training by 0, so that a soft sensor's file holds none."""
    if model.training_series is not None:
        model.training_series = model.training_series.with_values(np.zeros_like(model.training_series.values()))
    sample = model.train_sample
    model.train_sample = sample.replace(
        past_target=np.zeros_like(sample.past_target), future_target=np.zeros_like(sample.future_target)
    )
