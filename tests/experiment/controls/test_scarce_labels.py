"""What is held against a gain where labels are scarce: an oracle, a ridge, self-training trees, averages of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from pydantic import ValidationError

from tests.helpers.experiments import (
    HORIZON,
    LOOKBACK,
    STEPS,
    TEST,
    VALIDATION,
    darts_model,
    toy_config,
    toy_data,
    toy_model,
    toy_stations,
)
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Results
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.controls.expansion import Expanded, expanded
from tskd.experiment.controls.registry import CONTROL_RULES, controls_of
from tskd.experiment.data.loading import load
from tskd.experiment.data.smoothing import moving_average
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, PlannedCell, planned
from tskd.experiment.run.ridge import Ridge

READER: dict[str, Any] = {"class": "DLinearModel", "kwargs": {**toy_model()["kwargs"], "kernel_size": 3}}
OWN = {"own": {"model": READER, "privileged": {"class": "CostlySensors", "kwargs": {"name": "own"}}}}
TAUGHT = {"name": "taught", "teachers": "own", "balance": [0, 0.5]}


def scarce(*controls: str, labels: Any = None, **changes: Any) -> Expanded:
    config: dict[str, Any] = {"data": toy_stations(), "student": READER, "teachers": OWN, "arms": [TAUGHT]}
    config |= {"seeds": [3], "soft_sensor": True, "labels": labels or {"last_days": 3}}
    return expanded(Experiment(**toy_config(**config | changes), controls=controls))


def run_of(experiment: ExperimentConfig) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))


def plan_of(run: BlockRun, name: str, candidate: int = 0) -> PlannedCell:
    return next(plan for plan in planned(run.block, "") if (plan.name, plan.candidate) == (name, candidate))


def cell_of(run: BlockRun, name: str, candidate: int = 0) -> Cell:
    return run.cell(plan_of(run, name, candidate))


# ---- oracle ----------------------------------------------------------------------------------------------------------


def test_the_oracle_is_trained_on_every_label_on_the_scale_of_the_labelled_ones() -> None:
    run = run_of(scarce("oracle").experiment)
    target = toy_stations().series.values()[:, 0]
    known = target[VALIDATION - 72 : VALIDATION]
    expected = (target[:VALIDATION] - known.mean()) / known.std()
    given = run.supply.oracle(run.experiment.student)
    np.testing.assert_allclose(given["series"].values()[:, 0], expected, rtol=1e-4, atol=1e-5)  # type: ignore[union-attr]
    assert set(given) == {"series", "past_covariates"}
    cell = cell_of(run, "oracle")
    assert cell.kind == "bound" and not np.array_equal(cell.mse, cell_of(run, "alone").mse)


def test_where_no_label_is_hidden_the_oracle_is_the_student_alone() -> None:
    found = scarce("oracle", labels=ALL)
    assert found.not_applicable == {"oracle": "no label is hidden: the student alone is trained on all of them"}
    experiment = Experiment(**toy_config(teachers={}, arms=[{"name": "best", "oracle": True}], seeds=[3]))
    cells = planned(Block("toy", experiment, 1, None, 3), "")
    assert len({cell.key for cell in cells}) == 1 and [cell.kind for cell in cells] == ["student", "bound"]
    hidden = Experiment(**toy_config(teachers={}, arms=[{"name": "best", "oracle": True}], labels={"last_days": 3}))
    assert len({cell.key for cell in planned(Block("toy", hidden, 1, None, 3), "")}) == 2


@pytest.fixture(scope="module")
def results() -> Results:
    experiment = scarce("oracle", "linear", "smoothed", seeds=[3, 5]).experiment
    return Experiment.model_validate(dict(experiment)).run(progress=False)


def test_the_oracle_is_a_bound_and_no_arm(results: Results) -> None:
    assert results.info.bounds == ("oracle",) and "oracle" not in results.info.controls
    assert "oracle" not in [arm.name for arm in results.info.arms] and "oracle" not in CONTROL_RULES.kinds
    assert np.isfinite(results.compare("oracle", kind="bound").relative)
    with pytest.raises(ValueError, match="there is no student 'oracle'"):
        results.compare("oracle")
    assert not any("'oracle'" in sentence for sentence in results.verdict.sentences)
    assert results.lift("taught").baseline != "oracle" and "oracle" not in results.lift("taught").lacking
    text = str(results)
    # below the rule, with the teachers
    assert text.index("teacher own") < text.index("oracle") < text.index("•")
    assert "labels of the last 3 days" in text


# ---- linear ----------------------------------------------------------------------------------------------------------


def linear_data(noise: float) -> DataSet:
    """A target that is 1 + 2 a - b of its covariates of the step before, up to noise."""
    rng = np.random.default_rng(5)
    covariates = rng.normal(size=(STEPS, 2))
    values = np.r_[0.0, 1 + 2 * covariates[:-1, 0] - covariates[:-1, 1]] + noise * rng.normal(size=STEPS)
    data = toy_stations()
    times = data.series.time_index
    return replace(
        data,
        series=TimeSeries.from_times_and_values(times, values, columns=["y"]),
        past_covariates=TimeSeries.from_times_and_values(times, covariates, columns=["c0", "c1"]),
        privileged={},
        archive=(),
    )


def sensor_of(labels: Any, penalties: list[float], noise: float = 0.0) -> BlockRun:
    one_step = {"class": "DLinearModel", "kwargs": {**READER["kwargs"], "output_chunk_length": 1}}
    arms = [{"name": "linear", "penalties": penalties}]
    return run_of(
        Experiment(
            **toy_config(
                data=linear_data(noise),
                student=one_step,
                teachers={},
                arms=arms,
                seeds=[3],
                soft_sensor=True,
                labels=labels,
            )
        )
    )


def test_a_ridge_reads_what_the_student_reads() -> None:
    """The covariates of the step before are among its inputs, and the labels are a linear function of them."""
    cell = cell_of(sensor_of({"every": 5}, [1e-8]), "linear")
    assert cell.kind == "student" and cell.mse.max() < 1e-6


def test_a_ridge_is_the_least_squares_solution_of_its_penalty() -> None:
    """For labels that are scattered: each step of the horizon has windows of its own."""
    arms = [{"name": "linear", "penalties": [0.3]}]
    experiment = Experiment(
        **toy_config(
            data=toy_stations(),
            student=READER,
            teachers={},
            arms=arms,
            seeds=[3],
            soft_sensor=True,
            labels={"every": 7},
        )
    )
    run = run_of(experiment)
    train, test = run.prepared[0].train, run.prepared[0].test
    covariates = train.past_covariates
    assert covariates is not None and test.past_covariates is not None
    starts = np.arange(LOOKBACK, VALIDATION - HORIZON + 1)
    x = np.stack([covariates.values()[start - LOOKBACK : start].ravel() for start in starts]).astype("float64")
    labels = train.series.values()[:, 0]
    position = TEST + 5
    seen = test.past_covariates.values()[position - LOOKBACK : position].ravel()
    expected = []
    for step in range(HORIZON):
        y = labels[starts + step]
        known = np.isfinite(y)
        mean_x, mean_y = x[known].mean(0), y[known].mean()
        gram = (x[known] - mean_x).T @ (x[known] - mean_x) + 0.3 * known.sum() * np.eye(x.shape[1])
        solution = np.linalg.solve(gram, (x[known] - mean_x).T @ (y[known] - mean_y))
        expected.append((seen - mean_x) @ solution + mean_y)
    ridge = Ridge(LOOKBACK, (1, HORIZON), True, 0.3).fit([(train, run.supply.covariates(train))])
    (rows, found, start), *_ = ridge.forecasts(test, run.supply.covariates(test))
    assert start == 1 and len(rows) == STEPS - TEST - HORIZON + 1
    np.testing.assert_allclose(found[5, :, 0], expected, rtol=1e-3, atol=1e-4)


def test_the_penalty_is_chosen_on_validation_at_the_budget_of_the_arms() -> None:
    arm = next(arm for arm in scarce("linear").experiment.arms if arm.name == "linear")
    assert arm.penalties == (0.01, 0.1, 0.001, 1.0) and not arm.is_plain
    more = {**TAUGHT, "balance": [i / 6 for i in range(6)]}
    arm = next(arm for arm in scarce("linear", arms=[more]).experiment.arms if arm.name == "linear")
    assert len(arm.candidates) == 6
    run = sensor_of({"every": 5}, [1e-4, 100.0], noise=0.1)
    low, high = (cell_of(run, "linear", candidate).validation_mse for candidate in (0, 1))
    assert low < high


def test_a_ridge_is_a_control_that_counts(results: Results) -> None:
    assert results.info.controls == {"linear": "linear", "smoothed": "smoothed"}
    assert {"linear", "smoothed"} <= set(CONTROL_RULES.counting)
    assert results.lift("taught").baseline in ("alone", "linear", "smoothed")
    assert set(results.candidates.query("arm == 'linear'").balance) == {f"penalty={p}" for p in (0.01, 0.1, 0.001, 1.0)}


def test_a_ridge_on_too_many_inputs_does_not_apply() -> None:
    wide = TimeSeries.from_times_and_values(toy_stations().series.time_index, np.zeros((STEPS, 1100)))
    found = scarce("linear", data=replace(toy_stations(), past_covariates=wide, archive=()))
    assert found.not_applicable == {"linear": "a window has 8800 inputs, and a ridge on more than 8192 takes too long"}


# ---- trees -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("soft_sensor", [False, True])
def test_trees_that_see_what_the_student_sees_teach_it(soft_sensor: bool) -> None:
    found = scarce("self-trained-trees", soft_sensor=soft_sensor)
    assert found.controls == {"self-trained-trees": "self-trained-trees"}
    model = darts_model(found.experiment.teachers["trees"])
    read = {"lags_past_covariates": LOOKBACK} | ({} if soft_sensor else {"lags": LOOKBACK})
    assert {name: value for name, value in model.kwargs.items() if "lags" in name} == read
    run = run_of(found.experiment)
    cell = cell_of(run, "self-trained-trees", 1)
    assert np.isfinite(cell.mse).all() and not np.array_equal(cell.mse, cell_of(run, "alone").mse)
    assert "self-trained-trees" in controls_of(found.experiment, found.experiment.arms[1])


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (ALL, "no label is missing: `self-distilled` is the control"),
        ({"every": 7}, "trees are fitted on windows with every label, and labels that are scattered leave none"),
    ],
)
def test_trees_do_not_apply_where_nothing_is_missing_or_no_window_is_whole(labels: Any, reason: str) -> None:
    assert scarce("self-trained-trees", labels=labels).not_applicable == {"self-trained-trees": reason}


# ---- averages of labels ----------------------------------------------------------------------------------------------


def test_a_moving_average_is_of_the_values_that_there_are() -> None:
    nan = np.nan
    series = TimeSeries.from_values(np.array([nan, 3.0, 6.0, nan, nan, nan, 12.0, nan]))
    by_hand = {
        1: [nan, 3, 6, 7.5, 9, 10.5, 12, nan],
        3: [3, 4.5, 4.5, 6, 9, 12, 12, 12],
    }
    for width, expected in by_hand.items():
        np.testing.assert_allclose(moving_average(series, width).values()[:, 0], expected)


def test_averages_of_labels_take_their_place_and_read_nothing_past_the_training_part() -> None:
    found = scarce(
        "smoothed", data=toy_data(), student=toy_model(), soft_sensor=False, labels=ALL, teachers={}, arms=[]
    )
    arm = next(arm for arm in found.experiment.arms if arm.name == "smoothed")
    assert arm.smoothing == (1, 3, 7, 25)
    states = []
    for change in (0.0, 3.0):
        experiment = found.experiment.model_copy(update={"data": toy_data(later=change)})
        run = run_of(experiment)
        with quiet():
            own, wide = (run.smoothed(arm, candidate).student for candidate in (0, 2))
            alone = run.plain(experiment.alone)
        states.append({name: value.clone() for name, value in wide.model.state_dict().items()})
        # a width of 1 is the labels themselves
        for name, value in alone.model.state_dict().items():
            np.testing.assert_allclose(own.model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
            assert not np.allclose(states[-1][name], value, atol=1e-4)
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


# ---- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"oracle": True, "students": [{}]}, "oracle: such an arm does nothing else; leave out students"),
        ({"penalties": [0.1], "archive": "pooled"}, "penalties: such an arm does nothing else; leave out archive"),
        ({"smoothing": [3], "teachers": "future"}, "smoothing: such an arm does nothing else; leave out teachers"),
        ({"penalties": [0.0]}, "greater than 0"),
        ({"smoothing": [0]}, "greater than or equal to 1"),
    ],
)
def test_an_arm_that_does_two_things_is_refused(arm: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experiment(**toy_config(arms=[{"name": "odd", **arm}]))
