"""The parts of the benchmark of scarce labels, with values worked out by hand."""

from __future__ import annotations

import importlib
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import NLinearModel

from tests.helpers.series import QUIET
from tskd import DistilledModel, Reconstruction

data = pytest.mark.parametrize("script", ["scarce_data"], indirect=True)
ridge = pytest.mark.parametrize("script", ["scarce_ridge"], indirect=True)
tables = pytest.mark.parametrize("script", ["scarce_tables"], indirect=True)
cells = pytest.mark.parametrize("script", ["scarce_cells"], indirect=True)


@data
def test_labels_of_a_block_are_the_last_hours(script: ModuleType) -> None:
    found = script.labelled(script.Scheme("block", 2), np.arange(240) % 24)
    assert np.flatnonzero(found).tolist() == list(range(192, 240))


@data
def test_scattered_labels_are_as_many_at_eight_hours_of_the_day_or_more(script: ModuleType) -> None:
    # 240 days: 8 hours apart would be three hours of the day, 12 two, 4 six, and 2 and 34 twelve
    assert [script.spacing(240 * 24, days * 24) for days in (120, 60, 30, 14, 7)] == [2, 3, 7, 17, 34]
    hours = np.arange(240 * 24) % 24
    for days in (7, 14, 30, 60, 120):
        found = script.labelled(script.Scheme("scattered", days), hours)
        assert found.sum() == days * 24 and found[-1] and len(np.unique(hours[found])) >= 8


@data
def test_labels_of_a_laboratory(script: ModuleType) -> None:
    hours = np.arange(100) % 24
    assert np.flatnonzero(script.labelled(script.Scheme("daily", hour=7), hours)).tolist() == [7, 31, 55, 79]
    assert np.flatnonzero(script.labelled(script.Scheme("every 25 h"), hours)).tolist() == [24, 49, 74, 99]


@data
def test_a_scheme_that_labels_every_hour_is_left_out(script: ModuleType) -> None:
    weather = next(family for family in script.FAMILIES if family.name == "weather")
    names = [(scheme.kind, scheme.days) for scheme in script.schemes(weather)]
    # of 180 days' hours, every first would be 120 days of labels
    assert ("scattered", 60) in names and ("scattered", 120) not in names and ("block", 120) in names


@data
def test_test_parts_of_folds_do_not_overlap(script: ModuleType) -> None:
    for family in script.FAMILIES:
        found = [script.parts(family, fold, 2000 * 24) for fold in range(family.folds)]
        for train, test in found:
            assert train.stop == test.start and test.stop - test.start == family.test * 24
        assert all(later[1].start >= earlier[1].stop for later, earlier in pairwise(found))
        with pytest.raises(ValueError, match="begins before the data"):
            script.parts(family, 0, (family.train + family.test) * 24 - 1)


@ridge
def test_ridge_by_hand(script: ModuleType) -> None:
    # x = -1, 0, 1 and y = 1, 2, 6: mean 3, covariance 5/3, variance 2/3
    design = script.Design(np.column_stack([np.ones(3), [-1.0, 0.0, 1.0]]))
    moments = design.moments(np.array([1.0, 2.0, 6.0]), np.ones(3, dtype=bool))
    path = script.ridge_path(moments, np.array([0.0, 1.0]))
    np.testing.assert_allclose(path, [[3.0, 2.5], [3.0, 1.0]])
    # moments of the first two rows are those of all, less those of the last
    first = design.moments(np.array([1.0, 2.0, 6.0]), np.ones(3, dtype=bool), np.array([False, False, True]))
    np.testing.assert_allclose(script.ridge_path(first, np.array([0.0])), [[2.0, 1.0]])
    # labels 3/4, answers 1/4 of the weight: the mean of the labels 0, 4 and the answers 8, 8
    labels = design.moments(np.array([0.0, 0.0, 4.0]), np.array([True, False, True]))
    answers = design.moments(np.full(3, 8.0), np.array([True, False, True]))
    mixed = script.mixed(labels, answers, known=2, alpha=0.25)
    np.testing.assert_allclose(script.ridge_path(mixed, np.array([0.0])), [[3.5, 1.5]])


@ridge
def test_held_out_fifths_keep_their_distance(script: ModuleType) -> None:
    rows = np.zeros(20, dtype=bool)
    rows[[2, 7, 8, 13, 19]] = True
    found = script.held_out(rows, 3)
    assert [np.flatnonzero(inside).tolist() for inside, _ in found] == [[2], [7], [8], [13], [19]]
    assert [np.flatnonzero(near).tolist() for _, near in found][::4] == [[0, 1, 2, 3, 4], [17, 18, 19]]


@ridge
def test_coverage_by_hand(script: ModuleType) -> None:
    x = np.array([[-1.0], [1.0], [3.0], [0.0]])
    labelled = np.array([True, True, False, False])
    # variance 1: leverages times n are 1 + x², 2 and 2 of the labelled, 10 and 1 of the others
    assert script.coverage(x, labelled, ~labelled, 0.0) == pytest.approx(5.5 / 2)
    assert script.coverage(x, labelled, ~labelled, 1.0) == pytest.approx(3.25 / 1.5)


