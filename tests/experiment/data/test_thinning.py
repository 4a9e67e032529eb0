"""Which labels are hidden, where from, and that nothing is scaled or judged by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from darts import TimeSeries

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_data, toy_stations
from tskd.datasets import DataSet
from tskd.experiment import ConfigError, Experiment
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.folds import FoldSize, cut, prepared

TESTED = STEPS - TEST


def sensor(labels: Any, **changes: Any) -> Experiment:
    """A soft sensor, which does not read the target."""
    config: dict[str, Any] = {"data": toy_stations(), "teachers": {}, "arms": [], "soft_sensor": True}
    return Experiment(**toy_config(**config | changes, labels=labels, student=reader()))


def reader() -> dict[str, Any]:
    kwargs = {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "n_epochs": 2, "kernel_size": 3}
    return {"class": "DLinearModel", "kwargs": kwargs}


def kept(experiment: Experiment, fold: int = 1, size: int | None = None) -> list[int]:
    """Rows of the whole data set that have a label in a fold."""
    found = cut(experiment, experiment.data, fold, size).series
    first = experiment.data.series.time_index.get_loc(found.start_time())
    return (first + np.flatnonzero(np.isfinite(found.values()[:, 0]))).tolist()


def test_without_fewer_labels_nothing_is_touched() -> None:
    data = toy_data()
    assert cut(Experiment(**toy_config()), data, 1, None) is data


def test_the_last_days_before_the_validation_part_have_labels_and_so_have_both_parts_after_it() -> None:
    assert kept(sensor({"last_days": 1.5})) == list(range(VALIDATION - 36, STEPS))
    assert kept(sensor({"last_days": 1}, folds=2), fold=1) == list(range(VALIDATION - TESTED - 24, STEPS - TESTED))


def test_each_kth_step_is_counted_from_the_first_row_whatever_fold_and_size() -> None:
    scattered = [row for row in range(TEST) if row % 25 == 3]
    assert kept(sensor({"every": 25, "offset": 3})) == [*scattered, *range(TEST, STEPS)]
    first = VALIDATION - (100 + LOOKBACK + HORIZON - 1)
    sized = [row for row in scattered if row >= first]
    assert kept(sensor({"every": 25, "offset": 3}, sizes=[100]), size=100) == [*sized, *range(TEST, STEPS)]
    earlier = [row for row in scattered if row < TEST - TESTED]
    found = kept(sensor({"every": 25, "offset": 3}, folds=2), fold=1)
    assert found == [*earlier, *range(TEST - TESTED, STEPS - TESTED)]


def test_a_share_is_drawn_of_training_and_of_validation_part_anew_in_every_fold() -> None:
    experiment = sensor({"share": 0.1}, folds=2)
    folds = [kept(experiment, fold) for fold in (1, 2)]
    for rows, back in zip(folds, (TESTED, 0), strict=True):
        assert sum(row < VALIDATION - back for row in rows) == round(0.1 * (VALIDATION - back))
        assert sum(VALIDATION - back <= row < TEST - back for row in rows) == round(0.1 * (TEST - VALIDATION))
        assert rows[-TESTED:] == list(range(TEST - back, STEPS - back))
    assert kept(experiment, 1) == folds[0]
    both = set(range(VALIDATION - TESTED))
    assert set(folds[0]) & both != set(folds[1]) & both
    # the newest of them is the same, however many there are before it
    assert kept(sensor({"share": 0.1})) == folds[1]
    sized = kept(sensor({"share": 0.1}, sizes=[100]), size=100)
    assert sized == [row for row in folds[1] if row >= VALIDATION - (100 + LOOKBACK + HORIZON - 1)]


def test_covariates_privileged_series_and_archive_keep_their_values() -> None:
    experiment = sensor({"every": 25})
    found, data = cut(experiment, experiment.data, 1, None), experiment.data
    assert isinstance(data, DataSet)
    assert found.privileged is data.privileged and found.archive is data.archive
    assert found.past_covariates is data.past_covariates and np.isfinite(data.series.values()).all()


def test_the_target_is_scaled_by_labelled_training_rows_alone() -> None:
    experiment = sensor({"every": 25, "offset": 3})
    values = experiment.data.series.values()[:, 0]
    known = values[3:VALIDATION:25]
    found = prepared(experiment, experiment.data, 1, None)
    assert len(known) == 10
    assert found.scale.mean[0] == pytest.approx(known.mean()) and found.scale.deviation[0] == pytest.approx(known.std())
    assert found.test.truth[0, 0, 0] == pytest.approx((values[TEST] - known.mean()) / known.std(), rel=1e-5)
    # as wide as the target is the same quantity
    own = found.train.privileged["own"].values()[:, 0]
    np.testing.assert_allclose(own, (values[:VALIDATION] - known.mean()) / known.std(), rtol=1e-5)


def test_windows_without_a_label_select_nothing_and_every_test_window_is_scored() -> None:
    experiment = sensor({"every": 25, "offset": 3})
    found = prepared(experiment, experiment.data, 1, None)
    starts = np.arange(VALIDATION, TEST - HORIZON + 1)
    labelled = [any(row % 25 == 3 for row in range(start, start + HORIZON)) for start in starts]
    assert found.validation.counts.tolist() == labelled and 0 < sum(labelled) < len(starts)
    assert found.test.counts.all() and found.test.scored.all()
    (summary,) = check_data(experiment, experiment.data).values()
    training = np.arange(LOOKBACK, VALIDATION - HORIZON + 1)
    expected = sum(any(row % 25 == 3 for row in range(start, start + HORIZON)) for start in training)
    assert (summary.training, summary.training_labelled, summary.incomplete) == (len(training), expected, 0)
    assert (summary.validation, summary.validation_labelled) == (len(starts), sum(labelled))


def test_a_student_that_reads_the_target_learns_where_it_is_whole() -> None:
    experiment = Experiment(**toy_config(labels={"last_days": 1}, teachers={}, arms=[]))
    summary = check_data(experiment, toy_data())[FoldSize(1, None)]
    fewer = LOOKBACK + HORIZON - 1
    assert (summary.training, summary.training_labelled) == (VALIDATION - fewer, 24 - fewer)
    scattered = Experiment(**toy_config(labels={"every": 5}, teachers={}, arms=[]))
    with pytest.raises(ConfigError, match=r"no training window has all inputs .* \(a label every 5 steps\)"):
        check_data(scattered, toy_data())


def test_days_need_time_stamps() -> None:
    numbered = DataSet(
        "numbered",
        TimeSeries.from_values(np.arange(float(STEPS))),
        VALIDATION,
        TEST,
        past_covariates=TimeSeries.from_values(np.arange(float(STEPS)), columns=["c"]),
    )
    with pytest.raises(ConfigError, match="'numbered': labels: last_days needs time stamps"):
        check_data(sensor({"last_days": 3}, data=numbered), numbered)
    assert kept(sensor({"every": 100}, data=numbered)) == [0, 100, 200, 300, *range(TEST, STEPS)]
