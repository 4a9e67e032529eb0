"""Values that are missing in the data of an experiment: learnt around, not scored, and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_data, toy_model
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Results
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.folds import prepared
from tskd.experiment.data.preparation import fingerprint
from tskd.experiment.report import write_page
from tskd.experiment.run.scoring import score

FUTURE = {"future": {"model": toy_model(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}}}
TAUGHT = {"name": "taught", "teachers": "future", "balance": [0.5]}
SHORT = {"name": "short", "students": [{"input_chunk_length": 4}]}
ROWS = {"training": 50, "validation": VALIDATION + 20, "test": TEST + 30}


def with_gaps(*rows: int, value: float = np.nan) -> DataSet:
    data = replace(toy_data(), filled=frozenset())
    values = data.series.values(copy=True)
    values[list(rows)] = value
    return replace(data, series=data.series.with_values(values))


def experiment_of(data: DataSet, **changes: Any) -> Experiment:
    return Experiment(**toy_config(data=data, teachers=FUTURE, arms=[TAUGHT, SHORT], seeds=[3]) | changes)


@pytest.fixture(scope="module")
def results() -> Results:
    return experiment_of(with_gaps(*ROWS.values())).run(progress=False)


def reading(row: int, first: int, windows: int) -> np.ndarray:
    """Whether a window [W], whose targets begin at `first` and later, looks back at a row."""
    starts = first + np.arange(windows)
    return (starts > row) & (starts <= row + LOOKBACK)


def test_windows_whose_inputs_are_missing_are_scored_in_no_arm_and_counted(results: Results) -> None:
    windows = STEPS - TEST - HORIZON + 1
    left_out = reading(ROWS["test"], TEST, windows)
    assert results.info.data.incomplete == left_out.sum() == LOOKBACK
    scored = results.windows.query("kind == 'student'").pivot(index="start", columns="name", values="mse")
    assert scored.notna().all().all() and set(scored) == {"alone", "taught", "short"}
    assert len(scored) == windows - LOOKBACK
    # the arm with the shorter lookback could forecast some of them, and is not scored there
    starts = toy_data().series.time_index[TEST : TEST + windows]
    assert set(starts[left_out]).isdisjoint(scored.index)


def test_a_missing_true_value_is_not_scored_and_others_of_its_window_are() -> None:
    data = with_gaps(*ROWS.values())
    part = prepared(experiment_of(data), data, 1, None).test
    at = ROWS["test"] - TEST
    assert not part.scored[at - 3 : at + 1][:, ::-1].diagonal().any() and part.scored[at - 3].sum() == HORIZON - 1
    assert part.scored.sum() == part.scored.size - HORIZON
    (summary,) = check_data(experiment_of(data), data).values()
    assert summary.not_scored == 1


def test_the_error_of_a_window_is_that_of_its_known_values_and_a_window_without_inputs_has_none() -> None:
    data = with_gaps(*ROWS.values())
    part = prepared(experiment_of(data), data, 1, None).test
    windows, at = len(part.truth), ROWS["test"] - TEST
    found = score(iter([(np.arange(windows), np.zeros(part.truth.shape), 1)]), part, 1)
    assert found.mse[0] == pytest.approx((part.truth[0] ** 2).mean())
    # its last value is missing
    assert found.mse[at - 3] == pytest.approx((part.truth[at - 3, :3] ** 2).mean())
    assert np.isnan(found.mse).tolist() == reading(ROWS["test"], TEST, windows).tolist()
    scored = np.flatnonzero(part.complete)
    assert found.step_mse[3] == pytest.approx(np.nanmean(part.truth[scored, 3] ** 2))
    # forecasts of windows that nobody can forecast are not asked for, all others are
    assert found.whole and score(iter([(scored, np.zeros((len(scored), HORIZON, 1)), 1)]), part, 1).whole
    assert not score(iter([(scored[1:], np.zeros((len(scored) - 1, HORIZON, 1)), 1)]), part, 1).whole


def test_every_arm_learns_and_selects_around_missing_values(results: Results) -> None:
    assert not len(results.failures) and np.isfinite(results.rows.mse).all()
    assert np.isfinite(results.rows.validation_mse).all()
    windows = results.info.data.windows
    training = reading(ROWS["training"], LOOKBACK, windows.training)
    assert windows.labelled == windows.training - training.sum() == windows.training - LOOKBACK


def test_a_page_survives(results: Results, tmp_path: Any) -> None:
    text = write_page(results, tmp_path).read_text()
    assert f"In {LOOKBACK} test windows inputs of the student are missing" in text
    assert "1 steps of the test part are missing or rest on filled values" in text
    assert (tmp_path / "figures" / "forecasts.svg").is_file()


def test_infinite_values_are_missing_ones() -> None:
    rows = ROWS.values()
    with pytest.warns(UserWarning, match="count as missing"):
        endless = experiment_of(with_gaps(*rows, value=np.inf), arms=[]).run(progress=False)
    plain = experiment_of(with_gaps(*rows), arms=[]).run(progress=False)
    np.testing.assert_array_equal(endless.rows.mse, plain.rows.mse)


def test_a_missing_value_is_in_the_fingerprint() -> None:
    assert len({fingerprint(with_gaps(*rows)) for rows in ((), (50,), (51,))}) == 3
