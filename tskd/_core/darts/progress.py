"""Lightning's progress bar, which in a distillation is of one of several models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.callbacks import TQDMProgressBar


@contextmanager
def named_bar(trainer: Any, whose: str) -> Iterator[None]:
    """Within the block, the bar of a trainer says whose training it shows; Lightning's other bars stay as they are."""
    bar = trainer.progress_bar_callback
    if not isinstance(bar, TQDMProgressBar):
        yield
        return
    begin = bar.on_train_epoch_start

    def begin_named(trainer: Any, *rest: Any) -> None:
        begin(trainer, *rest)
        bar.train_progress_bar.set_description(f"{whose}, epoch {trainer.current_epoch}")

    bar.on_train_epoch_start = begin_named  # type: ignore[method-assign]
    try:
        yield
    finally:
        del bar.on_train_epoch_start
