"""Fitting the models of a teacher, one or one a fold, and the predictor of the fitted models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from darts import TimeSeries

from tskd._core.components import Orders, check_components, check_names, names_of, orders_by_slot, orders_of
from tskd._core.darts.capabilities import is_foundation, is_torch_model, reads_static
from tskd._core.darts.monitors import check_monitored
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import trace
from tskd._core.static_covariates import check_static
from tskd.privileged.base import bare_name
from tskd.teachers import network, regression
from tskd.teachers.crossfit import Folds, Keep
from tskd.teachers.predictor import ModelPredictor, TeacherPredictor
from tskd.teachers.spec import TeacherSpec


@dataclass(frozen=True, eq=False)
class FittedModels:
    """The result of a teacher's fit.

    Attributes:
        models: one, or one for each fold.
        folds: of a cross-fitted teacher, or None.
        components: orders of component names of the training series, by slot.
        seen_until: last time stamp of the training series; None where darts does not keep it, after a fit on several.
        traces: of the training series (see `trace`); None if they are not known.
    """

    models: tuple[Any, ...]
    folds: Folds | None
    components: Mapping[str, Orders]
    seen_until: Any
    traces: tuple[str, ...] | None = None

    @classmethod
    def fit(
        cls,
        spec: TeacherSpec,
        inputs: ModelInputs,
        validation: ModelInputs | None = None,
        taught_by: TeacherPredictor | None = None,
        **fit_kwargs: Any,
    ) -> FittedModels:
        """Fit copies of the teacher's model.

        Args:
            spec: the teacher, not fitted.
            inputs, validation: of the training and the validation part, with keys; validation is for torch models only.
            taught_by: predictor of a teacher whose forecasts replace the labels.
            fit_kwargs: further arguments of darts' `fit`.
        """
        _check_validation(spec, inputs, validation, fit_kwargs)
        folds, models = folds_of(spec, inputs), []
        for keep in _keeps(folds, inputs):
            model = spec.model.untrained_model()
            if spec.is_network:
                network.fit(model, f"teacher {spec.name!r}", (inputs, validation), keep, taught_by, **fit_kwargs)
            else:
                regression.fit(model, inputs, keep, **fit_kwargs)
            models.append(model)
        ends = [target.end_time() for part in (inputs, validation) if part is not None for target in part.series]
        traces = tuple(trace(target) for target in inputs.series)
        return cls(tuple(models), folds, orders_by_slot(**inputs.arguments()), max(ends), traces)

    @staticmethod
    def check(spec: TeacherSpec, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> None:
        """Raise what `fit` with these arguments would raise before its first step, in whichever fold."""
        _check_validation(spec, inputs, validation, fit_kwargs)
        keeps = _keeps(folds_of(spec, inputs), inputs)
        if spec.is_network and not is_foundation(spec.model):
            network.check(
                spec.model.untrained_model(), f"teacher {spec.name!r}", (inputs, validation), keeps, **fit_kwargs
            )
        elif not spec.is_network:
            for keep in keeps:
                regression.check_windows(spec.model, inputs, keep)

    def predictor(self, spec: TeacherSpec, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        """The predictor of the teacher's outputs for windows of some series.

        Args:
            spec: the teacher.
            inputs: the teacher's inputs.
            targets: the student's target series.

        Raises:
            ValueError: the models were fitted with another number of components, or another order of them.
        """
        name, arguments = spec.name, inputs.arguments()
        for slot, expected in self.components.items():
            given = arguments[slot]
            if given is None:
                raise ValueError(
                    f"teacher {name!r} was fitted with {slot} {expected[0]}, but is given none: pass them to the fit, "
                    "or declare their source in privileged= of the teacher"
                )
            what = f"{slot} of teacher {name!r}"
            check_components(given, expected, what)
            # a model that was fitted in plain darts knows the components by their own names
            own = [[bare_name(component, spec.sources) for component in order] for order in expected]
            for order in orders_of(given):
                check_names([bare_name(component, spec.sources) for component in order], own, what)
        base: ModelPredictor
        if is_torch_model(self.models[0]):
            try:
                base = network.NetworkPredictor(self.models, network.model_windows(self.models[0], inputs))
            except ValueError as error:
                raise ValueError(f"teacher {name!r}: {error}") from None
        else:
            base = regression.RegressionPredictor(self.models, inputs)
        columns = _columns(targets, inputs.series) if spec.target is not None else None
        return TeacherPredictor(inputs.series, base, len(self.models), self.folds, columns)


def _check_validation(
    spec: TeacherSpec, inputs: ModelInputs, validation: ModelInputs | None, fit_kwargs: Mapping[str, Any]
) -> None:
    """Raise a ValueError if the fit watches a validation part that there is not, or that has other static covariates
    than the training part."""
    whose = f"teacher {spec.name!r}"
    if validation is None and spec.is_network:
        needed = "val_series and val_privileged" if spec.series_names else "val_series"
        check_monitored(spec.model, fit_kwargs.get("trainer"), whose, needed)
    elif validation is not None and reads_static(spec.model):
        check_static(validation.series, "val_series", whose, inputs.series[0].static_covariates)


def _columns(targets: Sequence[TimeSeries], own: Sequence[TimeSeries]) -> tuple[int, ...]:
    """The places of the student's target components among those that a teacher forecasts, the same in all series."""
    found = {
        tuple(names_of(one).index(component) for component in names_of(target))
        for target, one in zip(targets, own, strict=True)
    }
    if len(found) > 1:
        raise ValueError(
            f"the target's components are at different places among those that a teacher forecasts: {sorted(found)}; "
            "give each series' components in one order"
        )
    return found.pop()


def folds_of(spec: TeacherSpec, inputs: ModelInputs) -> Folds | None:
    """The folds by which a teacher is cross-fitted on its inputs, with keys; None for another."""
    if spec.cross_fit is None:
        return None
    assert inputs.keys is not None
    last = spec.horizon[-1]
    span = spec.lookback + max([last, *(math.ceil(source.reads_until(last)) for source in spec.sources)])
    return Folds.of(spec.cross_fit, inputs.series, inputs.keys, span)


def _keeps(folds: Folds | None, inputs: ModelInputs) -> list[Keep | None]:
    """For each model of a teacher, which windows it is fitted on; None for all."""
    if folds is None:
        return [None]
    return [partial(folds.trains, inputs.series, fold=fold) for fold in range(folds.count)]
