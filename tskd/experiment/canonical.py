"""Any part of a configuration as plain JSON, the same in every process: what equal fits have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import CodeType
from typing import Any

from tskd.experiment.specs import Spec, Strict

DIGITS = 20


def key_of(resolved: Mapping[str, Any]) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of a mapping as canonical JSON."""
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def canonical(value: Any, above: tuple[int, ...] = ()) -> Any:
    """A value as JSON can hold it. Python objects become their class and their attributes, arrays a digest; nothing
    depends on where an object lies in memory.

    Args:
        above: the objects that hold this one, by identity: a circle is cut.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Spec):
        return {"class": value.class_.rpartition(".")[2], "kwargs": canonical(value.kwargs)}
    if isinstance(value, Strict):
        return {name: canonical(getattr(value, name)) for name in type(value).model_fields}
    if id(value) in above:
        return "..."
    above = (*above, id(value))
    if isinstance(value, Mapping):
        return {str(key): canonical(item, above) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item, above) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((canonical(item, above) for item in value), key=json.dumps)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    code = getattr(value, "__code__", None)
    if code is not None:
        known = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = [_body(code, above), *(canonical(item, above) for item in (known, value.__defaults__))]
        return f"{value.__module__}.{value.__qualname__} {_digest(json.dumps(parts).encode())}"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return f"{value.dtype} {list(value.shape)} {_digest(value.tobytes())}"
    name = canonical(type(value))
    if hasattr(value, "__dict__"):
        return {"class": name, "state": canonical(vars(value), above)}
    return {"class": name, "repr": repr(value)}


def _body(code: CodeType, above: tuple[int, ...]) -> list[Any]:
    """What a function does, functions within it included: their `repr` names a place in memory."""
    constants = [_body(c, above) if isinstance(c, CodeType) else canonical(c, above) for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), constants]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
