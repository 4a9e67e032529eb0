"""Knowledge distillation for time-series forecasting with privileged information."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tskd._version import __version__

if TYPE_CHECKING:
    from tskd.distillation.leak_audit import audit
    from tskd.distillation.model import DistilledModel
    from tskd.teachers.reconstruction import Reconstruction
    from tskd.teachers.teacher import Teacher

__all__ = ["DistilledModel", "Reconstruction", "Teacher", "__version__", "audit"]

# torch and darts take seconds to import; names are fetched when first used
_HOMES = {
    "DistilledModel": "tskd.distillation.model",
    "Reconstruction": "tskd.teachers.reconstruction",
    "Teacher": "tskd.teachers.teacher",
    "audit": "tskd.distillation.leak_audit",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
