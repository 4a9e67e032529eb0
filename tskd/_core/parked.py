"""Weights of networks that are kept and not used: they lie in the folder for temporary files, and not in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from tskd._core.freed_memory import return_freed
from tskd._core.row_file import bytes_of

# bytes of a tensor that is worth a file
LARGE = 2**20


def park(network: torch.nn.Module) -> None:
    """Map the large weights of a network from files without a name, read when they are used, and never written to.

    They stay the same tensors with the same values: a network that is used or trained again finds them in memory, until
    it is parked again. Where there is no room for the files, the weights stay where they are.
    """
    # elsewhere a file that is mapped cannot be removed
    if os.name != "posix":
        return
    with suppress(OSError):
        for values in _large(network):
            values.data = _mapped(values.detach())
    return_freed()


def _large(network: torch.nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers that are large, plain, in memory, and alone in it."""
    for values in chain(network.parameters(), network.buffers()):
        size = values.numel() * values.element_size()
        plain = values.layout is torch.strided and not values.is_quantized and values.is_contiguous()
        if plain and values.device.type == "cpu" and LARGE <= size == values.untyped_storage().nbytes():
            yield values


def _mapped(values: Tensor) -> Tensor:
    """The same values, mapped from a file; what is written to them is in memory alone.

    Raises:
        OSError: the file cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix="tskd-")
    try:
        with open(handle, "wb") as file:
            file.write(bytes_of(values))
        return torch.from_file(name, shared=False, size=values.numel(), dtype=values.dtype).view(values.shape)
    finally:
        Path(name).unlink()
