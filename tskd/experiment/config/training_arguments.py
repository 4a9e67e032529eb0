"""What a torch model is trained by, made once on a parameter of its own: what could not be would fail in every fit."""

from __future__ import annotations

from typing import Any

MONITORED = ("train_loss", "val_loss")
"""What darts logs of every fit; with metrics of the user's own, more."""

OF_LIGHTNING = ("monitor", "interval", "frequency", "strict", "name", "reduce_on_plateau")
"""Entries of `lr_scheduler_kwargs` that say when a scheduler steps."""


def check_training(model: Any) -> None:
    """Raise a ValueError for an optimizer or scheduler that refuses its arguments, or a monitor that nothing logs."""
    import torch

    arguments = model.pl_module_params
    optimizer_cls = arguments.get("optimizer_cls") or torch.optim.Adam
    scheduler_cls = arguments.get("lr_scheduler_cls")
    options = arguments.get("lr_scheduler_kwargs") or {}
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    try:
        optimizer = optimizer_cls([parameter], **(arguments.get("optimizer_kwargs") or {}))
    except Exception as error:
        raise ValueError(f"optimizer_kwargs: {optimizer_cls.__name__}: {error}") from error
    if scheduler_cls is not None:
        try:
            scheduler_cls(optimizer, **{name: value for name, value in options.items() if name not in OF_LIGHTNING})
        except Exception as error:
            raise ValueError(f"lr_scheduler_kwargs: {scheduler_cls.__name__}: {error}") from error
    if arguments.get("torch_metrics") is None:
        named = [("lr_scheduler_kwargs", options["monitor"])] if "monitor" in options else []
        callbacks = [one for one in model.trainer_params.get("callbacks") or [] if hasattr(one, "monitor")]
        for where, monitor in [*named, *((type(one).__name__, one.monitor) for one in callbacks)]:
            if monitor is not None and monitor not in MONITORED:
                raise ValueError(f"{where}: monitor={monitor!r} must be one of {', '.join(map(repr, MONITORED))}.")


def watches_validation(model: Any) -> bool:
    """Whether the training of a torch model needs a validation part: for its callbacks, or its scheduler."""
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    scheduler = model.pl_module_params.get("lr_scheduler_cls")
    plateau = isinstance(scheduler, type) and issubclass(scheduler, ReduceLROnPlateau)
    return plateau or bool(model.trainer_params.get("callbacks"))
