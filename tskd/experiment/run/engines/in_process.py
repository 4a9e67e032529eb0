"""The engine that computes in this process, one block after the other."""

from __future__ import annotations

from collections.abc import Iterator

from tskd.experiment.run.engines.base import Died, Ended, Made
from tskd.experiment.run.worker import Task, work


class InProcess:
    """See `Engine`. What ends a task ends this process with it, so none is ever reported as `Died`."""

    capacity = 1
    local = True

    def __init__(self) -> None:
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        """Begin a task."""
        self._tasks.append(task)

    def events(self) -> Iterator[Made | Ended | Died]:
        """All of a task."""
        while self._tasks:
            task = self._tasks.pop(0)
            for key, content in work(task):
                yield Made(task, key, content)
            yield Ended(task)

    def close(self) -> None:
        """Nothing goes on by itself."""
