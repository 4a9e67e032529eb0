"""Objects that can be recreated from their class and settings, and the JSON form `{class, kwargs}` of such objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any


class Described:
    """Mixin for classes that keep every argument of `__init__` as an attribute of the same name."""

    def settings(self) -> dict[str, Any]:
        """The arguments of `__init__` that recreate the object."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        arguments = ", ".join(
            f"{name}={value!r}"
            for (name, parameter), value in zip(
                inspect.signature(type(self)).parameters.items(), self.settings().values(), strict=True
            )
            if value is not parameter.default and value != parameter.default
        )
        return f"{type(self).__name__}({arguments})"


def described(part: Described, module: Any) -> dict[str, Any]:
    """Class and settings of an object, to be written as JSON.

    Args:
        part: the object.
        module: that exports the classes which are described by their names alone; any other by its dotted name.

    Raises:
        ValueError: an object of another class has settings that JSON cannot hold, and could not be restored.
    """
    name = type(part).__name__
    own = getattr(module, name, None) is not type(part)
    try:
        settings = part.settings()
    except AttributeError as error:
        raise ValueError(f"{name!r} cannot be saved: {error}; keep every argument as an attribute") from error
    for argument, value in settings.items() if own else ():
        if not isinstance(value, Described) and not _is_json(value):
            raise ValueError(
                f"{name!r} cannot be saved: {argument}={value!r} is neither a number, a text, nor a list or mapping of "
                "such"
            )
    kwargs = {
        argument: described(value, module) if isinstance(value, Described) else value
        for argument, value in settings.items()
    }
    return {"class": dotted(type(part)) if own else name, "kwargs": kwargs}


def restored(description: dict[str, Any], module: Any, trusted: Sequence[type] = ()) -> Any:
    """The object that `described` was called with.

    Args:
        description: class and settings, as `described` returns them.
        module: the module that exports the class.
        trusted: further classes that may be made.

    Raises:
        ValueError: the module does not export the class, and it is not trusted.
    """
    name = description["class"]
    if "." in name:
        made = trusted_class(name, trusted)
    elif name not in module.__all__:
        raise ValueError(f"{name!r} is not in {module.__name__}; there are {', '.join(module.__all__)}")
    else:
        made = getattr(module, name)
    kwargs = {
        argument: restored(value, module, trusted) if isinstance(value, dict) and "class" in value else value
        for argument, value in description["kwargs"].items()
    }
    return made(**kwargs)


def dotted(made: Callable[..., Any]) -> str:
    """Name of a class or function, with its module."""
    return f"{made.__module__}.{getattr(made, '__qualname__', type(made).__qualname__)}"


def trusted_class(name: str, trusted: Sequence[type]) -> type:
    """The class of this dotted name, which nothing is imported for. Raises ValueError if it is not trusted."""
    for made in trusted:
        if dotted(made) == name:
            return made
    short = name.rpartition(".")[2]
    raise ValueError(
        f"{name} is a custom class, and its code is not run because a folder names it: import it, and give it to load, "
        f"trusted=[{short}]"
    )


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
