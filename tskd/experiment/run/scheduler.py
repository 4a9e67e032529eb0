"""Runs a study: what is missing of it is computed by an engine, and kept cell by cell.

A run can be killed at any moment: cells that are finished are not computed again, by whatever run asks for them. What
fails is recorded and stops nothing. Two runs may work on one folder: each block is computed by the one that holds its
lock, and which cells are missing is asked again once it does.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tskd.experiment.config.errors import ConfigError, RunError
from tskd.experiment.config.yaml_file import FROM_PYTHON
from tskd.experiment.results.collect import collect
from tskd.experiment.results.info import reproducible
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.run.cell_store import CellStore, StoredCell, write_atomically
from tskd.experiment.run.engines import Died, Ended, Engine, EngineName, Made, check_engine, engine_of
from tskd.experiment.run.engines.base import WAIT, cores
from tskd.experiment.run.locks import Lock
from tskd.experiment.run.outline import Outline, outline
from tskd.experiment.run.plan import Block, Planned
from tskd.experiment.run.worker import Task, failure

if TYPE_CHECKING:
    from tskd.experiment.config.study import Study

TRIES = 2
"""How often a cell may be at work when its worker dies, before that is recorded as its failure."""


def run(
    study: Study,
    folder: str | Path | None = None,
    workers: int | None = 1,
    engine: EngineName = "processes",
    address: str | None = None,
    progress: bool = True,
) -> StudyResults:
    """See `Study.run`."""
    check_engine(engine, workers, address)
    outlines = outline(study)
    with _place(folder) as place:
        head = "" if all(map(reproducible, study.cases.values())) else f"# {FROM_PYTHON}\n"
        write_atomically(place / "config.yaml", f"{head}{study.to_yaml()}".encode())
        parts = CellStore(place / "parts")
        rejected = parts.sweep()
        if rejected:
            warnings.warn(
                f"{len(rejected)} of the files in {parts.folder} are not what was written there, and are computed "
                f"again; they were moved to {parts.folder / 'rejected'}: {', '.join(rejected)}",
                stacklevel=3,
            )
        jobs = list(_jobs(outlines))
        keys = {cell.key for job in jobs for cell in job.cells}
        finished = parts.finished(keys)
        missing = [job for job in jobs if not finished.issuperset(cell.key for cell in job.cells)]
        shown: dict[str, Any] = {"desc": study.name, "unit": "fit", "disable": not progress, "dynamic_ncols": True}
        with tqdm(total=len(keys), initial=len(finished), **shown) as bar:
            if missing:
                workers = _at_most(len(missing), workers) if engine == "processes" else workers
                started = engine_of(engine, workers, address)
                try:
                    _Run(missing, place, parts, started, bar).through()
                finally:
                    started.close()
        results = collect(study, outlines, parts)
        if folder is not None:
            results.save(place)
    return results


def report(study: Study, folder: str | Path) -> StudyResults:
    """The results of what is finished in a run's folder; it may be at work. Raises RunError if that is nothing yet."""
    return collect(study, outline(study), CellStore(Path(folder) / "parts"))


@dataclass(frozen=True)
class _Job:
    """A block, and those of its cells that no earlier block of the study has too."""

    block: Block
    cells: tuple[Planned, ...]
    fingerprint: str
    name: str


class _Run:
    """The jobs of a run on their way through an engine."""

    def __init__(self, jobs: Sequence[_Job], folder: Path, parts: CellStore, engine: Engine, bar: tqdm) -> None:
        self.folder, self.parts, self.engine, self.bar = folder, parts, engine, bar
        self._queue = deque(jobs)
        keys = {cell.key for job in jobs for cell in job.cells}
        # those of an earlier run are tried again, those of this one and of others at the same time are not
        self._old = self.parts.failures(keys)
        self._counted = self.parts.finished(keys)
        self._failed: set[str] = set()
        self._running: dict[Task, tuple[_Job, Lock]] = {}
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
            for _, lock in self._running.values():
                lock.release()

    def _begin(self) -> None:
        """Give the engine what it has room for, and nobody else is at."""
        for _ in range(len(self._queue)):
            if len(self._running) >= self.engine.capacity:
                return
            job = self._queue.popleft()
            lock = Lock.take(self.folder / "locks" / job.name)
            if lock is None:
                self._queue.append(job)
                continue
            missing = self._missing(job)
            if not missing:
                lock.release()
                continue
            task = Task(job.block, missing, job.fingerprint, self.folder / "models" if self.engine.local else None)
            self._running[task] = job, lock
            self.engine.submit(task)

    def _missing(self, job: _Job) -> tuple[Planned, ...]:
        keys = [cell.key for cell in job.cells]
        finished = self.parts.finished(keys)
        failed = {name.partition(".")[0] for name in self.parts.failures(keys) - self._old} - finished
        self._count(finished, failed)
        return tuple(cell for cell in job.cells if cell.key not in finished | failed)

    def _handle(self, event: Made | Ended | Died) -> None:
        if isinstance(event, Made):
            self.parts.write(event.key, event.content)
            failed = StoredCell.from_bytes(event.content).failed
            self._count(*(set(), {event.key}) if failed else ({event.key}, set()))
            return
        job, lock = self._running.pop(event.task)
        if isinstance(event, Died):
            self._record(event, self._missing(job))
            self._queue.appendleft(job)
        lock.release()

    def _record(self, event: Died, missing: tuple[Planned, ...]) -> None:
        if not missing:
            return
        at_work = missing[0].key
        self._deaths[at_work] += 1
        if self._deaths[at_work] >= TRIES:
            error = RunError(f"{event.reason}, {TRIES} times while it was at this cell")
            self.parts.write(at_work, failure(at_work, error, 0.0).to_bytes())
            self._count(set(), {at_work})

    def _count(self, finished: set[str], failed: set[str]) -> None:
        new = (finished | failed) - self._counted - self._failed
        self._counted |= finished
        self._failed |= failed
        if self._failed:
            self.bar.set_postfix(failed=len(self._failed), refresh=False)
        self.bar.update(len(new))


def _jobs(outlines: Iterable[Outline]) -> Iterator[_Job]:
    """What there is to compute, each cell once."""
    claimed: set[str] = set()
    for case in outlines:
        for block, planned in case.blocks:
            cells = []
            for cell in planned:
                if cell.key not in claimed:
                    claimed.add(cell.key)
                    cells.append(cell)
            if cells:
                name = hashlib.sha256(" ".join(sorted(cell.key for cell in planned)).encode()).hexdigest()[:20]
                yield _Job(block, tuple(cells), case.fingerprint, name)


def _at_most(jobs: int, workers: int | None) -> int:
    return max(1, min(jobs, cores())) if workers is None else min(jobs, workers)


@contextmanager
def _place(folder: str | Path | None) -> Iterator[Path]:
    """The folder of a run; one for the time being if none is given."""
    if folder is None:
        with TemporaryDirectory(prefix="tskd-") as temporary:
            yield Path(temporary)
        return
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {place} cannot be made: {error.strerror}.") from error
    yield place