@ridge
def test_smoothed_labels_by_hand(script: ModuleType) -> None:
    labels = np.array([np.nan, 0.0, np.nan, 4.0, np.nan, np.nan, np.nan, 6.0])
    # lines: 0, 2, 4 at rows 1 to 3, and 6 at row 7; a gap of four rows is too long
    expected = [np.nan, 1.0, 2.0, 3.0, np.nan, np.nan, np.nan, 6.0]
    np.testing.assert_allclose(script.smoothed(labels, gap=3, width=3), expected)


@ridge
def test_a_placebo_keeps_the_hour_of_the_day(script: ModuleType) -> None:
    hours = np.arange(240) % 24
    values = np.column_stack([np.arange(240.0), hours])
    found = script.permuted(values, hours, seed=0)
    assert (found[:, 1] == hours).all() and sorted(found[:, 0]) == list(range(240))
    assert (found[:, 0] != values[:, 0]).mean() > 0.8


@ridge
def test_explained_variance_and_share_of_the_oracle_by_hand(script: ModuleType) -> None:
    labels, answers = np.array([1.0, 2.0, 3.0, np.nan, 9.0]), np.array([1.0, 2.0, 2.0, 5.0, np.nan])
    assert script.explained(labels, answers) == pytest.approx(0.5)
    assert np.isnan(script.explained(labels[:2], answers[:2]))
    assert script.share_of_oracle(0.5, 0.25) == pytest.approx(0.5)
    assert np.isnan(script.share_of_oracle(0.5, 1.0))


@ridge
def test_an_interval_of_equal_ratios_is_their_value(script: ModuleType) -> None:
    assert script.interval([np.full((2, 3), np.log(0.8))]) == pytest.approx((0.8, 0.8))


@ridge
def test_an_interval_is_that_of_t_widened_for_few_folds(script: ModuleType) -> None:
    # one series, folds -d and d: a mean of two draws has the variance d²/2; t of one degree of freedom is 12.706
    low, high = script.interval([np.array([[-0.01, 0.01]])], draws=20_000)
    assert np.log(high) == pytest.approx(12.706 * np.sqrt(2) * 0.01 / np.sqrt(2), rel=0.02)
    assert np.log(low) == pytest.approx(-np.log(high))


def made_up(**errors: float) -> pd.DataFrame:
    """Six cells of one family with these errors, by arm."""
    places = [{"series": series, "fold": fold} for series in ("a", "b") for fold in (0, 1, 2)]
    known = {"student": "ridge", "family": "f", "scheme": "block", "days": 7, "coverage": 3.0, "teacher r2": 0.8}
    return pd.DataFrame([place | known | {f"mse {arm}": error for arm, error in errors.items()} for place in places])


@tables
def test_a_gain_is_one_over_labels_and_every_control(script: ModuleType) -> None:
    errors = {"labels": 1.0, "privileged": 0.8, "self-trained": 0.9, "placebo": 1.1, "oracle": 0.64}
    (found,) = script.summary(made_up(**errors)).to_dict("records")
    assert found["privileged / labels"] == pytest.approx(0.8)
    assert found["privileged / self-trained"] == found["privileged / best control"] == pytest.approx(0.8 / 0.9)
    # log 0.8 over log 0.64
    assert found["share of the oracle's gain"] == pytest.approx(0.5)
    assert found["gain"] and np.isnan(found["privileged / pooled"])
    (found,) = script.summary(made_up(**errors, pooled=0.7)).to_dict("records")
    assert not found["gain"] and found["privileged / best control"] == pytest.approx(0.8 / 0.7)
    (row,) = script.kinds(made_up(**errors, pooled=0.7))
    said = script.outcome([row])
    assert "Pooling siblings is distinguishably better than the privileged teacher: f (block)." in said
    assert "Better than labels alone, but not distinguishably than every control: f (block)." in said
    # two folds are no interval
    (found,) = script.summary(made_up(**errors).query("fold < 2")).to_dict("records")
    assert not found["gain"] and np.isnan(found["privileged / labels, high"])
    assert script.outcome(script.kinds(made_up(**errors).query("fold < 2"))).startswith("- Nothing can be concluded")
    # the oracle is no control
    (found,) = script.summary(made_up(**errors | {"oracle": 0.1})).to_dict("records")
    assert found["gain"]


@tables
def test_signs_are_rank_correlations_with_the_log_ratio(script: ModuleType) -> None:
    table = made_up(labels=1.0, privileged=0.8)
    table["mse privileged"], table["coverage"], table["teacher r2"] = (
        np.arange(6) + 0.5,
        9 - np.arange(6),
        [1, 2, 4, 3, 5, 6],
    )
    found = script.signs(table)
    # two ranks differ by 1: 1 - 6·2/(6·35)
    assert found == {"coverage": pytest.approx(-1.0), "teacher r2": pytest.approx(1 - 12 / 210)}


