"""Imports of optional dependencies, with errors that give the extra of tskd to install."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def check_installed(package: str, purpose: str, extra: str) -> None:
    """Raise an ImportError with the line that installs the extra, unless the package is installed."""
    if not is_installed(package):
        raise ImportError(_install_line(package, purpose, extra))


def import_optional(module: str, purpose: str, extra: str) -> Any:
    """Import a module of an optional package.

    Raises:
        ImportError: the import fails; the message has the line that installs the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(_install_line(module.partition(".")[0], purpose, extra)) from error


def _install_line(package: str, purpose: str, extra: str) -> str:
    return f"{purpose} needs {package}: pip install 'tskd[{extra}]'"
