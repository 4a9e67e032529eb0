"""Packages that only the extra `statistics` installs."""

from __future__ import annotations

import importlib
from typing import Any


def import_optional(module: str, for_what: str) -> Any:
    """The module of that name.

    Raises:
        ImportError: it is not installed; the line that installs it is named.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{for_what} needs {module.partition('.')[0]}: pip install 'tskd[statistics]'") from error
