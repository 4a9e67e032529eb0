"""Rows of numbers in a temporary file, of which only those that are read are in memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

# bytes of rows that are worth a file; shorter rows take longer to find than to copy
LARGE, LONG = 2**25, 2**12


class RowFile:
    """Rows `[M, …]` on disk; the file has no name, and its space is freed when it is no longer used.

    Args:
        count: M.
        shape: of one row.
        dtype: of the numbers.

    Raises:
        OSError: there is no room, or no folder for temporary files.
    """

    def __init__(self, count: int, shape: Sequence[int], dtype: torch.dtype) -> None:
        self._shape, self._dtype = tuple(shape), dtype
        self._size = torch.Size(shape).numel() * dtype.itemsize
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        # if the disk filled up later, a training would fail that need not
        os.posix_fallocate(self._file, 0, count * self._size)

    @classmethod
    def like(cls, values: Tensor) -> RowFile | None:
        """A file for as many rows as `values [M, …]`; None if they are few or short, or there is no room for it."""
        rows, size = len(values), values.numel() * values.element_size()
        if size < LARGE or size < rows * LONG or not hasattr(os, "posix_fallocate"):
            return None
        try:
            return cls(rows, values.shape[1:], values.dtype)
        except OSError:
            return None

    def write(self, first: int, rows: Tensor) -> None:
        """Write `rows [m, …]` from row number `first` on."""
        view = bytes_of(rows.contiguous())
        written = os.pwrite(self._file, view, first * self._size)
        assert written == len(view)

    def take(self, rows: Tensor) -> Tensor:
        """The rows `[B, …]` with the numbers `rows [B]`."""
        taken = torch.empty(len(rows), *self._shape, dtype=self._dtype)
        view, size = bytes_of(taken), self._size
        for place, row in enumerate(rows.tolist()):
            read = os.preadv(self._file, [view[place * size : (place + 1) * size]], row * size)
            assert read == size
        return taken


def bytes_of(values: Tensor) -> memoryview:
    """The bytes of a contiguous tensor."""
    return values.detach().view(-1).view(torch.uint8).numpy().data
