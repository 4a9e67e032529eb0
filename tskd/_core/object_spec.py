"""Objects that can be recreated from their class and settings, and the JSON form of these, `{class, kwargs}`."""

from __future__ import annotations

import inspect
from typing import Any


class Described:
    """Mixin for objects that keep every argument of their `__init__` as an attribute of the same name."""

    def settings(self) -> dict[str, Any]:
        """Arguments that make an equal object."""
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
    """Class and settings of an object, as JSON can hold them.

    Args:
        part: the object.
        module: the module of which its class is a public name.

    Raises:
        ValueError: the class is no public name of the module, so that it could not be restored.
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
    """The object of a description that `described` made.

    Args:
        description: class and settings.
        module: the module of which its class must be a public name.

    Raises:
        ValueError: the class is no public name of the module.
    """
    name = description["class"]
    if name not in module.__all__:
        raise ValueError(f"{name!r} is not in {module.__name__}; there are {', '.join(module.__all__)}")
    kwargs = {
        argument: restored(value, module) if isinstance(value, dict) and "class" in value else value
        for argument, value in description["kwargs"].items()
    }
    return getattr(module, name)(**kwargs)
