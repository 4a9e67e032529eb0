"""What the command line says beside the output of a command."""

from __future__ import annotations

import sys


def say(message: object, code: int) -> int:
    """Write a message for the user, and return the exit code."""
    if isinstance(message, OSError) and message.filename is not None:
        message = f"{message.filename}: {message.strerror}."
    print(f"tskd: {message}", file=sys.stderr)
    return code


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """In place of `warnings.showwarning`."""
    print(f"tskd: {message}", file=sys.stderr)
