"""Objects that can be recreated from their class and settings, and the JSON form `{class, kwargs}` of such objects."""

from __future__ import annotations

import inspect
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
        module: the module that exports its class.

    Raises:
        ValueError: the module does not export the class, which could then not be restored.
    """
    name = type(part).__name__
    if getattr(module, name, None) is not type(part):
        raise ValueError(f"{name!r} cannot be saved: it is not in {module.__name__}")
    kwargs = {
        argument: described(value, module) if isinstance(value, Described) else value
        for argument, value in part.settings().items()
    }
    return {"class": name, "kwargs": kwargs}


def restored(description: dict[str, Any], module: Any) -> Any:
    """The object that `described` was called with.

    Args:
        description: class and settings, as `described` returns them.
        module: the module that exports the class.

    Raises:
        ValueError: the module does not export the class.
    """
    name = description["class"]
    if name not in module.__all__:
        raise ValueError(f"{name!r} is not in {module.__name__}; there are {', '.join(module.__all__)}")
    kwargs = {
        argument: restored(value, module) if isinstance(value, dict) and "class" in value else value
        for argument, value in description["kwargs"].items()
    }
    return getattr(module, name)(**kwargs)
