"""darts' own fit, with the training handed over; and what it leaves of a fitted model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import darts.models
import numpy as np
import pytorch_lightning as pl
from darts.models.forecasting.ensemble_model import EnsembleModel
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)
from darts.utils.data.torch_datasets._data_module import TorchDataModule

from tskd._core.darts.forward import restore_modes

Run = Callable[[pl.Trainer, PLForecastingModule, TorchDataModule, str | None], None]


class _HandOver:
    """Stands in for a Trainer, so that darts' own `fit` hands over the initialised network and the data sets.

    The training then happens inside darts' decorated call: seeds, checks and encoders are darts'.
    """

    def __init__(self, model: TorchForecastingModel, run: Run, trainer: pl.Trainer | None, **options: Any) -> None:
        self._model = model
        self._run = run
        self._given = trainer
        self._options = options
        self._built: pl.Trainer | None = None

    @property
    def precision(self) -> Any:
        return self._model.trainer_params.get("precision") if self._given is None else self._given.precision

    @property
    def trainer(self) -> pl.Trainer:
        if self._built is None:
            epochs = self._options["epochs"]
            self._built = self._model._setup_trainer(
                self._given,
                self._model.model or _Untrained(),
                self._options["verbose"],
                epochs if epochs > 0 else self._model.n_epochs,
            )
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

    Raises whatever darts or `run` raise; the model is then as it was before.
    """
    hand_over = _HandOver(model, run, trainer, verbose=verbose, epochs=epochs)
    with restoring(model):
        model.fit(trainer=hand_over, verbose=verbose, epochs=epochs, **fit_kwargs)
        model.trainer = hand_over.trainer
        connect(model)


def connect(model: TorchForecastingModel) -> None:
    """Make the model's trainer hold the model's own network, so that darts saves that one."""
    model.trainer.strategy.connect(model.model)


@contextmanager
def restoring(model: TorchForecastingModel) -> Iterator[None]:
    """Undo everything a failed fit did to the model: its attributes, its weights, its random state."""
    before = dict(model.__dict__)
    before["trainer_params"] = dict(model.trainer_params)
    if "_random_instance" in before:
        before["_random_instance"] = copy.deepcopy(before["_random_instance"])
    network = model.model
    if network is not None:
        weights, trainer = copy.deepcopy(network.state_dict()), network._trainer
        modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        if network is not None:
            network.load_state_dict(weights)
            network._trainer = trainer
            restore_modes(modes)
        raise


def untrained_copy(model: TorchForecastingModel, **fit_kwargs: Any) -> TorchForecastingModel:
    """A copy of a model with the network, untrained, that darts would make for these data."""
    trainer = {name: value for name, value in model.trainer_params.items() if name == "precision"}
    quiet = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu", **trainer}
    own = {"pl_trainer_kwargs": quiet, "save_checkpoints": False}
    params = {name: value for name, value in model.model_params.items() if name not in own}
    copied = type(model)(**copy.deepcopy(params), **own)

    def run(trainer: pl.Trainer, network: PLForecastingModule, data: TorchDataModule, checkpoint: str | None) -> None:
        pass

    fit_through(copied, run, verbose=False, **fit_kwargs)
    return copied


def load_model(class_name: str, path: Path, trainer: Mapping[str, Any] | None = None) -> Any:
    """A saved model, by darts' safe loading.

    Args:
        trainer: settings of the trainer of a network, or of those in an ensemble; darts' defaults if None.

    Raises:
        ValueError: the class is not one of darts' torch models.
    """
    found: Any = getattr(darts.models, class_name, None)
    if GlobalForecastingModel not in getattr(found, "__mro__", ()):
        raise ValueError(f"{class_name!r} is not a global model of darts.models")
    networks = issubclass(found, TorchForecastingModel | EnsembleModel)
    return found.load(str(path), pl_trainer_kwargs=dict(trainer)) if trainer and networks else found.load(str(path))


def trained_until(model: TorchForecastingModel) -> Any:
    """Last time stamp of the series a model was fitted on; None where darts does not keep it."""
    return None if model.training_series is None else model.training_series.end_time()


def kept_components(model: GlobalForecastingModel) -> dict[str, list[str]]:
    """Components, by slot, of the series that a fitted model keeps of its training (none after a fit on several)."""
    kept = {
        "series": model.training_series,
        "past_covariates": model.past_covariate_series,
        "future_covariates": model.future_covariate_series,
    }
    return {slot: [str(c) for c in series.components] for slot, series in kept.items() if series is not None}


def forget_target(model: TorchForecastingModel) -> None:
    """Put zeros where darts keeps target values of the training: a soft sensor's file holds none of them."""
    if model.training_series is not None:
        model.training_series = model.training_series.with_values(np.zeros_like(model.training_series.values()))
    sample = model.train_sample
    model.train_sample = sample.replace(
        past_target=np.zeros_like(sample.past_target), future_target=np.zeros_like(sample.future_target)
    )
