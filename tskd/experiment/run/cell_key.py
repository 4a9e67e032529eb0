"""The key of a cell: any part of a configuration as plain JSON, the same in every process, and its hash."""

from __future__ import annotations

import copyreg
import hashlib
import json
from collections.abc import Iterator, Mapping
from types import CodeType, MethodType
from typing import Any

from tskd._core.own_code import source_digest
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.objects import Spec, Strict

DIGITS = 20


def key_of(resolved: Mapping[str, Any]) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of a mapping as canonical JSON."""
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def canonical(value: Any, above: tuple[int, ...] = ()) -> Any:
    """A value as JSON can hold it. Python objects become their class and what pickle would keep of them, functions what
    they do, arrays a digest; nothing depends on where an object lies in memory. Of classes and functions of the user's
    own the source counts that they depend on, helpers in other modules included (`tskd._core.own_code`).

    Args:
        above: the objects that hold this one, by identity: a circle is cut.

    Raises:
        ConfigError: an object that cannot be told from another of its class.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Spec):
        made = value.class_.rpartition(".")[2] if isinstance(value.class_, str) else canonical(value.class_)
        return {"class": made, "kwargs": canonical(value.kwargs)}
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
        return _class(value)
    if isinstance(value, MethodType):
        return {"method": canonical(value.__func__, above), "of": canonical(value.__self__, above)}
    code = getattr(value, "__code__", None)
    if code is not None:
        known = [cell.cell_contents for cell in value.__closure__ or ()]
        given = (known, value.__defaults__, value.__kwdefaults__)
        parts = [_body(code, above), *(canonical(item, above) for item in given)]
        source = source_digest(value)
        return f"{_name(value)} {_digest(json.dumps([*parts, source] if source else parts).encode())}"
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        # an array of objects holds their places in memory
        content = json.dumps(canonical(value.tolist(), above)).encode() if value.dtype.hasobject else value.tobytes()
        return f"{value.dtype} {list(value.shape)} {_digest(content)}"
    if isinstance(value, bytes):
        return {"class": "bytes", "state": _digest(value)}
    return {"class": _class(type(value)), "state": canonical(_state(value), above)}


def _class(made: type) -> str:
    """The name of a class; with a digest of the source that it depends on, if it is its user's own."""
    source = source_digest(made)
    return f"{_name(made)} {source}" if source else _name(made)


def _name(made: Any) -> str:
    # of a script in a worker process, too
    return f"{made.__module__}.{made.__qualname__}".replace("__mp_main__", "__main__")


def _state(value: Any) -> Any:
    """What pickle would make an object anew from."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        found = value.__reduce_ex__(2) if reduce is None else reduce(value)
    except Exception as error:
        raise ConfigError(
            f"{value!r} cannot be told from another {type(value).__name__}, and fits could be taken for others: "
            f"{error}. Give an object that can be pickled."
        ) from error
    if isinstance(found, str):
        return f"{getattr(value, '__module__', None)}.{found}"
    return [list(item) if isinstance(item, Iterator) else item for item in found]


def _body(code: CodeType, above: tuple[int, ...]) -> list[Any]:
    """What a function does, functions within it included: their `repr` names a place in memory."""
    constants = [_body(c, above) if isinstance(c, CodeType) else canonical(c, above) for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), constants]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
