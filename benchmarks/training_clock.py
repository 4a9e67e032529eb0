"""Processor time of a training."""

from __future__ import annotations

import time

import pytorch_lightning as pl


class Clock(pl.Callback):
    """Times the training, by what the processor spends on it: other work on the machine does not count."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = -time.process_time()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds += time.process_time()
