"""Experiments: a student alone, distilled from teachers, and the controls that tell what a gain is due to."""

import importlib
from typing import TYPE_CHECKING, Any

from tskd.experiment.api import Experiment, Study
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import ConfigError, RunError
from tskd.experiment.config.teacher import TeacherConfig

if TYPE_CHECKING:
    from tskd.experiment.results.results import Results
    from tskd.experiment.results.study_results import StudyResults
    from tskd.experiment.statistics.intervals import Comparison
    from tskd.experiment.statistics.verdict import Verdict

__all__ = [
    "Arm",
    "Comparison",
    "ConfigError",
    "Experiment",
    "Results",
    "RunError",
    "Study",
    "StudyResults",
    "TeacherConfig",
    "Verdict",
]

# results need pandas; a configuration does not
_HOMES = {
    "Comparison": "tskd.experiment.statistics.intervals",
    "Results": "tskd.experiment.results.results",
    "StudyResults": "tskd.experiment.results.study_results",
    "Verdict": "tskd.experiment.statistics.verdict",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
