"""Teachers that are torch models of darts: fitting them, and computing their outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tskd._core.darts.bulk_steps import BulkStep
from tskd._core.darts.capabilities import max_batch_size, uses_static_covariates, window_span
from tskd._core.darts.dataset import WindowData, dataset_windows, datasets_of
from tskd._core.darts.fit import fit_through, forget_gradients, train_on
from tskd._core.darts.forward import ModuleStage, evaluation_mode, model_outputs
from tskd._core.darts.inspect import encoded_covariates, hidden_layers, input_shapes
from tskd._core.darts.loss_check import check_loss
from tskd._core.darts.progress import named_bar
from tskd._core.darts.rehearsal import rehearse
from tskd._core.darts.training_step import has_darts_step, masking_labels, unlogged_step
from tskd._core.layers import FEATURES, Layer
from tskd._core.model_inputs import ModelInputs
from tskd._core.own_code import source_digest
from tskd._core.window_keys import encode, unique
from tskd._core.windows import INPUT_SLOTS, Windows
from tskd.teachers.crossfit import Keep
from tskd.teachers.predictor import Chunks, TeacherPredictor

# most windows and values of their slots that a network forecasts at once: larger batches leave the caches
BATCH, VALUES = 256, 2**20
PARAMETERS = "parameters"


def fit(
    model: Any,
    whose: str,
    parts: tuple[ModelInputs, ModelInputs | None],
    keep: Keep | None = None,
    taught_by: TeacherPredictor | None = None,
    **fit_kwargs: Any,
) -> None:
    """Fit a model by darts' `fit`, on the windows whose inputs exist and that have a label.

    Args:
        whose: training it is, for the progress bar and messages.
        parts: inputs of the training part, and of the validation part or None, with keys.
        keep: maps the training windows `[N, 2]` to those to train on `[N]`; None for all.
        taught_by: predictor of another teacher, whose forecasts replace the training labels.
        fit_kwargs: further arguments of darts' `fit`.
    """

    inputs, validation = parts

    def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        training_set, validation_set = datasets_of(data)
        sets = [_training_data(training_set, inputs, keep, taught_by)]
        assert sets[0].windows is not None
        check_loss(network, sets[0].keys, sets[0].windows, whose)
        if validation_set is not None and validation is not None:
            sets.append(_training_data(validation_set, validation, None, None))
        step = (
            BulkStep(lambda batch, _: unlogged_step(network, batch, ModuleStage.TRAIN))
            if has_darts_step(network)
            else None
        )
        with masking_labels(network, any(items.masked for items in sets)), named_bar(trainer, whose):
            train_on(trainer, network, data, sets, checkpoint, step)

    fit_through(model, run, **_arguments(inputs, validation, fit_kwargs))
    forget_gradients(model)


def check(
    model: Any,
    whose: str,
    parts: tuple[ModelInputs, ModelInputs | None],
    keeps: Sequence[Keep | None],
    **fit_kwargs: Any,
) -> None:
    """Raise what `fit` would raise before its first step, with any of several `keeps`; the model is left as it was."""
    inputs, validation = parts

    def look(training_set: Any, validation_set: Any) -> tuple[Tensor, Windows]:
        parts = [_training_data(training_set, inputs, keep, None) for keep in keeps]
        if validation_set is not None and validation is not None:
            _training_data(validation_set, validation, None, None)
        assert parts[0].windows is not None
        return parts[0].keys, parts[0].windows

    rehearse(model, look, whose, **_arguments(inputs, validation, fit_kwargs))


def _arguments(inputs: ModelInputs, validation: ModelInputs | None, fit_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of darts' `fit`."""
    arguments = inputs.arguments() | ({} if validation is None else validation.arguments("val_")) | fit_kwargs
    if arguments.get("dataloader_kwargs"):
        # darts removes entries from it
        arguments["dataloader_kwargs"] = dict(arguments["dataloader_kwargs"])
    return arguments


