"""Runs a study: what is missing of it is computed by an engine, and kept cell by cell.

A run can be killed at any moment: cells that are finished are not computed again, by whatever run needs them. What
fails is recorded and stops nothing. Two runs may work on one folder: each block is computed by the one that holds its
lock, which then checks again which cells are missing.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from tskd.experiment.config.errors import RunError
from tskd.experiment.config.plain import reproducible
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.config.yaml_file import FROM_PYTHON
from tskd.experiment.run.case_plan import CasePlan
from tskd.experiment.run.cell_check import planned_store
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.engines import Engine, EngineOptions, start_engine
from tskd.experiment.run.engines.base import WAIT, Died, Ended, Made, cores
from tskd.experiment.run.files import write_atomically
from tskd.experiment.run.folder import CONFIG, LOCKS, TEACHERS, take_lock
from tskd.experiment.run.plan import Block, PlannedCell
from tskd.experiment.run.rehearsal import rehearse
from tskd.experiment.run.split import split
from tskd.experiment.run.worker import Task

TRIES = 2
"""How often the worker of a cell may die, before that is recorded as the failure of the cell."""


def compute(
    study: StudyConfig, plans: Sequence[CasePlan], folder: Path, options: EngineOptions, progress: bool
) -> CellStore:
    """Compute what is missing of a study in the folder of its run.

    Args:
        study: as it is configured, for the record.
        plans: of its cases.
        folder: where the run is kept.
        options: the engine.
        progress: whether to show a progress bar.

    Returns:
        The store of all cells that are finished or failed.

    Raises:
        ConfigError: what is missing could be fitted in no cell.
    """
    head = "" if all(map(reproducible, study.cases.values())) else f"# {FROM_PYTHON}\n"
    write_atomically(folder / CONFIG, f"{head}{study.to_yaml()}".encode())
    store = planned_store(folder, plans)
    rejected = store.sweep()
    if rejected:
        warnings.warn(
            f"{len(rejected)} of the files in {store.folder} are not what was written there, and are computed "
            f"again; they were moved to {store.folder / 'rejected'}: {', '.join(rejected)}",
            stacklevel=3,
        )
    jobs = list(_jobs(plans))
    keys = {cell.key for job in jobs for cell in job.cells}
    finished = store.finished(keys)
    missing = [job for job in jobs if not finished.issuperset(cell.key for cell in job.cells)]
    shown: dict[str, Any] = {"desc": study.name, "unit": "fit", "disable": not progress, "dynamic_ncols": True}
    with tqdm(total=len(keys), initial=len(finished), **shown) as bar:
        if missing:
            for plan in plans:
                # of a run that has begun, what fails is recorded, and what is finished counts
                if plan.keys.isdisjoint(finished):
                    rehearse(plan)
            missing = _spread(missing, options)
            engine = start_engine(_at_most(len(missing), options))
            try:
                _Run(missing, folder, store, engine, bar).through()
            finally:
                engine.close()
    return store


@dataclass(frozen=True)
class _Job:
    """A block, or a part of one, and those of its cells that no earlier block of the study has too."""

    block: Block
    cells: tuple[PlannedCell, ...]
    fingerprint: str
    name: str


class _Run:
    """The jobs of a run on their way through an engine."""

    def __init__(self, jobs: Sequence[_Job], folder: Path, store: CellStore, engine: Engine, bar: tqdm) -> None:
        self.folder, self.store, self.engine, self.bar = folder, store, engine, bar
        self._queue = deque(jobs)
        keys = {cell.key for job in jobs for cell in job.cells}
        # those of an earlier run are tried again, those of this one and of others at the same time are not
        self._old = self.store.failures(keys)
        self._counted = self.store.finished(keys)
        self._failed: set[str] = set()
        self._running: dict[Task, _Job] = {}
        # of blocks of which a part is at work
        self._locks: dict[str, FileLock] = {}
        self._deaths: Counter[str] = Counter()

    def through(self) -> None:
        """Compute until nothing is missing."""
        try:
            while self._queue or self._running:
                self._begin()
                if self._running:
                    for event in self.engine.events():
                        self._handle(event)
                else:
                    time.sleep(WAIT)  # another run has what is left
        finally:
            for lock in self._locks.values():
                lock.release()

    def _begin(self) -> None:
        """Give the engine as many jobs as it has room for, and that no other run holds."""
        for _ in range(len(self._queue)):
            if len(self._running) >= self.engine.capacity:
                return
            job = self._queue.popleft()
            if job.name not in self._locks:
                lock = take_lock(self.folder / LOCKS / job.name)
                if lock is None:
                    self._queue.append(job)
                    continue
                self._locks[job.name] = lock
            missing = self._missing(job)
            if not missing:
                self._release(job.name)
                continue
            task = Task(job.block, missing, job.fingerprint, self.folder / TEACHERS if self.engine.local else None)
            self._running[task] = job
            self.engine.submit(task)

    def _release(self, name: str) -> None:
        """Let others have a block, if no part of it is at work."""
        if all(job.name != name for job in self._running.values()):
            self._locks.pop(name).release()

    def _missing(self, job: _Job) -> tuple[PlannedCell, ...]:
        keys = [cell.key for cell in job.cells]
        finished = self.store.finished(keys)
        failed = {name.partition(".")[0] for name in self.store.failures(keys) - self._old} - finished
        self._count(finished, failed)
        return tuple(cell for cell in job.cells if cell.key not in finished | failed)

    def _handle(self, event: Made | Ended | Died) -> None:
        if isinstance(event, Made):
            self.store.write(event.key, event.content)
            failed = StoredCell.from_bytes(event.content).failed
            self._count(*(set(), {event.key}) if failed else ({event.key}, set()))
            return
        job = self._running.pop(event.task)
        if isinstance(event, Died):
            self._record(event, self._missing(job))
            self._queue.appendleft(job)
        self._release(job.name)

    def _record(self, event: Died, missing: tuple[PlannedCell, ...]) -> None:
        if not missing:
            return
        at_work = missing[0].key
        self._deaths[at_work] += 1
        if self._deaths[at_work] >= TRIES:
            error = RunError(f"{event.reason}, {TRIES} times while it was at this cell")
            self.store.write(at_work, StoredCell.of_failure(at_work, error, 0.0).to_bytes())
            self._count(set(), {at_work})

    def _count(self, finished: set[str], failed: set[str]) -> None:
        new = (finished | failed) - self._counted - self._failed
        self._counted |= finished
        self._failed |= failed
        if self._failed:
            self.bar.set_postfix(failed=len(self._failed), refresh=False)
        self.bar.update(len(new))


def _jobs(plans: Iterable[CasePlan]) -> Iterator[_Job]:
    """What there is to compute, each cell once."""
    claimed: set[str] = set()
    for plan in plans:
        for block, planned in plan.blocks:
            cells = []
            for cell in planned:
                if cell.key not in claimed:
                    claimed.add(cell.key)
                    cells.append(cell)
            if cells:
                name = hashlib.sha256(" ".join(sorted(cell.key for cell in planned)).encode()).hexdigest()[:20]
                yield _Job(block, tuple(cells), plan.fingerprint, name)


def _spread(jobs: list[_Job], options: EngineOptions) -> list[_Job]:
    """The jobs, in parts where there are fewer than worker processes."""
    if options.engine != "processes" or len(jobs) >= _workers(options):
        return jobs
    each = -(-_workers(options) // len(jobs))
    return [replace(job, cells=cells) for job in jobs for cells in split(job.cells, each)]


def _at_most(jobs: int, options: EngineOptions) -> EngineOptions:
    """No more worker processes than there are jobs."""
    if options.engine != "processes":
        return options
    return replace(options, workers=min(jobs, _workers(options)))


def _workers(options: EngineOptions) -> int:
    return cores() if options.workers is None else options.workers
