"""What every distilled model promises, as tests that a subclass inherits."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tskd.balance import FixedBalance
from tskd.distillation.leak_audit import audit
from tskd.distillation.model import DistilledModel
from tskd.testing._battery import Battery, require, require_close
from tskd.testing._grids import GRIDS, missing_from, same_series, shifted
from tskd.testing._series_case import SeriesCase

ORIGIN = 30


class DistilledModelConformance(Battery[DistilledModel]):
    """The tests of a model with its student, teachers, losses, weighting and balance.

    `TestMine = DistilledModelConformance.of(mine)`, where `mine` is a function that returns an unfitted model. Let a
    batch of its networks hold all of the about 80 windows, so that the order of batches does not affect a comparison.
    Give them a seed and a few epochs: after a single step of Adam all students are nearly alike.

    Attributes:
        grids: time grids of the target.
        covariates: of `"past_covariates"` and `"future_covariates"` those that the student is used with.
        order_matters: whether the order of the series in a fit changes it by more than rounding.
        weighs_windows: whether a window of weight 2 is one that is there twice, for its teachers too.
        strides: whether all its teachers are fitted at the stride that `fit` is given.
        rounding: by which forecasts may differ, absolute and relative.
        saved: it can be saved.
        trusted: classes of one's own that `load` is given.
    """

    grids: Sequence[str] = GRIDS
    covariates: Sequence[str] = ()
    order_matters = False
    weighs_windows = True
    strides = True
    rounding = 1e-4
    saved = True
    trusted: Sequence[type] = ()

    def make_for(self, case: SeriesCase) -> DistilledModel:
        """A fresh model, if it depends on the series."""
        return self.make()

    def case(self, grid: str | None = None, lengths: Sequence[int] = (60, 44)) -> SeriesCase:
        """Two series, and what the model needs beside them."""
        grid = self.grids[0] if grid is None else grid
        model = self.make_for(SeriesCase.of(grid, (), lengths, self.covariates))
        names = dict.fromkeys(name for teacher in model.teachers for name in teacher.names)
        return SeriesCase.of(grid, [*names], lengths, self.covariates)

    def fitted(self, case: SeriesCase, **arguments: Any) -> DistilledModel:
        return self.make_for(case).fit(**{**case.given, **arguments})

    def forecasts(self, model: DistilledModel, case: SeriesCase) -> list[np.ndarray]:
        """Of each series all forecasts `[windows, steps, components]` from origins within it."""
        rolled = model.historical_forecasts(**case.deployed, retrain=False, last_points_only=False, verbose=False)
        return [np.stack([one.values() for one in forecasts]) for forecasts in rolled]

    def compare(self, model: DistilledModel, other: DistilledModel, rounding: float, what: str) -> None:
        """Raise an AssertionError where two fitted models forecast otherwise, or not at all."""
        case = self.case()
        for one in (model, other):
            known = all(np.isfinite(forecasts).all() for forecasts in self.forecasts(one, case))
            require(
                known, f"{what}: a forecast is missing or infinite, before any is compared: look for it in training"
            )
        for found, expected in zip(self.forecasts(model, case), self.forecasts(other, case), strict=True):
            require_close(found, expected, rounding, what)

    def test_it_forecasts_on_every_time_grid(self) -> None:
        for grid in self.grids:
            case = self.case(grid)
            model = self.fitted(case)
            known = all(np.isfinite(found).all() for found in self.forecasts(model, case))
            require(known, f"{case}: a forecast is missing, and all that it reads is there")
            if model.soft_sensor:
                continue
            steps = model.output_chunk_length
            forecasts = model.predict(steps, **case.deployed)
            several = isinstance(forecasts, list) and len(forecasts) == 2
            require(several, f"{case}: of two series `predict` returns a list of two")
            for forecast, series in zip(forecasts, case.series, strict=True):
                first = series.end_time() + (1 + model.output_chunk_shift) * series.freq
                right = len(forecast) == steps and forecast.start_time() == first and forecast.freq == series.freq
                require(right, f"{case}: {len(forecast)} steps from {forecast.start_time()}, not {steps} from {first}")

    def test_fitted_twice_it_gives_the_same(self) -> None:
        case = self.case()
        what = "fitted twice: take a seed, and keep nothing of an earlier fit"
        self.compare(self.fitted(case), self.fitted(case), 0, what)

    def test_what_is_handed_in_is_unchanged(self) -> None:
        case, model = self.case(), self.make_for(self.case())
        teachers = [(teacher, teacher.fitted, repr(teacher)) for teacher in model.teachers]
        before, given = copy.deepcopy(case.given), case.given
        same = model.fit(**given)
        require(same is model, "`fit` returns the model itself, as darts does")
        self.forecasts(model, case)
        require(given.keys() == before.keys(), "an argument of `fit` was changed")
        lists = {name: items for name, items in given.items() if name != "privileged"} | given.get("privileged", {})
        old = {name: items for name, items in before.items() if name != "privileged"} | before.get("privileged", {})
        require(lists.keys() == old.keys(), "the dict of privileged series was changed: copy it")
        for name, items in lists.items():
            require(same_series(items, old[name]), f"{name!r} that was handed in is changed: work on a copy")
        for teacher, was, text in teachers:
            unchanged = teacher.fitted == was and repr(teacher) == text
            require(unchanged, f"teacher {teacher.name!r} that was handed in is changed: copies of it are fitted")

    def test_a_part_of_the_series_is_forecast_alike(self) -> None:
        case = self.case()
        model = self.fitted(case)
        together = self.forecasts(model, case)
        for numbers in ((0,), (1,), (1, 0)):
            for found, number in zip(self.forecasts(model, case.only(*numbers)), numbers, strict=True):
                what = f"series {number} among the series {numbers} is forecast otherwise than among (0, 1)"
                require_close(found, together[number], self.rounding, what)

    def test_one_series_is_a_list_of_one(self) -> None:
        case = self.case().only(0)
        single: dict[str, Any] = {name: items[0] for name, items in case.given.items() if name != "privileged"}
        if case.privileged:
            single["privileged"] = {name: items[0] for name, items in case.privileged.items()}
        model = self.make_for(case).fit(**single)
        self.compare(model, self.fitted(case), 0, "fitted on one series, and on a list of it")
        if not model.soft_sensor:
            deployed = {name: items for name, items in single.items() if name != "privileged"}
            found: Any = model.predict(model.output_chunk_length, **deployed)
            (expected,) = model.predict(model.output_chunk_length, **case.deployed)
            require(not isinstance(found, list), "of one series `predict` returns one forecast, not a list")
            require_close(found.values(), expected.values(), 0, "one series is forecast otherwise than a list of it")

    def test_the_order_of_series_in_a_fit_does_not_matter(self) -> None:
        if self.order_matters:
            return
        case = self.case()
        what = "fitted on the series in another order (if batches do not hold all windows: order_matters = True)"
        self.compare(self.fitted(case.only(1, 0)), self.fitted(case), self.rounding, what)

    def test_a_weight_of_two_is_a_window_that_is_there_twice(self) -> None:
        if not self.weighs_windows:
            return
        # of as many windows each, so that no window of the shorter series is taken twice
        case = self.case(lengths=(50, 50))
        # a mean over three thirds in place of two halves
        weights = [
            one.with_values(np.full_like(one.values(), share))[one.components[:1].tolist()]
            for one, share in zip(case.series, (2 / 3, 4 / 3), strict=True)
        ]
        weighted, twice = self.fitted(case, sample_weight=weights), self.fitted(case.only(0, 1, 1))
        what = "a series of weight 2, and the same given twice (if a part knows no weights: weighs_windows = False)"
        self.compare(weighted, twice, self.rounding, what)

    def test_a_missing_stretch_is_left_out(self) -> None:
        """Windows without a step in common: one whose values are all missing, or that is not there."""
        if not self.strides:
            return
        case = self.case().only(0)
        model = self.make_for(case)
        reach = [model.input_chunk_length + model.output_chunk_shift + model.output_chunk_length]
        size = max([*reach, *(teacher.lookback + teacher.horizon[-1] for teacher in model.teachers)])
        end = len(case.series[0]) - size
        gap = self.fitted(case.of_each(lambda one: missing_from(one, end)), stride=size)
        cut = self.fitted(replace(case, series=[case.series[0][:end]]), stride=size)
        self.compare(gap, cut, self.rounding, "fitted with a missing stretch at the end, and without that stretch")

    def test_it_keeps_its_arguments_and_can_be_fitted_anew(self) -> None:
        case = self.case()
        model = self.fitted(case)
        names = list(inspect.signature(type(model)).parameters)
        absent = [name for name in names if not hasattr(model, name)]
        require(not absent, f"{absent}: keep every argument of __init__ as an attribute of the same name")
        again = model.untrained_model()
        require(type(again) is type(model), f"untrained_model() is a {type(again).__name__}")
        expected = self.forecasts(model, case)
        again.fit(**case.given)
        for found, before in zip(self.forecasts(again, case), expected, strict=True):
            require_close(found, before, 0, "untrained_model() fitted anew forecasts otherwise")

    def test_what_is_saved_is_read_back(self) -> None:
        if not self.saved:
            return
        case = self.case()
        model = self.fitted(case)
        with TemporaryDirectory() as name:
            model.save(Path(name) / "model")
            again = type(model).load(Path(name) / "model", self.trusted)
        require(type(again) is type(model), f"what is read back is a {type(again).__name__}")
        self.compare(again, model, self.rounding, "saved and read back")

    def test_nothing_later_than_the_origin_is_read(self) -> None:
        case = self.case()
        model = self.fitted(case)
        series = [shifted(one, slice(ORIGIN, None)) for one in case.series]
        past = [shifted(one, slice(ORIGIN, None)) for one in case.covariates.get("past_covariates", [])]
        covariates = case.covariates | ({"past_covariates": past} if past and not model.soft_sensor else {})
        changed = replace(case, series=series, covariates=covariates)
        # the first origin is that of the first whole lookback
        known = ORIGIN - model.input_chunk_length + 1
        for found, expected in zip(self.forecasts(model, changed), self.forecasts(model, case), strict=True):
            what = f"values later than step {ORIGIN - 1} change forecasts from there or before"
            require_close(found[:known], expected[:known], 0, what)

    def test_the_audit_finds_no_leak(self) -> None:
        case = self.case()
        found = audit(self.fitted(case), **case.given, verbose=False) if case.privileged else None
        require(found is None or found.passed, f"the student depends on privileged values:\n{found}")

    def test_with_no_weight_on_teachers_training_is_darts_own(self) -> None:
        case, model = self.case(), self.make_for(self.case())
        if model.soft_sensor:
            return
        plain = model.student.untrained_model()
        plain.fit(**case.deployed)
        model.balance = FixedBalance(0.0)
        model.fit(**case.given)
        steps = model.output_chunk_length
        forecasts = zip(model.predict(steps, **case.deployed), plain.predict(steps, **case.deployed), strict=True)
        for found, expected in forecasts:
            require_close(found.values(), expected.values(), 0, "with balance 0 the student is not darts' own")
