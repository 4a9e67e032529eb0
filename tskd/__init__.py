"""Knowledge distillation for time-series forecasting with privileged information."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tskd._version import __version__

if TYPE_CHECKING:
    from tskd.distillation.expected.chosen_balance import BalanceChoice
    from tskd.distillation.expected.expected_gain import ExpectedGain, expected_gain
    from tskd.distillation.history_table import EpochRecords
    from tskd.distillation.leak_audit import Audit, audit
    from tskd.distillation.leak_checks import Finding
    from tskd.distillation.model import DistilledModel
    from tskd.distillation.window_counts import WindowCounts
    from tskd.teachers.crossfit import CrossFit
    from tskd.teachers.reconstruction import Reconstruction
    from tskd.teachers.teacher import Teacher

__all__ = [
    "Audit",
    "BalanceChoice",
    "CrossFit",
    "DistilledModel",
    "EpochRecords",
    "ExpectedGain",
    "Finding",
    "Reconstruction",
    "Teacher",
    "WindowCounts",
    "__version__",
    "audit",
    "expected_gain",
]

# torch and darts take seconds to import; names are fetched when first used
_HOMES = {
    "Audit": "tskd.distillation.leak_audit",
    "BalanceChoice": "tskd.distillation.expected.chosen_balance",
    "CrossFit": "tskd.teachers.crossfit",
    "DistilledModel": "tskd.distillation.model",
    "EpochRecords": "tskd.distillation.history_table",
    "ExpectedGain": "tskd.distillation.expected.expected_gain",
    "Finding": "tskd.distillation.leak_checks",
    "Reconstruction": "tskd.teachers.reconstruction",
    "Teacher": "tskd.teachers.teacher",
    "WindowCounts": "tskd.distillation.window_counts",
    "audit": "tskd.distillation.leak_audit",
    "expected_gain": "tskd.distillation.expected.expected_gain",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
