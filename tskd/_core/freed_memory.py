"""Memory that is freed and that the process still holds."""

from __future__ import annotations

import ctypes


def return_freed() -> None:
    """Give freed memory back to the system, where the allocator is glibc's.

    It keeps what lies below anything that is still in use, however small. After the fit of a network that is most of
    what the fit took, in pieces that the next fit has no use for.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        # Windows has no library of the process, and other allocators no such function
        return
    trim(0)
