"""Checks of darts' own arguments of `fit`, `predict` and rolling evaluation, some of which darts finds wrong late or
never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from tskd._core.checks import check_bool, check_whole, type_name

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
TRUTH_VALUES = {
    "load_best",
    "apply_globally",
    "overlap_end",
    "last_points_only",
    "show_warnings",
    "predict_likelihood_parameters",
    "enable_optimization",
    "mc_dropout",
}
MAPPINGS = {"dataloader_kwargs", "fit_kwargs", "predict_kwargs", "data_transformers"}
WEIGHTS = ("linear", "exponential")


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
    for nested in ("fit_kwargs", "predict_kwargs"):
        if given.get(nested):
            check_arguments(**given[nested])
    if given.get("dataloader_kwargs"):
        _check_loader(given["dataloader_kwargs"])


def _check_loader(kwargs: Mapping[str, Any]) -> None:
    """Raise a TypeError or a ValueError for arguments that a loader of torch does not take."""
    if "collate_fn" in kwargs:
        raise ValueError("dataloader_kwargs['collate_fn'] is not supported: batches are gathered, not collated")
    try:
        DataLoader([0], **kwargs)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise type(error)(f"dataloader_kwargs={dict(kwargs)}: {error}") from None
