"""Controls: each is what it says it is, at the budget of the largest distilled arm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from darts.models import NLinearModel

from tests.helpers.experiments import (
    HORIZON,
    LOOKBACK,
    STEPS,
    TEST,
    darts_model,
    toy_config,
    toy_data,
    toy_model,
    toy_stations,
)
from tskd._core.quiet_logs import quiet
from tskd.experiment import Arm, ConfigError, Experiment
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.controls.expansion import Expanded, expanded
from tskd.experiment.controls.registry import CONTROL_NAMES, controls_of
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, planned

FUTURE = {"future": {"model": toy_model(n_epochs=3), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}}}
TAUGHT = {"name": "taught", "teachers": "future", "balance": [0, 0.25, 0.5, 1], "losses": "TeacherBounded"}


def with_controls(*controls: str, **changes: Any) -> Expanded:
    config = {"teachers": FUTURE, "arms": [TAUGHT], "seeds": [3]}
    return expanded(Experiment(**toy_config(**config | changes), controls=controls))


def arm_of(found: Expanded, name: str) -> Arm:
    return next(arm for arm in found.experiment.arms if arm.name == name)


def run_of(experiment: ExperimentConfig) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))


def cell_of(run: BlockRun, name: str, candidate: int = 0) -> Cell:
    plans = planned(run.block, "")
    return run.cell(next(plan for plan in plans if (plan.name, plan.candidate) == (name, candidate)))


def weights(model: Any) -> dict[str, torch.Tensor]:
    return getattr(model, "student", model).model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


# ---- which there are -------------------------------------------------------------------------------------------------


def test_all_controls_that_apply_are_added_and_why_the_others_are_not() -> None:
    found = with_controls("all")
    assert [arm.name for arm in found.experiment.arms] == [
        *("alone", "taught", "tuned", "self-distilled", "placebo", "iterated", "linear", "smoothed")
    ]
    assert found.controls == {
        name: name for name in ("tuned", "self-distilled", "placebo", "iterated", "linear", "smoothed")
    }
    assert found.not_applicable == {
        "multi-horizon": "the student itself learns all steps up to the last that is scored",
        "pooled": "data set 'toy' has no archive",
        "pre-trained": "data set 'toy' has no archive",
        "self-trained-trees": "no label is missing: `self-distilled` is the control",
        "one-neighbour": "the teachers of 'taught' read no privileged series on the time grid of the target",
        "oracle": "no label is hidden: the student alone is trained on all of them",
    }
    assert found.experiment.controls == () and set(found.experiment.teachers) == {"future", "self"}


def test_without_controls_the_experiment_is_as_it_was() -> None:
    experiment = Experiment(**toy_config())
    assert expanded(experiment).experiment is experiment
    # what the configuration itself has counts as well, by what it does
    assert expanded(experiment).controls == {"self": "self-distilled", "placebo": "placebo"}
    shorter = {"name": "short", "students": [{"output_chunk_length": 2}]}
    lighter = {"name": "light", "students": [{}, {"n_epochs": 1}]}
    more = Experiment(**toy_config(arms=[*toy_config()["arms"], shorter, lighter]))
    assert expanded(more).controls == {
        **{"self": "self-distilled", "placebo": "placebo", "short": "iterated", "light": "tuned"}
    }


@pytest.mark.parametrize(
    "change",
    [{"model": toy_model(input_chunk_length=2 * LOOKBACK)}, {"archive": True}, {"taught_by": "far"}],
    ids=["longer", "archive", "chain"],
)
def test_a_teacher_that_sees_more_without_privilege_is_an_ordinary_one(change: dict[str, Any]) -> None:
    teachers = {
        "other": {"model": toy_model(), **change},
        "far": {"model": toy_model(input_chunk_length=2 * LOOKBACK)},
        "equal": {"model": toy_model()},
        "short": {"model": toy_model(input_chunk_length=LOOKBACK // 2)},
    }
    arms = [
        {"name": "strong teacher", "teachers": ["equal", "other"]},
        {"name": "own", "teachers": ["equal", "short"]},
        {"name": "self-distilled", "teachers": "other"},
    ]
    experiment = Experiment(**toy_config(data=with_archive(), teachers=teachers, arms=arms))
    assert expanded(experiment).controls == {
        "strong teacher": "ordinary teacher",
        "own": "self-distilled",
        "self-distilled": "self-distilled",
    }


def test_every_control_has_the_budget_of_the_largest_distilled_arm() -> None:
    small = {**TAUGHT, "name": "small", "balance": [0.5]}
    for largest in (3, 6):
        balances = [i / largest for i in range(largest)]
        arms = [small, {**TAUGHT, "balance": balances}]
        found = with_controls("all", arms=arms, data=with_archive(), scored=[1, 9], teachers=far(9))
        assert set(found.controls) == set(CONTROL_NAMES) - {"self-trained-trees", "one-neighbour", "oracle"}
        budgets = {name: len(arm_of(found, name).candidates) for name in found.controls}
        at_least = dict.fromkeys(("tuned", "linear", "smoothed"), max(largest, 4))
        assert budgets == {**dict.fromkeys(found.controls, largest), **at_least}


def far(steps: int) -> dict[str, Any]:
    model = toy_model(output_chunk_length=steps)
    return {"future": {"model": model, "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}}}


def with_archive() -> Any:
    data = toy_data()
    item = toy_stations().archive[0]
    return replace(data, archive=(replace(item, privileged={}, past_covariates=None),))


def test_an_arm_that_bears_the_name_is_that_control() -> None:
    own = {"name": "tuned", "students": [{}, {"n_epochs": 7}]}
    found = with_controls("tuned", "placebo", arms=[TAUGHT, own])
    assert arm_of(found, "tuned").students == ({}, {"n_epochs": 7})
    assert set(found.controls) == {"tuned", "placebo"}


def test_an_arm_that_bears_the_name_of_a_control_and_is_none_is_told() -> None:
    lists: list[list[dict[str, Any]]] = [
        [{**TAUGHT, "name": "tuned"}],
        [TAUGHT, {"name": "placebo", "students": [{}]}],
    ]
    for arms in lists:
        name = next(arm["name"] for arm in arms if arm["name"] != "taught")
        found = with_controls(name, arms=arms)
        assert found.not_applicable == {name: "an arm that is another thing bears its name: give that arm another"}
        assert found.controls.get(name) != name and len(found.experiment.arms) == 1 + len(arms)


def test_controls_that_need_privilege_say_that_there_is_none() -> None:
    plain = {"equal": {"model": toy_model()}}
    found = with_controls("placebo", "self-distilled", teachers=plain, arms=[{"name": "a", "teachers": "equal"}])
    assert found.not_applicable == dict.fromkeys(("self-distilled", "placebo"), "no arm has a privileged teacher")


# ---- tuned -----------------------------------------------------------------------------------------------------------


def test_the_tuned_student_varies_input_size_weight_decay_and_dropout_nearest_first() -> None:
    model = {
        "class": "TiDEModel",
        "kwargs": {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "dropout": 0.3, "n_epochs": 1},
    }
    settings = arm_of(with_controls("tuned", student=model), "tuned").students
    decay = {"optimizer_cls": "AdamW", "optimizer_kwargs": {"weight_decay": 1.0}}
    assert settings == ({}, {"input_chunk_length": 2}, decay, {"dropout": 0.1})


def test_the_tuned_student_has_four_candidates_at_least() -> None:
    model = {
        "class": "TiDEModel",
        "kwargs": {"input_chunk_length": LOOKBACK, "output_chunk_length": HORIZON, "dropout": 0.3, "n_epochs": 1},
    }
    students = {}
    for budget in (2, 4, 6):
        arms = [{**TAUGHT, "balance": [i / budget for i in range(budget)]}]
        students[budget] = arm_of(with_controls("tuned", student=model, arms=arms), "tuned").students
    assert students[2] == students[4] == students[6][:4] and len(students[6]) == 6
    assert [set(settings) - {"optimizer_cls"} for settings in students[2]] == [
        *(set(), {"input_chunk_length"}, {"optimizer_kwargs"}, {"dropout"})
    ]


def test_what_a_student_does_not_have_is_not_tuned() -> None:
    # NLinear has no dropout, LBFGS no weight decay, and one step of input is as short as can be
    kwargs = {"input_chunk_length": 1, "optimizer_cls": "LBFGS"}
    settings = arm_of(with_controls("tuned", student=toy_model(**kwargs)), "tuned").students
    assert settings == ({},)
    decayed = toy_model(optimizer_cls="SGD", optimizer_kwargs={"lr": 0.1, "weight_decay": 1.0})
    settings = arm_of(with_controls("tuned", student=decayed), "tuned").students
    assert settings == (
        {},
        {"input_chunk_length": 2},
        {"optimizer_kwargs": {"weight_decay": 0.1}},
        {"input_chunk_length": 2, "optimizer_kwargs": {"weight_decay": 0.1}},
    )


def test_a_shorter_lookback_is_scored_on_the_same_windows() -> None:
    found = with_controls("tuned")
    run = run_of(found.experiment)
    arm = arm_of(found, "tuned")
    short = cell_of(run, "tuned", 1)
    with quiet():
        student = run.plain(arm, 1)
    assert student.input_chunk_length == 2 == arm.students[1]["input_chunk_length"]
    part = run.prepared[0].test
    for window in (0, 40):
        end = part.reach + window
        with quiet():
            forecast = student.predict(HORIZON, series=part.series[end - 2 : end]).values()
        error = (forecast - part.truth[window])[part.scored[window]]
        assert short.mse[window] == pytest.approx(np.mean(error**2), rel=1e-4)
    assert short.mse.shape == cell_of(run, "alone").mse.shape


# ---- self-distilled, placebo -----------------------------------------------------------------------------------------


def test_self_distillation_has_the_privileged_teachers_model_rows_and_lesson_but_no_privilege() -> None:
    teacher = {**FUTURE["future"], "cross_fit": {"folds": 3, "block": 40}, "sees_inputs": False}
    found = with_controls("self-distilled", teachers={"future": teacher})
    made, arm = found.experiment.teachers["self"], arm_of(found, "self-distilled")
    given = found.experiment.teachers["future"]
    assert darts_model(made) == darts_model(given) and made.cross_fit == given.cross_fit
    assert made.privileged == () and made.sees_inputs
    assert arm.teachers == ("self",) and [loss.class_ for loss in arm.losses] == ["TeacherBounded"]
    assert arm.balance == (0, 0.25, 0.5, 1)
    run = run_of(found.experiment)
    with quiet():
        assert run.teacher("self").names == [] and run.distilled(arm, 1).teachers[0].name == "self"


def test_self_distillation_of_an_archive_teacher_is_fitted_on_the_archive() -> None:
    teacher = {"model": toy_model(), "archive": True, "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}}
    found = with_controls("self-distilled", data=with_archive(), teachers={"future": teacher})
    assert found.experiment.teachers["self"].archive


def regression(**kwargs: Any) -> dict[str, Any]:
    return {"class": "LinearRegressionModel", "kwargs": {"output_chunk_length": HORIZON, **kwargs}}


def test_self_distillation_by_a_regression_model_reads_what_the_student_has() -> None:
    """What the lags of covariates were for is gone with the privilege; the student may have covariates of its own."""
    privileged = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
    model = regression(lags=8, lags_past_covariates=3, lags_future_covariates=[0])
    future = {"class": "FutureHorizon", "kwargs": {"end": 1}}
    teachers = {"future": {"model": model, "privileged": [privileged, future]}}
    found = with_controls("self-distilled", teachers=teachers)
    assert darts_model(found.experiment.teachers["self"]).kwargs == {"output_chunk_length": HORIZON, "lags": 8}
    run = run_of(found.experiment)
    assert np.isfinite(cell_of(run, "self").mse).any()
    assert cell_of(run, "self-distilled", 2).validation_mse != cell_of(run, "alone").validation_mse

    own = {"class": "CostlySensors", "kwargs": {"name": "own"}}
    ensemble = {
        "class": "NaiveEnsembleModel",
        "kwargs": {"forecasting_models": [regression(lags=8, lags_past_covariates=3, lags_future_covariates=[0])]},
    }
    for given, members in ((model, False), (ensemble, True)):
        found = with_controls(
            "self-distilled", data=toy_stations(), teachers={"future": {"model": given, "privileged": own}}
        )
        kwargs = darts_model(found.experiment.teachers["self"]).kwargs
        kwargs = kwargs["forecasting_models"][0]["kwargs"] if members else kwargs
        assert kwargs == {"output_chunk_length": HORIZON, "lags": 8, "lags_past_covariates": 3}
    assert np.isfinite(cell_of(run_of(found.experiment), "self").mse).any()


def test_a_teacher_that_reads_nothing_but_its_privilege_has_no_twin_without() -> None:
    privileged = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
    teachers = {"future": {"model": regression(lags_past_covariates=3), "privileged": privileged}}
    found = with_controls("self-distilled", teachers=teachers)
    assert "teacher 'future' reads nothing" in found.not_applicable["self-distilled"]
    assert set(found.experiment.teachers) == {"future"}


def test_self_distillation_weighs_its_teacher_as_the_privileged_arm_does() -> None:
    for given, expected in (("LFME", "LFME"), ({"class": "Fixed", "kwargs": {"weights": {"future": 2}}}, "Uniform")):
        arm = arm_of(with_controls("self-distilled", arms=[{**TAUGHT, "weighting": given}]), "self-distilled")
        assert arm.weighting.class_ == expected


def test_the_placebo_is_the_first_privileged_arm_with_shuffled_rows() -> None:
    plain = {"name": "first", "teachers": "equal"}
    teachers = {**FUTURE, "equal": {"model": toy_model()}}
    found = with_controls("placebo", teachers=teachers, arms=[plain, {**TAUGHT, "balance": [0.5]}])
    arm = arm_of(found, "placebo")
    # four candidates of the arm that is not privileged
    expected = {"name": "placebo", "placebo": True, "balance": arm.balance}
    assert arm == arm_of(found, "taught").model_copy(update=expected)
    assert len(arm.balance) == 4
    run = run_of(found.experiment)
    with quiet():
        model = run.distilled(arm, 1)
    assert all(name.startswith("placebo of") for name in model.teachers[0].names)


def test_an_arm_is_judged_by_controls_of_its_own_teachers_and_lesson() -> None:
    """Of the first privileged arm they are made; of another, some say nothing."""
    sensor = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
    lags = regression(lags=8, lags_past_covariates=3)
    teachers = {
        **FUTURE,
        "later": {**FUTURE["future"], "privileged": sensor},
        "larger": {"model": toy_model(n_epochs=4), "privileged": sensor},
        "read": {"model": lags, "privileged": sensor},
    }
    arms: list[dict[str, Any]] = [
        TAUGHT,
        {**TAUGHT, "name": "rebalanced", "balance": 0.5},
        {**TAUGHT, "name": "reweighted", "weighting": "InverseError"},
        {**TAUGHT, "name": "other loss", "losses": "OutputKD"},
        {**TAUGHT, "name": "other privilege", "teachers": "later"},
        {**TAUGHT, "name": "larger", "teachers": "larger"},
        {**TAUGHT, "name": "one is larger", "teachers": ["future", "larger"]},
    ]
    found = with_controls("tuned", "self-distilled", "placebo", teachers=teachers, arms=arms).experiment
    own = {arm["name"]: controls_of(found, arm_of(Expanded(found), arm["name"])) for arm in arms}
    always = ["tuned"]
    assert own == {
        "taught": [*always, "self-distilled", "placebo"],
        "rebalanced": [*always, "self-distilled", "placebo"],
        "reweighted": [*always, "self-distilled"],
        "other loss": always,
        "other privilege": [*always, "self-distilled"],
        "larger": always,
        "one is larger": always,
    }
    found = with_controls("self-distilled", teachers=teachers, arms=[{**TAUGHT, "teachers": "read"}]).experiment
    assert controls_of(found, arm_of(Expanded(found), "taught")) == ["self-distilled"]


# ---- iterated, multi-horizon -----------------------------------------------------------------------------------------


def test_the_iterated_student_is_rolled_forward_as_darts_does_it() -> None:
    found = with_controls("iterated")
    arm, run = arm_of(found, "iterated"), run_of(found.experiment)
    assert arm.students[0] == {"output_chunk_length": 1} and all(s["output_chunk_length"] == 1 for s in arm.students)
    cell = cell_of(run, "iterated")
    part = run.prepared[0].test
    with quiet():
        student = run.plain(arm)
        assert student.output_chunk_length == 1
        own = student.historical_forecasts(
            part.series,
            forecast_horizon=HORIZON,
            start=part.starts[0],
            retrain=False,
            last_points_only=False,
        )
    values = np.stack([forecast.values() for forecast in own])
    assert len(values) == STEPS - TEST - HORIZON + 1
    errors = np.where(part.scored[:, :, None], values - part.truth, np.nan)
    np.testing.assert_allclose(cell.mse, np.nanmean(errors**2, axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(cell.step_mae, np.nanmean(np.abs(errors), axis=(0, 2)), rtol=1e-5)


def test_no_student_goes_on_from_its_forecasts_where_it_would_see_what_is_to_come() -> None:
    data, model = toy_stations(), toy_model()
    teachers = {"own": {"model": model, "privileged": {"class": "CostlySensors", "kwargs": {"name": "own"}}}}
    config = {"data": data, "student": model, "teachers": teachers, "arms": [{"name": "a", "teachers": "own"}]}
    found = expanded(Experiment(**toy_config(**config), controls=["iterated"]))
    assert "past covariates, which are not known" in found.not_applicable["iterated"]
    blind = expanded(Experiment(**toy_config(**config), soft_sensor=True, controls=["iterated"]))
    assert "a soft sensor does not see the target" in blind.not_applicable["iterated"]
    own = Experiment(**toy_config(**config | {"arms": [{"name": "a", "students": [{"output_chunk_length": 2}]}]}))
    with pytest.raises(ConfigError, match="arm 'a': step 4 is scored and 2 are forecast at once; rolled forward, it"):
        check_data(own, data)


def test_a_student_that_is_rolled_forward_already_is_its_own_iterated_control() -> None:
    rolled = toy_model(output_chunk_length=1)
    found = with_controls("iterated", student=rolled, scored=[1, 4])
    assert "the student itself forecasts one step" in found.not_applicable["iterated"]
    found = with_controls("iterated", student=rolled)
    assert "one step ahead is forecast" in found.not_applicable["iterated"]


def test_the_multi_horizon_student_learns_all_steps_up_to_the_last_that_is_scored() -> None:
    """Against a student that learns the last step alone; both are scored on it, over the same windows."""
    single = toy_model(output_chunk_length=1, output_chunk_shift=3)
    found = with_controls("multi-horizon", student=single)
    assert found.experiment.steps == (4, 4)
    arm, run = arm_of(found, "multi-horizon"), run_of(found.experiment)
    assert arm.students[0] == {"output_chunk_length": 4, "output_chunk_shift": 0}
    part = run.prepared[0].test
    cells = [cell_of(run, name) for name in ("alone", "multi-horizon")]
    with quiet():
        alone, whole = run.plain(found.experiment.alone), run.plain(arm)
        settings: dict[str, Any] = {"n_epochs": 2, "const_init": False, "random_state": 3}
        trainer = {"accelerator": "cpu", "logger": False}
        plain = NLinearModel(LOOKBACK, 4, **settings, pl_trainer_kwargs=trainer).fit(run.prepared[0].train.series)
    assert same(weights(whole), weights(plain)) and alone.output_chunk_shift == 3
    for cell, student in zip(cells, (alone, whole), strict=True):
        for window in (0, 50):
            end = part.reach + window
            with quiet():
                forecast = student.predict(student.output_chunk_length, series=part.series[end - LOOKBACK : end])
            error = forecast.values()[-1] - part.truth[window, 3]
            assert cell.mse[window] == pytest.approx(float(error[0]) ** 2, rel=1e-4)
        assert np.isnan(cell.step_mse[:3]).all() and np.isfinite(cell.step_mse[3])


def test_steps_past_the_students_chunk_have_a_multi_horizon_control_too() -> None:
    found = with_controls("multi-horizon", scored=[5, 9], teachers=far(9))
    assert arm_of(found, "multi-horizon").students[0] == {"output_chunk_length": 9}
    assert found.controls == {"multi-horizon": "multi-horizon"}


# ---- archive ---------------------------------------------------------------------------------------------------------


def archived(**changes: Any) -> tuple[Expanded, BlockRun]:
    config = toy_config(data=with_archive(), student=toy_model(), teachers=FUTURE, arms=[TAUGHT], seeds=[3], **changes)
    found = expanded(Experiment(**config, controls=["pooled", "pre-trained"]))
    return found, run_of(found.experiment)


def plain_model() -> NLinearModel:
    trainer = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    return NLinearModel(LOOKBACK, HORIZON, n_epochs=2, const_init=False, random_state=3, pl_trainer_kwargs=trainer)


def test_pooled_is_one_darts_fit_on_all_series() -> None:
    found, run = archived()
    target, elsewhere = run.prepared[0].train.series, [item.series for item in run.prepared[0].archive]
    with quiet():
        student = run.plain(arm_of(found, "pooled"))
        plain = plain_model().fit([target, *elsewhere])
    assert same(weights(student), weights(plain))
    assert not same(weights(student), weights(run.plain(found.experiment.alone)))


def test_pre_trained_is_two_darts_fits_the_archive_first() -> None:
    found, run = archived()
    with quiet():
        student = run.plain(arm_of(found, "pre-trained"))
        plain = plain_model().fit([item.series for item in run.prepared[0].archive])
        before = {name: values.clone() for name, values in weights(plain).items()}
        plain.fit(run.prepared[0].train.series)
    assert same(weights(student), weights(plain)) and not same(weights(student), before)


@pytest.mark.parametrize("soft_sensor", [False, True])
def test_early_stopping_begins_anew_after_the_archive(soft_sensor: bool) -> None:
    """Patience ran out on the archive; the fit on the target rows is as long as one that knows nothing of that."""
    # nothing is ever an improvement of 1000: each fit ends after 1 + patience epochs
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 2, "min_delta": 1000.0}}
    student = toy_model(n_epochs=9, pl_trainer_kwargs={"callbacks": [stop]})
    experiment = Experiment(
        name="s",
        data=toy_stations(),
        student=student,
        soft_sensor=soft_sensor,
        arms=[{"name": "first", "archive": "pre-trained"}],
        seeds=[3],
    )
    run = run_of(experiment)
    lengths = []
    with quiet():
        for arm in (experiment.alone, experiment.arms[1]):
            model = run.plain(arm)
            lengths.append(getattr(model, "student", model).model.current_epoch)
            lengths.append(getattr(model, "student", model).trainer.current_epoch)
    assert lengths == [3, 3, 3, 3]


def test_archive_arms_choose_among_weight_decays() -> None:
    found, run = archived()
    settings = arm_of(found, "pooled").students
    assert settings == arm_of(found, "pre-trained").students and settings[0] == {}
    assert [s["optimizer_kwargs"]["weight_decay"] for s in settings[1:]] == [1.0, 0.1, 10.0]
    assert cell_of(run, "pooled", 1).validation_mse != cell_of(run, "pooled", 0).validation_mse


def test_archive_arms_work_for_soft_sensors_with_early_stopping() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 1}}
    student = toy_model(pl_trainer_kwargs={"callbacks": [stop]})
    arms = [{"name": name, "archive": name} for name in ("pooled", "pre-trained")]
    experiment = Experiment(name="s", data=toy_stations(), student=student, soft_sensor=True, arms=arms, seeds=[3])
    run = run_of(experiment)
    cells = [cell_of(run, name) for name in ("alone", "pooled", "pre-trained")]
    assert len({cell.validation_mse for cell in cells}) == 3


def test_an_archive_is_needed() -> None:
    experiment = Experiment(**toy_config(arms=[{"name": "a", "archive": "pooled"}]))
    with pytest.raises(ConfigError, match="arm 'a': data set 'toy' has no archive to train on"):
        check_data(experiment, toy_data())


@pytest.mark.parametrize("name", ["tuned", "self-distilled", "placebo", "iterated", "linear", "smoothed"])
def test_controls_run(name: str) -> None:
    results = Experiment(**toy_config(teachers=FUTURE, arms=[TAUGHT], seeds=[3]), controls=[name]).run(progress=False)
    assert np.isfinite(results.compare(name).relative)
