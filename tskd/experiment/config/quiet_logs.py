"""Silence for the many small fits of an experiment; everything is as it was afterwards."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tskd._core.log_levels import CHATTY, at_level

PACKAGE = Path(__file__).parents[2]

TRAINER = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "logger": False,
}
"""Trainer arguments of a fit in an experiment; those that a configuration gives come before these."""


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Mute darts' and Lightning's logs and all warnings; tskd's own warnings are gathered in the list it gives."""
    own: list[str] = []
    with warnings.catch_warnings(record=True) as caught, at_level(logging.CRITICAL, *CHATTY):
        warnings.simplefilter("always")
        yield own
    own += dict.fromkeys(str(w.message) for w in caught if PACKAGE in Path(w.filename).parents)
