"""What all batteries share: how one is made for a part, and how a check says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, Generic, Self, TypeVar

import numpy as np

from tskd._core.object_spec import Described, described, restored

Part = TypeVar("Part")


class Battery(Generic[Part]):
    """Tests of one part, as plain methods that pytest finds: either a subclass with `make`, or a line with `of`."""

    @classmethod
    def of(cls, make: Callable[[], Part], **attributes: Any) -> type[Self]:
        """A subclass that tests the parts that `make` returns.

        Args:
            make: returns a fresh part.
            attributes: of the battery, in place of its own.

        Raises:
            ValueError: an attribute is none of this battery.
        """
        unknown = [name for name in attributes if not hasattr(cls, name)]
        if unknown:
            raise ValueError(f"there are no attributes {unknown} in {cls.__name__}")
        return type("TestConformance", (cls,), {"make": lambda self: make(), **attributes})

    def make(self) -> Part:
        """A fresh part."""
        raise NotImplementedError(f"{type(self).__name__} lacks make()")


def require(held: bool, message: str) -> None:
    """As `assert`, which pytest explains in test modules only."""
    if not held:
        raise AssertionError(message)


def require_close(found: Any, expected: Any, rounding: float, message: str) -> None:
    """Raise an AssertionError where two arrays differ by more than `rounding`, absolute and relative, or in shape."""
    found, expected = np.asarray(found), np.asarray(expected)
    require(found.shape == expected.shape, f"{message}: shapes {found.shape} and {expected.shape}")
    if not np.allclose(found, expected, rtol=rounding, atol=rounding, equal_nan=True):
        most = np.abs(found - expected)[np.isfinite(found) & np.isfinite(expected)].max(initial=0)
        missing = f"{(~np.isfinite(found)).sum()} and {(~np.isfinite(expected)).sum()} are missing"
        raise AssertionError(f"{message}: they differ by up to {most:.3g}, allowed is {rounding:g}; {missing}")


def check_recreated(part: Described, module: ModuleType, saved: bool) -> None:
    """Check that settings and repr recreate a part, and, if `saved`, that it can be written as JSON and read back."""
    kind = type(part)
    try:
        again = kind(**part.settings())
    except AttributeError as error:
        raise AssertionError(f"{error}: keep every argument of __init__ as an attribute of the same name") from error
    require(
        repr(again) == repr(part),
        f"{part!r} made again is {again!r}: keep every argument of __init__ unchanged as an attribute of the same name",
    )
    if not saved:
        return
    public = {name: getattr(module, name) for name in module.__all__}
    public |= {type(one).__name__: type(one) for one in held(part)}
    found = repr(eval(repr(part), public))
    require(found == repr(part), f"{part!r} is not what makes it, but {found}: leave __repr__ to `Described`")
    known = SimpleNamespace(**public, __all__=[*public], __name__=module.__name__)
    text = json.dumps(described(part, known))
    found = json.dumps(described(restored(json.loads(text), known), known))
    require(found == text, f"{text} read back is {found}: take arguments that JSON can hold, or declare saved = False")


def held(part: Described) -> Iterator[Described]:
    """A part, and those among its arguments."""
    yield part
    for value in part.settings().values():
        if isinstance(value, Described):
            yield from held(value)
