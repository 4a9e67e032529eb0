"""A rehearsal of darts' `fit`: all that it would refuse, without the training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import Tensor

from tskd._core.darts.capabilities import TorchForecastingModel, is_fitted
from tskd._core.darts.dataset import datasets_of
from tskd._core.darts.fit import fit_through, restoring
from tskd._core.darts.loss_check import check_loss
from tskd._core.quiet_logs import quiet
from tskd._core.rng import isolated_randomness
from tskd._core.windows import Windows

# of the training and of the validation part (None if there is none), the windows to train and to validate on
Look = Callable[[Any, Any], tuple[Tensor, Windows]]


class _RehearsedError(Exception):
    """The end of a rehearsal."""


def rehearse(model: TorchForecastingModel, look: Look, whose: str, **fit_kwargs: Any) -> None:
    """Raise what darts' `model.fit(**fit_kwargs)` would raise before its first step, or by its loss; the model is left
    as it was, and its network is not called.

    Args:
        look: checks the data sets, and returns the keys of windows that can be trained on, and these windows. The loss
            is tried on the labels of one of them.
        whose: fit it is, for messages about its loss.
    """

    def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        keys, windows = look(*datasets_of(data))
        network.configure_optimizers()
        check_loss(network, keys, windows, whose)
        raise _RehearsedError

    # a network leaves traces in its model's settings (those of a TFT), so that a copy rehearses where one can
    actor = model if is_fitted(model) else model.untrained_model()
    with suppress(_RehearsedError), quiet(), isolated_randomness(), restoring(actor):
        fit_through(actor, run, **fit_kwargs)
        # darts does not train a model that is used as it comes
        raise _RehearsedError
