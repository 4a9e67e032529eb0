"""The only file that touches darts' private names (darts 0.48)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import darts.models
import numpy as np
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models.forecasting.ensemble_model import EnsembleModel
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.models.forecasting.rnn_model import RNNModel
from darts.models.forecasting.tcn_model import TCNModel, _TCNModule
from darts.models.forecasting.torch_forecasting_model import (
    DualCovariatesTorchModel,
    FutureCovariatesTorchModel,
    MixedCovariatesTorchModel,
    PastCovariatesTorchModel,
    SplitCovariatesTorchModel,
    TorchForecastingModel,
)
from darts.utils.data.torch_datasets._data_module import TorchDataModule
from darts.utils.data.torch_datasets.training_dataset import ShiftedTorchTrainingDataset
from darts.utils.data.torch_datasets.utils import (
    ModuleStage,
    PLModuleInput,
    PLModuleOutput,
    TorchTrainingBatch,
)
from darts.utils.likelihood_models.torch import DirichletLikelihood
from torch import Tensor
from torch.utils.data import Dataset

from tskd.heads import last_linear
from tskd.layers import FEATURES, Layer, find, listening
from tskd.windows import INPUT_SLOTS, Windows, training_keys

__all__ = [
    "ModuleStage",
    "PLForecastingModule",
    "PLModuleOutput",
    "RNNModel",
    "TorchDataModule",
    "TorchForecastingModel",
    "TorchTrainingBatch",
    "answer",
    "blank",
    "connect",
    "data_of",
    "encode",
    "evaluated_loss",
    "fit_through",
    "forecast",
    "forget_target",
    "forward",
    "hidden_layer",
    "holds_networks",
    "is_fitted",
    "is_foundation",
    "is_network",
    "kept_components",
    "label_loss",
    "label_steps",
    "last_layers",
    "layers_of",
    "load",
    "models_that_read",
    "most_at_once",
    "needs_target",
    "point_forecast",
    "predictive",
    "reads",
    "refuse_unweighted",
    "replace_data",
    "restoring",
    "roll",
    "roll_starts",
    "rolled_forecast",
    "rolling",
    "same_randomness",
    "shapes",
    "spread",
    "trained_until",
    "training_windows",
    "trains",
    "update_metrics",
    "uses_static_covariates",
]

Run = Callable[[pl.Trainer, PLForecastingModule, TorchDataModule, str | None], None]

# the last hidden representation of a model's network; {-1} is the last of several
HIDDEN = {
    "BlockRNNModel": "rnn",
    "Chronos2Model": "encoder",
    "NBEATSModel": "stacks.{-1}.blocks.{-1}.fc_stack.{-1}",
    "NHiTSModel": "stacks.{-1}.blocks.{-1}.layers",
    "TCNModel": "res_blocks.{-2}",
    "TFTModel": "pre_output_gan",
    "TSMixerModel": "conditional_mixer.{-1}",
    "TiDEModel": "encoders",
    "TransformerModel": "transformer.encoder",
}


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
            _put_back(modes)
        raise


def is_fitted(model: GlobalForecastingModel) -> bool:
    return bool(model._fit_called) and not (is_network(model) and model.model is None)


def is_network(model: Any) -> bool:
    return isinstance(model, TorchForecastingModel)


def trains(model: TorchForecastingModel) -> bool:
    """False for a foundation model that is used as it comes."""
    return bool(model._requires_training)


def is_foundation(model: Any) -> bool:
    """Whether the model was trained before, elsewhere, even if it is fine-tuned."""
    # darts' class cannot be imported where huggingface_hub is not installed
    return any(base.__name__ == "FoundationModel" for base in type(model).__mro__)


def most_at_once(model: TorchForecastingModel, most: int) -> int:
    """How many windows to ask a network about at once, at most `most`."""
    # Chronos-2 attends across the batch: the memory it needs grows with the square of windows times components
    return min(most, model.batch_size) if is_foundation(model) else most


def reads(model: GlobalForecastingModel, slot: str) -> bool:
    """Whether the model's class takes covariates of this slot, `"past"` or `"future"`."""
    return bool(model.supports_past_covariates if slot == "past" else model.supports_future_covariates)


