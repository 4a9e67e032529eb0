"""Fitting and asking teachers that are darts torch models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tskd._core.darts.capabilities import max_batch_size, uses_static_covariates
from tskd._core.darts.dataset import WindowData, datasets_of, train, training_windows
from tskd._core.darts.fit import fit_through
from tskd._core.darts.forward import model_outputs
from tskd._core.darts.inspect import encoded_covariates, hidden_layers, input_shapes
from tskd._core.layers import FEATURES, Layer
from tskd._core.window_keys import encode, unique
from tskd._core.windows import INPUT_SLOTS, Windows
from tskd.teachers.crossfit import Keep
from tskd.teachers.inputs import View

if TYPE_CHECKING:
    from tskd.teachers.predictor import TeacherPredictor

BATCH = 1024
PARAMETERS = "parameters"


def fit(
    model: Any,
    arguments: Mapping[str, Any],
    view: View,
    held_out: View | None,
    keep: Keep | None,
    said: TeacherPredictor | None = None,
    **fit_kwargs: Any,
) -> None:
    """darts' `fit`, on those windows whose inputs exist.

    Args:
        arguments: series and covariates; those of the validation part are in `fit_kwargs`.
        view, held_out: what is hidden of the training and the validation windows.
        keep: which of the windows `[N, 2]` to train on `[N]`; None for all.
        said: another teacher, whose forecasts take the place of the training labels.
    """

    def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        found, found_val = datasets_of(data)
        sets = [_complete(found, view, keep, said)]
        if found_val is not None and held_out is not None:
            sets.append(_complete(found_val, held_out, None, None))
        train(trainer, network, data, sets, checkpoint)

    if fit_kwargs.get("dataloader_kwargs"):
        # darts takes entries out of it
        fit_kwargs["dataloader_kwargs"] = dict(fit_kwargs["dataloader_kwargs"])
    fit_through(model, run, **arguments, **fit_kwargs)


def windows(model: Any, arguments: Mapping[str, Any], view: View) -> Windows:
    """What the fitted model sees of every window.

    Raises:
        ValueError: it was fitted with other numbers of components.
    """
    past, future = encoded_covariates(
        model, arguments["series"], arguments["past_covariates"], arguments["future_covariates"]
    )
    found = Windows.of(
        arguments["series"],
        past,
        future,
        lookback=model.input_chunk_length,
        horizon=model.output_chunk_length,
        output_shift=model.output_chunk_shift,
        static_covariates=uses_static_covariates(model),
        visible=view.visible,
    )
    for slot, expected in input_shapes(model).items():
        given = found.shape(slot)
        if given != expected:
            raise ValueError(
                f"it was fitted with components {expected} of {slot}, but is given {given}; check its sources, their "
                "order, and the covariates"
            )
    return found


class NetworkPredictor:
    """What fitted networks say of the windows of some series.

    Args:
        models: fitted models of one architecture.
        seen: what they see of every window.
    """

    def __init__(self, models: Sequence[Any], seen: Windows) -> None:
        self.models = models
        self.seen = seen

    can_be_named = True

    def covers(self, keys: Tensor) -> Tensor:
        return self.seen.covers(keys)

    def add_to(self, digest: Any) -> None:
        """Feed everything that the answers depend on to a hash."""
        for model in self.models:
            network = model.model
            digest.update(repr((type(network).__name__, type(network.likelihood).__name__)).encode())
            digest.update(repr(sorted((k, v) for k, v in network.hparams.items() if _plain(v))).encode())
            for name, value in network.state_dict().items():
                digest.update(repr((name, value.dtype, value.shape)).encode())
                digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        for name, slot in self.seen.slots.items():
            if name in INPUT_SLOTS:
                digest.update(repr((name, slot.first, slot.length, slot.table.shape, str(slot.table.dtype))).encode())
                for part in (slot.table, slot.begin, slot.end, slot.zero, slot.visible):
                    digest.update(b"-" if part is None else part.contiguous().numpy().tobytes())
        digest.update(b"-" if self.seen.static is None else self.seen.static.contiguous().numpy().tobytes())

    def of(self, model: int, keys: Tensor, extra: Sequence[str] = ()) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        """What one model says of the windows `keys [M, 2]`, all of which must be covered.

        Args:
            extra: `parameters` for its whole output, `features.<layer>` for a hidden layer.

        Yields:
            A stretch of the windows, and of these `forecasts [m, H, C]`, `spread [m, H, C]` (the standard deviation, if
            the model forecasts a distribution), and the extra fields: `parameters [m, H, C, P]`, `features.<layer>
            [m, …]`.
        """
        paths = [field.removeprefix(FEATURES) for field in extra if field.startswith(FEATURES)]
        layers = {path: self._layers[path] for path in paths}
        size = max_batch_size(self.models[model], BATCH)
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            slots = self.seen.gather(part, labels=False)
            found = model_outputs(self.models[model], slots, layers, parameters=PARAMETERS in extra)
            yield slice(start, start + len(part)), found

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        return hidden_layers(self.models[0].model, self.seen.one())


def _plain(value: Any) -> bool:
    """Whether a hyperparameter prints alike in every process; the others are classes and objects of training."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _complete(dataset: Any, view: View, keep: Keep | None, said: TeacherPredictor | None) -> WindowData:
    keys, found = training_windows(dataset, view.visible)
    chosen = found.covers(keys)
    if keep is not None:
        chosen &= keep(keys)
    if said is not None:
        chosen &= said.covers(keys)
    if not bool(chosen.any()):
        raise ValueError("no window is left to train on: none has all its inputs")
    return WindowData(keys[chosen], found, None if said is None else _labels(said, keys[chosen]))


def _labels(said: TeacherPredictor, keys: Tensor) -> Callable[[Tensor], Tensor]:
    """What a teacher says of windows, to be looked up by their keys."""
    wanted = unique(keys)
    codes = encode(wanted)
    forecasts, _ = said.forecasts(wanted)
    if not bool(forecasts.isfinite().all()):
        raise ValueError("the teacher that teaches it forecasts NaN or infinity")
    return lambda some: forecasts[torch.searchsorted(codes, encode(some))]
