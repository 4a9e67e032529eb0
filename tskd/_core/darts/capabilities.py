"""Properties of a darts model that follow from its class and settings: the steps and inputs it reads, and its kind."""

from __future__ import annotations

from typing import Any

import darts.models
from darts.models.forecasting.dlinear import DLinearModel
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.nlinear import NLinearModel
from darts.models.forecasting.rnn_model import RNNModel
from darts.models.forecasting.tcn_model import TCNModel
from darts.models.forecasting.torch_forecasting_model import (
    DualCovariatesTorchModel,
    FutureCovariatesTorchModel,
    MixedCovariatesTorchModel,
    PastCovariatesTorchModel,
    SplitCovariatesTorchModel,
    TorchForecastingModel,
)
from darts.utils.likelihood_models.torch import DirichletLikelihood

from tskd._core.window_keys import WindowSpan


def horizon_of(model: Any) -> range:
    """Steps after the origin that a model forecasts, from its output chunk and shift."""
    # an ensemble reports the chunk of the model that combines the others, one step after the other
    members = getattr(model, "forecasting_models", None) or [model]
    first = model.output_chunk_shift + 1
    return range(first, first + min(member.output_chunk_length for member in members))


def lookback_of(model: Any) -> int:
    """Number of steps up to the origin that a model reads: its input chunk, or the largest of its `extreme_lags`."""
    if is_torch_model(model):
        return model.input_chunk_length
    return max(1, *(-lag for lag in model.extreme_lags[0:5:2] if lag is not None))


def window_span(model: Any) -> WindowSpan:
    """The steps of one window of a model."""
    horizon = horizon_of(model)
    return WindowSpan(lookback_of(model), len(horizon), horizon[0] - 1)


def read_lags(model: GlobalForecastingModel, slot: str) -> dict[str, list[int]] | list[int] | None:
    """Lags of `"target"`, `"past"` or `"future"` that a regression model reads, of each component or of all.

    Lag −1 is the origin, 0 the first step after it. None for a model whose lags cannot be told (an ensemble, or one
    without a model for each step), which may read everything.
    """
    if not hasattr(model, "_get_lags") or not getattr(model, "multi_models", False):
        return None
    return model._get_lags(slot) or []


def label_steps(model: TorchForecastingModel) -> range:
    """Steps, relative to the origin, of the labels on which a model trains; the last of them are its forecast."""
    last = model.output_chunk_shift + model.output_chunk_length
    length = model.input_chunk_length if isinstance(model, TCNModel) else model.output_chunk_length
    return range(last - length + 1, last + 1)


def is_fitted(model: GlobalForecastingModel) -> bool:
    """Whether a model was fitted, and has its network if it is a torch model."""
    return bool(model._fit_called) and not (is_torch_model(model) and model.model is None)


def is_torch_model(model: Any) -> bool:
    """Whether a model is one of darts' torch models."""
    return isinstance(model, TorchForecastingModel)


def is_linear(model: TorchForecastingModel) -> bool:
    """Whether a torch model's point forecast is an affine map of its inputs."""
    return isinstance(model, DLinearModel | NLinearModel)


def is_trainable(model: TorchForecastingModel) -> bool:
    """Whether `fit` trains a torch model; false for a foundation model without fine-tuning."""
    return bool(model._requires_training)


def is_foundation(model: Any) -> bool:
    """Whether a model is pretrained, fine-tuned or not."""
    # darts' class cannot be imported where huggingface_hub is not installed
    return any(base.__name__ == "FoundationModel" for base in type(model).__mro__)


def max_batch_size(model: TorchForecastingModel, most: int) -> int:
    """Largest number of windows, at most `most`, that a network should forecast at once."""
    # Chronos-2 attends across the batch: the memory it needs grows with the square of windows times components
    return min(most, model.batch_size) if is_foundation(model) else most


def reads_covariates(model: GlobalForecastingModel, slot: str) -> bool:
    """Whether a model takes covariates of a slot, `"past"` or `"future"`."""
    return bool(model.supports_past_covariates if slot == "past" else model.supports_future_covariates)


def holds_torch_models(model: GlobalForecastingModel) -> bool:
    """Whether an ensemble has torch models among its members."""
    members = getattr(model, "forecasting_models", [])
    return any(is_torch_model(member) or holds_torch_models(member) for member in members)


def needs_target(model: GlobalForecastingModel) -> str:
    """Reason why a model cannot do without the target's past; empty if it can."""
    if is_torch_model(model):
        if is_foundation(model):
            return "is a foundation model, and normalises by the target's past"
        # normalising by the statistics of a hidden past would multiply the forecast by nearly 0
        normalised = model.model_params.get("use_reversible_instance_norm")
        return "normalises by the target's past (use_reversible_instance_norm)" if normalised else ""
    return "" if model.extreme_lags[0] is None else "reads lags of the target; give lags=None"


def models_reading(slot: str) -> list[str]:
    """Names of darts' torch models that take covariates of a slot, `"past"` or `"future"`, by their base classes."""
    families = {
        "past": (PastCovariatesTorchModel, MixedCovariatesTorchModel, SplitCovariatesTorchModel),
        "future": (DualCovariatesTorchModel, FutureCovariatesTorchModel, MixedCovariatesTorchModel),
    }
    classes = {name: getattr(darts.models, name) for name in darts.models.__all__}
    return sorted(
        name
        for name, model_class in classes.items()
        if isinstance(model_class, type)
        and issubclass(model_class, families[slot])
        and not issubclass(model_class, RNNModel)
        and not name.startswith("GlobalNaive")
    )


def reads_static(model: GlobalForecastingModel) -> bool:
    """Whether a model, or a member of an ensemble, reads static covariates; of a fitted one, those of its fit."""
    if is_fitted(model):
        return bool(model.uses_static_covariates)
    members = getattr(model, "forecasting_models", [])
    return bool(model.considers_static_covariates) or any(map(reads_static, members))


def uses_static_covariates(model: TorchForecastingModel) -> bool:
    """Whether a torch model reads static covariates, if its series have any."""
    return bool(model.uses_static_covariates)


def check_weighable_labels(model: TorchForecastingModel, whose: str, missing: bool = False) -> None:
    """Raise a ValueError for a model whose loss cannot take weights of single labels.

    Args:
        whose: model it is, for messages.
        missing: whether it would have to because labels are missing.
    """
    loss, likelihood = model.model_params.get("loss_fn"), model.model_params.get("likelihood")
    who = f"{whose}: {'labels are missing, and ' if missing else ''}"
    if isinstance(likelihood, DirichletLikelihood):
        raise ValueError(f"{who}a DirichletLikelihood is one for all components, and cannot weigh labels")
    if loss is not None and likelihood is None and getattr(loss, "reduction", None) != "mean":
        raise ValueError(f'{who}loss_fn={loss} is no mean over labels (`reduction="mean"`), and cannot weigh them')
