"""What a darts model can do, reads and spans."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import darts.models
import torch
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.rnn_model import RNNModel
from darts.models.forecasting.torch_forecasting_model import (
    DualCovariatesTorchModel,
    FutureCovariatesTorchModel,
    MixedCovariatesTorchModel,
    PastCovariatesTorchModel,
    SplitCovariatesTorchModel,
    TorchForecastingModel,
)
from darts.utils.likelihood_models.torch import DirichletLikelihood
from torch import Tensor


def horizon_of(model: Any) -> range:
    """Steps after the origin that a model forecasts."""
    # an ensemble reports the chunk of the model that combines the others, one step after the other
    members = getattr(model, "forecasting_models", None) or [model]
    first = model.output_chunk_shift + 1
    return range(first, first + min(member.output_chunk_length for member in members))


def shared_steps(student: range, teacher: range) -> slice:
    """Which part of the student's horizon a teacher forecasts too; empty if there is none."""
    first, last = max(student[0], teacher[0]), min(student[-1], teacher[-1])
    return slice(first - student[0], max(last - student[0] + 1, first - student[0]))


def covered(spans: Sequence[slice], horizon: int) -> Tensor:
    """Which steps of the student's horizon these parts of it are `[K, H]`."""
    found = torch.zeros(len(spans), horizon, dtype=torch.bool)
    for steps, span in zip(found, spans, strict=True):
        steps[span] = True
    return found


def lookback_of(model: Any) -> int:
    """Steps up to the origin that a model reads."""
    if is_torch_model(model):
        return model.input_chunk_length
    return max(1, *(-lag for lag in model.extreme_lags[0:5:2] if lag is not None))


def is_fitted(model: GlobalForecastingModel) -> bool:
    return bool(model._fit_called) and not (is_torch_model(model) and model.model is None)


def is_torch_model(model: Any) -> bool:
    return isinstance(model, TorchForecastingModel)


def is_trainable(model: TorchForecastingModel) -> bool:
    """False for a foundation model that is used as it comes."""
    return bool(model._requires_training)


def is_foundation(model: Any) -> bool:
    """Whether the model was trained before, elsewhere, even if it is fine-tuned."""
    # darts' class cannot be imported where huggingface_hub is not installed
    return any(base.__name__ == "FoundationModel" for base in type(model).__mro__)


def max_batch_size(model: TorchForecastingModel, most: int) -> int:
    """How many windows to ask a network about at once, at most `most`."""
    # Chronos-2 attends across the batch: the memory it needs grows with the square of windows times components
    return min(most, model.batch_size) if is_foundation(model) else most


def reads_covariates(model: GlobalForecastingModel, slot: str) -> bool:
    """Whether the model's class takes covariates of this slot, `"past"` or `"future"`."""
    return bool(model.supports_past_covariates if slot == "past" else model.supports_future_covariates)


def holds_torch_models(model: GlobalForecastingModel) -> bool:
    """Whether an ensemble has networks among its members."""
    members = getattr(model, "forecasting_models", [])
    return any(is_torch_model(member) or holds_torch_models(member) for member in members)


@contextmanager
def preserved_random_state(model: GlobalForecastingModel) -> Iterator[None]:
    """Leave a model's random state, and that of an ensemble's members, as it was."""
    models = [model, *getattr(model, "forecasting_models", [])]
    before = [copy.deepcopy(getattr(one, "_random_instance", None)) for one in models]
    try:
        yield
    finally:
        for one, state in zip(models, before, strict=True):
            if state is not None:
                one._random_instance = state


def needs_target(model: GlobalForecastingModel) -> str:
    """Why a model cannot do without the target's past; empty if it can."""
    if is_torch_model(model):
        if is_foundation(model):
            return "is a foundation model, and normalises by the target's past"
        # normalising by the statistics of a hidden past would multiply the forecast by nearly 0
        normalised = model.model_params.get("use_reversible_instance_norm")
        return "normalises by the target's past (use_reversible_instance_norm)" if normalised else ""
    return "" if model.extreme_lags[0] is None else "reads lags of the target; give lags=None"


def models_reading(slot: str) -> list[str]:
    """Names of darts' torch models whose class takes covariates of this slot."""
    families = {
        "past": (PastCovariatesTorchModel, MixedCovariatesTorchModel, SplitCovariatesTorchModel),
        "future": (DualCovariatesTorchModel, FutureCovariatesTorchModel, MixedCovariatesTorchModel),
    }
    classes = {name: getattr(darts.models, name) for name in darts.models.__all__}
    return sorted(
        name
        for name, found in classes.items()
        if isinstance(found, type)
        and issubclass(found, families[slot])
        and not issubclass(found, RNNModel)
        and not name.startswith("GlobalNaive")
    )


def uses_static_covariates(model: TorchForecastingModel) -> bool:
    return bool(model.uses_static_covariates)


def check_weighable_labels(model: TorchForecastingModel) -> None:
    """Raise a ValueError for a model whose loss cannot weigh labels."""
    loss, likelihood = model.model_params.get("loss_fn"), model.model_params.get("likelihood")
    if isinstance(likelihood, DirichletLikelihood):
        raise ValueError("a DirichletLikelihood is one for all components, and cannot weigh labels")
    if loss is not None and likelihood is None and getattr(loss, "reduction", None) != "mean":
        raise ValueError(f'loss_fn={loss} is no mean over labels (`reduction="mean"`), and cannot weigh them')
