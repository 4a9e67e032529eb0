"""What the arms of a study are expected to gain: of which part, and that nothing later has a say in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_data, toy_model
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Study
from tskd.experiment.run import expected_gains as under_test
from tskd.experiment.run.expected_gains import expected_gains
from tskd.experiment.run.plan import Block

# the validation part of the first of two folds begins one test part earlier
FIRST_VALIDATION = VALIDATION - (STEPS - TEST)


def changed_from(data: DataSet, step: int) -> DataSet:
    """Other values of every series from a step of the target on."""
    begins = data.series.time_index[step]

    def other(series: TimeSeries) -> TimeSeries:
        later = np.asarray(series.time_index >= begins)[:, None]
        return series.with_values(np.where(later, 7 - 3 * series.values(), series.values()))

    privileged = {name: other(series) for name, series in data.privileged.items()}
    return replace(data, series=other(data.series), privileged=privileged)


def study(data: DataSet, **changes: Any) -> Study:
    teachers = {
        "future": {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
        "given": {"reconstruction": "sensor"},
    }
    arms = [
        {"name": "fixed", "teachers": "future", "balance": [0, 0.4, 0.8]},
        {"name": "trusting", "teachers": ["future", "given"], "balance": "AutoBalance"},
        {"name": "placebo", "teachers": "given", "balance": 0.5, "placebo": True},
    ]
    settings = {"teachers": teachers, "arms": arms, "seeds": [5, 3], "folds": 2} | changes
    return Study("toy", {"case": Experiment(**toy_config(data=data, **settings))})


def test_nothing_after_the_training_part_has_a_say() -> None:
    told, same, other = (
        [*expected_gains(study(data))]
        for data in (
            toy_data(),
            changed_from(toy_data(), FIRST_VALIDATION),
            changed_from(toy_data(), FIRST_VALIDATION - LOOKBACK),
        )
    )
    assert [(case, arm) for case, arm, _ in told] == [("case", "fixed"), ("case", "trusting"), ("case", "placebo")]
    assert not any(isinstance(gain, str) for _, _, gain in told)
    assert told == same and told != other


def test_it_is_of_the_first_fold_size_and_seed_and_of_the_first_balance_that_teaches() -> None:
    told = {arm: gain for _, arm, gain in expected_gains(study(toy_data(), sizes=[120, 90]))}
    fixed: Any = told["fixed"]
    assert fixed.windows == 120 and fixed.teachers[0].balance == pytest.approx(0.4)


def test_the_block_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Block] = []

    class Stop(Exception):
        pass

    def stopped(block: Block, *_: Any) -> None:
        seen.append(block)
        raise Stop

    monkeypatch.setattr(under_test, "BlockRun", stopped)
    with pytest.raises(Stop):
        next(expected_gains(study(toy_data(), sizes=[120, 90])))
    assert [(block.fold, block.size, block.seed) for block in seen] == [(1, 120, 5)]


def test_too_few_labels_are_said_of_the_arm_and_stop_nothing() -> None:
    few = LOOKBACK + HORIZON
    told = [*expected_gains(study(toy_data(), sizes=[few - 8]))]
    assert len(told) == 3
    assert all(str(gain).startswith("cannot be told: ") for _, _, gain in told)
