"""The cache of teacher outputs: in memory, or memory-mapped on disk for this run or later ones.

An entry on disk is a folder named by a fingerprint of teacher, data and windows. It is written under a temporary name
and renamed when it is complete; its arrays are verified against checksums when it is read. An entry that is torn, stale
or tampered with is removed and computed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

INDEX = "index.json"
CHUNK = 2**24
IN_MEMORY = 2**28
ABANDONED = 24 * 3600
DRAFT = re.compile(r"\.[0-9a-f]{40}\.[0-9a-f]{32}")
Check = Callable[[Mapping[str, np.ndarray]], None]
logger = logging.getLogger(__name__)


class CacheEntry:
    """The arrays of one cache entry, over M windows: written by rows, then read.

    Args:
        windows: M.
        folder: of the arrays on disk; None for memory, or for unnamed temporary files if they are large.
        arrays: those of a complete entry; None for a new one.
    """

    def __init__(self, windows: int, folder: Path | None, arrays: dict[str, np.ndarray] | None = None) -> None:
        self.windows = windows
        self.folder = folder
        self.complete = arrays is not None
        self._arrays = arrays or {}

    def write(self, name: str, rows: Tensor, values: Tensor) -> None:
        """Write `values [m, …]` to rows `[m]` of an array; rows never written are 0."""
        array = values.numpy()
        if name not in self._arrays:
            self._arrays[name] = self._new(name, (self.windows, *array.shape[1:]), array.dtype)
        self._arrays[name][rows.numpy()] = array

    def read(self) -> dict[str, Tensor]:
        """All arrays as tensors, which must not be written to."""
        return {name: torch.from_numpy(array) for name, array in self._arrays.items()}

    def keep(self, place: Path) -> None:
        """Write checksums, and rename the complete folder to its final place.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        assert self.folder is not None
        try:
            digests = {}
            for name, array in self._arrays.items():
                if isinstance(array, np.memmap):
                    array.flush()
                digests[name] = _digest(self.folder / f"{name}.npy")
            (self.folder / INDEX).write_text(json.dumps({"arrays": digests}))
            for path in (*self.folder.iterdir(), self.folder):
                _sync(path)
        except OSError as error:
            raise _cannot_take(self.folder, error) from error
        # if another process was first, its entry is the same
        with suppress(OSError):
            os.rename(self.folder, place)
            _sync(place.parent)

    def _new(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = int(np.prod(shape)) * dtype.itemsize
        if self.folder is None and size <= IN_MEMORY:
            return np.zeros(shape, dtype)
        folder = Path(tempfile.gettempdir()) if self.folder is None else self.folder
        path = folder / (f"tskd-{uuid.uuid4().hex}.npy" if self.folder is None else f"{name}.npy")
        try:
            array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
            _reserve(path)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _cannot_take(folder, error) from error
        if self.folder is None:
            # the space is freed when the array is no longer used
            path.unlink()
        return array


class OutputCache:
    """A cache of teacher outputs.

    Args:
        folder: of entries that outlive the run; None to keep outputs only while they are in use.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @contextmanager
    def open(
        self, fingerprint: Callable[[], str | None], windows: int, check: Check | None = None
    ) -> Iterator[CacheEntry]:
        """The entry of a fingerprint: a complete one, or a new one to be filled, kept if the block does not raise.

        Args:
            fingerprint: computes the name of the entry; None for an entry that is not kept.
            windows: number of windows.
            check: raises a ValueError for arrays that are not what would be written.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        name = None if self.folder is None else fingerprint()
        if self.folder is None or name is None:
            yield CacheEntry(windows, None)
            return
        place = self.folder / name
        arrays = _verified(place, windows, check)
        if arrays is not None:
            yield CacheEntry(windows, place, arrays)
            return
        draft = self.folder / f".{place.name}.{uuid.uuid4().hex}"
        try:
            draft.mkdir(parents=True)
        except OSError as error:
            raise _cannot_take(self.folder, error) from error
        _clear_abandoned(self.folder)
        try:
            entry = CacheEntry(windows, draft)
            yield entry
            entry.keep(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _verified(folder: Path, windows: int, check: Check | None = None) -> dict[str, np.ndarray] | None:
    """The arrays in a folder if all match their checksums and pass the check; else None, and the folder is removed."""
    if not folder.is_dir():
        return None
    try:
        arrays = {}
        for name, digest in json.loads((folder / INDEX).read_text())["arrays"].items():
            if Path(name).name != name:
                raise ValueError(f"{name} is no name of an array")
            if _digest(folder / f"{name}.npy", len(digest)) != digest:
                raise ValueError(f"{name}.npy is not what was written")
            arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
            if len(arrays[name]) != windows:
                raise ValueError(f"{name}.npy has {len(arrays[name])} windows, not {windows}")
        if check is not None:
            check(arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError) as error:
        logger.warning("%s is damaged and is computed again: %s", folder, error)
        aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        with suppress(OSError):
            os.rename(folder, aside)
            shutil.rmtree(aside, ignore_errors=True)
        return None
    return arrays


def _cannot_take(folder: Path, error: OSError) -> OSError:
    """The error with the folder and its free space in the message."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    return OSError(error.errno, f"{folder} cannot take what the teachers know ({free / 2**20:.1f} MiB free): {error}")


def _clear_abandoned(folder: Path) -> None:
    """Remove drafts of processes that were killed long ago."""
    for draft in folder.iterdir():
        with suppress(OSError):
            # the folder is the user's, and may hold anything
            if DRAFT.fullmatch(draft.name) and time.time() - draft.stat().st_mtime > ABANDONED:
                shutil.rmtree(draft, ignore_errors=True)


def _reserve(path: Path) -> None:
    """Allocate the whole space: if the disk filled up later, writing to the mapping would kill the process."""
    if hasattr(os, "posix_fallocate"):
        handle = os.open(path, os.O_RDWR)
        try:
            os.posix_fallocate(handle, 0, os.fstat(handle).st_size)
        finally:
            os.close(handle)


def _digest(path: Path, length: int = 8) -> str:
    """A checksum against damage: what it is read for takes little longer than the reading."""
    # those of 32 digits were written by 0.1.0
    older = hashlib.blake2b(digest_size=16) if length == 32 else None
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            if older is None:
                checksum = zlib.crc32(part, checksum)
            else:
                older.update(part)
    return f"{checksum:08x}" if older is None else older.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
