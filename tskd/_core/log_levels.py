"""Loggers at another level for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# of what fits a model for darts
CHATTY = ("darts", "lightning", "lightning.pytorch", "pytorch_lightning", "pytorch_lightning.utilities.rank_zero")


@contextmanager
def at_level(level: int, *names: str) -> Iterator[None]:
    """Put loggers, by name, at a level within the block."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(level)
        yield
    finally:
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)