@cells
def test_a_part_that_was_edited_is_computed_again(script: ModuleType, tmp_path: Path) -> None:
    cell = next(script.ridge_cells())
    assert script.read_part(tmp_path, cell) is None
    script.write_part(tmp_path, cell, {"mse labels": 0.5})
    assert script.read_part(tmp_path, cell) == {"mse labels": 0.5}
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace("0.5", "0.4"))
    assert script.read_part(tmp_path, cell) is None
    path.write_text("torn")
    assert script.read_part(tmp_path, cell) is None


@cells
def test_what_a_student_reads_ends_at_the_origin(script: ModuleType) -> None:
    times = pd.date_range("2020", periods=60, freq="h")
    found = script.lagged(np.column_stack([np.arange(60.0), -np.arange(60.0)]), times, horizon=24)
    assert np.isnan(found[:47]).any(1).all() and np.isfinite(found[47:]).all()
    # the forecast of hour 47 is made at hour 23, from hours 0 to 23
    assert found[47, :-2:2].tolist() == list(range(24)) and found[47, 1:-2:2].tolist() == [-n for n in range(24)]
    np.testing.assert_allclose(found[47, -2:], [np.sin(2 * np.pi * 23 / 24), np.cos(2 * np.pi * 23 / 24)])


@cells
def test_the_closed_form_is_what_a_linear_student_converges_to(script: ModuleType) -> None:
    """A quarter of the hours have a label; one step ahead, from two covariates of three hours."""
    ridge = importlib.import_module("scarce_ridge")
    draw = np.random.default_rng(0)
    steps, lookback, alpha = 163, 3, 0.4
    inputs, hidden = draw.normal(size=(steps, 2)), draw.normal(size=(steps, 1))
    truth = 1 + 0.5 * np.roll(inputs[:, 0], 1) - 0.3 * np.roll(inputs[:, 1], 2) + hidden[:, 0]
    labels = np.where(np.arange(steps) % 4 == 0, truth, np.nan)
    times = pd.date_range("2020", periods=steps, freq="h")
    target, covariates, privileged = (
        TimeSeries.from_times_and_values(times, values) for values in (labels[:, None], inputs, hidden)
    )

    windows = np.lib.stride_tricks.sliding_window_view(inputs, lookback, axis=0)[:-1].transpose(0, 2, 1)
    x = np.column_stack([np.ones(len(windows)), windows.reshape(len(windows), -1)])
    answers = script.reconstructed(times, labels, hidden, "ridge", []).whole[lookback:]
    design, own = ridge.Design(x), labels[lookback:]
    moments = [design.moments(own, np.isfinite(own)), design.moments(answers, np.isfinite(answers))]
    (expected,) = ridge.ridge_path(ridge.mixed(*moments, len(x), alpha), np.array([0.0]))

    curvature = 2 * np.linalg.eigvalsh(x.T @ x / len(x))
    student = NLinearModel(
        lookback,
        1,
        normalize=False,
        n_epochs=60,
        batch_size=len(x),
        optimizer_kwargs={"lr": 1 / curvature.mean() / 2, "momentum": 0.3},
        optimizer_cls=importlib.import_module("torch").optim.SGD,
        random_state=0,
        pl_trainer_kwargs=QUIET,
    )
    model = DistilledModel(student, Reconstruction("read"), balance=alpha, soft_sensor=True)
    model.fit(target, past_covariates=covariates, privileged={"read": privileged}, verbose=False)
    probe = TimeSeries.from_times_and_values(times, np.zeros((steps, 1)))
    found = model.historical_forecasts(probe, past_covariates=covariates, retrain=False, verbose=False)
    np.testing.assert_allclose(found.values()[:, 0], (x @ expected)[: len(found)], atol=1e-3)


@pytest.mark.parametrize("script", ["scarce"], indirect=True)
def test_finished_cells_are_not_computed_twice_and_failed_ones_do_not_stop_the_rest(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = list(importlib.import_module("scarce_cells").ridge_cells())[:3]
    computed = []

    def row(cell: object) -> dict[str, str]:
        computed.append(cell)
        if cell == planned[1]:
            raise RuntimeError("no such luck")
        return {"failures": ""}

    monkeypatch.setattr(script, "KINDS", {"ridge": lambda: iter(planned)})
    monkeypatch.setattr(script, "ridge_row", row)
    monkeypatch.setattr(script, "write_tables", lambda *_: None)
    monkeypatch.setattr(script, "logging", SimpleNamespace(disable=lambda _: None, WARNING=None))
    monkeypatch.setattr(sys, "argv", ["scarce.py", "ridge", "--runs", str(tmp_path / "runs")])
    script.main()
    script.main()
    assert computed == planned
    failures = [script.read_part(tmp_path / "runs", cell)["failures"] for cell in planned]
    assert failures[0] == failures[2] == "" and "no such luck" in failures[1]
