"""What an engine is asked, and what it reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tskd.experiment.run.worker import Task

WAIT = 0.2
"""Seconds for which an engine waits for something to happen before it says that nothing did."""


@dataclass(frozen=True)
class Made:
    """A cell of a task is done: the content of its part."""

    task: Task
    key: str
    content: bytes


@dataclass(frozen=True)
class Ended:
    """All cells of a task are done."""

    task: Task


@dataclass(frozen=True)
class Died:
    """What computed a task is gone; the cell at work is the first of the task that was not made."""

    task: Task
    reason: str


class Engine(Protocol):
    """Computes tasks, at most `capacity` at once, the cells of each in their order.

    `local`: whether that is on this machine, where files can be shared.
    """

    capacity: int
    local: bool

    def submit(self, task: Task) -> None:
        """Begin a task."""

    def events(self) -> Iterator[Made | Ended | Died]:
        """What has happened since it was last asked, and nothing if nothing did for a moment."""

    def close(self) -> None:
        """End all work, finished or not."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
