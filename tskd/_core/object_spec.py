"""Objects that can say how to make them again: the parts of a distillation are named by class and settings."""

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
    """Class name and settings, as JSON can hold them.

    Raises:
        ValueError: the class is not one of the module's public names, so that it could not be restored.
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
    """The object that `described` wrote; its class must be a public name of `module`.

    Raises:
        ValueError: the class is not one of the module's public names.
    """
    name = description["class"]
    if name not in module.__all__:
        raise ValueError(f"{name!r} is not in {module.__name__}; there are {', '.join(module.__all__)}")
    kwargs = {
        argument: restored(value, module) if isinstance(value, dict) and "class" in value else value
        for argument, value in description["kwargs"].items()
    }
    return getattr(module, name)(**kwargs)
