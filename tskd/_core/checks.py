"""Checks of single arguments, whose errors give the argument, its value, and what is allowed."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from tskd._core.suggest import closest

# more steps, windows, epochs or folds than any data have; numbers beyond it would overflow, or never end
MOST = 1_000_000
# what torch can multiply by; a fraction it cannot
KINDS = (Integral, float, np.floating)
# the first whole number that torch cannot multiply by
TOO_LARGE = 2**63


def check_whole(value: Any, least: int, name: str, meaning: str, most: int = MOST) -> None:
    """Raise a ValueError unless a value is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={shown(value)}: give {meaning}, {least} or more")
    if int(value) > most:
        raise ValueError(f"{name}={shown(value)}: give {meaning}, {most:,} at most")


def check_bool(value: Any, name: str) -> None:
    """Raise a TypeError unless a value is True or False; a text such as `"no"` would count as true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={value!r}: give True or False")


def is_choice(value: Any, choices: Iterable[str]) -> bool:
    """Whether a value is one of some texts; an array, which compares element by element, is not."""
    return isinstance(value, str) and value in tuple(choices)


def check_real(value: Any, least: float, most: float, name: str, meaning: str) -> None:
    """Raise a ValueError unless a value is a finite number from `least` to `most`."""
    try:
        number = float(value) if isinstance(value, KINDS) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if isinstance(value, Integral) and abs(int(value)) >= TOO_LARGE:
        raise ValueError(f"{name}={shown(value)}: give {meaning}, as a whole number below 2**63")
    if not math.isfinite(number) or not least <= number <= most:
        raise ValueError(f"{name}={value!r}: give {meaning}")


def shown(value: Any) -> str:
    """The `repr` of a value, or the size of a whole number of more digits than can be read."""
    if not isinstance(value, Integral) or abs(int(value)) < TOO_LARGE:
        return repr(value)
    return f"{'-' if int(value) < 0 else ''}10**{math.log10(abs(int(value))):.0f} or so"


def check_positive(value: Any, name: str) -> None:
    """Raise a ValueError unless a value is a finite number above 0."""
    meaning = "a finite number above 0"
    check_real(value, 0, math.inf, name, meaning)
    if value == 0:
        raise ValueError(f"{name}={value!r}: give {meaning}")


def as_path(value: Any, name: str) -> Path:
    """A path.

    Raises:
        TypeError: the value is neither a text nor a path.
        ValueError: it can be no path.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, got {type_name(value)}")
    path = Path(value)
    if "\0" in str(path):
        raise ValueError(f"{name}={str(path)!r} holds a NUL, which no path can")
    try:
        os.lstat(path)
    except UnicodeEncodeError:
        raise ValueError(f"{name}={str(path)!r} holds a character that no path can") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError(f"{name} has {len(str(path))} characters, and no path is so long") from None
    return path


def check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise a ValueError for the first name that is not known, with one that is known and near, if there is one."""
    known = list(known)
    for name in names:
        if name not in known:
            near = closest(str(name), known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(
                f"unknown {what} {name!r}; there {'are ' + ', '.join(known) if known else 'is none'}{hint}"
            )


def as_tuple(value: Any, wanted: type, what: str) -> tuple[Any, ...]:
    """Convert one object of a class, or a list of them, to a tuple.

    Raises:
        TypeError: the value is anything else.
    """
    items = (value,) if isinstance(value, wanted) else value
    if not isinstance(items, list | tuple):
        raise TypeError(f"{what} must be a {wanted.__name__} or a list of them, got {type_name(value)}")
    for item in items:
        if not isinstance(item, wanted):
            raise TypeError(f"{what} must hold objects of {wanted.__name__}, got {type_name(item)}")
    return tuple(items)


def type_name(value: Any) -> str:
    """The type of a value for messages; a class passed in place of an object is named as such."""
    return f"the class {value.__name__} (give an object of it)" if isinstance(value, type) else type(value).__name__
