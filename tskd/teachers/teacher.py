"""`Teacher`, the public class: a darts model, and which inputs it may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from darts import TimeSeries

from tskd._core.checks import as_tuple, type_name
from tskd._core.components import Orders
from tskd._core.darts.arguments import plain_arguments
from tskd._core.darts.capabilities import holds_torch_models, is_fitted, is_trainable
from tskd._core.darts.inspect import kept_components, traces_of, trained_until
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, check_not_alone, only_read, trace
from tskd._core.window_keys import WindowSampling
from tskd.privileged import Source
from tskd.teachers.base import BaseTeacher
from tskd.teachers.crossfit import CrossFit, Folds
from tskd.teachers.fitted import FittedModels
from tskd.teachers.from_outside import FromOutside
from tskd.teachers.inputs import teacher_data, teacher_inputs
from tskd.teachers.model_storage import restored_models, save_models
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.spec import TeacherSpec
from tskd.teachers.teacher_checks import check_possible, check_taught_by, check_teachable


class Teacher(FromOutside, BaseTeacher):
    """A darts global model, with a declaration of the privileged information that it may read.

    Args:
        model: any of darts' global models. A fitted one (also by plain darts, with a privileged series as covariate) is
            used as it is and never changed; copies of an unfitted one are fitted on the student's training data.
        privileged: one or more sources of privileged information; None for an ordinary teacher.
        name: for messages, logs and `Fixed` weights; the model's class name if None.
        sees_inputs: if false, the teacher reads privileged information alone, neither the target's past nor deployable
            or static covariates.
        target: key in `privileged` of the series that the teacher forecasts, if its components differ from those of the
            student's target, which must be among them.
        cross_fit: number of folds, or a `CrossFit`: each training window is forecast by a copy of the model that was
            not fitted on it or its neighbours.

    Raises:
        TypeError: the model cannot be a teacher, or `privileged` holds anything but sources.
        ValueError: a source needs slots or steps that the model does not have.
    """

    def __init__(
        self,
        model: Any,
        privileged: Source | Sequence[Source] | None = None,
        name: str | None = None,
        *,
        sees_inputs: bool = True,
        target: str | None = None,
        cross_fit: int | CrossFit | None = None,
    ) -> None:
        check_teachable(model)
        name = type(model).__name__ if name is None else name
        sources = as_tuple(() if privileged is None else privileged, Source, f"privileged of teacher {name!r}")
        plan = cross_fit if cross_fit is None or isinstance(cross_fit, CrossFit) else CrossFit(cross_fit)
        self.spec = TeacherSpec(model, sources, name, sees_inputs, target, plan)
        self._result = FittedModels((model,), None, kept_components(model), trained_until(model), traces_of(model))
        check_possible(self.spec, self.fitted)

    @classmethod
    def of_fitted(cls, spec: TeacherSpec, result: FittedModels) -> Teacher:
        teacher = cls.__new__(cls)
        teacher.spec, teacher._result = spec, result
        return teacher

    def __repr__(self) -> str:
        return f"Teacher({self.spec.arguments()}{', fitted' if self.fitted else ''})"

    @property
    def model(self) -> Any:
        return self.spec.model

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.spec.name

    @property
    def kind(self) -> str:
        return type(self.spec.model).__name__

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.spec.sources

    @property
    def names(self) -> list[str]:
        """Keys of `privileged` that the teacher reads."""
        return self.spec.series_names

    @property
    def horizon(self) -> range:
        return self.spec.horizon

    @property
    def lookback(self) -> int:
        return self.spec.lookback

    @property
    def is_network(self) -> bool:
        return self.spec.is_network

    @property
    def trains_network(self) -> bool:
        return self.learns and (self.is_network or holds_torch_models(self.model))

    @property
    def learns(self) -> bool:
        return not self.is_network or is_trainable(self.model)

    @property
    def sees_inputs(self) -> bool:
        return self.spec.sees_inputs

    @property
    def target(self) -> str | None:
        return self.spec.target

    @property
    def cross_fit(self) -> CrossFit | None:
        return self.spec.cross_fit

    @property
    def models(self) -> tuple[Any, ...]:
        return self._result.models

    @property
    def folds(self) -> Folds | None:
        return self._result.folds

    @property
    def components(self) -> Mapping[str, Orders]:
        return self._result.components

    @property
    def seen_until(self) -> Any:
        return self._result.seen_until

    @property
    def traces(self) -> tuple[str, ...] | None:
        return self._result.traces

    def was_fitted_on(self, series: Sequence[TimeSeries]) -> bool:
        return self.traces is None or any(trace(target) in self.traces for target in series)

    @property
    def fitted(self) -> bool:
        return all(is_fitted(model) for model in self._result.models)

    def fit(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
        val_series: SeriesLike | None = None,
        val_past_covariates: SeriesLike | None = None,
        val_future_covariates: SeriesLike | None = None,
        val_privileged: Mapping[str, SeriesLike] | None = None,
        taught_by: Teacher | None = None,
        **fit_kwargs: Any,
    ) -> Teacher:
        """Fit a copy of the model, and return it as a fitted teacher; this one is unchanged.

        Windows without all privileged values (past the end of `series`) are left out. For a chain of way points (LuPTS:
        Karlsson et al. 2022, arXiv:2110.14993), fit a teacher near the end of the horizon on the labels, an earlier one
        `taught_by` that one, and so on, and distil the student from the last.

        Args:
            series: targets; `privileged` is not read after the end of a series.
            privileged: series by name, one for each target series or one for all.
            val_series: for darts' validation loss; a privileged teacher needs `val_privileged` with it.
            taught_by: a fitted teacher of the same horizon, whose forecasts replace the labels of the training windows;
                `privileged` holds the series of its sources too. For torch models only.
            fit_kwargs: further arguments of the model's `fit`.

        Raises:
            ValueError: the data cannot be used.
        """
        self.check_fitted(False)
        fit_kwargs = plain_arguments(**fit_kwargs)
        sampling = WindowSampling(fit_kwargs.get("stride", 1), fit_kwargs.get("max_samples_per_ts"))
        labels = None
        if taught_by is not None:
            if not isinstance(taught_by, Teacher):
                raise TypeError(f"taught_by must be a Teacher, got {type_name(taught_by)}")
            check_taught_by(self.spec, taught_by.spec, taught_by.fitted)
            both = only_read(privileged, [*self.names, *taught_by.names], f"privileged of teacher {self.name!r}")
            privileged_of_labels, privileged = (
                {name: values for name, values in both.items() if name in names}
                for names in (taught_by.names, self.names)
            )
            labels = taught_by.predictor(series, past_covariates, future_covariates, privileged_of_labels)
        data = self.data_of(series, past_covariates, future_covariates, privileged)
        inputs, validation = self.inputs_on(data, sampling), None
        val_data = (val_series, val_past_covariates, val_future_covariates, val_privileged)
        if val_series is None:
            names = ("val_past_covariates", "val_future_covariates", "val_privileged")
            check_not_alone(**dict(zip(names, val_data[1:], strict=True)))
        elif self.spec.is_network:
            validation = self.inputs_on(self.data_of(*val_data, "val_"), sampling)
        return self.fit_on(inputs, validation, labels, **fit_kwargs)

    def fit_on(
        self,
        inputs: ModelInputs,
        validation: ModelInputs | None = None,
        taught_by: TeacherPredictor | None = None,
        **fit_kwargs: Any,
    ) -> Teacher:
        """`fit` on the teacher's own inputs, see `teacher_inputs`.

        Args:
            inputs, validation: of the training and the validation part, with keys; validation is for torch models only.
            taught_by: predictor of a teacher whose forecasts replace the labels.
            fit_kwargs: further arguments of the model's `fit`.
        """
        self.check_fitted(False)
        result = FittedModels.fit(self.spec, inputs, validation, taught_by, **fit_kwargs)
        return Teacher.of_fitted(replace(self.spec, model=result.models[0]), result)

    def check_fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> None:
        FittedModels.check(self.spec, inputs, validation, **fit_kwargs)

    def unfitted(self) -> Teacher:
        spec = replace(self.spec, model=self.model.untrained_model())
        return Teacher.of_fitted(spec, FittedModels((spec.model,), None, {}, None))

    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        self.check_fitted(True)
        return self._result.predictor(self.spec, inputs, targets)

    def data_of(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None,
        future_covariates: SeriesLike | None,
        privileged: Mapping[str, SeriesLike] | None,
        prefix: str = "",
    ) -> SeriesBundle:
        return teacher_data(self.spec, series, past_covariates, future_covariates, privileged, prefix)

    def inputs_on(self, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
        return teacher_inputs(self.spec, data, sampling)

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        return save_models(self.spec, self._result, folder, stem)

    @classmethod
    def restored(cls, folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()) -> Teacher:
        return cls.of_fitted(*restored_models(folder, stem, entry, trusted))