def holds_networks(model: GlobalForecastingModel) -> bool:
    """Whether an ensemble has networks among its members."""
    members = getattr(model, "forecasting_models", [])
    return any(is_network(member) or holds_networks(member) for member in members)


@contextmanager
def same_randomness(model: GlobalForecastingModel) -> Iterator[None]:
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
    if is_network(model):
        if is_foundation(model):
            return "is a foundation model, and normalises by the target's past"
        # normalising by the statistics of a hidden past would multiply the forecast by nearly 0
        normalised = model.model_params.get("use_reversible_instance_norm")
        return "normalises by the target's past (use_reversible_instance_norm)" if normalised else ""
    return "" if model.extreme_lags[0] is None else "reads lags of the target; give lags=None"


def models_that_read(slot: str) -> list[str]:
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


def training_windows(
    dataset: ShiftedTorchTrainingDataset, visible: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, Windows]:
    """Keys `[N, 2]` in the data set's own order, and the windows they name."""
    if not isinstance(dataset, ShiftedTorchTrainingDataset):
        raise TypeError(f"expected a training data set of darts, got {type(dataset).__name__}")
    if dataset.min_input_chunk_length != dataset.input_chunk_length:
        raise ValueError(
            f"input_chunk_length is the range {(dataset.min_input_chunk_length, dataset.input_chunk_length)}; "
            "give one number: windows of varying lookback are not supported"
        )
    # negative for TCN, whose labels begin within the lookback
    lookback, horizon = dataset.input_chunk_length, dataset.output_chunk_length
    output_shift = dataset.shift - lookback
    keys = training_keys(
        [len(s) for s in dataset.series],
        lookback,
        horizon,
        output_shift,
        dataset.stride,
        dataset.max_samples_per_ts,
    )
    windows = Windows.of(
        dataset.series,
        dataset.past_covariates,
        dataset.future_covariates,
        dataset.sample_weight,
        lookback=lookback,
        horizon=horizon,
        output_shift=output_shift,
        static_covariates=dataset.uses_static_covariates_covariates,
        visible=visible,
    )
    return keys, windows


def data_of(data: TorchDataModule) -> tuple[ShiftedTorchTrainingDataset, ShiftedTorchTrainingDataset | None]:
    return data.train_dataset, data.val_dataset


def replace_data(data: TorchDataModule, train: Dataset, val: Dataset | None) -> None:
    """Put data sets that gather whole batches into darts' data module; its loaders keep every other setting."""
    data.train_dataset, data.val_dataset = train, val
    data.dataloader_kwargs["collate_fn"] = _whole_batch


def _whole_batch(batch: Any) -> Any:
    return batch


def forward(network: PLForecastingModule, batch: TorchTrainingBatch, stage: ModuleStage) -> PLModuleOutput:
    return network(batch.to_module_input(stage=stage))


def label_loss(
    network: PLForecastingModule,
    output: PLModuleOutput,
    batch: TorchTrainingBatch,
    stage: ModuleStage,
    weights: Tensor | None = None,
) -> Tensor:
    """The model's own darts loss, with further weights `[B, H, C]` of the labels in the forecast."""
    criterion = network.train_criterion if stage is ModuleStage.TRAIN else network.val_criterion
    if weights is None:
        return network._compute_loss(output, batch.future_target, criterion, batch.sample_weight)
    # TCN has labels in its lookback too
    whole = torch.ones_like(batch.future_target)
    whole[:, -weights.shape[1] :] = weights
    whole = whole if batch.sample_weight is None else whole * batch.sample_weight
    if network.likelihood is not None:
        return network._compute_loss(output, batch.future_target, criterion, whole)
    reduction = criterion.reduction
    criterion.reduction = "none"
    try:
        return network._compute_loss(output, batch.future_target, criterion, whole)
    finally:
        criterion.reduction = reduction


