"""The student's own past where it is missing: filled in training by teachers that reconstruct the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from darts import TimeSeries

from tskd._core.model_inputs import ModelInputs
from tskd.distillation.preflight import PreparedFit
from tskd.teachers.base import BaseTeacher


def with_filled_past(prepared: PreparedFit, teachers: Sequence[BaseTeacher]) -> PreparedFit:
    """The same fit, with the target's past filled in both parts by those fitted teachers that do so."""
    student, validation = prepared.student, prepared.validation
    for teacher, one in zip(teachers, prepared.teachers, strict=True):
        if teacher.fills_past:
            student = _filled(student, teacher.filled_on(one.inputs))
            if validation is not None and one.validation is not None:
                validation = _filled(validation, teacher.filled_on(one.validation))
    return replace(prepared, student=student, validation=validation)


def _filled(inputs: ModelInputs, answers: Sequence[TimeSeries]) -> ModelInputs:
    """The inputs with gaps of the past filled by the answers of one teacher, the first that has one."""
    past = []
    for known, answer in zip(inputs.past_target or inputs.series, answers, strict=True):
        values = known.values(copy=False)
        past.append(known.with_values(np.where(np.isfinite(values), values, answer.values(copy=False))))
    return replace(inputs, past_target=past)
