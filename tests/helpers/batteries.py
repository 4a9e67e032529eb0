"""The tests of a battery by name, and which of them a part fails."""

from __future__ import annotations

import inspect


def checks_of(battery: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(battery, inspect.isfunction) if name.startswith("test_")]


def failures(battery: type) -> dict[str, str]:
    """Tests that a part fails, and what they say."""
    found = {}
    for name in checks_of(battery):
        try:
            getattr(battery(), name)()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found
