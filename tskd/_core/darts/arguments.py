"""Checks of darts' own arguments of `fit`, `predict` and rolling evaluation, some of which darts finds wrong late or
never."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel
from torch.utils.data import DataLoader

from tskd._core.checks import as_tuple, check_bool, check_known, check_whole, is_choice, type_name
from tskd._core.series import as_list

WHOLE = {
    "n": (1, "a number of steps"),
    "epochs": (0, "a number of epochs"),
    "stride": (1, "a number of steps"),
    "forecast_horizon": (1, "a number of steps"),
    "val_length": (0, "a number of steps"),
    "num_samples": (1, "a number of samples"),
}
"""Whole numbers: the least that each may be, and what it is."""

WHOLE_OR_NONE = {
    "train_length": (1, "None for all, or a number of steps"),
    "batch_size": (1, "None for that of the model, or a number of windows"),
    "roll_size": (1, "None for the output chunk, or a number of steps"),
}
SEEDS = 2**32
TRUTH_VALUES = {
    "load_best",
    "apply_globally",
    "overlap_end",
    "last_points_only",
    "show_warnings",
    "predict_likelihood_parameters",
    "enable_optimization",
    "mc_dropout",
    "values_only",
}
MAPPINGS = {"dataloader_kwargs", "fit_kwargs", "predict_kwargs", "data_transformers"}
WEIGHTS = ("linear", "exponential")
START_FORMATS = ("position", "value")
OWN = {"self", "n", "series", "past_covariates", "future_covariates"}
"""Arguments that a rolling evaluation gives itself."""

NESTED = {
    "fit_kwargs": {*inspect.signature(TorchForecastingModel.fit).parameters, "val_privileged", "cache"} - OWN,
    "predict_kwargs": {*inspect.signature(TorchForecastingModel.predict).parameters} - OWN,
}
"""Arguments that hold arguments, and which."""


def plain_arguments(**given: Any) -> dict[str, Any]:
    """Check those of some arguments that are known here, and return all with Python's numbers in the place of NumPy's.

    Dicts are copied, since darts writes into them.

    Raises:
        TypeError, ValueError: see `check_arguments`.
    """
    check_arguments(**given)
    return {name: _plain(value) if name in WHOLE | WHOLE_OR_NONE else _copied(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Integral) else value


def _copied(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    return plain_arguments(**value) if type(value) is dict and all(isinstance(name, str) for name in value) else value


def check_arguments(**given: Any) -> None:
    """Check those of some arguments that are known here.

    Raises:
        TypeError: an argument has another type than darts needs.
        ValueError: it has a value that darts cannot use.
    """
    for name, value in given.items():
        if name in WHOLE:
            check_whole(value, WHOLE[name][0], name, WHOLE[name][1])
        elif name in WHOLE_OR_NONE and value is not None:
            check_whole(value, WHOLE_OR_NONE[name][0], name, WHOLE_OR_NONE[name][1])
        elif name in TRUTH_VALUES or (name == "verbose" and value is not None):
            check_bool(value, name)
        elif name in MAPPINGS and value is not None and not isinstance(value, Mapping):
            raise TypeError(f"{name} must be a dict, got {type_name(value)}")
        elif name == "trainer" and value is not None and not isinstance(value, pl.Trainer):
            raise TypeError(f"trainer must be a Trainer of pytorch_lightning, or None, got {type_name(value)}")
        elif name.endswith("sample_weight") and isinstance(value, str) and value not in WEIGHTS:
            raise ValueError(f"{name}={value!r}: give one of {', '.join(map(repr, WEIGHTS))}, or series of weights")
        elif name.endswith("sample_weight") and not isinstance(value, str):
            as_list(value, name, complete=True)
        elif name in RULES:
            RULES[name](value)
    for nested, known in NESTED.items():
        if given.get(nested):
            check_known(given[nested], known, f"argument in {nested}")
            check_arguments(**given[nested])
    if given.get("dataloader_kwargs"):
        _check_loader(given["dataloader_kwargs"])


def check_settings(model: TorchForecastingModel, whose: str) -> None:
    """Raise a TypeError or a ValueError for settings with which no fit of a torch model could begin.

    Args:
        whose: the model's, for messages.
    """
    params = model.model_params
    for name, least in (("n_epochs", 0), ("batch_size", 1)):
        if name in params:
            check_whole(params[name], least, f"{whose}: {name}", "a whole number")
            if not isinstance(params[name], int):
                raise TypeError(f"{whose}: {name}={params[name]!r}: give a whole number of Python, not of NumPy")
    for name in ("optimizer_kwargs", "lr_scheduler_kwargs", "pl_trainer_kwargs"):
        if params.get(name) is not None and not isinstance(params[name], Mapping):
            raise TypeError(f"{whose}: {name} must be a dict, got {type_name(params[name])}")
    for name in ("save_checkpoints", "use_static_covariates"):
        if name in params:
            check_bool(params[name], f"{whose}: {name}")
    for name in ("optimizer_cls", "lr_scheduler_cls"):
        if params.get(name) is not None and not isinstance(params[name], type | functools.partial):
            raise TypeError(f"{whose}: {name} must be a class, got {type_name(params[name])}")
    trainer = params.get("pl_trainer_kwargs") or {}
    as_tuple(trainer.get("callbacks") or (), pl.Callback, f"{whose}: pl_trainer_kwargs['callbacks']")
    if "accumulate_grad_batches" in trainer:
        name = f"{whose}: pl_trainer_kwargs['accumulate_grad_batches']"
        check_whole(trainer["accumulate_grad_batches"], 1, name, "a number of batches")


def check_retrain(value: Any) -> None:
    """Raise a ValueError unless a value says when a rolling evaluation fits anew."""
    if isinstance(value, bool | np.bool_) or _is_function(value):
        return
    check_whole(value, 0, "retrain", "True, False, a number of steps or a function")


def check_roll(model: TorchForecastingModel, n: int, roll_size: int | None) -> None:
    """Raise a ValueError for a `roll_size` of which darts would make 0 or less for the last chunk of n steps."""
    chunk = model.output_chunk_length
    left = min(roll_size or chunk, chunk)
    done, last = left, max(n, chunk)
    while done < last:
        beyond = max(0, done + chunk - last)
        left, done = left - beyond, done - beyond + chunk
        if left < 1:
            raise ValueError(
                f"roll_size={roll_size} does not lead to {n} steps in output chunks of {chunk}: leave it out, or give "
                "another"
            )


def check_samples(model: TorchForecastingModel, num_samples: int) -> None:
    """Raise a ValueError for samples of a model that can give none, which darts tells of a fitted model only."""
    settings = model.model_params
    if num_samples > 1 and settings.get("likelihood") is None and not settings.get("dropout"):
        raise ValueError(
            f"num_samples={num_samples}: the student forecasts no distribution; give it a likelihood, or leave this out"
        )


def _check_seed(value: Any) -> None:
    if value is not None and not isinstance(value, np.random.RandomState):
        check_whole(value, 0, "random_state", "None, or a whole number", SEEDS - 1)


def _check_start_format(value: Any) -> None:
    if not is_choice(value, START_FORMATS):
        raise ValueError(f"start_format={value!r}: give one of {', '.join(map(repr, START_FORMATS))}")


def _check_start(value: Any) -> None:
    if value is pd.NaT or getattr(value, "tzinfo", None) is not None:
        raise ValueError(
            f"start={value!r}: give a time stamp without a time zone (convert it and the series to UTC), a position or "
            "a share of the series"
        )


def _check_metric(value: Any) -> None:
    functions = value if isinstance(value, list | tuple) else [value]
    if not functions or not all(map(_is_function, functions)):
        raise TypeError(f"metric must be a metric of darts, or a list of them, got {type_name(value)}")


def _check_reduction(value: Any) -> None:
    if value is not None and not _is_function(value):
        raise TypeError(
            f"reduction must be a function of an array, such as numpy.mean, or None, got {type_name(value)}"
        )


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def _check_metric_kwargs(value: Any) -> None:
    several = value if isinstance(value, list | tuple) else [value]
    if not all(one is None or isinstance(one, Mapping) for one in several):
        raise TypeError(f"metric_kwargs must be a dict, or for several metrics a list of them, got {type_name(value)}")


RULES: Mapping[str, Callable[[Any], None]] = {
    "retrain": check_retrain,
    "random_state": _check_seed,
    "start": _check_start,
    "start_format": _check_start_format,
    "metric": _check_metric,
    "metric_kwargs": _check_metric_kwargs,
    "reduction": _check_reduction,
}
"""Checks of single arguments."""


def _check_loader(kwargs: Mapping[str, Any]) -> None:
    """Raise a TypeError or a ValueError for arguments that a loader of torch does not take."""
    if "collate_fn" in kwargs:
        raise ValueError("dataloader_kwargs['collate_fn'] is not supported: batches are gathered, not collated")
    for name in ("shuffle", "drop_last"):
        if name in kwargs:
            check_bool(kwargs[name], f"dataloader_kwargs[{name!r}]")
    if "batch_size" in kwargs:
        check_whole(kwargs["batch_size"], 1, "dataloader_kwargs['batch_size']", "a number of windows")
    try:
        # as darts does
        DataLoader([0], **{"batch_size": 1, "shuffle": True, "drop_last": False, **kwargs})  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise type(error)(f"dataloader_kwargs={dict(kwargs)}: {error}") from None
