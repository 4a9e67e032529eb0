"""Experiments: a student alone, distilled from teachers, and the controls that say what a gain is due to."""

from typing import TYPE_CHECKING, Any

from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import ConfigError, RunError
from tskd.experiment.config.experiment import Experiment
from tskd.experiment.config.study import Study
from tskd.experiment.config.teacher import TeacherConfig

if TYPE_CHECKING:
    from tskd.experiment.results.results import Results

__all__ = ["Arm", "ConfigError", "Experiment", "Results", "RunError", "Study", "TeacherConfig"]


def __getattr__(name: str) -> Any:
    # results need pandas; a configuration does not
    if name == "Results":
        from tskd.experiment.results.results import Results

        return Results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
