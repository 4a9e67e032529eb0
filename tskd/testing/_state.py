"""The tests of what a weighting keeps: its state, its copies, and its settings."""

from __future__ import annotations

import copy
from dataclasses import replace

import tskd.weighting
from tskd.testing._battery import check_recreated
from tskd.testing._cases import WeightingCase
from tskd.testing._trial import Trial, for_each, whole


class StateTrial(Trial):
    """Tests of a weighting's state."""

    @for_each()
    def test_its_state_is_in_its_state_dict(self, case: WeightingCase) -> None:
        """As a checkpoint is resumed: set up and calibrated, perhaps on other windows, before its state is restored."""
        weighting = self.prepared(case)
        other = self.make_for(case.names)
        other.set_up(case.names)
        self._calibrate(other, _mirrored(case))
        other.load_state_dict(weighting.state_dict())
        for when in ("after its state is restored", "an epoch after that"):
            expected, found = (whole(self.weights_of(one, case.step), case) for one in (weighting, other))
            self.close(found, expected, case, when)
            for one in (weighting, other):
                self._start(one, case)

    @for_each()
    def test_a_copy_has_a_state_of_its_own(self, case: WeightingCase) -> None:
        weighting = self.prepared(case)
        expected = whole(self.weights_of(weighting, case.step), case)
        other = copy.deepcopy(weighting)
        self.close(whole(self.weights_of(other, case.step), case), expected, case, "of a copy")
        self.prepared(_mirrored(case), other)
        self.close(
            whole(self.weights_of(weighting, case.step), case),
            expected,
            case,
            "after a copy has learned something else",
        )

    def test_settings_and_repr_recreate_it(self) -> None:
        check_recreated(self.make_for(["teacher 0", "teacher 1"]), tskd.weighting, self.saved)


def _mirrored(case: WeightingCase) -> WeightingCase:
    """The calibration set with the teachers in the opposite order: another one of the same shape."""
    other = case.teachers_in(range(len(case.names))[::-1])
    return replace(case, chunks=other.chunks)
