"""Runs an experiment: its seeds one after the other here, or shared by worker processes."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tskd.datasets import DataSet
from tskd.experiment.assembly import assemble
from tskd.experiment.checking import checked
from tskd.experiment.config import Experiment
from tskd.experiment.controls import expanded
from tskd.experiment.errors import ConfigError, RunError
from tskd.experiment.plan import Block, blocks, planned
from tskd.experiment.preparation import fingerprint
from tskd.experiment.results import Results
from tskd.experiment.study import Study

if TYPE_CHECKING:
    from tskd.experiment.cells import Cell


def run(experiment: Experiment, progress: bool, workers: int) -> Results:
    """See `Experiment.run`."""
    began = time.perf_counter()
    try:
        data = experiment.dataset()
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise ConfigError(str(error)) from error
    experiment = expanded(experiment, data).experiment
    prepared = checked(experiment, data)
    cells: list[Cell] = []
    todo = blocks(Study(experiment.name, {experiment.name: experiment}))
    total = sum(len(planned(block, "")) for block in todo)
    with tqdm(total=total, desc=experiment.name, unit="fit", disable=not progress, dynamic_ncols=True) as bar:
        if min(workers, len(todo)) > 1:
            cells = _in_processes(todo, min(workers, len(todo)), bar.update)
        else:
            with one_thread():
                for block in todo:
                    cells += _block(block, data, bar.update)
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


def _block(block: Block, data: DataSet, tick: Callable[[], Any]) -> list[Cell]:
    from tskd.experiment.cells import BlockRun

    try:
        fits = BlockRun(block, data)
    except ValueError as error:
        raise RunError(f"seed {block.seed}: {error}") from error
    cells: dict[str, Cell] = {}
    found = []
    for plan in planned(block, fingerprint(data)):
        label = f"{'arm' if plan.kind == 'student' else 'teacher'} {plan.name!r}, seed {block.seed}"
        if plan.key not in cells:
            try:
                cells[plan.key] = fits.cell(plan)
            except RunError as error:
                raise RunError(f"{label}: {error}") from error
            except Exception as error:
                raise RunError(f"{label} failed: {type(error).__name__}: {error}") from error
        told = tuple(f"{label}: {message}" for message in cells[plan.key].warnings)
        found.append(replace(cells[plan.key], name=plan.name, candidate=plan.candidate, warnings=told))
        tick()
    return found


def _in_processes(todo: list[Block], workers: int, tick: Callable[[], Any]) -> list[Cell]:
    """Cells of all blocks, in the order of the blocks. Workers are spawned and get the configuration, no model."""
    context = multiprocessing.get_context("spawn")
    # an interrupt is the parent's to handle: it stops the workers at their next fit
    ignore_interrupt = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with context.Manager() as manager, ProcessPoolExecutor(workers, context, *ignore_interrupt) as pool:
        ticks, stop = manager.Queue(), manager.Event()
        futures = [pool.submit(_block_in_worker, block, ticks, stop) for block in todo]
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


def _block_in_worker(block: Block, ticks: Any, stop: Any) -> list[Cell]:
    def tick() -> None:
        if stop.is_set():
            raise RunError("stopped, because another seed failed")
        ticks.put(1)

    if stop.is_set():
        return []
    with one_thread():
        return _block(block, block.experiment.dataset(), tick)
