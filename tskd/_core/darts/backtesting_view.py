"""darts' rolling evaluation (`historical_forecasts`): refits by distillation, and random states left as they were."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from darts.models.forecasting.torch_forecasting_model import (
    TorchForecastingModel,
)

from tskd._core.series import without_gaps

COVARIATES = ("past_covariates", "future_covariates")


def rolling_view(
    student: TorchForecastingModel,
    refit: Callable[..., TorchForecastingModel],
    readable: Callable[[Any], Any],
) -> TorchForecastingModel:
    """A view of a student whose `fit`, as darts' rolling evaluation calls it, is `refit(student, series, ...)`.

    Args:
        student: a darts torch model, itself unchanged.
        refit: receives an untrained student and darts' fit arguments, and returns the trained student.
        readable: maps the target series to those that the student forecasts from.
    """
    plain: Any = type(student)

    def untrained_model(self: TorchForecastingModel) -> TorchForecastingModel:
        return rolling_view(plain.untrained_model(student), refit, readable)

    def fit(self: TorchForecastingModel, series: Any, **kwargs: Any) -> TorchForecastingModel:
        trained = refit(student, series, **kwargs)
        self.__dict__.update(trained.__dict__)
        return self

    def predict(self: TorchForecastingModel, n: int, series: Any = None, **kwargs: Any) -> Any:
        covariates = {slot: without_gaps(kwargs[slot]) for slot in COVARIATES if slot in kwargs}
        return plain.predict(self, n, series=readable(series), **{**kwargs, **covariates})

    methods = {"untrained_model": untrained_model, "fit": fit, "predict": predict}
    view_class: Any = type(plain)(plain.__name__, (plain,), methods)
    view = object.__new__(view_class)
    view.__dict__.update(student.__dict__)
    return view


@contextmanager
def preserved_random_state(model: GlobalForecastingModel) -> Iterator[None]:
    """Put back the random state that darts keeps in a model, and in an ensemble's members, at the end of the block."""
    models = [model, *getattr(model, "forecasting_models", [])]
    before = [copy.deepcopy(getattr(one, "_random_instance", None)) for one in models]
    try:
        yield
    finally:
        for one, state in zip(models, before, strict=True):
            if state is not None:
                one._random_instance = state
