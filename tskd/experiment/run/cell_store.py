"""The cells of a run in a folder: one file each, written atomically, whose name holds a checksum of its content.

A file is called `<key>.<first 16 hexadecimal digits of the SHA-256 of its bytes>.npz`. It is a NumPy archive without
pickles: `row`, which is JSON, and arrays. A process that is killed leaves whole files and, at worst, a temporary one;
a file that was torn, edited or renamed does not agree with its name, counts as missing, and is moved aside; so is one
that agrees, and holds something else than its plan asks for.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from tskd.experiment.run.cell_archive import MOST_BYTES
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.files import write_atomically

NAME = re.compile(r"([0-9a-f]+)\.([0-9a-f]{16})\.npz")
STALE = 3600
"""Seconds after which a temporary file is of a process that was killed: a write takes a moment."""


class CellStore:
    """The stored cells in a folder. Several processes may write and read at once.

    Args:
        folder: of the files.
        check: raises a ValueError for a stored cell that is not what its plan asks for, which then counts as missing.
    """

    def __init__(self, folder: Path, check: Callable[[StoredCell], None] | None = None) -> None:
        self.folder = folder
        self._check = check
        # by name: time and size of a file that was read, its key, and whether that failed; None for no stored cell
        self._known: dict[str, tuple[int, int, tuple[str, bool] | None]] = {}

    def write(self, key: str, content: bytes) -> None:
        """Keep the content of a stored cell. Failures that are on record for the same cell are dropped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key}.{_digest(content)}.npz"
        write_atomically(path, content)
        for older in self._files([key]):
            if older != path and self._state(older) == (key, True):
                older.unlink(missing_ok=True)

    def read(self, keys: Collection[str]) -> dict[str, StoredCell]:
        """Stored cells, by key: a finished one rather than a failure, of several the first by name."""
        found: dict[str, StoredCell] = {}
        for path in self._files(keys):
            stored = self._valid(path)
            if stored is not None and (stored.key not in found or found[stored.key].failed > stored.failed):
                found[stored.key] = stored
        return found

    def finished(self, keys: Collection[str]) -> set[str]:
        """Those keys whose cells have a result."""
        states = [self._state(path) for path in self._files(keys)]
        return {state[0] for state in states if state is not None and not state[1]}

    def failures(self, keys: Collection[str]) -> set[str]:
        """Names of the files on which failures of these cells are recorded."""
        return {path.name for path in self._files(keys) if (state := self._state(path)) is not None and state[1]}

    def sweep(self) -> list[str]:
        """Move files that hold no cell to `rejected/`, and remove temporary files of killed processes.

        Returns:
            Names of the files that were moved.
        """
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
        """Key of the cell in a file, and whether it failed. A file is read again only when it has changed."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        known = self._known.get(path.name)
        if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
            stored = self._valid(path)
            state = None if stored is None else (stored.key, stored.failed)
            known = self._known[path.name] = found.st_mtime_ns, found.st_size, state
        return known[2]

    def _valid(self, path: Path) -> StoredCell | None:
        """The stored cell in a file, None if it is not what the file's name says."""
        name = NAME.fullmatch(path.name)
        try:
            if name is None or path.stat().st_size > MOST_BYTES:
                return None
            content = path.read_bytes()
            if _digest(content) != name[2]:
                return None
            stored = StoredCell.from_bytes(content)
            if stored.key == name[1] and self._check is not None:
                self._check(stored)
        except (FileNotFoundError, ValueError):
            return None
        return stored if stored.key == name[1] else None

    def _files(self, keys: Collection[str]) -> list[Path]:
        wanted = set(keys)
        names = sorted(os.listdir(self.folder)) if self.folder.is_dir() else []
        return [self.folder / name for name in names if (m := NAME.fullmatch(name)) and m[1] in wanted]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
