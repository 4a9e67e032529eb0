"""The engine of worker processes on this machine: spawned, one torch thread each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pickle import PicklingError

from tqdm import tqdm

from tskd.experiment.config.errors import ConfigError, RunError
from tskd.experiment.run.engines.base import WAIT, Died, Ended, Made, cores
from tskd.experiment.run.worker import Task, work


class WorkerProcesses:
    """See `Engine`. With a worker that dies only the cell is lost that it was at; another takes its place."""

    local = True

    def __init__(self, workers: int | None) -> None:
        self.capacity = workers or cores()
        self._workers: list[_Worker] = []
        # of workers that are killed, too
        self._temporary = tempfile.TemporaryDirectory(prefix="tskd-")

    def submit(self, task: Task) -> None:
        """Begin a task, in an idle worker if there is one."""
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = _Worker(self._temporary.name)
            self._workers.append(worker)
        worker.begin(task)

    def events(self) -> Iterator[Made | Ended | Died]:
        """What the workers sent, and which of them are gone. Raises RunError if one could not start."""
        busy = {id(worker.connection): worker for worker in self._workers if worker.task is not None}
        for connection in wait([worker.connection for worker in busy.values()], WAIT):
            worker = busy[id(connection)]
            task = worker.task
            assert task is not None
            try:
                key, content = worker.connection.recv()
            except (EOFError, OSError):
                self._workers.remove(worker)
                yield Died(task, worker.how_it_ended())
                continue
            if key == READY:
                worker.ready = True
            elif key == ENDED:
                worker.task = None
                yield Ended(task)
            else:
                yield Made(task, key, content)

    def close(self) -> None:
        """End the workers. They write nothing that could be left half done."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()
        self._temporary.cleanup()


READY, ENDED = "ready", "ended"
"""What a worker sends beside keys of cells: that it runs, and that a task is done."""


class _Worker:
    """A process and the connection to it.

    Attributes:
        task: that it computes.
        ready: whether it has run at all.
    """

    def __init__(self, temporary: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, far = context.Pipe()
        self.task: Task | None = None
        self.ready = False
        self.process = context.Process(target=_serve, args=(far, temporary), daemon=True)
        with _ignoring_interrupts():
            self.process.start()
        # the worker's own end is the last one: when it dies, this side reads the end of the line
        far.close()

    def begin(self, task: Task) -> None:
        """Send it a task. Raises ConfigError for one that cannot be sent."""
        self.task = task
        try:
            # that it is dead, the next reading of the line finds
            with suppress(OSError):
                self.connection.send(task)
        except (PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"an object of the experiment cannot be sent to a worker process: {error}. Give classes and functions "
                "that are defined at the top of a module, or workers=1."
            ) from error

    def how_it_ended(self) -> str:
        """How it ended. Raises RunError for one that never ran: nor would another."""
        self.connection.close()
        self.process.join()
        code = self.process.exitcode or 0
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if not self.ready:
            raise RunError(
                f"a worker process could not start, and {how}. A script that runs experiments with workers must guard "
                'its entry with `if __name__ == "__main__":`.'
            )
        return f"the worker process {how}{', perhaps for want of memory' if code == -9 else ''}"


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """An interrupt from the terminal reaches the whole group of processes; it is for the main one to handle.

    A spawned process inherits that the signal is ignored; before it could do so itself, it imports for seconds.
    """
    # only the main thread may set it, and only the main thread is ever interrupted
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, temporary: str) -> None:
    """Compute the tasks that arrive until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = temporary
    # progress bars would make a semaphore of the system's, which a worker that is killed leaves behind
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_follow_the_main_process, daemon=True).start()
    connection.send((READY, b""))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        for key, content in work(task):
            connection.send((key, content))
        connection.send((ENDED, b""))


def _follow_the_main_process() -> None:
    """End with the main process: if that is killed it cannot end its workers, and nothing would collect their cells."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
