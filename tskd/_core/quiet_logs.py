"""Silence for fits that a user has not called herself; everything is as it was afterwards."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# of what fits a model for darts
CHATTY = ("darts", "lightning", "lightning.pytorch", "pytorch_lightning", "pytorch_lightning.utilities.rank_zero")


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Mute darts' and Lightning's logs and all warnings; tskd's own warnings are gathered in the list it gives."""
    own: list[str] = []
    with warnings.catch_warnings(record=True) as caught, at_level(logging.CRITICAL, *CHATTY):
        warnings.simplefilter("always")
        yield own
    own += dict.fromkeys(str(w.message) for w in caught if PACKAGE in Path(w.filename).parents)


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
