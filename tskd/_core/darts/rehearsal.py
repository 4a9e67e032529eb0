"""A rehearsal of darts' `fit`: all that it would refuse, without the training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.capabilities import TorchForecastingModel, is_fitted
from tskd._core.darts.dataset import WindowData, datasets_of
from tskd._core.darts.fit import fit_through, restoring
from tskd._core.darts.training_step import loss_of_zeros
from tskd._core.quiet_logs import quiet
from tskd._core.rng import isolated_randomness
from tskd._core.windows import Windows

# of the training and of the validation part (None if there is none), the windows to train and to validate on
Look = Callable[[Any, Any], tuple[Tensor, Windows]]


class _RehearsedError(Exception):
    """The end of a rehearsal."""


def rehearse(model: TorchForecastingModel, look: Look, **fit_kwargs: Any) -> None:
    """Raise what darts' `model.fit(**fit_kwargs)` would raise before its first step, or by its loss; the model is left
    as it was, and its network is not called.

    Args:
        look: checks the data sets, and returns the keys of windows that can be trained on, and these windows. The loss
            is tried on the labels of one of them.
    """

    def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        keys, windows = look(*datasets_of(data))
        network.configure_optimizers()
        labelled = keys[windows.has_labels(keys)][:1]
        if len(labelled):
            batch = WindowData(labelled, windows).__getitems__([0])
            slots = {name: _as(getattr(batch, name), network.dtype) for name in batch.__dataclass_fields__}
            loss_of_zeros(network, type(batch)(**slots))
        raise _RehearsedError

    # a network leaves traces in its model's settings (those of a TFT), so that a copy rehearses where one can
    actor = model if is_fitted(model) else model.untrained_model()
    with suppress(_RehearsedError), quiet(), isolated_randomness(), restoring(actor):
        fit_through(actor, run, **fit_kwargs)
        # darts does not train a model that is used as it comes
        raise _RehearsedError


def _as(values: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Values in the precision of a network, masks as they are."""
    return values if values is None or not values.is_floating_point() else values.to(dtype)
