"""The conformance tests of distilled models: each fault of a subclass fails the test made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from darts.models import DLinearModel, NLinearModel

from tests.helpers.models import fast
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors
from tskd.testing import DistilledModelConformance

L, H = 6, 3
SETTINGS: dict[str, Any] = fast(batch_size=256, n_epochs=4, optimizer_kwargs={"lr": 0.05})


class Overwrites(DistilledModel):
    def fit(self, series: Any, *args: Any, **kwargs: Any) -> DistilledModel:
        for one in series:
            one.values(copy=False)[:] /= 2
        return super().fit(series, *args, **kwargs)


class TakesPrivileged(DistilledModel):
    """Out of the dict that it is handed."""

    def fit(self, *args: Any, privileged: Any = None, **kwargs: Any) -> DistilledModel:
        return super().fit(*args, privileged={name: privileged.pop(name) for name in list(privileged)}, **kwargs)


class FitsWhatItWasGiven(DistilledModel):
    def fit(self, *args: Any, **kwargs: Any) -> DistilledModel:
        super().fit(*args, **kwargs)
        for given, fitted in zip(self.given_teachers, self.teachers, strict=True):
            vars(given).update(vars(fitted))
        return self


class ReturnsNothing(DistilledModel):
    def fit(self, *args: Any, **kwargs: Any) -> Any:
        super().fit(*args, **kwargs)


class TrainsLonger(DistilledModel):
    """With every model that is fitted."""

    fits = 0

    def fit(self, *args: Any, **kwargs: Any) -> DistilledModel:
        type(self).fits += 1
        return super().fit(*args, **{**kwargs, "epochs": self.fits})


class FitsTheFirst(DistilledModel):
    def fit(self, series: Any, *args: Any, privileged: Any = None, **kwargs: Any) -> DistilledModel:
        return super().fit(series[:1], privileged={name: items[:1] for name, items in privileged.items()})


class KnowsNoWeights(DistilledModel):
    def fit(self, *args: Any, sample_weight: Any = None, **kwargs: Any) -> DistilledModel:
        return super().fit(*args, **kwargs)


class FillsGaps(DistilledModel):
    def fit(self, series: Any, *args: Any, **kwargs: Any) -> DistilledModel:
        if isinstance(series, list):
            series = [one.with_values(np.nan_to_num(one.values())) for one in series]
        return super().fit(series, *args, **kwargs)


class Centres(DistilledModel):
    """By the mean of all series that are forecast together."""

    def historical_forecasts(self, series: Any, *args: Any, **kwargs: Any) -> Any:
        mean = np.mean([one.values()[:20].mean() for one in series])
        moved = super().historical_forecasts([one + mean for one in series], *args, **kwargs)
        return [[one - mean + 0.1 * mean for one in forecasts] for forecasts in moved]


class LooksAhead(DistilledModel):
    def historical_forecasts(self, series: Any, *args: Any, **kwargs: Any) -> Any:
        ends = [one.values()[-1, 0] for one in series]
        moved = super().historical_forecasts(series, *args, **kwargs)
        return [[one + end for one in forecasts] for forecasts, end in zip(moved, ends, strict=True)]


class OneStepShort(DistilledModel):
    def predict(self, n: int, *args: Any, **kwargs: Any) -> Any:
        return [one[:-1] for one in super().predict(n, *args, **kwargs)]


class AlwaysAList(DistilledModel):
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        found = super().predict(*args, **kwargs)
        return found if isinstance(found, list) else [found]


class ForgetsAnArgument(DistilledModel):
    def __init__(self, student: Any, teachers: Any = (), *args: Any, patience: int = 3, **kwargs: Any) -> None:
        super().__init__(student, teachers, *args, **kwargs)
        self.args, self.kwargs = args, kwargs


class GoesOn(DistilledModel):
    """In place of a new one."""

    def untrained_model(self) -> DistilledModel:
        return self


class ReadsAnother(DistilledModel):
    @classmethod
    def load(cls, path: Any, trusted: Sequence[type] = ()) -> DistilledModel:
        return DistilledModel.load(path, trusted)


class TeachesAlways(DistilledModel):
    def fit(self, *args: Any, **kwargs: Any) -> DistilledModel:
        self.balance = type(self.balance)(max(0.5, self.balance.alpha(0)))  # type: ignore[call-arg]
        return super().fit(*args, **kwargs)


class ForecastsNothing(DistilledModel):
    """Two fits are equal, and equally missing."""

    def historical_forecasts(self, *args: Any, **kwargs: Any) -> Any:
        found: Any = super().historical_forecasts(*args, **kwargs)
        return [[one * np.nan for one in forecasts] for forecasts in found]


FAULTS = [
    (
        ForecastsNothing,
        "test_fitted_twice_it_gives_the_same",
        "fitted twice.*: a forecast is missing or infinite, before",
    ),
    (OneStepShort, "test_it_forecasts_on_every_time_grid", "2 steps from .*, not 3 from"),
    (TrainsLonger, "test_fitted_twice_it_gives_the_same", "take a seed"),
    (Overwrites, "test_what_is_handed_in_is_unchanged", "'series' that was handed in is changed"),
    (TakesPrivileged, "test_what_is_handed_in_is_unchanged", "the dict of privileged series was changed"),
    (FitsWhatItWasGiven, "test_what_is_handed_in_is_unchanged", "teacher 't' that was handed in is changed"),
    (ReturnsNothing, "test_what_is_handed_in_is_unchanged", "`fit` returns the model itself"),
    (Centres, "test_a_part_of_the_series_is_forecast_alike", "forecast otherwise than among"),
    (AlwaysAList, "test_one_series_is_a_list_of_one", "one forecast, not a list"),
    (FitsTheFirst, "test_the_order_of_series_in_a_fit_does_not_matter", "order_matters = True"),
    (KnowsNoWeights, "test_a_weight_of_two_is_a_window_that_is_there_twice", "weighs_windows = False"),
    (FillsGaps, "test_a_missing_stretch_is_left_out", "without that stretch"),
    (ForgetsAnArgument, "test_it_keeps_its_arguments_and_can_be_fitted_anew", "patience.*keep every argument"),
    (GoesOn, "test_it_keeps_its_arguments_and_can_be_fitted_anew", "fitted anew"),
    (ReadsAnother, "test_what_is_saved_is_read_back", "what is read back is a DistilledModel"),
    (LooksAhead, "test_nothing_later_than_the_origin_is_read", "values later than step 29"),
    (TeachesAlways, "test_with_no_weight_on_teachers_training_is_darts_own", "not darts' own"),
]


def made(kind: type[DistilledModel]) -> Callable[[], DistilledModel]:
    sensing = Teacher(DLinearModel(L, H, **SETTINGS), CostlySensors("lab"), name="t")
    return lambda: kind(NLinearModel(L, H, **SETTINGS), sensing.unfitted())


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_model_is_found_out(faulty: type[DistilledModel], test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        getattr(DistilledModelConformance.of(made(faulty))(), test)()
