"""What of a data set is refused before any training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.toy import STEPS, TEST, VALIDATION, toy_config, toy_data
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.checking import checked


@pytest.mark.parametrize(
    ("filled", "folds", "message"),
    [
        (range(VALIDATION, TEST), 1, "in fold 1 of 1, no target of the validation part is scored"),
        (range(TEST, STEPS), 1, "in fold 1 of 1, no target of the test part is scored"),
        # the first of two folds is tested where the second is validated
        (range(VALIDATION, TEST), 2, "in fold 1 of 2, no target of the test part is scored"),
    ],
)
def test_a_part_of_which_every_target_was_filled_is_refused(filled: range, folds: int, message: str) -> None:
    data = toy_data()
    times = data.series.time_index
    none = replace(data, filled=frozenset(times[list(filled)]))
    with pytest.raises(ConfigError, match=message):
        checked(Experiment(**toy_config(folds=folds)), none)
    some = replace(data, filled=frozenset(times[list(filled)[1:]]))
    assert checked(Experiment(**toy_config(folds=folds)), some).data is not None
