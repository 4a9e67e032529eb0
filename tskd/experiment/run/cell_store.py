"""What a run keeps of its cells: one file each, written at one stroke, whose name vouches for its content.

A part is called `<key>.<first 16 hexadecimal digits of the SHA-256 of its bytes>.npz`. It is a NumPy archive without
pickles: `row`, which is JSON, and arrays. A process that is killed leaves whole parts and, at worst, a temporary file;
a part that was torn, edited or renamed does not agree with its name, counts as missing, and is moved aside.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAME = re.compile(r"([0-9a-f]+)\.([0-9a-f]{16})\.npz")
STALE = 3600
"""Seconds after which a temporary file is of a process that was killed: a write takes a moment."""


@dataclass(frozen=True)
class StoredCell:
    """A cell as it is kept: a `row` that JSON can hold, with the cell's `key` in it, and arrays by name.

    A row with `failed` (type, message, traceback) is that of a cell that could not be computed.
    """

    row: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def key(self) -> str:
        """The key of the cell."""
        return str(self.row["key"])

    @property
    def failed(self) -> bool:
        """Whether this is the record of a failure."""
        return "failed" in self.row

    def to_bytes(self) -> bytes:
        """The content of the file."""
        stream = io.BytesIO()
        text = json.dumps(self.row, ensure_ascii=False).encode()
        np.savez_compressed(stream, allow_pickle=False, row=np.frombuffer(text, dtype=np.uint8), **self.arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> StoredCell:
        """What `to_bytes` made. Raises ValueError for anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            row = json.loads(arrays.pop("row").tobytes())
            return cls({**row, "key": row["key"]}, arrays)
        except (OSError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"this is no part: {error}") from error


class CellStore:
    """The parts in a folder. Several processes may write and read at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # by name: time and size of a file that was read, its key, and whether that failed; None for no part
        self._known: dict[str, tuple[int, int, tuple[str, bool] | None]] = {}

    def write(self, key: str, content: bytes) -> None:
        """Keep the content of a part. Failures that are on record for the same cell are dropped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key}.{_digest(content)}.npz"
        write_atomically(path, content)
        for older in self._files([key]):
            if older != path and self._state(older) == (key, True):
                older.unlink(missing_ok=True)

    def read(self, keys: Collection[str]) -> dict[str, StoredCell]:
        """The parts of cells, by key: a finished one rather than a failure, of several the first by name."""
        found: dict[str, StoredCell] = {}
        for path in self._files(keys):
            part = _valid(path)
            if part is not None and (part.key not in found or found[part.key].failed > part.failed):
                found[part.key] = part
        return found

    def finished(self, keys: Collection[str]) -> set[str]:
        """Those keys whose cells have a result."""
        states = [self._state(path) for path in self._files(keys)]
        return {state[0] for state in states if state is not None and not state[1]}

    def failures(self, keys: Collection[str]) -> set[str]:
        """Names of the files on which failures of these cells are recorded."""
        return {path.name for path in self._files(keys) if (state := self._state(path)) is not None and state[1]}

    def sweep(self) -> list[str]:
        """Move what is no part to `rejected/`, and remove temporary files of killed processes; names of the former."""
        rejected = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            if path.suffix == ".tmp":
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > STALE:
                        path.unlink()
            elif path.is_file() and self._state(path) is None:
                (self.folder / "rejected").mkdir(exist_ok=True)
                # another run may be sweeping too
                with suppress(FileNotFoundError):
                    os.replace(path, self.folder / "rejected" / path.name)
                    rejected.append(path.name)
        return rejected

    def _state(self, path: Path) -> tuple[str, bool] | None:
        """Key of the part in a file, and whether it failed. A file is read again only when it has changed."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        known = self._known.get(path.name)
        if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
            part = _valid(path)
            state = None if part is None else (part.key, part.failed)
            known = self._known[path.name] = found.st_mtime_ns, found.st_size, state
        return known[2]

    def _files(self, keys: Collection[str]) -> list[Path]:
        wanted = set(keys)
        names = sorted(os.listdir(self.folder)) if self.folder.is_dir() else []
        return [self.folder / name for name in names if (m := NAME.fullmatch(name)) and m[1] in wanted]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment, power cuts included, it is the old one or the new one, whole. An OSError
    names this file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # nobody knows the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _valid(path: Path) -> StoredCell | None:
    """The part in a file, None if it is not what the file's name says."""
    name = NAME.fullmatch(path.name)
    try:
        content = path.read_bytes()
        if name is None or _digest(content) != name[2]:
            return None
        part = StoredCell.from_bytes(content)
    except (FileNotFoundError, ValueError):
        return None
    return part if part.key == name[1] else None
