"""Callbacks for the training of students and teachers, given as darts takes any: in `pl_trainer_kwargs`."""

from __future__ import annotations

import copy
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

__all__ = ["BestEpoch"]


class BestEpoch(EarlyStopping):
    """Early stopping that ends with the parameters of the epoch whose `monitor` was best; they are kept in memory.

    To train through all epochs and end with the best, give a `patience` of as many.

    Args:
        monitor: name of a logged value, such as darts' `"val_loss"`, which needs `val_series` in `fit`.
        kwargs: further arguments of Lightning's `EarlyStopping`; `mode="max"` for a value that is to be large.
    """

    def __init__(self, monitor: str = "val_loss", **kwargs: Any) -> None:
        super().__init__(monitor, **kwargs)
        self._best: tuple[Any, dict[str, Any]] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier fit."""
        self._best = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the parameters of an epoch that is the best so far."""
        self._keep(trainer, pl_module)
        super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same where validation is not once an epoch."""
        if not trainer.sanity_checking:
            self._keep(trainer, pl_module)
        super().on_validation_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the best parameters."""
        if self._best is not None:
            pl_module.load_state_dict(self._best[1])
            self._best = None

    def _keep(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        score = trainer.callback_metrics.get(self.monitor)
        if score is None or not bool(score.isfinite()):
            return
        if self._best is None or bool(self.monitor_op(score, self._best[0])):
            self._best = score.clone(), copy.deepcopy(module.state_dict())
