"""Errors of configurations and of fits, whose messages name the place and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the file, the key, the value and what is allowed."""


class RunError(RuntimeError):
    """A fit that failed; the message names the arm or teacher, the seed and the cause."""


def explain(error: ValidationError) -> list[str]:
    """One line a mistake: where it is, what is wrong, what was given."""
    lines = []
    for item in error.errors():
        where = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in item["loc"]).lstrip(".")
        given = "" if item["type"] == "value_error" else f" (given: {item['input']!r})"
        lines.append(f"{where + ': ' if where else ''}{item['msg'].removeprefix('Value error, ')}{given}")
    return lines


def nearest(name: str, known: Iterable[str]) -> str:
    """'Did you mean …?', or all that is known if nothing is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(map(str, known))}."
