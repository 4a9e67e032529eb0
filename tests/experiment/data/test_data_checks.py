"""What of a data set is refused before any training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries

from tests.helpers.experiments import LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_data, toy_stations
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.data.data_checks import check_data

DATA = toy_data()
TIMES, SENSOR = DATA.series.time_index, DATA.privileged["sensor"]
NUMBERED = TimeSeries.from_values(SENSOR.values())


# ---- what a data set is made of --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"series": DATA.series.to_dataframe()},
            TypeError,
            r"'toy': series must be a TimeSeries \(see TimeSeries.from_dataframe\), got DataFrame",
        ),
        (
            {"privileged": {"sensor": SENSOR.to_dataframe()}},
            TypeError,
            "'toy': privileged series 'sensor' must be a TimeSeries .*, got DataFrame",
        ),
        ({"series": [DATA.series] * 2}, TypeError, "got list. A data set has one target series: .* members of a Panel"),
        ({"privileged": SENSOR}, TypeError, "privileged must be a dict of series by name, got TimeSeries"),
        ({"past_covariates": 3}, TypeError, "'toy': past_covariates must be a TimeSeries .*, got int"),
        (
            {"privileged": {"sensor": NUMBERED}},
            TypeError,
            "series 'sensor' is indexed by whole numbers, .* time stamps",
        ),
        ({"archive": (DATA.series,)}, TypeError, "'toy': archive must hold ArchiveSeries, got TimeSeries"),
        (
            {"validation_start": 7, "test_start": None},
            TypeError,
            r"validation_start=7, test_start=None: give time stamps .* such as Timestamp\('2021-",
        ),
        ({"test_start": 320}, TypeError, "test_start=320: give time stamps"),
        ({"test_start": TIMES[TEST].tz_localize("UTC")}, ValueError, "test_start=.*has a time zone.*convert to UTC"),
        (
            {"validation_start": pd.Timestamp("2021-03-10 00:30")},
            ValueError,
            r"validation_start \(2021-03-10 00:30:00\) is no time stamp of the series; the next is 2021-03-10 01:",
        ),
        (
            {"privileged": {"sensor": SENSOR[VALIDATION:]}},
            ValueError,
            "'sensor' begins at 2021-03-11 .* must begin before the validation part, 2021-03-11",
        ),
        (
            {"future_covariates": SENSOR[VALIDATION + 1 :]},
            ValueError,
            "'toy': future_covariates begins at 2021-03-11 01",
        ),
    ],
)
def test_a_mistake_in_a_data_set_is_named(change: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        replace(DATA, **change)


def test_a_mistake_in_an_archive_is_named() -> None:
    item = toy_stations().archive[0]
    with pytest.raises(TypeError, match=r"archive series 'station 1': series must be a TimeSeries .*, got DataFrame"):
        replace(item, series=item.series.to_dataframe())
    own = TimeSeries.from_values(item.series.values(), columns=item.series.components)
    numbered = replace(item, series=own, privileged={}, past_covariates=None)
    with pytest.raises(TypeError, match="archive series 'station 1' is indexed by whole numbers"):
        replace(toy_stations(), archive=(numbered,))


def test_a_data_set_may_be_numbered() -> None:
    series = TimeSeries.from_values(DATA.series.values(), columns=["y"])
    made = replace(
        DATA,
        series=series,
        privileged={"sensor": NUMBERED},
        validation_start=VALIDATION,
        test_start=TEST,
        filled=frozenset(),
    )
    assert made.test_start == TEST


def test_a_series_that_begins_after_the_training_part_of_a_fold_is_named() -> None:
    late = replace(DATA, privileged={**DATA.privileged, "sensor": SENSOR[VALIDATION - 10 :]})
    message = "in fold 1 of 2, privileged series 'sensor' has no row before the validation part, 2021-03-07 16:00:00"
    with pytest.raises(ConfigError, match=message):
        check_data(Experiment(**toy_config(folds=2)), late)


# ---- what an experiment reads of it ----------------------------------------------------------------------------------


def spoiled(series: TimeSeries, step: int, value: float) -> TimeSeries:
    values = series.values(copy=True)
    values[step, -1] = value
    return series.with_values(values)


def test_an_infinite_value_is_named_and_counts_as_missing() -> None:
    endless = replace(DATA, series=spoiled(DATA.series, STEPS - 1, np.inf))
    with pytest.warns(
        UserWarning, match="'toy': series has 1 infinite values, the first at 2021-03-17 15:00:00 in 'y'"
    ):
        (summary,) = check_data(Experiment(**toy_config()), endless).values()
    assert summary.not_scored == len(DATA.filled) + 1


def test_a_training_part_without_a_window_to_learn_from_is_refused() -> None:
    values = DATA.series.values(copy=True)
    values[:VALIDATION:LOOKBACK] = np.nan
    gaps = replace(DATA, series=DATA.series.with_values(values))
    message = (
        r"'toy': in fold 1 of 1, no training window has all inputs of the student and a label \(all labels\): "
        "229 of 229 lack inputs; with `soft_sensor: true` it does not read the past of the target"
    )
    with pytest.raises(ConfigError, match=message):
        check_data(Experiment(**toy_config()), gaps)
    values[:VALIDATION] = np.nan
    with pytest.raises(ConfigError, match="'toy': 'y' has no value in the training part to be scaled by"):
        check_data(Experiment(**toy_config()), replace(DATA, series=DATA.series.with_values(values)))


def test_what_nobody_reads_may_hold_anything() -> None:
    unread = replace(DATA, privileged={**DATA.privileged, "other": spoiled(SENSOR, 50, np.nan)})
    assert check_data(Experiment(**toy_config()), unread)
    # of a smaller size no row before its own exists for anybody
    early = replace(DATA, series=spoiled(DATA.series, 50, np.nan))
    assert check_data(Experiment(**toy_config(sizes=[60], teachers={}, arms=[])), early)


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
        check_data(Experiment(**toy_config(folds=folds)), none)
    some = replace(data, filled=frozenset(times[list(filled)[1:]]))
    assert check_data(Experiment(**toy_config(folds=folds)), some)
