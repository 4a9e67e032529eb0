"""Whether a training can follow a network's own loss, found before its first step."""

from __future__ import annotations

import copy
from typing import Any

import torch
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.utils.data.torch_datasets.utils import ModuleStage, PLModuleOutput, TorchTrainingBatch
from torch import Tensor

from tskd._core.darts.dataset import WindowData
from tskd._core.darts.training_step import has_darts_loss, has_darts_step, label_loss
from tskd._core.rng import isolated_randomness
from tskd._core.windows import Windows


def check_loss(network: PLForecastingModule, keys: Tensor, windows: Windows, whose: str) -> None:
    """Try the loss of a network that is trained as darts does it on the labels of one window, without calling it.

    Args:
        keys: of the windows to train on `[N, 2]`, labelled or not.
        whose: loss it is, for messages.

    Raises:
        ValueError: it fails, or is not one number that depends on the forecast.
    """
    labelled = keys[windows.has_labels(keys)][:1]
    # what outputs a loss of its own takes is not known
    if not len(labelled) or not (has_darts_step(network) and has_darts_loss(network)):
        return
    batch = WindowData(labelled, windows).__getitems__([0])
    slots = {name: _as(getattr(batch, name), network.dtype) for name in batch.__dataclass_fields__}
    what = f"loss_fn={network.criterion!r}" if network.likelihood is None else f"likelihood={network.likelihood!r}"
    with isolated_randomness():
        try:
            loss = _loss_of_zeros(network, type(batch)(**slots))
        except Exception as error:
            raise ValueError(f"{whose}: {what} cannot be computed, {type(error).__name__}: {error}") from error
    fault = _fault(loss)
    if fault is not None:
        raise ValueError(f"{whose}: {what} must give one number that depends on the forecast, {fault}")


def _loss_of_zeros(network: PLForecastingModule, batch: TorchTrainingBatch) -> object:
    """The label loss of an output of zeros. It is computed by copies: a loss may count, and a likelihood keeps its
    quantiles in the precision of the first call."""
    own = {name: getattr(network, name) for name in ("train_criterion", "likelihood")}
    likelihood, target = network.likelihood, batch.future_target
    zeros = target.new_zeros(*target.shape, 1 if likelihood is None else likelihood.num_parameters).requires_grad_()
    for name, part in own.items():
        setattr(network, name, copy.deepcopy(part))
    try:
        with torch.enable_grad():
            return label_loss(network, PLModuleOutput(prediction=zeros), batch, ModuleStage.TRAIN)
    finally:
        for name, part in own.items():
            setattr(network, name, part)


def _fault(loss: Any) -> str | None:
    """What keeps a training from following a loss; None if nothing does."""
    if not isinstance(loss, Tensor):
        return f"got {type(loss).__name__}"
    if loss.numel() != 1:
        return f"got a tensor of shape {tuple(loss.shape)}"
    return None if loss.requires_grad else "got a constant, or a number without its gradient"


def _as(values: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Values in the precision of a network, masks as they are."""
    return values if values is None or not values.is_floating_point() else values.to(dtype)
