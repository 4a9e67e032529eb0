"""Code of a user's own: which classes and functions are, and a digest of the source that they depend on.

The source of a class or function is the whole module that defines it, with every module of the user's own that one
imports, by whatever way: a module is the user's own if it is a file that lies neither in Python's library, in
site-packages nor in tskd. What code loads in other ways (by `importlib`, from data files) is not seen. In a script all
of its text counts, so that what it should not cost to change belongs elsewhere than models and losses; of a module
without a file (a console, a notebook) the functions and classes that are defined in it do.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

LIBRARIES = {
    *("tskd", "darts", "torch", "pytorch_lightning", "lightning", "lightning_fabric", "numpy", "pandas"),
    *sys.stdlib_module_names,
}
"""Packages whose classes are known by their names; of any other class the source counts, which its user may edit."""

FOREIGN = ("site-packages", "dist-packages")


def is_own(made: Any) -> bool:
    """Whether a class or function is of none of the known packages."""
    name: str = getattr(made, "__module__", None) or "builtins"
    return name in ("__main__", "__mp_main__") or name.partition(".")[0] not in LIBRARIES


def source_digest(made: Callable[..., Any]) -> str:
    """A digest of the source that a class (with its bases) or function depends on; empty if none is the user's own."""
    own = [one for one in (made.__mro__ if isinstance(made, type) else (made,)) if is_own(one)]
    if not own:
        return ""
    found: dict[str, str] = {}
    for one in own:
        name = _real_name(one.__module__)
        path = _file_of(name)
        if path is not None:
            _collect(name, path, found)
        elif not _is_installed(name):
            found[f"{name}: defined there"] = _digest(repr(list(_definitions(name))).encode())
        elif isinstance(one, type):
            found[f"{name}.{one.__qualname__}"] = _digest(_source(one).encode())
    return _digest(repr(sorted(found.items())).encode())


def _collect(name: str, path: Path, found: dict[str, str]) -> None:
    """Add digests of a module and of the user's own modules that it imports, to those of modules that are there."""
    if name in found:
        return
    state = path.stat()
    found[name], imported = _parsed(name, path, state.st_mtime_ns, state.st_size)
    for other in imported:
        file = _file_of(other)
        if file is not None:
            _collect(other, file, found)


@cache
def _parsed(name: str, path: Path, written: int, size: int) -> tuple[str, tuple[str, ...]]:
    """Digest of the text of a module, and names of all modules that it may import.

    Args:
        written, size: of the file: one that was edited is read anew.
    """
    content = path.read_bytes()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    # to import a.b is to import a
    parents = {one.rsplit(".", number)[0] for one in names for number in range(one.count(".") + 1)}
    return _digest(content), tuple(sorted(parents))


def _file_of(name: str) -> Path | None:
    """The file of a module of the user's own, found without importing it; None for any other."""
    top, *rest = name.split(".")
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file) if file and _is_own_file(Path(file)) else None
    if top in LIBRARIES:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [Path(spec.origin)] if spec.origin and not rest else []
    for folder in spec.submodule_search_locations or () if rest else ():
        below = Path(folder).joinpath(*rest)
        places += [below / "__init__.py", below.with_name(f"{below.name}.py")]
    return next((place for place in places if _is_own_file(place)), None)


def _is_own_file(path: Path) -> bool:
    """Whether a file is source that the user may edit."""
    library = Path(sysconfig.get_paths()["stdlib"])
    below = any(path.is_relative_to(folder) for folder in (library, Path(__file__).parent.parent))
    return path.suffix == ".py" and path.is_file() and not below and not set(FOREIGN) & set(path.parts)


def _is_installed(name: str) -> bool:
    """Whether a module has a file, which then is not the user's."""
    return getattr(sys.modules.get(name), "__file__", None) is not None


def _definitions(name: str) -> Iterator[tuple[str, Any]]:
    """Functions and classes that are defined in a module without a file, and what they do."""
    for label, item in sorted(vars(sys.modules[name]).items() if name in sys.modules else ()):
        if getattr(item, "__module__", None) != name:
            continue
        if isinstance(item, FunctionType):
            yield label, _body(item.__code__)
        elif isinstance(item, type):
            methods = {key: _body(one.__code__) for key, one in vars(item).items() if isinstance(one, FunctionType)}
            yield label, (_source(item), methods)


def _body(code: CodeType) -> Any:
    """What a function does, functions within it included, whose `repr` names a place in memory."""
    constants = [
        _body(one) if isinstance(one, CodeType) else sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)
        for one in code.co_consts
    ]
    return code.co_code.hex(), code.co_names, constants


def _real_name(module: str) -> str:
    """A worker process calls the script that was started `__mp_main__`."""
    return "__main__" if module == "__mp_main__" else module


def _source(made: type) -> str:
    try:
        return inspect.getsource(made)
    except (OSError, TypeError):
        # made in a console, or not in Python
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]
