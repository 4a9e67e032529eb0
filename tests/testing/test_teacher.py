"""The conformance tests of kinds of teachers: each fault fails the test made for it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries

from tests.helpers.batteries import failures
from tskd import Reconstruction
from tskd._core.model_inputs import ModelInputs
from tskd.testing import TeacherConformance


class Halved(Reconstruction):
    """Honest: half of what a reconstruction says."""

    def answers_on(self, inputs: ModelInputs) -> list[TimeSeries]:
        return [one.with_values(one.values() / 2 + self.extra(inputs)) for one in super().answers_on(inputs)]

    def extra(self, inputs: ModelInputs) -> Any:
        return 0


class Draws(Halved):
    def extra(self, inputs: ModelInputs) -> Any:
        return np.random.normal()


class MixesSeries(Halved):
    """The mean of the privileged values of all series that it is asked about together."""

    def extra(self, inputs: ModelInputs) -> Any:
        assert inputs.past_covariates is not None
        return np.mean([one.values().mean() for one in inputs.past_covariates])


class ReadsTheTarget(Halved):
    def extra(self, inputs: ModelInputs) -> Any:
        return inputs.series[0].values()[-1, 0]


class Silent(Halved):
    def extra(self, inputs: ModelInputs) -> Any:
        return np.nan


class ReadsPastTheEnd(Halved):
    def inputs_on(self, data: Any, sampling: Any = None) -> ModelInputs:
        inputs, last = super().inputs_on(data, sampling), data.privileged_of(self.names)["lab"][0].values()[-1, 0]
        assert inputs.past_covariates is not None
        moved = [one.with_values(one.values() + last) for one in inputs.past_covariates]
        return ModelInputs(inputs.series, moved)


class Overwrites(Halved):
    def inputs_on(self, data: Any, sampling: Any = None) -> ModelInputs:
        for one in data.series:
            one.values(copy=False)[:] *= 2
        return super().inputs_on(data, sampling)


class FitsItself(Halved):
    def fit_on(self, inputs: ModelInputs, validation: Any = None, **kwargs: Any) -> Reconstruction:
        self._fit = super().fit_on(inputs)._fit
        return self


class IsFittedAgain(Halved):
    def fit_on(self, inputs: ModelInputs, validation: Any = None, **kwargs: Any) -> Reconstruction:
        return super().fit_on(inputs) if self._fit is None else self


class FitsTheFirst(Halved):
    def fit_on(self, inputs: ModelInputs, validation: Any = None, **kwargs: Any) -> Reconstruction:
        assert inputs.past_covariates is not None
        return super().fit_on(ModelInputs(inputs.series[:1], inputs.past_covariates[:1]))


class Forgets(Halved):
    def was_fitted_on(self, series: Sequence[TimeSeries]) -> bool:
        return False


class HasSeenLess(Halved):
    @property
    def seen_until(self) -> Any:
        return None if self._fit is None else self._fit.inputs.series[0].time_index[3]


class SavesLess(Halved):
    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        entry = super().save(folder, stem)
        return {**entry, "settings": {**entry["settings"], "name": "another"}}


class SavesElsewhere(Halved):
    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        (folder / "notes.txt").write_text("")
        return super().save(folder, stem)


class CountsQuestions(Halved):
    """Each time it is asked, another answer."""

    asked = 0

    def answers_on(self, inputs: ModelInputs) -> list[TimeSeries]:
        self.asked += 1
        return [one.with_values(one.values() + self.asked) for one in super().answers_on(inputs)]


class OneStepTooMany(Halved):
    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> Any:
        longer = copy.copy(self)
        longer._horizon = range(1, 3)
        return super(OneStepTooMany, longer).predictor_on(inputs, targets)


FAULTS = [
    (OneStepTooMany, "test_it_answers_on_every_time_grid", "for windows, steps and components"),
    (Silent, "test_it_answers_on_every_time_grid", "answers for no window"),
    (Draws, "test_fitted_twice_it_gives_the_same", "take a seed"),
    (Overwrites, "test_a_fit_leaves_it_and_what_is_handed_in_unchanged", "'series' that was handed in is changed"),
    (FitsItself, "test_a_fit_leaves_it_and_what_is_handed_in_unchanged", "return a fitted copy"),
    (IsFittedAgain, "test_a_fitted_one_is_not_fitted_again_and_an_unfitted_one_is_as_it_was", "check_fitted"),
    (MixesSeries, "test_a_part_of_the_series_is_answered_alike", "by itself is answered otherwise"),
    (CountsQuestions, "test_the_order_of_windows_does_not_matter", "windows backwards"),
    (FitsTheFirst, "test_the_order_of_series_in_a_fit_does_not_matter", "in another order"),
    (ReadsPastTheEnd, "test_it_reads_nothing_later_than_it_says", "after the end of the target"),
    (ReadsTheTarget, "test_it_reads_nothing_later_than_it_says", "the target is read later than 0 steps"),
    (Forgets, "test_it_knows_what_it_was_fitted_on", "was_fitted_on is false"),
    (HasSeenLess, "test_it_knows_what_it_was_fitted_on", "seen_until is"),
    (SavesLess, "test_what_is_saved_is_read_back", "another name"),
    (SavesElsewhere, "test_what_is_saved_is_read_back", "notes.txt.*do not begin with the stem"),
]


def test_an_honest_teacher_passes() -> None:
    assert failures(TeacherConformance.of(lambda: Halved("lab"))) == {}


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_teacher_is_found_out(faulty: type[Reconstruction], test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        getattr(TeacherConformance.of(lambda: faulty("lab"))(), test)()
