"""A cell as a file holds it: a row of JSON and arrays, with what computed it."""

from __future__ import annotations

import dataclasses
import io
import json
import time
import traceback
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from tskd.experiment.run.cell import DISTRIBUTION, Cell
from tskd.experiment.run.cell_archive import read_archive
from tskd.experiment.run.provenance import commit, versions


class Failure(TypedDict):
    """The error of a cell that could not be computed."""

    type: str
    message: str
    traceback: str


class CellRow(TypedDict, total=False):
    """What of a cell is no array: its fields, or its failure, and by what it was computed when."""

    key: str
    kind: str
    name: str
    fold: int
    size: int | None
    seed: int
    candidate: int
    seconds: float
    inference_seconds: float | None
    validation_mse: float
    warnings: list[str]
    weights: list[dict[str, Any]]
    failed: Failure
    versions: dict[str, str]
    commit: str
    finished: float


@dataclass(frozen=True)
class StoredCell:
    """A cell as it is kept: a finished one, or the record of a failure, which has `failed` in its row."""

    row: CellRow
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, key: str, cell: Cell) -> StoredCell:
        """A finished cell under a key; its arrays in single precision, which is that of the networks."""
        values = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
        arrays = {name: value.astype("float32") for name, value in values.items() if isinstance(value, np.ndarray)}
        row = {name: value for name, value in values.items() if name not in (*arrays, *DISTRIBUTION)}
        return cls({**row, "key": key, **_stamp()}, arrays)  # type: ignore[typeddict-item]

    @classmethod
    def of_failure(cls, key: str, error: BaseException, seconds: float) -> StoredCell:
        """The record of a cell that failed after so many seconds."""
        trace = "".join(traceback.format_exception(error))
        failed: Failure = {"type": type(error).__name__, "message": str(error), "traceback": trace}
        return cls({"key": key, "failed": failed, "seconds": seconds, **_stamp()}, {})

    @property
    def key(self) -> str:
        """The key of the cell."""
        return str(self.row["key"])

    @property
    def failed(self) -> bool:
        """Whether this is the record of a failure."""
        return "failed" in self.row

    def cell(self) -> Cell:
        """The cell that this was made of, to single precision."""
        known = {field.name for field in dataclasses.fields(Cell)}
        values = {name: _frozen(value) for name, value in self.row.items() if name in known}
        arrays = {name: array.astype("float64") for name, array in self.arrays.items()}
        return Cell(**values, **arrays)  # type: ignore[arg-type]

    def to_bytes(self) -> bytes:
        """The content of the file."""
        text = json.dumps(self.row, ensure_ascii=False).encode()
        return _archive({"row": np.frombuffer(text, dtype=np.uint8), **self.arrays})

    @classmethod
    def from_bytes(cls, content: bytes) -> StoredCell:
        """What `to_bytes` made. Raises ValueError for anything else."""
        arrays = read_archive(content)
        try:
            row = json.loads(arrays.pop("row").tobytes())
            return cls({**row, "key": row["key"]}, arrays)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"this is no stored cell: {error}") from error


def _archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As NumPy's `savez_compressed` without pickles, which before 2.1 writes `allow_pickle` as an array."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return stream.getvalue()


class _Stamp(TypedDict):
    versions: dict[str, str]
    commit: str
    finished: float


def _stamp() -> _Stamp:
    return {"versions": versions(), "commit": commit(), "finished": time.time()}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
