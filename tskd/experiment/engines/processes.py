"""The engine of worker processes on this machine: spawned, one torch thread each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from tskd.experiment.engines.base import WAIT, Died, Ended, Made, cores
from tskd.experiment.work import Task, work

PATIENCE = 5
"""Seconds that a worker has to clear away its temporary files before it is killed."""


class Processes:
    """See `Engine`. A worker that dies takes nothing with it but the cell at work; another takes its place."""

    local = True

    def __init__(self, workers: int | None) -> None:
        self.capacity = workers or cores()
        self._workers: list[_Worker] = []

    def submit(self, task: Task) -> None:
        """Begin a task, in an idle worker if there is one."""
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = _Worker()
            self._workers.append(worker)
        worker.begin(task)

    def events(self) -> Iterator[Made | Ended | Died]:
        """What the workers sent, and which of them are gone."""
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        for connection in wait(list(busy), WAIT):
            worker = busy[connection]  # type: ignore[index]
            task = worker.task
            assert task is not None
            try:
                key, content = worker.connection.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                yield Died(task, worker.buried())
                continue
            if key is None:
                worker.task = None
                yield Ended(task)
            else:
                yield Made(task, key, content)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.process.join(PATIENCE)
            worker.process.kill()
            worker.process.join()
        self._workers.clear()


class _Worker:
    """A process and the line to it; `task`: what it is at."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, far = context.Pipe()
        self.task: Task | None = None
        self.process = context.Process(target=_serve, args=(far,), daemon=True)
        with _deaf_to_interrupts():
            self.process.start()
        # the worker's own end is the last one: when it dies, this side reads the end of the line
        far.close()

    def begin(self, task: Task) -> None:
        self.task = task
        # a dead one is found by the next reading of the line
        with suppress(OSError):
            self.connection.send(task)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()

    def buried(self) -> str:
        """What it died of."""
        self.connection.close()
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = ", perhaps for want of memory" if code == -getattr(signal, "SIGKILL", 9) else ""
        return f"the worker process ended {how}{hint}"


class _deaf_to_interrupts:
    """An interrupt from the terminal reaches the whole group of processes; it is for the main one to handle.

    Spawned processes inherit that a signal is ignored; before they could say so themselves, they import for seconds.
    """

    def __enter__(self) -> None:
        # only the main thread may set it, and only the main thread is ever interrupted
        self._before: Any = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


def _serve(connection: Connection) -> None:
    """Compute what comes down the line until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_follow_the_main_process, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        for key, content in work(task):
            connection.send((key, content))
        connection.send((None, b""))


def _follow_the_main_process() -> None:
    """Die with it: killed, it can end nobody, and what it will not collect need not be computed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
