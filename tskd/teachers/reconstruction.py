"""`Reconstruction`, the public class: a teacher that answers by time, from the privileged values of the same time."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from darts import TimeSeries

from tskd._core.checks import check_bool, check_whole, is_choice
from tskd._core.components import check_components, orders_of
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, trace
from tskd._core.window_keys import WindowSampling
from tskd.teachers.answer_form import AnswerForm
from tskd.teachers.answers import AnswersByTime
from tskd.teachers.base import BaseTeacher
from tskd.teachers.pointwise import PointwiseKind
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.reconstruction_fit import ReconstructionFit, privileged_beside, values_around
from tskd.teachers.series_file import read_series, write_series


class Reconstruction(BaseTeacher):
    """A teacher that reconstructs the target from the privileged values of the same time.

    It is fitted on the labelled steps (those with a finite target value) of all series together, separately for each
    component, and answers for every step whose privileged values are known, labelled or not: its forecast of step h
    from origin t is its answer for t + h, whatever t is. At a time stamp with a label it answers by a model that was
    fitted without this label and its neighbours, see `LabelFolds`; elsewhere by one that was fitted on all labels.
    Where a privileged value that it reads is missing, it has no answer and does not teach windows that contain the
    step.

    It reads no label after the end of the training series, and no privileged value after the end of the series that it
    is asked about. Nothing of it becomes part of the student. A saved reconstruction holds the values that it was
    fitted on.

    Args:
        privileged: keys in `privileged` of the series that it reads, on the target's time grid; of any span.
        model: `"one-neighbour"`, least squares on the one component that correlates best with the labels; `"ridge"`, on
            all; `"trees"`, boosted trees on all.
        steps: number of steps before and after the same step that it reads too.
        name: for messages, logs and `Fixed` weights; `"Reconstruction"` if None.
        fills_past: whether it fills the missing past of the target among the student's inputs in training. Needs
            `steps=0`: the student would otherwise see what lies after its origin.

    Raises:
        TypeError, ValueError: an argument is not one of these.
    """

    def __init__(
        self,
        privileged: str | Sequence[str],
        model: PointwiseKind = "ridge",
        steps: int = 0,
        name: str | None = None,
        *,
        fills_past: bool = False,
    ) -> None:
        names = [privileged] if isinstance(privileged, str) else privileged
        if not isinstance(names, list | tuple) or not all(isinstance(item, str) for item in names):
            raise TypeError(f"privileged must be the name of a series or a list of names, got {privileged!r}")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"privileged={privileged!r}: give one name or more, each once")
        if not is_choice(model, get_args(PointwiseKind)):
            raise ValueError(f"model={model!r}: give one of {', '.join(map(repr, get_args(PointwiseKind)))}")
        check_whole(steps, 0, "steps", "a number of steps to both sides")
        check_bool(fills_past, "fills_past")
        if fills_past and steps:
            raise ValueError(
                f"fills_past=True with steps={steps}: the student's past would hold what lies after its origin; give "
                "steps=0"
            )
        self.privileged, self.model, self.steps, self.fills_past = privileged, model, int(steps), fills_past
        self.name = type(self).__name__ if name is None else name
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"teacher name {name!r}: give a text")
        self._names = list(names)
        self._fit: ReconstructionFit | None = None
        self._horizon = range(1, 2)

    def __repr__(self) -> str:
        parts = [f"privileged={self.privileged!r}", f"model={self.model!r}"]
        parts += [f"steps={self.steps}"] if self.steps else []
        parts += [] if self.name == type(self).__name__ else [f"name={self.name!r}"]
        parts += ["fills_past=True"] if self.fills_past else []
        return f"Reconstruction({', '.join(parts)})"

    @property
    def kind(self) -> str:
        return "Reconstruction"

    @property
    def names(self) -> list[str]:
        return [*self._names]

    @property
    def horizon(self) -> range:
        """Steps after the origin that it is asked for: those of the student, or a single one as long as it has no
        student."""
        return self._horizon

    @property
    def fitted(self) -> bool:
        return self._fit is not None

    @property
    def seen_until(self) -> Any:
        return None if self._fit is None else max(target.end_time() for target in self._fit.inputs.series)

    def was_fitted_on(self, series: Sequence[TimeSeries]) -> bool:
        assert self._fit is not None
        traces = {trace(target) for target in self._fit.inputs.series}
        return any(trace(target) in traces for target in series)

    def answering(self, steps: range) -> Self:
        asked = copy.copy(self)
        asked._horizon = steps
        return asked

    def unfitted(self) -> Self:
        teacher = copy.copy(self)
        teacher._fit = None
        return teacher

    def fit(self, series: SeriesLike, privileged: Mapping[str, SeriesLike]) -> Reconstruction:
        """Fit on some series, and return the fitted teacher; this one is unchanged.

        Args:
            series: targets, NaN where there is no label.
            privileged: series by name, one for each target series or one for all; not read after the end of a target.

        Raises:
            ValueError: the series do not fit one another, or there are too few labels.
        """
        return self.fit_on(self.inputs_on(self.data_of(series, None, None, privileged)))

    def filled(self, series: SeriesLike, privileged: Mapping[str, SeriesLike]) -> list[TimeSeries]:
        """Target series with the missing values filled by the fitted teacher's answers; NaN where there is none.

        Args:
            series: targets, with NaN.
            privileged: series by name, one for each target series.
        """
        return self.filled_on(self.inputs_on(self.data_of(series, None, None, privileged)))

    def filled_on(self, inputs: ModelInputs) -> list[TimeSeries]:
        series = inputs.series
        return [
            target.with_values(np.where(np.isfinite(values := target.values(copy=False)), values, answers.values()))
            for target, answers in zip(series, self.answers_on(inputs), strict=True)
        ]

    def answers_on(self, inputs: ModelInputs) -> list[TimeSeries]:
        """Answers for every step of the target series in the teacher's own `inputs`, NaN where there is none."""
        self.check_fitted(True)
        assert self._fit is not None and inputs.past_covariates is not None
        fitted = self._fit.inputs
        for slot, own, expected in (
            ("series", inputs.series, fitted.series),
            ("privileged", inputs.past_covariates, fitted.past_covariates),
        ):
            check_components(own, orders_of(expected or []), f"{slot} of teacher {self.name!r}")
        return [
            target.with_values(self._fit.answers(values_around(read, self.steps), target).astype(target.dtype))
            for read, target in zip(inputs.past_covariates, inputs.series, strict=True)
        ]

    def inputs_on(self, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
        privileged = data.privileged_of(self.names)
        read = []
        for index, target in enumerate(data.series):
            parts = {name: privileged[name][index] for name in self.names}
            try:
                read.append(privileged_beside(parts, target, self.steps))
            except ValueError as error:
                raise ValueError(f"{data.prefix}privileged of teacher {self.name!r}: {error}") from None
        return ModelInputs(data.series, read)

    def check_fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> None:
        if self.model == "trees":
            # its labels are those of the others, which are fitted in a moment
            self._fit_as("ridge", inputs)
        else:
            self._fit_as(self.model, inputs)

    def fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> Reconstruction:
        """`fit` on the teacher's own inputs; sampling and weights of windows do not apply to labels of steps."""
        self.check_fitted(False)
        teacher = copy.copy(self)
        teacher._fit = self._fit_as(self.model, inputs)
        return teacher

    def _fit_as(self, model: PointwiseKind, inputs: ModelInputs) -> ReconstructionFit:
        try:
            return ReconstructionFit.of(inputs, model, self.steps)
        except ValueError as error:
            raise ValueError(f"teacher {self.name!r}, {error}") from None

    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        base = AnswersByTime(self.answers_on(inputs), targets, self._horizon, AnswerForm())
        return TeacherPredictor(inputs.series, base)

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        self.check_fitted(True)
        assert self._fit is not None
        inputs = self._fit.inputs
        groups = {"series": inputs.series, "privileged": inputs.past_covariates or []}
        settings = {"privileged": self.privileged, "model": self.model, "steps": self.steps, "name": self.name}
        settings["fills_past"] = self.fills_past
        return {"settings": settings, "fitted_on": write_series(folder / f"{stem}.npz", groups)}

    @classmethod
    def restored(
        cls, folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()
    ) -> Reconstruction:
        groups = read_series(folder / f"{stem}.npz", entry["fitted_on"])
        # the fit is deterministic, and no format for fitted trees is safe to load
        return cls(**entry["settings"]).fit_on(ModelInputs(groups["series"], groups["privileged"]))
