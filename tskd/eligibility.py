"""Which darts models can be a teacher or a student, and why another cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darts.models.forecasting.forecasting_model import ForecastingModel, GlobalForecastingModel

from tskd import _darts

if TYPE_CHECKING:
    from tskd.teacher import Teacher


def refuse_unteachable(model: Any) -> Any:
    """The model, if it can be a teacher; the reason why not otherwise."""
    kind = _kind(model)
    if isinstance(model, _darts.RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a teacher; use BlockRNNModel")
    if isinstance(model, GlobalForecastingModel) and model.supports_transferable_series_prediction:
        return model
    reason = "; a local model would have to be fitted anew for every window" if _is_model(model) else ""
    raise TypeError(f"a teacher must be one of darts' global models, got {kind}{reason}")


def refuse_impossible(teacher: Teacher) -> None:
    """Raise a ValueError for a teacher that cannot work, whatever the data."""
    model = type(teacher.model).__name__
    if not isinstance(teacher.name, str) or not teacher.name:
        raise ValueError(f"teacher name {teacher.name!r}: give a text")
    for source in teacher.sources:
        if not _darts.reads(teacher.model, source.slot):
            raise ValueError(
                f"{source!r} needs {source.slot} covariates, which {model} as it is set up does not take; these "
                f"torch models do: {', '.join(_darts.models_that_read(source.slot))}"
            )
        try:
            source.refuse_horizon(teacher.horizon)
        except ValueError as error:
            raise ValueError(f"teacher {teacher.name!r}, {model}: {error}") from None
    if len(set(teacher.sources)) < len(teacher.sources):
        raise ValueError(f"teacher {teacher.name!r} lists a source twice: {list(teacher.sources)}")
    if teacher.cross_fit is not None and teacher.fitted:
        raise ValueError(f"teacher {teacher.name!r} is fitted; cross_fit needs a model that is not")
    if teacher.sees_inputs:
        return
    if not teacher.sources:
        raise ValueError(f"teacher {teacher.name!r} sees neither inputs nor privileged information")
    reason = _darts.needs_target(teacher.model)
    if reason:
        raise ValueError(f"teacher {teacher.name!r} with sees_inputs=False: {model} {reason}")


def refuse_untaught(teacher: Teacher, by: Teacher) -> None:
    """Raise a ValueError for a teacher that cannot be taught by another."""
    kind = type(teacher.model).__name__
    if not isinstance(by, type(teacher)):
        raise TypeError(f"taught_by must be a Teacher, got {_kind(by)}")
    if not _darts.is_network(teacher.model):
        raise ValueError(f"teacher {teacher.name!r}, a {kind}, is no network, and cannot be taught by another")
    if _darts.label_steps(teacher.model) != teacher.horizon:
        raise ValueError(f"teacher {teacher.name!r}: a {kind} has labels in its lookback, which no teacher forecasts")
    if teacher.target is not None:
        raise ValueError(f"teacher {teacher.name!r} forecasts a target of its own, and cannot be taught by another")
    if not by.fitted:
        raise ValueError(f"teacher {by.name!r} is to teach {teacher.name!r}, and is not fitted; call its fit() first")
    if by.horizon != teacher.horizon:
        raise ValueError(
            f"teacher {by.name!r} forecasts steps {by.horizon[0]} to {by.horizon[-1]}, and {teacher.name!r}, which it "
            f"is to teach, {teacher.horizon[0]} to {teacher.horizon[-1]}: give them one horizon"
        )


def refuse_untrainable(model: Any) -> Any:
    """The model, if it can be a student; the reason why not otherwise."""
    kind = _kind(model)
    if isinstance(model, _darts.RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a student; use BlockRNNModel")
    if not _darts.is_network(model):
        raise TypeError(f"a student must be one of darts' torch models, got {kind}")
    if not _darts.trains(model):
        raise TypeError(f"{kind} is used as it comes and is not trained; it cannot be a student")
    if _darts.is_foundation(model):
        # its output in training is not its forecast
        raise TypeError(f"{kind} is fine-tuned on all the quantiles of its first training; it cannot be a student")
    return model


def several(value: Any, wanted: type, what: str) -> tuple[Any, ...]:
    """One object of a class, or a list of them, as a tuple; a TypeError that says what else was given."""
    items = (value,) if isinstance(value, wanted) else value
    if not isinstance(items, list | tuple):
        raise TypeError(f"{what} must be a {wanted.__name__} or a list of them, got {_kind(value)}")
    for item in items:
        if not isinstance(item, wanted):
            raise TypeError(f"{what} must hold objects of {wanted.__name__}, got {_kind(item)}")
    return tuple(items)


def _kind(value: Any) -> str:
    return f"the class {value.__name__} (give an object of it)" if isinstance(value, type) else type(value).__name__


def _is_model(value: Any) -> bool:
    return isinstance(value, ForecastingModel)
