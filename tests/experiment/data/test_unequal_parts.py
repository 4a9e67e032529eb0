"""Data whose training, validation and test parts have lengths of their own, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import NLinearModel

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, toy_config, toy_data, toy_model, toy_stations
from tests.helpers.models import fast
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import Experiment
from tskd.experiment.config.teacher import TeacherConfig
from tskd.experiment.controls.shuffling import strata
from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.data.folds import cut, prepared
from tskd.experiment.data.loading import load
from tskd.experiment.data.preparation import DataPart, fingerprint, prepare
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.forecast import of_student
from tskd.experiment.run.plan import Block

VALIDATION, TEST = 250, 330
TESTED, VALIDATED = STEPS - TEST, TEST - VALIDATION
TIMES = toy_data().series.time_index


def data(**changes: Any) -> DataSet:
    """250 rows of training, 80 of validation, 70 of test."""
    unequal = {"validation_start": TIMES[VALIDATION], "test_start": TIMES[TEST], "filled": frozenset(TIMES[[340, 341]])}
    return replace(toy_data(), **unequal | changes)


def experiment(**changes: Any) -> Experiment:
    return Experiment(**toy_config(data=data(), **changes))


def test_a_fold_is_a_test_length_earlier() -> None:
    assert len({TESTED, VALIDATED, VALIDATION}) == 3
    for fold, back in ((3, 0), (2, TESTED), (1, 2 * TESTED)):
        found = cut(experiment(folds=3), data(), fold, None)
        index = found.series.time_index
        assert list(index) == list(TIMES[: STEPS - back])
        assert index.get_loc(found.validation_start) == VALIDATION - back
        assert index.get_loc(found.test_start) == TEST - back


def test_parts_are_read_from_a_lookback_before_their_first_row() -> None:
    """And end with their last one, privileged series too; a longest lookback of 11, and steps 2 to 4 are scored."""
    known = data()
    steps = (2, HORIZON)
    found = prepare(known, LOOKBACK, steps, 11)
    values = known.series.values()
    mean, deviation = values[:VALIDATION].mean(), values[:VALIDATION].std()
    rows = {"train": (0, VALIDATION, LOOKBACK), "validation": (VALIDATION, TEST, 11), "test": (TEST, STEPS, 11)}
    for name, (first, end, reach) in rows.items():
        part: DataPart = getattr(found, name)
        begin = first if name == "train" else first - reach
        assert part.series.time_index[0] == TIMES[begin] and part.series.time_index[-1] == TIMES[end - 1]
        assert part.series.values() == pytest.approx((values[begin:end] - mean) / deviation, abs=1e-5)
        last = TIMES[end - 1]
        assert part.privileged["sensor"].end_time() == last
        assert part.privileged["fine"].end_time() == last + pd.Timedelta(minutes=45)
        windows = end - begin - reach - HORIZON + 1
        assert part.truth.shape == (windows, HORIZON, 1) and part.reach == reach
        # the key of a window is the last row that it reads; its labels follow
        assert part.keys.tolist() == [[0, reach - 1 + window] for window in range(windows)]
        assert part.truth[5, :, 0] == pytest.approx(part.series.values()[reach + 5 : reach + 5 + HORIZON, 0])
        assert list(part.starts) == list(part.series.time_index[reach : reach + windows])
    # rows 340 and 341 are not scored, nor is the first step of any window
    at = TEST + np.arange(len(found.test.truth))[:, None] + np.arange(HORIZON)
    assert (found.test.scored == (~np.isin(at, [340, 341]) & (np.arange(HORIZON) >= 1))).all()
    assert found.scale.mean == pytest.approx(mean) and found.scale.deviation == pytest.approx(deviation)


def test_covariates_known_in_advance_go_on_and_others_end_with_the_part() -> None:
    stations = toy_stations()
    covariates = stations.past_covariates
    assert covariates is not None
    known = replace(
        stations,
        validation_start=TIMES[VALIDATION],
        test_start=TIMES[TEST],
        future_covariates=covariates.with_columns_renamed(["c0", "c1"], ["f0", "f1"]),
        archive=(),
    )
    found = prepare(known, LOOKBACK, (1, HORIZON))
    assert found.train.past_covariates is not None and found.train.future_covariates is not None
    assert found.train.past_covariates.end_time() == TIMES[VALIDATION - 1]
    assert found.train.future_covariates.end_time() == TIMES[STEPS - 1]
    # each scaled by its own training part
    part = covariates.values()[:VALIDATION]
    expected = (covariates.values()[VALIDATION:TEST] - part.mean(0)) / part.std(0)
    assert found.validation.past_covariates is not None
    assert found.validation.past_covariates.values()[VALIDATION:TEST] == pytest.approx(expected, abs=1e-4)


def test_series_of_the_targets_components_are_scaled_as_the_target_is() -> None:
    """Of the data set by its training part; of an archive by its own target."""
    stations = toy_stations(elsewhere=0.5)
    doubled = tuple(replace(one, privileged={"own": 2 * one.series}) for one in stations.archive)
    found = prepare(replace(stations, privileged={"own": 3 * stations.series}, archive=doubled), LOOKBACK, (1, 2))
    values = stations.series.values()
    mean, deviation = values[: len(found.train.series)].mean(), values[: len(found.train.series)].std()
    expected = (3 * values - mean) / deviation
    assert found.test.privileged["own"].values() == pytest.approx(expected, abs=1e-4)
    for one, other in zip(found.archive, stations.archive, strict=True):
        values = other.series.values()
        expected = (2 * values - values.mean()) / values.std()
        assert one.privileged["own"].values() == pytest.approx(expected, abs=1e-4)


def test_the_units_of_the_first_component_are_put_back() -> None:
    values = np.stack([np.arange(100.0), 5 - 3 * np.arange(100.0)], axis=1)
    times = TIMES[:100]
    series = TimeSeries.from_times_and_values(times, values, columns=["a", "b"])
    two = DataSet(name="two", series=series, privileged={}, validation_start=times[50], test_start=times[75])
    scale = prepare(two, 4, (1, 2)).scale
    assert scale.mean.tolist() == pytest.approx([24.5, 5 - 3 * 24.5])
    assert scale.undo((values[60, :1] - scale.mean[0]) / scale.deviation[0]) == pytest.approx([60])


PARTS: dict[str, Callable[[DataSet], DataSet]] = {
    "validation": lambda known: replace(known, validation_start=TIMES[VALIDATION + 1]),
    "test": lambda known: replace(known, test_start=TIMES[TEST + 1]),
    "filled": lambda known: replace(known, filled=frozenset(TIMES[[3]])),
    "a value": lambda known: replace(known, series=known.series + 1e-6),
    "a time": lambda known: replace(known, past_covariates=known.past_covariates.shift(1)),  # type: ignore[union-attr]
    "a privileged component's": lambda known: replace(
        known, privileged={"own": known.series.with_columns_renamed("y", "z")}
    ),
    "past for future": lambda known: replace(
        known,
        past_covariates=None,
        future_covariates=known.past_covariates,
        archive=tuple(
            replace(one, past_covariates=None, future_covariates=one.past_covariates) for one in known.archive
        ),
    ),
    "privileged": lambda known: replace(known, privileged={"own": known.series * 2}),
    "a privileged name": lambda known: replace(known, privileged={"other": known.privileged["own"]}),
    "static": lambda known: replace(
        known, series=known.series.with_static_covariates(pd.DataFrame({"place": [1.0]}, index=["y"]))
    ),
    "archive": lambda known: replace(known, archive=known.archive[:1]),
    "an archive's name": lambda known: replace(known, archive=tuple(replace(one, name="x") for one in known.archive)),
    "an archive's order": lambda known: replace(known, archive=known.archive[::-1]),
}


def test_everything_in_the_data_is_in_their_fingerprint() -> None:
    known = replace(toy_stations(), validation_start=TIMES[VALIDATION], test_start=TIMES[TEST])
    found = {name: fingerprint(change(known)) for name, change in PARTS.items()}
    assert fingerprint(known) == fingerprint(replace(known))
    assert len({fingerprint(known), *found.values()}) == len(PARTS) + 1, found


def test_examples_are_of_windows_with_all_inputs() -> None:
    known = data()
    plain = prepared(experiment(), known, 1, None).test
    values = known.series.values(copy=True)
    # the last row that the middle example reads
    values[TEST - plain.reach + plain.keys[plain.examples[1], 1]] = np.nan
    gaps = replace(known, series=known.series.with_values(values))
    found = prepared(Experiment(**toy_config(data=gaps)), gaps, 1, None).test
    assert not found.complete[plain.examples[1]] and not found.complete.all()
    assert len(found.examples) == 3 and found.complete[found.examples].all()


def test_a_forecast_that_begins_later_stands_in_its_own_steps() -> None:
    part = prepare(data(), LOOKBACK, (3, 5)).test
    student = NLinearModel(LOOKBACK, 3, output_chunk_shift=2, **fast())
    with quiet():
        student.fit(part.series)
        ((positions, values, first),) = of_student(student, part, {}, False)
        expected = student.predict(3, part.series[: part.reach + 7])
    assert first == 3 and positions.tolist() == list(range(len(part.truth)))
    assert expected.start_time() == part.starts[7] + 2 * part.series.freq
    np.testing.assert_allclose(values[7], expected.values(), rtol=1e-5)


def test_teachers_have_seeds_of_their_own() -> None:
    """Of equal models each begins elsewhere, and none where the student does."""
    teachers = {"one": {"model": toy_model()}, "two": {"model": toy_model()}}
    arms = [{"name": "both", "teachers": ["one", "two"], "balance": 0.5}]
    known = experiment(teachers=teachers, arms=arms)
    seeds = []
    for seed in (3, 5):
        run = BlockRun(Block("toy", known, 1, None, seed), load(known))
        for name, config in known.teachers.items():
            assert isinstance(config, TeacherConfig)
            seeds.append(run.teachers.unfitted(TeacherVariant(name), config).model.model_params["random_state"])
    assert len({*seeds, 3, 5}) == 6


def test_strata_are_as_fine_as_three_rows_allow() -> None:
    """Two days in steps of 20 minutes: two rows of a time of day, six of an hour; a day: three of an hour; twelve hours
    in steps of half an hour: twelve of six hours."""
    days = pd.date_range("2021-03-01", periods=144, freq="20min")
    assert strata(days).tolist() == days.hour.tolist()
    assert strata(days[:72]).tolist() == days[:72].hour.tolist()
    halves = pd.date_range("2021-03-01", periods=24, freq="30min")
    assert strata(halves).tolist() == (halves.hour // 6).tolist()
    week = pd.date_range("2021-03-01", periods=7 * 72, freq="20min")
    assert strata(week).tolist() == (week.hour * 3600 + week.minute * 60).tolist()
