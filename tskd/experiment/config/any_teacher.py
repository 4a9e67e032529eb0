"""A teacher of any kind in a configuration: a darts model, or one from `tskd.experiment.config.outside_teacher`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SkipValidation

from tskd._core.own_code import is_own
from tskd.experiment.config.outside_teacher import KINDS, OutsideTeacherConfig, ReconstructionConfig
from tskd.experiment.config.teacher import TeacherConfig

AnyTeacherConfig = TeacherConfig | OutsideTeacherConfig


def teacher_config(given: Any) -> AnyTeacherConfig:
    """The configuration of a teacher, of the kind that its keys or its class tell.

    Raises:
        ValueError: it has the keys of several kinds, or is a Python object of one that only a file can give.
    """
    if isinstance(given, TeacherConfig | OutsideTeacherConfig):
        return given
    if isinstance(given, Mapping):
        kinds = [kind for kind in ("model", *KINDS) if kind in given]
        # a reconstruction has a model too
        kinds = [kind for kind in kinds if kind != "model" or "reconstruction" not in kinds]
        if len(kinds) > 1:
            raise ValueError(f"a teacher is of one kind: give one of {' and '.join(kinds)}.")
        return (KINDS.get(kinds[0], TeacherConfig) if kinds else TeacherConfig).model_validate(given)
    kind = getattr(given, "kind", None)
    if kind is not None and is_own(type(given)):
        raise ValueError(
            f"teacher {given.name!r}, a {type(given).__name__}, is a kind of teacher of your own: an experiment makes "
            "its teachers itself, once a seed, and would make it a Teacher; give a model, a source or a loss of your "
            "own, or its forecasts under `forecasts`."
        )
    if kind == "Reconstruction":
        return ReconstructionConfig.model_validate(given)
    if kind is not None and not hasattr(given, "spec"):
        raise ValueError(f"teacher {given.name!r}, a {kind}: give its data under `series` or `forecasts` instead.")
    return TeacherConfig.model_validate(given)


OneTeacher = Annotated[SkipValidation[AnyTeacherConfig], BeforeValidator(teacher_config)]
