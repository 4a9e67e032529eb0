"""The work of a run: the missing cells of one block, computed one after the other into the content of parts."""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tskd.experiment.run.cell_store import StoredCell
from tskd.experiment.run.provenance import commit, versions

if TYPE_CHECKING:
    from tskd.datasets import DataSet
    from tskd.experiment.config.experiment import Experiment
    from tskd.experiment.run.block import Cell
    from tskd.experiment.run.plan import Block, Planned


@dataclass(frozen=True, eq=False)
class Task:
    """Cells of a block to compute, in this order, on data of this fingerprint; `models`: where teachers are kept."""

    block: Block
    cells: tuple[Planned, ...]
    fingerprint: str
    models: Path | None


def work(task: Task) -> Iterator[tuple[str, bytes]]:
    """Key and content of the part of each cell, as soon as it is done; of one that fails, the record of that."""
    from tskd.experiment.run.block import BlockRun

    run: Any = None
    with one_thread():
        for cell in task.cells:
            began = time.perf_counter()
            try:
                if run is None:
                    data, found = loaded(task.block.experiment)
                    if found != task.fingerprint:
                        raise ValueError(
                            f"data set {data.name!r} is not the same in this process as where the run was started: "
                            f"fingerprint {found} instead of {task.fingerprint}"
                        )
                    run = BlockRun(task.block, data, task.models)
                part = part_of(cell.key, run.cell(cell))
            except Exception as error:
                part = failure(cell.key, error, time.perf_counter() - began)
            yield cell.key, part.to_bytes()


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


def loaded(experiment: Experiment) -> tuple[DataSet, str]:
    """The data set of an experiment and its fingerprint; one that is named is loaded once in a process."""
    if isinstance(experiment.data, str):
        return _named(experiment.data)
    return experiment.data, _fingerprint(experiment.data)


@lru_cache(maxsize=4)
def _named(name: str) -> tuple[DataSet, str]:
    from tskd import datasets

    data = datasets.load(name)
    return data, _fingerprint(data)


def _fingerprint(data: DataSet) -> str:
    from tskd.experiment.data.preparation import fingerprint

    return fingerprint(data)


def part_of(key: str, cell: Cell) -> StoredCell:
    """A cell as it is kept: its arrays in single precision, which is that of the networks."""
    values = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
    arrays = {name: value.astype("float32") for name, value in values.items() if isinstance(value, np.ndarray)}
    row = {name: value for name, value in values.items() if name not in arrays}
    return StoredCell({**row, "key": key, **_stamp()}, arrays)


def cell_of(part: StoredCell, **changes: Any) -> Cell:
    """The cell that `part_of` was given, to single precision, but for `changes`: the same fit has other names
    elsewhere."""
    from tskd.experiment.run.block import Cell

    known = {field.name for field in dataclasses.fields(Cell)}
    values = {name: _frozen(value) for name, value in part.row.items() if name in known}
    arrays = {name: array.astype("float64") for name, array in part.arrays.items()}
    return Cell(**{**values, **arrays, **changes})


def failure(key: str, error: BaseException, seconds: float) -> StoredCell:
    """The record of a cell that failed."""
    trace = "".join(traceback.format_exception(error))
    told = {"type": type(error).__name__, "message": str(error), "traceback": trace}
    return StoredCell({"key": key, "failed": told, "seconds": seconds, **_stamp()}, {})


def _stamp() -> dict[str, Any]:
    return {"versions": versions(), "commit": commit(), "finished": time.time()}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