def refuse_unweighted(model: TorchForecastingModel) -> None:
    """Raise a ValueError for a model whose loss cannot weigh labels."""
    loss, likelihood = model.model_params.get("loss_fn"), model.model_params.get("likelihood")
    if isinstance(likelihood, DirichletLikelihood):
        raise ValueError("a DirichletLikelihood is one for all components, and cannot weigh labels")
    if loss is not None and likelihood is None and getattr(loss, "reduction", None) != "mean":
        raise ValueError(f'loss_fn={loss} is no mean over labels (`reduction="mean"`), and cannot weigh them')


def update_metrics(
    network: PLForecastingModule, output: PLModuleOutput, batch: TorchTrainingBatch, stage: ModuleStage
) -> None:
    metrics = network.train_metrics if stage is ModuleStage.TRAIN else network.val_metrics
    network._update_metrics(output, batch.future_target, metrics)


def point_forecast(network: PLForecastingModule, prediction: Tensor) -> Tensor:
    """The forecast `[B, H, C]` in a network's output `[B, H, C, P]`: itself, the median quantile, or the mean."""
    likelihood = network.likelihood
    if likelihood is None:
        return prediction.squeeze(-1)
    if hasattr(likelihood, "_median_idx"):
        return prediction[..., likelihood._median_idx]
    distribution = likelihood._distr_from_params(likelihood._params_from_output(prediction))
    # a Cauchy has no mean; its median is its location
    return distribution.loc if isinstance(distribution, torch.distributions.Cauchy) else distribution.mean


def spread(network: PLForecastingModule, prediction: Tensor) -> Tensor | None:
    """The standard deviation `[B, H, C]` in a network's output, or None for a point forecast.

    Of quantiles, that of the Gaussian with the same distance between the outermost pair.
    """
    likelihood = network.likelihood
    if likelihood is None:
        return None
    if hasattr(likelihood, "_median_idx"):
        if len(likelihood.quantiles) < 2:
            return None
        low, high = (
            torch.special.ndtri(torch.tensor(q, dtype=prediction.dtype))
            for q in likelihood.quantiles[:: len(likelihood.quantiles) - 1]
        )
        return (prediction[..., -1] - prediction[..., 0]) / (high - low)
    return likelihood._distr_from_params(likelihood._params_from_output(prediction)).stddev


def predictive(
    likelihood: Any, prediction: Tensor
) -> tuple[torch.distributions.Distribution | None, Tensor | None, tuple[float, ...]]:
    """The distribution in a network's output `[B, H, C, P]`, or its quantiles and their levels."""
    if hasattr(likelihood, "_median_idx"):
        return None, prediction, tuple(likelihood.quantiles)
    return likelihood._distr_from_params(likelihood._params_from_output(prediction)), None, ()


def answer(
    model: TorchForecastingModel,
    slots: Mapping[str, Tensor],
    layers: Mapping[str, Layer] | None = None,
    parameters: bool = False,
) -> dict[str, Tensor]:
    """What a fitted model says of gathered windows, in evaluation mode, without gradient.

    Args:
        layers: hidden layers whose outputs are wanted, by path.
        parameters: whether the network's whole output is wanted.

    Returns:
        `forecasts [B, H, C]`, `spread [B, H, C]` if it forecasts a distribution, `features.<layer> [B, …]`,
        `parameters [B, H, C, P]`.
    """
    network = model.model
    count = len(next(iter(slots.values())))
    with _evaluating(network), listening(network, layers or {}, count) as features:
        prediction = _predict(network, slots)
        found = {"forecasts": point_forecast(network, prediction)}
        deviation = spread(network, prediction)
    found |= {FEATURES + path: values for path, values in features.items()}
    found |= {} if deviation is None else {"spread": deviation}
    found |= {"parameters": prediction} if parameters else {}
    return {name: values.clone().cpu() for name, values in found.items()}


