"""The work of a run: the missing cells of one block, computed one after the other into what is stored of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tskd.datasets.panel import Data
from tskd.experiment.data.loading import LoadedData, load
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.plan import Block, PlannedCell


@dataclass(frozen=True, eq=False)
class Task:
    """Cells of a block to compute.

    Attributes:
        block: what they share.
        cells: in the order in which they are computed.
        fingerprint: of the data set where the run was started.
        teachers: folder of fitted teachers, None for one that is gone with the process.
    """

    block: Block
    cells: tuple[PlannedCell, ...]
    fingerprint: str
    teachers: Path | None


def work(task: Task) -> Iterator[tuple[str, bytes]]:
    """Compute a task.

    Yields:
        Key and stored content of each cell, as soon as it is done; of one that fails, the record of that.
    """
    from tskd.experiment.run.block import BlockRun

    run: BlockRun | None = None
    with one_thread():
        for cell in task.cells:
            began = time.perf_counter()
            try:
                if run is None:
                    run = BlockRun(task.block, _data(task), task.teachers)
                stored = StoredCell.of(cell.key, run.cell(cell))
            except Exception as error:
                stored = StoredCell.of_failure(cell.key, error, time.perf_counter() - began)
            yield cell.key, stored.to_bytes()


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


def _data(task: Task) -> LoadedData:
    """The data of a task. Raises ValueError for a data set that is named or in a file, and another one in this
    process."""
    data = task.block.experiment.data
    if isinstance(data, Data):
        # it came with the task
        return LoadedData(data, task.fingerprint)
    found = load(task.block.experiment)
    if found.fingerprint != task.fingerprint:
        raise ValueError(
            f"data set {found.data.name!r} is not the same in this process as where the run was started: "
            f"fingerprint {found.fingerprint} instead of {task.fingerprint}"
        )
    return found
