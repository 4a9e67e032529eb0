"""The interface of an engine, and the events that it reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tskd.experiment.run.worker import Task

WAIT = 0.2
"""Seconds for which an engine waits for something to happen before it reports none."""


@dataclass(frozen=True)
class Made:
    """A cell of a task is done, with its stored content."""

    task: Task
    key: str
    content: bytes


@dataclass(frozen=True)
class Ended:
    """All cells of a task are done."""

    task: Task


@dataclass(frozen=True)
class Died:
    """The worker of a task is gone; it was at the first cell of the task that was not made."""

    task: Task
    reason: str


class Engine(Protocol):
    """Computes tasks, the cells of each in their order.

    Attributes:
        capacity: how many tasks at once.
        local: whether that is on this machine, where files can be shared.
    """

    capacity: int
    local: bool

    def submit(self, task: Task) -> None:
        """Begin a task."""

    def events(self) -> Iterator[Made | Ended | Died]:
        """What has happened since the last call; nothing if nothing does for `WAIT` seconds."""

    def close(self) -> None:
        """End all work, finished or not."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
