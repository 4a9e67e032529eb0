"""Checks of single arguments; errors give the argument, its value, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from tskd._core.suggest import closest


def check_whole(value: Any, least: int, name: str, meaning: str) -> None:
    """Raise a ValueError unless a value is a whole number and at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r}: give {meaning}, {least} or more")


def check_real(value: Any, least: float, most: float, name: str, meaning: str) -> None:
    """Raise a ValueError unless a value is a finite number from `least` to `most`."""
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        # a whole number beyond all floats
        number = math.inf
    if not math.isfinite(number) or not least <= number <= most:
        raise ValueError(f"{name}={value!r}: give {meaning}")


def check_positive(value: Any, name: str) -> None:
    """Raise a ValueError unless a value is a finite number above 0."""
    meaning = "a finite number above 0"
    check_real(value, 0, math.inf, name, meaning)
    if value == 0:
        raise ValueError(f"{name}={value!r}: give {meaning}")


def check_known(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise a ValueError for the first name that is not known, with the closest one that is."""
    known = list(known)
    for name in given:
        if name not in known:
            near = closest(str(name), known, cutoff=0.0)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(
                f"unknown {what} {name!r}; there {'are ' + ', '.join(known) if known else 'is none'}{hint}"
            )


def as_tuple(value: Any, wanted: type, what: str) -> tuple[Any, ...]:
    """One object of a class, or a list of them, as a tuple.

    Raises:
        TypeError: anything else is given.
    """
    items = (value,) if isinstance(value, wanted) else value
    if not isinstance(items, list | tuple):
        raise TypeError(f"{what} must be a {wanted.__name__} or a list of them, got {type_name(value)}")
    for item in items:
        if not isinstance(item, wanted):
            raise TypeError(f"{what} must hold objects of {wanted.__name__}, got {type_name(item)}")
    return tuple(items)


def type_name(value: Any) -> str:
    return f"the class {value.__name__} (give an object of it)" if isinstance(value, type) else type(value).__name__