def model_windows(model: Any, inputs: ModelInputs) -> Windows:
    """The windows of a fitted model, with its encoded covariates.

    Raises:
        ValueError: it was fitted with other numbers of components.
    """
    past, future = encoded_covariates(model, **inputs.arguments())
    encoded = ModelInputs(inputs.series, past, future, inputs.visible)
    windows = Windows.of(encoded, window_span(model), static_covariates=uses_static_covariates(model))
    for slot, expected in input_shapes(model).items():
        actual = windows.shape(slot)
        if actual != expected:
            raise ValueError(
                f"it was fitted with components {expected} of {slot}, but is given {actual}; check its sources, their "
                "order, and the covariates"
            )
    return windows


class NetworkPredictor:
    """Outputs of fitted networks for windows of some series; see `ModelPredictor`.

    Args:
        models: fitted models of one architecture.
        windows: their inputs.
    """

    can_be_fingerprinted = covers_cheaply = True

    def __init__(self, models: Sequence[Any], windows: Windows) -> None:
        self.models = models
        self.windows = windows

    def covers(self, keys: Tensor) -> Tensor:
        return self.windows.covers(keys)

    def add_to(self, digest: Any) -> None:
        for model in self.models:
            network = model.model
            digest.update(repr((type(network).__name__, type(network.likelihood).__name__)).encode())
            digest.update("".join(source_digest(type(one)) for one in (model, network)).encode())
            digest.update(repr(sorted((k, v) for k, v in network.hparams.items() if _plain(v))).encode())
            for name, value in network.state_dict().items():
                digest.update(repr((name, value.dtype, value.shape)).encode())
                digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        for name, slot in self.windows.slots.items():
            if name in INPUT_SLOTS:
                digest.update(repr((name, slot.first, slot.length, slot.table.shape, str(slot.table.dtype))).encode())
                for part in (slot.table, slot.begin, slot.end, slot.zero, slot.visible):
                    digest.update(b"-" if part is None else part.contiguous().numpy().tobytes())
        digest.update(b"-" if self.windows.static is None else self.windows.static.contiguous().numpy().tobytes())

    def outputs(self, model: int, keys: Tensor, fields: Sequence[str] = ()) -> Chunks:
        paths = [field.removeprefix(FEATURES) for field in fields if field.startswith(FEATURES)]
        layers = {path: self._layers[path] for path in paths}
        values = sum(slot.length * slot.table.shape[1] for slot in self.windows.slots.values())
        size = max_batch_size(self.models[model], max(1, min(BATCH, VALUES // max(1, values))))
        # for all batches: it costs a look at every module
        with evaluation_mode(self.models[model].model):
            for start in range(0, len(keys), size):
                part = keys[start : start + size]
                slots = self.windows.gather(part, labels=False)
                outputs = model_outputs(self.models[model], slots, layers, parameters=PARAMETERS in fields)
                yield slice(start, start + len(part)), outputs

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        return hidden_layers(self.models[0].model, self.windows.one())


def _plain(value: Any) -> bool:
    """Whether a hyperparameter has the same `repr` in every process; classes and objects of the training have not."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _training_data(
    dataset: Any, inputs: ModelInputs, keep: Keep | None, taught_by: TeacherPredictor | None
) -> WindowData:
    """The windows to train on: those that are kept, and whose inputs, and a label or that of `taught_by`, exist."""
    keys = inputs.keys
    assert keys is not None
    windows = dataset_windows(dataset, inputs)
    chosen = windows.covers(keys)
    if keep is not None:
        chosen &= keep(keys)
    chosen &= windows.has_labels(keys) if taught_by is None else taught_by.covers(keys)
    if not bool(chosen.any()):
        raise ValueError("no window is left to train on: none has all its inputs and a label")
    return WindowData(keys[chosen], windows, None if taught_by is None else _labels(taught_by, keys[chosen]))


def _labels(taught_by: TeacherPredictor, keys: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that looks up a teacher's forecasts for some of the windows `keys [N, 2]`."""
    distinct = unique(keys)
    codes = encode(distinct)
    forecasts, _ = taught_by.forecasts(distinct)
    if not bool(forecasts.isfinite().all()):
        raise ValueError("the teacher that teaches it forecasts NaN or infinity")
    return lambda some: forecasts[torch.searchsorted(codes, encode(some))]
