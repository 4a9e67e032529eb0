"""What a public docstring owes its reader, and which of that it lacks."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

ENTRY = re.compile(r" {4,}([\w, ]+): |^ {4,}([\w, ]+):$")
SHAPE = re.compile(r"\[[A-Za-z0-9,.… +_'<>]+\]|\bshape\b")
THOSE_OF = re.compile(r"(?:those of|as in|as for|as of) (?:its )?`([\w.]+)`")
MIRRORS = ("darts'", "as for its `fit`")
"""What a docstring says whose other arguments are those of darts' method of its name."""


def lacks(made: Any, owner: Any = None) -> list[str]:
    """What the docstring of a class, function or method lacks: text, arguments, errors, shapes of arrays.

    Args:
        made: the object.
        owner: of a method its class.
    """
    text = inspect.getdoc(made) or ""
    if not text:
        return ["a docstring"]
    referred = _told_elsewhere(text, made, owner)
    told = _told(text) | referred
    if owner is not None:
        # the few arguments of a method may stand in its sentence
        told |= set(re.findall(r"\w+", text))
    unknown = [name for name, _ in _parameters(made) if name not in told]
    missing = [] if any(mark in text for mark in MIRRORS) else [f"argument {name!r}" for name in unknown]
    if _raises(made) and not re.search(r"Raise|Error\b|errors are those of", text):
        missing.append("errors raised")
    missing += [
        f"shape of {name!r}"
        for name, kind in _parameters(made)
        if _is_array(kind) and name not in referred and not SHAPE.search(_entry(text, name))
    ]
    if not inspect.isclass(made) and _is_array(_returned(made)) and not SHAPE.search(text):
        missing.append("shape of what is returned")
    return missing


def _told(text: str) -> set[str]:
    """Names of the arguments that a docstring explains."""
    found = set(re.findall(r"`(\w+)", text))
    for first, second in ENTRY.findall(_sections(text)):
        found |= {name.strip() for name in (first or second).split(",")}
    return found


def _told_elsewhere(text: str, made: Any, owner: Any) -> set[str]:
    """Names of the arguments for which it refers to another docstring that lacks nothing."""
    others = [_find(name, made, owner) for name in THOSE_OF.findall(text)]
    known = [other for other in others if callable(other) and other is not made and not lacks(other)]
    return {name for other in known for name, _ in _parameters(other)}


def _find(name: str, made: Any, owner: Any) -> Any:
    """The object that a docstring calls by a name: dotted from the package, from its own module, or from its class."""
    home = importlib.import_module(made.__module__)
    first, *rest = name.split(".")
    place = getattr(home, first, None) or getattr(owner, first, None)
    if first == "tskd":
        module, _, last = name.rpartition(".")
        return getattr(importlib.import_module(module), last)
    for part in rest:
        place = getattr(place, part, None)
    return place


def _sections(text: str) -> str:
    return "\n".join(re.split(r"^(?:Args|Attributes):$", text, flags=re.MULTILINE)[1:])


def _entry(text: str, name: str) -> str:
    """What a docstring says of an argument: its entry, or what follows its name in a sentence."""
    entry = re.search(rf"^    [\w, ]*\b{name}\b[\w, ]*:((?:.|\n        )*)", _sections(text), flags=re.MULTILINE)
    return (entry[1] if entry else "") + " ".join(re.findall(rf"`{name}`? ?\[[^\]]*\]", text))


def _parameters(made: Any) -> Iterator[tuple[str, str]]:
    """Arguments with their annotations as text."""
    if inspect.isclass(made) and not inspect.isfunction(made.__init__):
        # that of a class of Python's own
        return
    for name, parameter in inspect.signature(made).parameters.items():
        if name not in ("self", "cls") and not name.startswith("_"):
            yield name, str(parameter.annotation)


def _returned(made: Any) -> str:
    return str(inspect.signature(made).return_annotation)


def _is_array(annotation: str) -> bool:
    return bool(re.search(r"\bTensor\b|\bndarray\b", annotation)) and "Callable" not in annotation


def _raises(made: Any) -> bool:
    """Whether its own code raises, or calls a check."""
    if not inspect.isclass(made):
        return _code_raises(made)
    own = [base for base in made.__mro__ if base.__module__.startswith("tskd")]
    names = ("__init__", "__post_init__")
    return any(_code_raises(vars(base)[name]) for base in own for name in names if _is_written(base, name))


def _is_written(base: type, name: str) -> bool:
    """Whether a class has a method of its own that stands in a file, as one that `dataclass` makes does not."""
    found = vars(base).get(name)
    return inspect.isfunction(found) and not found.__code__.co_filename.startswith("<")


def _code_raises(function: Any) -> bool:
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and re.fullmatch(r"_?check\w*", ast.unparse(node.func).split(".")[-1]):
            return True
    return False
