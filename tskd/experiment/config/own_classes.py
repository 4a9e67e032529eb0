"""Classes of a user's own: what they are called, and which of them a configuration file may name."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from tskd._core.own_code import is_own
from tskd.experiment.config.errors import nearest


def can_be_named(made: Any) -> bool:
    """Whether a class is a user's own that another process finds by its name."""
    if not isinstance(made, type) or not is_own(made) or made.__module__ == "__main__":
        return False
    return getattr(sys.modules.get(made.__module__), made.__qualname__, None) is made


def initialiser(made: type) -> inspect.Signature:
    """The arguments of the `__init__` of a class, which it may inherit; darts' metaclass hides them."""
    return inspect.signature(next(vars(base)["__init__"] for base in made.__mro__ if "__init__" in vars(base)))


def with_own_classes(config: Any, modules: Iterable[str]) -> Any:
    """A configuration as it is read from a file, with the classes that it names of some modules.

    Args:
        config: any part of it.
        modules: names of modules, which are imported: their code is run.

    Raises:
        ValueError: a module cannot be imported, or has no class of a name that stands behind `class:`.
    """
    found = {}
    for name in [modules] if isinstance(modules, str) else modules:
        try:
            found[name] = importlib.import_module(name)
        except Exception as error:
            # whatever the code of the module raises
            raise ValueError(
                f"the module {name!r} that is allowed cannot be imported: {error or type(error).__name__}. It is "
                "looked for where Python looks for any, and in the working folder."
            ) from error
    return _named(config, found) if found else config


def _named(value: Any, modules: Mapping[str, Any], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _named(item, modules, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_named(item, modules) for item in value]
    prefix, _, short = value.rpartition(".") if isinstance(value, str) else ("", "", "")
    if prefix not in modules:
        return value
    made = getattr(modules[prefix], short, None)
    if isinstance(made, type):
        return made
    if key == "class":
        classes = [name for name, item in vars(modules[prefix]).items() if isinstance(item, type)]
        raise ValueError(f"the module {prefix!r} has no class {short!r}. {nearest(short, classes)}")
    return value
