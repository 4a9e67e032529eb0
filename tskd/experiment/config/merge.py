"""Parts of configurations laid over one another."""

from __future__ import annotations

from typing import Any


def deep_merge(old: Any, new: Any) -> Any:
    """`new` over `old`: mappings key by key, anything else replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: deep_merge(old.get(name), value) for name, value in new.items()}}
    return new
