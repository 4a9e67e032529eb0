"""What every kind of teacher promises, as tests that a new one inherits."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import floor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from tskd._core.window_keys import WindowSampling, WindowSpan, training_keys, unique
from tskd.teachers.base import BaseTeacher
from tskd.testing._battery import Battery, require, require_close
from tskd.testing._grids import GRIDS, same_series, shifted
from tskd.testing._series_case import SeriesCase


class TeacherConformance(Battery[BaseTeacher]):
    """The tests of a kind of teacher: `TestMine = TeacherConformance.of(lambda: Mine("lab"))`.

    `make` returns a teacher that is not fitted; one whose answers are given is made of the case in `make_for`.

    Attributes:
        grids: time grids of the target; a kind that cannot use some leaves them out.
        lengths: numbers of steps of its two series; a kind that needs longer ones says so.
        order_matters: whether the order of the series in its fit changes it, as that of batches does a network.
        rounding: by which answers may differ, absolute and relative.
        saved: its fitted teachers can be saved.
        trusted: classes of one's own that its files may name.
    """

    grids: Sequence[str] = GRIDS
    lengths = (60, 44)
    order_matters = False
    rounding = 1e-5
    saved = True
    trusted: Sequence[type] = ()

    def make_for(self, case: SeriesCase) -> BaseTeacher:
        """A fresh teacher, if it depends on the series."""
        return self.make()

    def cases(self) -> Iterator[SeriesCase]:
        names = self.make_for(SeriesCase.of(self.grids[0], (), self.lengths)).names
        for grid in self.grids:
            yield SeriesCase.of(grid, names, self.lengths)

    def case(self) -> SeriesCase:
        """A case of the first grid."""
        return next(self.cases())

    def fitted(self, case: SeriesCase, teacher: BaseTeacher | None = None) -> BaseTeacher:
        """A teacher fitted on all series of a case, or one whose answers are given."""
        teacher = self.make_for(case) if teacher is None else teacher
        if teacher.fitted:
            return teacher
        data = teacher.data_of(case.series, None, None, case.privileged)
        return teacher.fit_on(teacher.inputs_on(data, WindowSampling()))

    def answers(self, teacher: BaseTeacher, case: SeriesCase, keys: Tensor | None = None) -> np.ndarray:
        """Forecasts `[M, H, C]`, NaN where there is none, for all windows of a case or for those `keys [M, 2]`."""
        predictor = teacher.predictor(case.series, privileged=case.privileged)
        return predictor.forecasts(keys_of(teacher, case) if keys is None else keys)[0].numpy()

    def test_it_answers_on_every_time_grid(self) -> None:
        for case in self.cases():
            teacher = self.fitted(case)
            found, keys = self.answers(teacher, case), keys_of(teacher, case)
            covered = teacher.predictor(case.series, privileged=case.privileged).covers(keys).numpy()
            require(bool(covered.any()), f"{case}: it answers for no window, and all that it reads is there")
            shape = (len(keys), len(teacher.horizon), 2)
            require(found.shape == shape, f"{case}: answers {found.shape} for windows, steps and components {shape}")
            known = np.isfinite(found).all((1, 2))
            require(bool((known == covered).all()), f"{case}: an answer that is missing in a window that it covers")

    def test_fitted_twice_it_gives_the_same(self) -> None:
        case = self.case()
        first, second = (self.answers(self.fitted(case), case) for _ in range(2))
        require_close(second, first, 0, "fitted twice: take a seed, and draw nothing else")

    def test_a_fit_leaves_it_and_what_is_handed_in_unchanged(self) -> None:
        case, teacher = self.case(), self.make_for(self.case())
        before, was, text = copy.deepcopy(case), teacher.fitted, repr(teacher)
        fitted = self.fitted(case, teacher)
        self.answers(fitted, case)
        for name, given in {"series": case.series, **case.privileged}.items():
            old = {"series": before.series, **before.privileged}[name]
            require(same_series(old, given), f"{name!r} that was handed in is changed: work on a copy")
        require(teacher.fitted == was and repr(teacher) == text, "a fit changed the teacher: return a fitted copy")
        require(fitted.fitted, "the teacher that its fit returned says that it is not fitted")
        require(set(case.privileged) >= set(fitted.names), "`names` of the fitted teacher has others than before")

    def test_a_fitted_one_is_not_fitted_again_and_an_unfitted_one_is_as_it_was(self) -> None:
        case = self.case()
        fitted = self.fitted(case)
        if not fitted.learns:
            return
        try:
            self.fitted(case, fitted.unfitted())
            data = fitted.data_of(case.series, None, None, case.privileged)
            fitted.fit_on(fitted.inputs_on(data, WindowSampling()))
        except ValueError:
            again = self.answers(self.fitted(case, fitted.unfitted()), case)
            require_close(again, self.answers(fitted, case), 0, "fitted again after `unfitted`")
            return
        raise AssertionError("a fitted teacher was fitted again: begin `fit_on` with `self.check_fitted(False)`")

    def test_a_part_of_the_series_is_answered_alike(self) -> None:
        case = self.case()
        teacher = self.fitted(case)
        if not teacher.learns:
            return  # what is given is given for as many series
        keys, together = keys_of(teacher, case), self.answers(teacher, case)
        for number in (0, 1):
            alone = self.answers(teacher, case.only(number))
            own = together[(keys[:, 0] == number).numpy()]
            require_close(alone, own, self.rounding, f"series {number} by itself is answered otherwise")
        turned = case.only(1, 0)
        found, at = self.answers(teacher, turned), keys_of(teacher, turned)[:, 0].numpy()
        expected = np.concatenate([together[(keys[:, 0] == number).numpy()] for number in (1, 0)])
        require_close(found[np.argsort(at, kind="stable")], expected, self.rounding, "series in another order")

    def test_the_order_of_windows_does_not_matter(self) -> None:
        case = self.case()
        teacher = self.fitted(case)
        keys = keys_of(teacher, case)
        for what, rows in (("backwards", torch.arange(len(keys)).flip(0)), ("some alone", torch.arange(3, 9, 2))):
            found = self.answers(teacher, case, keys[rows])
            expected = self.answers(teacher, case)[rows.numpy()]
            require_close(found, expected, self.rounding, f"windows {what}")

    def test_the_order_of_series_in_a_fit_does_not_matter(self) -> None:
        case = self.case()
        if self.order_matters or not self.make_for(case).learns:
            return
        expected = self.answers(self.fitted(case), case)
        found = self.answers(self.fitted(case.only(1, 0)), case)
        message = "fitted on the series in another order (of a network that must be so: order_matters = True)"
        require_close(found, expected, self.rounding, message)

    def test_it_reads_nothing_later_than_it_says(self) -> None:
        """The target up to the origin, or as far as its sources say, and privileged series up to the target's end."""
        case = self.case()
        teacher = self.fitted(case)
        keys, expected = keys_of(teacher, case), self.answers(teacher, case)
        ends = {
            name: [shifted(one, slice(len(own), None)) for one, own in zip(items, case.series, strict=True)]
            for name, items in case.privileged.items()
        }
        found = self.answers(teacher, replace(case, privileged=ends))
        require_close(found, expected, 0, "privileged values after the end of the target are read")
        last = teacher.horizon[-1]
        for name in (None, *(name for name in teacher.names if teacher.sources)):
            until = max((floor(s.reads_until(last)) for s in teacher.sources if s.name == name), default=0)
            for origin in (15, 30):
                first = slice(origin + until + 1, None)
                if name is None:
                    other = replace(case, series=[shifted(one, first) for one in case.series])
                else:
                    moved = {name: [shifted(one, first) for one in case.privileged[name]]}
                    other = replace(case, privileged=case.privileged | moved)
                rows = (keys[:, 1] <= origin).numpy()
                found = self.answers(teacher, other)[rows]
                whose = "the target" if name is None else f"privileged {name!r}"
                require_close(found, expected[rows], 0, f"{whose} is read later than {until} steps after the origin")

    def test_it_knows_what_it_was_fitted_on(self) -> None:
        case = self.case()
        teacher = self.fitted(case)
        if not teacher.learns:
            return
        end = max(one.end_time() for one in case.series)
        require(teacher.seen_until in (None, end), f"seen_until is {teacher.seen_until}, and the data end at {end}")
        require(teacher.was_fitted_on(case.series), "was_fitted_on is false of the very series that it was fitted on")

    def test_what_is_saved_is_read_back(self) -> None:
        if not self.saved:
            return
        case = self.case()
        teacher = self.fitted(case)
        with TemporaryDirectory() as name:
            folder = Path(name)
            entry = json.loads(json.dumps(teacher.save(folder, "teacher")))
            strange = [path.name for path in folder.iterdir() if not path.name.startswith("teacher")]
            require(not strange, f"files {strange} do not begin with the stem that `save` was given")
            again = type(teacher).restored(folder, "teacher", entry, self.trusted)
        require(again.fitted and again.name == teacher.name, "what was read back is not fitted, or has another name")
        require_close(self.answers(again, case), self.answers(teacher, case), self.rounding, "read back")


def keys_of(teacher: BaseTeacher, case: SeriesCase) -> Tensor:
    """Keys `[M, 2]` of all windows of a case whose horizon lies within its series."""
    span = WindowSpan(teacher.lookback, len(teacher.horizon), teacher.horizon[0] - 1)
    return unique(training_keys([len(one) for one in case.series], span))
