"""Reading a NumPy archive that anybody may have written: bounded in size, and of plain numbers only."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from numpy.lib import format as npy

MOST_BYTES = 2**29
"""Of a file, and of all that it unpacks to: half a gigabyte; a test window is a few bytes."""


def read_archive(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive by name.

    Raises:
        ValueError: it is no such archive, or too large.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has {len(content):,} bytes; {MOST_BYTES:,} at most are read")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > MOST_BYTES:
                raise ValueError(f"it unpacks to {size:,} bytes; {MOST_BYTES:,} at most are read")
            found = {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except Exception as error:
        # whatever the standard library makes of an archive that it cannot read, encrypted or compressed in its own way
        raise ValueError(f"this is no archive of arrays: {error}") from error
    if len(found) < len(members):
        raise ValueError("it has two arrays of one name")
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, in_columns, dtype = header(file)
        if dtype.hasobject or dtype.itemsize == 0 or (in_columns and len(shape) > 1):
            raise ValueError(f"{member.filename} does not hold rows of numbers")
        count = 1
        for length in shape:
            count *= length
        if count * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename} is not as long as its shape {shape} says")
        return np.frombuffer(file.read(), dtype).reshape(shape)
