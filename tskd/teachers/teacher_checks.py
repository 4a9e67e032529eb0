"""Checks of teachers: which darts models can be one, and which can be taught by another."""

from __future__ import annotations

from typing import Any

from darts.models.forecasting.forecasting_model import ForecastingModel, GlobalForecastingModel

from tskd._core.checks import check_bool, type_name
from tskd._core.darts.arguments import check_settings
from tskd._core.darts.capabilities import RNNModel, label_steps, models_reading, needs_target, reads_covariates
from tskd.teachers.spec import TeacherSpec


def check_teachable(model: Any) -> Any:
    """Return the model if it can be a teacher.

    Raises:
        TypeError: it cannot be one, for the reason in the message.
    """
    kind = type_name(model)
    if isinstance(model, RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a teacher; use BlockRNNModel")
    if isinstance(model, GlobalForecastingModel) and model.supports_transferable_series_prediction:
        return model
    local = isinstance(model, ForecastingModel)
    reason = "; a local model would have to be fitted anew for every window" if local else ""
    raise TypeError(f"a teacher must be one of darts' global models, got {kind}{reason}")


def check_possible(teacher: TeacherSpec, fitted: bool) -> None:
    """Raise a ValueError for a teacher that cannot work with any data.

    Args:
        fitted: whether its model is fitted.
    """
    model = type(teacher.model).__name__
    if not isinstance(teacher.name, str) or not teacher.name:
        raise ValueError(f"teacher name {teacher.name!r}: give a text")
    if teacher.target is not None and (not isinstance(teacher.target, str) or not teacher.target):
        raise ValueError(f"target={teacher.target!r} of teacher {teacher.name!r}: give the key of a series, or None")
    check_bool(teacher.sees_inputs, f"sees_inputs of teacher {teacher.name!r}")
    if teacher.is_network:
        check_settings(teacher.model, f"teacher {teacher.name!r}, {model}")
    for source in teacher.sources:
        if not reads_covariates(teacher.model, source.slot):
            raise ValueError(
                f"{source!r} needs {source.slot} covariates, which {model} as it is set up does not take; these "
                f"torch models do: {', '.join(models_reading(source.slot))}"
            )
        try:
            source.check_horizon(teacher.horizon)
        except ValueError as error:
            raise ValueError(f"teacher {teacher.name!r}, {model}: {error}") from None
    if len(set(teacher.sources)) < len(teacher.sources):
        raise ValueError(f"teacher {teacher.name!r} lists a source twice: {list(teacher.sources)}")
    if teacher.cross_fit is not None and fitted:
        raise ValueError(f"teacher {teacher.name!r} is fitted; cross_fit needs a model that is not")
    if teacher.sees_inputs:
        return
    if not teacher.sources:
        raise ValueError(f"teacher {teacher.name!r} sees neither inputs nor privileged information")
    reason = needs_target(teacher.model)
    if reason:
        raise ValueError(f"teacher {teacher.name!r} with sees_inputs=False: {model} {reason}")


def check_taught_by(teacher: TeacherSpec, by: TeacherSpec, fitted: bool) -> None:
    """Raise a ValueError for a teacher that cannot be taught by another.

    Args:
        by: the other teacher.
        fitted: whether the other teacher is fitted.
    """
    kind = type(teacher.model).__name__
    if not teacher.is_network:
        raise ValueError(f"teacher {teacher.name!r}, a {kind}, is no network, and cannot be taught by another")
    if label_steps(teacher.model) != teacher.horizon:
        raise ValueError(f"teacher {teacher.name!r}: a {kind} has labels in its lookback, which no teacher forecasts")
    if teacher.target is not None:
        raise ValueError(f"teacher {teacher.name!r} forecasts a target of its own, and cannot be taught by another")
    if not fitted:
        raise ValueError(f"teacher {by.name!r} is to teach {teacher.name!r}, and is not fitted; call its fit() first")
    if by.horizon != teacher.horizon:
        raise ValueError(
            f"teacher {by.name!r} forecasts steps {by.horizon[0]} to {by.horizon[-1]}, and {teacher.name!r}, which it "
            f"is to teach, {teacher.horizon[0]} to {teacher.horizon[-1]}: give them one horizon"
        )