def forecast(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's point forecasts `[B, H, C]` of gathered windows, in evaluation mode, without gradient."""
    with _evaluating(network):
        return point_forecast(network, _predict(network, slots))


def evaluated_loss(network: PLForecastingModule, batch: TorchTrainingBatch) -> Tensor:
    """A network's own label loss in evaluation mode, with gradient."""
    with _evaluation_mode(network), torch.enable_grad():
        output = forward(network, batch, ModuleStage.VALIDATE)
        return label_loss(network, output, batch, ModuleStage.VALIDATE)


def layers_of(network: PLForecastingModule, slots: Mapping[str, Tensor], training: bool = False) -> dict[str, Layer]:
    """The hidden layers of a network, by path.

    Args:
        slots: gathered for one window at least; of static covariates too.
        training: whether they are listened to in training, where a Transformer's decoder reads the labels.
    """

    def run(windows: int) -> None:
        some = {name: values[:1].expand(windows, *values.shape[1:]) for name, values in slots.items()}
        if training:
            _training_output(network, some)
        else:
            _predict(network, some)

    with _evaluating(network):
        return find(network, run, channels_first=isinstance(network, _TCNModule))


def last_layers(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> list[str]:
    """Paths of the linear layers from which the forecast is reached without another one, in training."""
    with _evaluation_mode(network), torch.enable_grad():
        return last_linear(network, lambda: point_forecast(network, _training_output(network, slots)))


def _training_output(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    """A network's output for gathered windows, with labels of 0 for a network that reads them in training."""
    past = slots["past_target"]
    given = {**slots, "future_target": past.new_zeros(len(past), network.output_chunk_length, past.shape[2])}
    typed = {name: values.to(device=network.device, dtype=network.dtype) for name, values in given.items()}
    return forward(network, TorchTrainingBatch(**typed), ModuleStage.TRAIN).prediction


def hidden_layer(model: TorchForecastingModel, network: PLForecastingModule) -> str | None:
    """Path of the last hidden representation of a model's network, if its class is known to have one."""
    path = ""
    pattern = HIDDEN.get(type(model).__name__)
    if pattern is None:
        return None
    for part in pattern.split("."):
        if part.startswith("{"):
            children = [name for name, _ in network.get_submodule(path).named_children()]
            last = int(part[1:-1])
            part = children[last] if len(children) >= -last else children[-1]
        path = f"{path}.{part}" if path else part
    return path


def roll_starts(horizon: int, steps: int) -> list[int]:
    """How many steps of its own forecast each further output chunk follows, in `predict(horizon + steps)`: the last
    chunk ends with the last step, and replaces what an earlier one says there."""
    return [min(chunk, steps) for chunk in range(horizon, horizon + steps, horizon)]


def roll(
    network: PLForecastingModule, past: Tensor, forecast: Tensor, later: Sequence[Mapping[str, Tensor]], steps: int
) -> Tensor:
    """What a network's own forecast goes on with, as in `predict`, with gradient and in training.

    Args:
        past: the target's past `[B, L, C]`.
        forecast: of the first output chunk `[B, H, C]`.
        later: of each further chunk (`roll_starts`), the slots but the target's past.
        steps: how far it goes on.

    Returns:
        `[B, steps, C]`.
    """
    lookback, horizon = past.shape[1], forecast.shape[1]
    for start, slots in zip(roll_starts(horizon, steps), later, strict=True):
        known = torch.cat([past, forecast[:, :start]], dim=1)[:, -lookback:]
        given = {name: values for name, values in slots.items() if name in INPUT_SLOTS}
        # in training a Transformer would be shown labels, of which there are none
        output = network(PLModuleInput(past_target=known, **given, stage=ModuleStage.PREDICT))
        chunk = point_forecast(network, output.prediction)[:, -horizon:]
        forecast = torch.cat([forecast[:, :start], chunk], dim=1)
    return forecast[:, horizon:]


def rolled_forecast(
    network: PLForecastingModule, slots: Mapping[str, Tensor], later: Sequence[Mapping[str, Tensor]], steps: int
) -> Tensor:
    """Point forecasts `[B, H + steps, C]` as of `predict`, in evaluation mode, without gradient.

    Args:
        slots, later: as for `forecast` and `roll`.
        steps: how far the forecast goes on after the first output chunk.
    """
    with _evaluating(network):
        chunk = point_forecast(network, _predict(network, slots))[:, -network.output_chunk_length :]
        given = [{name: values.to(chunk) for name, values in some.items()} for some in later]
        past = slots["past_target"].to(chunk)
        return torch.cat([chunk, roll(network, past, chunk, given, steps)], dim=1).cpu()


def blank(model: TorchForecastingModel, **fit_kwargs: Any) -> TorchForecastingModel:
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


def _predict(network: PLForecastingModule, slots: Mapping[str, Tensor]) -> Tensor:
    given = {
        name: values.to(device=network.device, dtype=network.dtype)
        for name, values in slots.items()
        if name in INPUT_SLOTS
    }
    return network(PLModuleInput(**given, stage=ModuleStage.PREDICT)).prediction


@contextmanager
def _evaluating(network: PLForecastingModule) -> Iterator[None]:
    """Evaluation mode, without gradient; the mode is put back, module by module."""
    with _evaluation_mode(network), torch.no_grad():
        yield


@contextmanager
def _evaluation_mode(network: PLForecastingModule) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        _put_back(modes)


def _put_back(modes: list[tuple[torch.nn.Module, bool]]) -> None:
    for module, mode in modes:
        module.training = mode


def load(class_name: str, path: Path, trainer: Mapping[str, Any] | None = None) -> Any:
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


def label_steps(model: TorchForecastingModel) -> range:
    """Steps, relative to the origin, of the labels on which a model trains; the last of them are its forecast."""
    last = model.output_chunk_shift + model.output_chunk_length
    length = model.input_chunk_length if isinstance(model, TCNModel) else model.output_chunk_length
    return range(last - length + 1, last + 1)


def shapes(model: TorchForecastingModel) -> dict[str, tuple[int, ...] | None]:
    """Components of every input slot that a fitted model was trained on; of static covariates the whole shape."""
    found = {slot: shape for slot, shape in model.train_sample.sample_shapes().items() if slot in INPUT_SLOTS}
    return {slot: shape and (shape if slot == "static_covariates" else shape[1:]) for slot, shape in found.items()}


def encode(
    model: TorchForecastingModel,
    series: list[TimeSeries],
    past_covariates: list[TimeSeries] | None,
    future_covariates: list[TimeSeries] | None,
) -> tuple[list[TimeSeries] | None, list[TimeSeries] | None]:
    """Covariates with the encodings of a fitted model's `add_encoders` appended."""
    if model.encoders is None or not model.encoders.encoding_available:
        return past_covariates, future_covariates
    return model.generate_fit_predict_encodings(
        n=model.output_chunk_length + model.output_chunk_shift,
        series=series,
        past_covariates=past_covariates,
        future_covariates=future_covariates,
    )


def rolling(
    student: TorchForecastingModel,
    refit: Callable[..., TorchForecastingModel],
    blind: Callable[[Any], Any] | None = None,
) -> TorchForecastingModel:
    """A view of the student for darts' rolling evaluation, in which fitting anew means `refit(student, series, ...)`.

    Args:
        refit: receives an untrained student and darts' fit arguments, and returns the student trained.
        blind: what the student sees of the target it is handed to forecast; None for all.
    """
    plain: Any = type(student)

    def untrained_model(self: TorchForecastingModel) -> TorchForecastingModel:
        return rolling(plain.untrained_model(student), refit, blind)

    def fit(self: TorchForecastingModel, series: Any, **kwargs: Any) -> TorchForecastingModel:
        trained = refit(student, series, **kwargs)
        self.__dict__.update(trained.__dict__)
        return self

    def predict(self: TorchForecastingModel, n: int, series: Any = None, **kwargs: Any) -> Any:
        return plain.predict(self, n, series=series if blind is None else blind(series), **kwargs)

    methods = {"untrained_model": untrained_model, "fit": fit, "predict": predict}
    view_class: Any = type(plain)(plain.__name__, (plain,), methods)
    view = object.__new__(view_class)
    view.__dict__.update(student.__dict__)
    return view
