"""Runs an experiment: its seeds one after the other here, or shared by worker processes."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tskd.datasets import ArchiveSeries, DataSet
from tskd.experiment.assembly import assemble
from tskd.experiment.config import Experiment
from tskd.experiment.errors import ConfigError, RunError
from tskd.experiment.preparation import Prepared, prepare
from tskd.experiment.results import Results
from tskd.experiment.specs import MODEL, nearest

if TYPE_CHECKING:
    from tskd.experiment.cells import Cell


def run(experiment: Experiment, progress: bool, workers: int) -> Results:
    """See `Experiment.run`."""
    from tskd.experiment.cells import planned

    began = time.perf_counter()
    try:
        data = experiment.dataset()
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise ConfigError(str(error)) from error
    prepared = _checked(experiment, data)
    cells: list[Cell] = []
    total = planned(experiment) * len(experiment.seeds)
    with tqdm(total=total, desc=experiment.name, unit="fit", disable=not progress, dynamic_ncols=True) as bar:
        if min(workers, len(experiment.seeds)) > 1:
            cells = _in_processes(experiment, min(workers, len(experiment.seeds)), bar.update)
        else:
            with one_thread():
                for seed in experiment.seeds:
                    cells += _seed(experiment, data, seed, bar.update)
    return assemble(experiment, prepared, cells, seconds=time.perf_counter() - began)


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread: the models are small, results must not depend on the number of threads, and processes share
    the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _checked(experiment: Experiment, data: DataSet) -> Prepared:
    """The data, if they hold what the experiment reads."""
    for name, teacher in experiment.teachers.items():
        if teacher.archive and not data.archive:
            raise ConfigError(f"teacher {name!r}: data set {data.name!r} has no archive to fit it on.")
        rows: list[tuple[str, DataSet | ArchiveSeries]] = [(f"data set {data.name!r}", data)]
        rows += [(f"archive series {item.name!r}", item) for item in data.archive if teacher.archive]
        for source in teacher.sources():
            for where, item in rows:
                if source.name is not None and source.name not in item.privileged:
                    raise ConfigError(
                        f"teacher {name!r}: {where} has no privileged series {source.name!r}. "
                        f"{nearest(source.name, item.privileged)}"
                    )
    if experiment.soft_sensor:
        _refuse_blind(experiment, data)
    try:
        return prepare(data, experiment.chunk_lengths(experiment.student)[0], experiment.steps, experiment.lookback)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _refuse_blind(experiment: Experiment, data: DataSet) -> None:
    student = experiment.student.build(MODEL)
    readable = [slot for slot in ("past_covariates", "future_covariates") if getattr(student, f"supports_{slot}")]
    if not any(getattr(data, slot) is not None for slot in readable):
        raise ConfigError(
            f"soft_sensor: the student reads {' and '.join(readable) or 'no covariates'}, and data set {data.name!r} "
            "has none: it would see nothing at all."
        )


def _seed(experiment: Experiment, data: DataSet, seed: int, tick: Callable[[], Any]) -> list[Cell]:
    from tskd.experiment.cells import SeedRun

    try:
        fits = SeedRun(experiment, data, seed)
    except ValueError as error:
        raise RunError(f"seed {seed}: {error}") from error
    cells = []
    for cell in fits.cells():
        cells.append(cell)
        tick()
    return cells


def _in_processes(experiment: Experiment, workers: int, tick: Callable[[], Any]) -> list[Cell]:
    """Cells of all seeds, in the order of the seeds. Workers are spawned and get the configuration, no model."""
    context = multiprocessing.get_context("spawn")
    # an interrupt is the parent's to handle: it stops the workers at their next fit
    ignore_interrupt = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with context.Manager() as manager, ProcessPoolExecutor(workers, context, *ignore_interrupt) as pool:
        ticks, stop = manager.Queue(), manager.Event()
        futures = [pool.submit(_seed_in_worker, experiment, seed, ticks, stop) for seed in experiment.seeds]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                while not ticks.empty():
                    ticks.get()
                    tick()
                for future in done:
                    future.result()
        except BrokenProcessPool as error:
            raise RunError("a worker process ended abruptly, perhaps for want of memory") from error
        except BaseException:
            # waits for the fits under way: the workers need the manager to the end
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        return [cell for future in futures for cell in future.result()]


def _seed_in_worker(experiment: Experiment, seed: int, ticks: Any, stop: Any) -> list[Cell]:
    def tick() -> None:
        if stop.is_set():
            raise RunError("stopped, because another seed failed")
        ticks.put(1)

    if stop.is_set():
        return []
    with one_thread():
        return _seed(experiment, experiment.dataset(), seed, tick)
