"""Experiments: a student alone, distilled from teachers, and the controls that tell what a gain is due to."""

from typing import TYPE_CHECKING, Any

from tskd.experiment.api import Experiment, Study
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import ConfigError, RunError
from tskd.experiment.config.teacher import TeacherConfig

if TYPE_CHECKING:
    from tskd.experiment.results.results import Results
    from tskd.experiment.results.study_results import StudyResults

__all__ = ["Arm", "ConfigError", "Experiment", "Results", "RunError", "Study", "StudyResults", "TeacherConfig"]


def __getattr__(name: str) -> Any:
    # results need pandas; a configuration does not
    if name == "Results":
        from tskd.experiment.results.results import Results

        return Results
    if name == "StudyResults":
        from tskd.experiment.results.study_results import StudyResults

        return StudyResults
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
