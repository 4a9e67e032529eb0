"""Arguments of models that darts does not check when a model is made, and with which every fit would fail."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from tskd._core.checks import MOST, shown

LEAST = {"input_chunk_length": 1, "output_chunk_length": 1, "output_chunk_shift": 0, "n_epochs": 1, "batch_size": 1}
"""Whole numbers, and the least that each may be."""

MAPPINGS = ("pl_trainer_kwargs", "optimizer_kwargs", "lr_scheduler_kwargs")

WRITING = {
    "work_dir": "darts keeps checkpoints there",
    "log_tensorboard": "its log is a file",
    "default_root_dir": "Lightning keeps logs and checkpoints there",
    "logger": "its log is a file",
    "enable_checkpointing": "checkpoints are files",
    "profiler": "its record is a file",
    "allow_writing_files": "CatBoost keeps its log in them",
    "train_dir": "CatBoost keeps its log there",
    "snapshot_file": "CatBoost keeps its snapshots there",
    "save_snapshot": "snapshots are files",
}
"""Arguments of models and of trainers by which a fit would write files outside the folder of the run, unless false."""


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, `least` or more; `True` is none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_arguments(kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError, which names the argument, for those of a model with which no experiment could fit it."""
    for name, value in kwargs.items():
        if name in LEAST and not is_whole(value, LEAST[name]):
            raise ValueError(f"{name}={value!r} must be a whole number, {LEAST[name]} or more.")
        if name in LEAST and value > MOST:
            raise ValueError(f"{name}={shown(value)} must be {MOST:,} at most.")
        if name in MAPPINGS and not isinstance(value, Mapping):
            raise ValueError(f"{name}={value!r} must be a mapping of arguments to their values, or left out.")
    trainer = kwargs.get("pl_trainer_kwargs") or {}
    for name, value in [*kwargs.items(), *trainer.items()]:
        if name in WRITING and value is not None and value is not False:
            raise ValueError(
                f"{name}={value!r}: an experiment writes to its own folder alone, and {WRITING[name]}; leave it out."
            )
    if kwargs.get("save_checkpoints"):
        raise ValueError("save_checkpoints: an experiment keeps no checkpoints of its fits; leave it out.")
