"""darts' rolling evaluation of a student that is refitted by distillation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)


def rolling_view(
    student: TorchForecastingModel,
    refit: Callable[..., TorchForecastingModel],
    blind: Callable[[Any], Any] | None = None,
) -> TorchForecastingModel:
    """A view of the student for darts' rolling evaluation, in which fitting anew means `refit(student, series, ...)`.

    Args:
        refit: receives an untrained student and darts' fit arguments, and returns the student trained.
        blind: what the student sees of the target it is handed to forecast; None for all.
    """
    plain: Any = type(student)

    def untrained_model(self: TorchForecastingModel) -> TorchForecastingModel:
        return rolling_view(plain.untrained_model(student), refit, blind)

    def fit(self: TorchForecastingModel, series: Any, **kwargs: Any) -> TorchForecastingModel:
        trained = refit(student, series, **kwargs)
        self.__dict__.update(trained.__dict__)
        return self

    def predict(self: TorchForecastingModel, n: int, series: Any = None, **kwargs: Any) -> Any:
        return plain.predict(self, n, series=series if blind is None else blind(series), **kwargs)

    methods = {"untrained_model": untrained_model, "fit": fit, "predict": predict}
    view_class: Any = type(plain)(plain.__name__, (plain,), methods)
    view = object.__new__(view_class)
    view.__dict__.update(student.__dict__)
    return view
