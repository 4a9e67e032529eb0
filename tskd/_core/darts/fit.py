"""darts' own `fit` with the training itself replaced, and its undoing if it fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytorch_lightning as pl
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)
from darts.utils.data.torch_datasets._data_module import TorchDataModule
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from tskd._core.darts.bulk_steps import BulkStep, bulk_steps
from tskd._core.darts.dataset import WindowData, replace_datasets
from tskd._core.darts.forward import restore_modes

LOSSES = ("train_criterion", "val_criterion")
# runs a training: trainer, network, data, and path of the checkpoint to resume from
Run = Callable[[pl.Trainer, PLForecastingModule, TorchDataModule, str | None], None]


class _HandOver:
    """A stand-in for a Trainer, to which darts' `fit` passes the initialised network and the data sets.

    The training then happens inside darts' decorated call: seeds, checks and encoders are darts'.
    """

    def __init__(self, model: TorchForecastingModel, run: Run, trainer: pl.Trainer | None, **options: Any) -> None:
        self._model = model
        self._run = run
        self._requested = trainer
        self._options = options
        self._built: pl.Trainer | None = None

    @property
    def precision(self) -> Any:
        return self._model.trainer_params.get("precision") if self._requested is None else self._requested.precision

    @property
    def trainer(self) -> pl.Trainer:
        if self._built is None:
            epochs = self._options["epochs"]
            try:
                self._built = self._model._setup_trainer(
                    self._requested,
                    self._model.model or _Untrained(),
                    self._options["verbose"],
                    epochs if epochs > 0 else self._model.n_epochs,
                )
            except MisconfigurationException as error:
                raise ValueError(f"the trainer of {type(self._model).__name__}: {error}") from error
        return self._built

    @property
    def strategy(self) -> Any:
        return self.trainer.strategy

    @property
    def checkpoint_callbacks(self) -> list[Any]:
        return self.trainer.checkpoint_callbacks

    def fit(self, model: PLForecastingModule, datamodule: TorchDataModule, ckpt_path: str | None = None) -> None:
        self._run(self.trainer, model, datamodule, ckpt_path)


class _Untrained:
    """The attribute that darts reads of a network when it sets up the trainer of a model without one."""

    epochs_trained = 0


def fit_through(
    model: TorchForecastingModel,
    run: Run,
    *,
    trainer: pl.Trainer | None = None,
    verbose: bool | None = None,
    epochs: int = 0,
    **fit_kwargs: Any,
) -> None:
    """darts' `model.fit(**fit_kwargs)`, with `run(trainer, network, data, checkpoint)` in place of `trainer.fit`.

    If darts or `run` raise, the model is put back to its state before the call.
    """
    hand_over = _HandOver(model, run, trainer, verbose=verbose, epochs=epochs)
    with restoring(model):
        model.fit(trainer=hand_over, verbose=verbose, epochs=epochs, **fit_kwargs)
        model.trainer = hand_over.trainer
        connect(model)


def train_on(
    trainer: Any, module: Any, data: Any, sets: Sequence[WindowData], checkpoint: str | None, step: BulkStep | None
) -> None:
    """Call `trainer.fit` with darts' own loaders over the training and validation windows, released afterwards.

    Args:
        step: the module's in bulk, see `bulk_steps`; None if it has none.
    """
    replace_datasets(data, sets[0], sets[1] if len(sets) > 1 else None)
    try:
        with nullcontext() if step is None else bulk_steps(trainer, step):
            trainer.fit(model=module, datamodule=data, ckpt_path=checkpoint)
    finally:
        for items in sets:
            items.release()


def connect(model: TorchForecastingModel) -> None:
    """Connect the model's trainer to the model's own network, which darts then saves."""
    model.trainer.strategy.connect(model.model)


def forget_gradients(model: TorchForecastingModel) -> None:
    """Free gradients and the optimizer's state, thrice the weights under Adam, of a model that is not trained on."""
    for optimizer in model.trainer.optimizers:
        optimizer.state.clear()
    model.model.zero_grad(set_to_none=True)


@contextmanager
def restoring(model: TorchForecastingModel) -> Iterator[None]:
    """Put back a model's attributes, weights, random state and loss if the block raises."""
    before = dict(model.__dict__)
    before["trainer_params"] = dict(model.trainer_params)
    if "_random_instance" in before:
        before["_random_instance"] = copy.deepcopy(before["_random_instance"])
    network = model.model
    if network is not None:
        weights, trainer = copy.deepcopy(network.state_dict()), network._trainer
        modes = [(module, module.training) for module in network.modules()]
        losses = [_reduction(network, part) for part in LOSSES]
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        if network is not None:
            network.load_state_dict(weights)
            network._trainer = trainer
            restore_modes(modes)
            for part, (kept, reduction) in zip(LOSSES, losses, strict=True):
                setattr(network, f"{part}_reduction", kept)
                if reduction is not None:
                    getattr(network, part).reduction = reduction
        raise


def _reduction(network: PLForecastingModule, part: str) -> tuple[Any, Any]:
    """Which reduction of a loss darts will put back at the end of a fit with weights, and which it has now."""
    return getattr(network, f"{part}_reduction"), getattr(getattr(network, part), "reduction", None)


def untrained_copy(model: TorchForecastingModel, **fit_kwargs: Any) -> TorchForecastingModel:
    """A copy of a model with the untrained network that darts' `fit` would build for these data."""
    trainer = {name: value for name, value in model.trainer_params.items() if name == "precision"}
    quiet = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu", **trainer}
    own = {"pl_trainer_kwargs": quiet, "save_checkpoints": False}
    params = {name: value for name, value in model.model_params.items() if name not in own}
    copied = type(model)(**copy.deepcopy(params), **own)

    def run(trainer: pl.Trainer, network: PLForecastingModule, data: TorchDataModule, checkpoint: str | None) -> None:
        pass

    fit_through(copied, run, verbose=False, **fit_kwargs)
    return copied
