"""What a fit would refuse only once teachers were trained, found before."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tskd._core.darts.dataset import dataset_windows
from tskd._core.darts.rehearsal import rehearse
from tskd._core.windows import Windows
from tskd.distillation.preflight import PreparedFit


def check_all_fits(prepared: PreparedFit) -> None:
    """Raise what the fit of the student, or of a teacher, would raise before its first step.

    A teacher that is fitted first says so itself, before anything is trained.
    """
    unfitted = [one for one in prepared.teachers if one.predictor is None]
    for number, one in enumerate(unfitted):
        if number or one.teacher.cross_fit is not None:
            one.check_fit(prepared.options)
    if unfitted:
        rehearse(prepared.recipe.student, _Look(prepared), "student", **prepared.fit_arguments())


class _Look:
    """Checks that the student has windows to train and to validate on, its past aside if teachers will fill it."""

    def __init__(self, prepared: PreparedFit) -> None:
        self.prepared = prepared

    def __call__(self, training_set: Any, validation_set: Any) -> tuple[Tensor, Windows]:
        prepared = self.prepared
        windows = dataset_windows(training_set, prepared.student)
        assert prepared.student.keys is not None
        usable = self._usable(windows, prepared.student.keys)
        if not bool(usable.any()):
            raise ValueError("no window can be used: none has all inputs of the student")
        if validation_set is not None:
            assert prepared.validation is not None and prepared.validation.keys is not None
            keys = prepared.validation.keys
            held_out = dataset_windows(validation_set, prepared.validation)
            if not bool((self._usable(held_out, keys) & held_out.has_labels(keys)).any()):
                raise ValueError("no validation window has all inputs of the student, and a label")
        return prepared.student.keys[usable & windows.covers(prepared.student.keys)], windows

    def _usable(self, windows: Windows, keys: Tensor) -> Tensor:
        fills = any(one.teacher.fills_past for one in self.prepared.teachers)
        return (windows.without("past_target") if fills else windows).covers(keys)
