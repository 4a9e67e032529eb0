"""Kinds of wrong arguments that random calls have found, each with its smallest case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import DLinearModel, NLinearModel

from tests.helpers.experiments import toy_config, toy_data
from tests.helpers.models import fast
from tests.helpers.refusals import refused, untouched
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Reconstruction, Teacher, audit, expected_gain
from tskd.cli import main
from tskd.datasets import DataSet
from tskd.experiment import Experiment, Study
from tskd.losses import FeatureKD, OutputKD, QuantileKD, SampleRelation
from tskd.privileged import CostlySensors, HighResolution
from tskd.weighting import AEKD, CAMKD, LFME, MMKD, Fixed

L, H = 4, 3
Y, LAB, PAST = walk(40, 2), walk(40, seed=1, name="lab"), walk(43, 2, seed=2, name="past")
NUMBERED = TimeSeries.from_values(Y.values(), columns=Y.components)


def teacher(name: str = "seer") -> Teacher:
    return Teacher(DLinearModel(L, H, **fast()), CostlySensors("lab"), name=name)


def model(**settings: Any) -> DistilledModel:
    return DistilledModel(NLinearModel(L, H, **fast(**settings)), teacher())


@pytest.fixture(scope="module")
def fitted() -> DistilledModel:
    return model().fit(Y, PAST, privileged={"lab": LAB})


def refuses_fit(given: dict[str, Any], kind: type[Exception], *fragments: str, steps: list[str]) -> None:
    new = model()
    with untouched(new):
        arguments = {"series": Y, "past_covariates": PAST, "privileged": {"lab": LAB}} | given
        refused(lambda: new.fit(**arguments), kind, *fragments)
    assert not steps


CHOICES: dict[str, Callable[[Any], Any]] = {
    "metric": OutputKD,
    "metric of quantiles": QuantileKD,
    "relation": SampleRelation,
    "projector": lambda value: FeatureKD(projector=value),
    "coarse": lambda value: HighResolution("lab", value),
    "space": lambda value: AEKD(space=value),
    "mode": CAMKD,
    "outer": lambda value: MMKD(outer=value),
    "regimes": LFME,
    "responsibility": lambda value: LFME(responsibility=value),
}


@pytest.mark.parametrize("value", [np.zeros((0, 2)), pd.DataFrame(), np.array(["mse", "mae"]), [], {"mse"}, ...])
@pytest.mark.parametrize("name", list(CHOICES))
def test_what_is_compared_element_by_element_is_none_of_some_texts(name: str, value: Any) -> None:
    refused(lambda: CHOICES[name](value), ValueError, f"^{name.split()[0]}=")


@pytest.mark.parametrize("value", [pytest.param(np.array(2), id="no dimension"), 3, None])
def test_weights_that_are_no_list(value: Any) -> None:
    refused(lambda: Fixed(value), ValueError, "^weights=")


def test_a_fraction_is_no_number_that_torch_can_multiply_by() -> None:
    from fractions import Fraction

    refused(lambda: OutputKD(weight=Fraction(1, 2)), ValueError, "^weight=Fraction")  # type: ignore[arg-type]
    OutputKD(weight=np.float32(0.5))  # type: ignore[arg-type]


LOADERS: dict[str, tuple[dict[str, Any], str]] = {
    "shuffled and sampled": ({"sampler": [0, 1]}, "mutually exclusive"),
    "batches of its own": ({"batch_sampler": [[0]]}, "mutually exclusive"),
    "a window that there is not": ({"sampler": [34], "shuffle": False}, "sampler.*33 at most"),
    "no window": ({"sampler": [], "shuffle": False}, "no batch"),
    "batches larger than all windows": ({"drop_last": True, "batch_size": 1000}, "34 windows make no batch"),
    "windows without a number": ({"batch_size": 10**30}, "batch_size"),
}


@pytest.mark.parametrize("case", list(LOADERS))
def test_a_loader_without_a_batch_is_refused_before_any_training(case: str, steps: list[str]) -> None:
    kwargs, message = LOADERS[case]
    refuses_fit({"dataloader_kwargs": kwargs}, ValueError, "dataloader_kwargs", message, steps=steps)


def test_a_truth_value_of_a_loader(steps: list[str]) -> None:
    refuses_fit({"dataloader_kwargs": {"shuffle": "no"}}, TypeError, "shuffle.*True or False", steps=steps)


def test_a_sampler_that_draws_a_window_that_there_is_not(steps: list[str]) -> None:
    """One that says what it draws only while it does."""
    new = model()
    kwargs = {"sampler": iter([99]), "shuffle": False}
    with untouched(new):
        refused(
            lambda: new.fit(Y, privileged={"lab": LAB}, dataloader_kwargs=kwargs), ValueError, "sampler gives 99.*34"
        )


@pytest.mark.parametrize("name", ["stride", "epochs", "max_samples_per_ts"])
def test_whole_numbers_of_numpy_are_whole_numbers(name: str) -> None:
    def forecast(steps: Any, value: Any) -> Any:
        given: dict[str, Any] = {"privileged": {"lab": LAB}, name: value}
        return model().fit(Y, PAST, **given).predict(steps, Y, PAST)

    assert forecast(np.int64(H), np.int64(2)) == forecast(H, 2)


WEIGHTS: dict[str, tuple[Any, type[Exception], str]] = {
    "a number": (3, TypeError, "sample_weight must be a TimeSeries"),
    "a class": (TimeSeries, TypeError, "sample_weight must be a TimeSeries"),
    "too many components": (walk(40, 3), ValueError, "sample_weight has 3 components, and its target 2"),
}


@pytest.mark.parametrize("case", list(WEIGHTS))
def test_weights_of_another_kind(case: str, steps: list[str]) -> None:
    value, kind, message = WEIGHTS[case]
    refuses_fit({"sample_weight": value}, kind, message, steps=steps)
    refuses_fit(
        {
            "val_series": Y,
            "val_past_covariates": PAST,
            "val_privileged": {"lab": LAB},
            "val_sample_weight": value,
        },
        kind,
        f"val_{message}",
        steps=steps,
    )
    if kind is TypeError:
        refused(lambda: teacher().fit(Y, privileged={"lab": LAB}, sample_weight=value), kind, message)


def test_series_of_whole_numbers_beside_time_stamps(fitted: DistilledModel, steps: list[str]) -> None:
    refuses_fit({"past_covariates": NUMBERED}, ValueError, "past_covariates does not fit the target", steps=steps)
    refuses_fit({"privileged": {"lab": NUMBERED}}, ValueError, r"privileged\['lab'\] is indexed by whole", steps=steps)
    refused(lambda: fitted.predict(H, Y, NUMBERED.with_columns_renamed(["y0", "y1"], ["past0", "past1"])), ValueError)
    refused(lambda: audit(fitted, Y, PAST, privileged={"lab": NUMBERED}), ValueError, "privileged.*whole numbers")
    refused(lambda: fitted.teachers[0].historical_forecasts(Y, privileged={"lab": NUMBERED}), ValueError, "privileged")


def test_privileged_series_that_begin_after_the_target(steps: list[str]) -> None:
    later = walk(40, seed=1, name="lab", start="2030-01-01")
    refuses_fit({"privileged": {"lab": later}}, ValueError, "privileged .*begins at 2030.*after the end", steps=steps)


def test_covariates_for_validation_alone(steps: list[str]) -> None:
    given = {"val_series": Y, "val_privileged": {"lab": LAB}, "val_past_covariates": PAST, "past_covariates": None}
    refuses_fit(given, ValueError, "val_past_covariates is given, and past_covariates is not", steps=steps)


@pytest.mark.parametrize("make", ["long", "file", "lone surrogate"])
def test_a_cache_that_can_be_none(make: str, tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "file").touch()
    cache = {"long": "x" * 10_000, "file": tmp_path / "file", "lone surrogate": "\ud800"}[make]
    refuses_fit({"cache": cache}, ValueError, "^cache", steps=steps)


@pytest.mark.parametrize("call", ["predict", "historical_forecasts", "backtest", "residuals"])
def test_what_is_not_fitted_does_not_forecast(call: str) -> None:
    given: dict[str, Any] = {"n": H} if call == "predict" else {"retrain": False}
    refused(lambda: getattr(model(), call)(series=Y, **given), ValueError, "the model is not fitted")


OF_ROLLING: dict[str, list[Any]] = {
    "retrain": ["yes", 0.5, -1, pd.Series([1.0, 2.0]), OutputKD],
    "random_state": ["abc", -1, 2**32, 0.5, np.zeros(3)],
    "start": [pd.NaT, pd.Timestamp("2020-01-02 10:00", tz="UTC")],
    "start_format": ["stamp", 3, object()],
    "predict_kwargs": [{"batch_sampler": [[0]]}, {"n": 3}, {"roll_size": 1}],
    "fit_kwargs": [{"nope": 1}, {"series": Y}],
}
OF_EVALUATION: dict[str, list[Any]] = {
    "metric": ["abc", [None], 0.5, []],
    "reduction": ["abc", range(3), pd.DataFrame()],
    "metric_kwargs": [3, {"drop_last": True}],
    "historical_forecasts": [["abc"], "abc", [Y, LAB], walk(40, 3)],
}


@pytest.mark.parametrize("name", list(OF_ROLLING))
def test_arguments_of_rolling_evaluation(fitted: DistilledModel, name: str) -> None:
    for value in OF_ROLLING[name]:
        given = {"series": Y, "past_covariates": PAST, "retrain": False, "forecast_horizon": 2} | {name: value}
        for call in (fitted.historical_forecasts, fitted.backtest):
            with (
                untouched(fitted),
                pytest.raises((TypeError, ValueError), match=name.removesuffix("_kwargs") + "|roll_size"),
            ):
                call(**given)


@pytest.mark.parametrize("name", list(OF_EVALUATION))
def test_arguments_of_backtests(fitted: DistilledModel, name: str) -> None:
    for value in OF_EVALUATION[name]:
        with untouched(fitted), pytest.raises((TypeError, ValueError), match=name):
            fitted.backtest(**{"series": Y, "past_covariates": PAST, "retrain": False, name: value})


def test_arguments_that_hold_arguments_are_not_written_into(fitted: DistilledModel) -> None:
    given: dict[str, Any] = {"batch_size": 4}
    fitted.historical_forecasts(Y, PAST, retrain=False, predict_kwargs=given)
    assert given == {"batch_size": 4}


@pytest.mark.parametrize(("n", "roll_size"), [(2, 2), (3, 1), (6, 2), (5, 1)])
def test_a_roll_of_which_nothing_is_left(fitted: DistilledModel, n: int, roll_size: int) -> None:
    refused(lambda: fitted.predict(n, Y[:30], PAST, roll_size=roll_size), ValueError, f"^roll_size={roll_size}")


@pytest.mark.parametrize(("n", "roll_size"), [(2, 3), (7, 3), (5, 2), (7, 1)])
def test_any_other_roll_is_darts_own(fitted: DistilledModel, n: int, roll_size: int) -> None:
    mine = fitted.predict(n, Y[:30], PAST, roll_size=roll_size)
    assert mine == fitted.student.predict(n, Y[:30], PAST, roll_size=roll_size)
    assert isinstance(mine, TimeSeries) and len(mine) == n


@pytest.mark.parametrize("value", [3, None, DistilledModel, OutputKD()])
def test_what_is_no_model(value: Any) -> None:
    refused(lambda: audit(value, Y, privileged={"lab": LAB}), TypeError, "^model must be a DistilledModel")
    refused(lambda: expected_gain(value, Y, privileged={"lab": LAB}), TypeError, "^model must be a DistilledModel")


STAMPS = ["abc", 36.5, pd.NaT, "3000-01-01", pd.Timestamp("2020-01-02", tz="UTC"), object(), True]


@pytest.mark.parametrize("value", STAMPS, ids=lambda value: "an object" if type(value) is object else repr(value))
def test_what_is_no_time_stamp(fitted: DistilledModel, value: Any) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "test_start": lambda: audit(fitted, Y, PAST, privileged={"lab": LAB}, test_start=value),
        "seen_until": lambda: Teacher.from_series(Y, name="given", seen_until=value),
    }
    for name, call in calls.items():
        # far stamps are stamps
        if value != "3000-01-01":
            with pytest.raises((TypeError, ValueError), match=f"^{name}="):
                call()


def test_static_covariates_that_are_no_numbers(steps: list[str]) -> None:
    named = Y.with_static_covariates(pd.DataFrame({"place": ["north"]}))
    refuses_fit({"series": named}, ValueError, r"series has static covariates \['place'\] that are no", steps=steps)
    refused(lambda: expected_gain(model(), named, privileged={"lab": LAB}), ValueError, "static covariates")


def test_an_audit_casts_series_to_the_precision_of_the_fit(fitted: DistilledModel) -> None:
    found = audit(fitted, Y.astype("float64"), PAST.astype("float64"), privileged={"lab": LAB}, verbose=False)
    assert found.passed


def test_an_audit_of_too_few_steps(fitted: DistilledModel) -> None:
    for steps in (1, 5, 8):
        short = partial(audit, fitted, Y[:steps], PAST, privileged={"lab": LAB})
        refused(short, ValueError, f"series has {steps}")


SETTINGS: dict[str, dict[str, Any]] = {
    "n_epochs": {"n_epochs": -1},
    "batch_size": {"batch_size": 0},
    "batch_size=.*NumPy": {"batch_size": np.uint8(3)},
    "optimizer_kwargs": {"optimizer_kwargs": 3},
    "lr_scheduler_cls": {"lr_scheduler_cls": lambda optimizer: (optimizer,)},
    "save_checkpoints": {"save_checkpoints": "no"},
    "callbacks": {"pl_trainer_kwargs": QUIET | {"callbacks": [3]}},
    "accumulate_grad_batches": {"pl_trainer_kwargs": QUIET | {"accumulate_grad_batches": 0}},
}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_settings_with_which_no_fit_could_begin(name: str) -> None:
    for make in (model, lambda **settings: Teacher(DLinearModel(L, H, **fast(**settings)))):
        with pytest.raises((TypeError, ValueError), match=f"(student|teacher) .*{name}"):
            make(**SETTINGS[name])


def test_a_trainer_that_cannot_be_made(steps: list[str], tmp_path: Path) -> None:
    """Checkpoints are asked for in one place, and forbidden in another."""
    new = model(save_checkpoints=True, work_dir=str(tmp_path))
    refused(lambda: new.fit(Y, privileged={"lab": LAB}), ValueError, "the trainer of NLinearModel", "checkpoint")
    assert not steps


OF_DATA_SETS: dict[str, Any] = {"name": 3, "title": None, "archive": lambda: (), "filled": "abc", "unit": ["K"]}


@pytest.mark.parametrize("name", list(OF_DATA_SETS))
def test_fields_of_a_data_set(name: str) -> None:
    stamps = {"validation_start": Y.time_index[20], "test_start": Y.time_index[30]}
    with pytest.raises(TypeError, match=f"{name} must"):
        DataSet(**{"name": "toy", "series": Y, **stamps, name: OF_DATA_SETS[name]})


OF_RUNS: dict[str, list[Any]] = {
    "workers": ["2", 0, 0.5, True, 10**30, (), np.zeros((2, 2))],
    "engine": ["threads", 3, []],
    "address": [3, b"auto"],
    "folder": [3, "a\0b", "x" * 10_000, []],
    "progress": ["no", 3],
}


@pytest.mark.parametrize("name", list(OF_RUNS))
def test_arguments_of_a_run(name: str) -> None:
    experiment = Experiment(**toy_config(data=toy_data()))
    for value in OF_RUNS[name]:
        with pytest.raises((TypeError, ValueError), match=name):
            experiment.run(**{"progress": False, name: value})


def test_a_training_size_that_no_data_have() -> None:
    with pytest.raises(ValueError, match="sizes"):
        Experiment(**toy_config(sizes=[10**400]))


def test_a_target_without_any_label_beside_a_teacher_that_fills_its_past(steps: list[str]) -> None:
    filling = Reconstruction("lab", fills_past=True)
    new = DistilledModel(NLinearModel(L, H, **fast()), filling)
    with untouched(new):
        refused(lambda: new.fit(Y * np.nan, privileged={"lab": LAB}), ValueError, "labels at 0 time stamps")


def test_covariates_in_a_list_of_one_beside_a_series_alone(fitted: DistilledModel) -> None:
    alone = fitted.predict(H, Y, PAST)
    assert fitted.predict(H, Y, [PAST]) == alone and fitted.predict(H, [Y], PAST) == [alone]


def test_what_to_expect_of_teachers_that_the_data_do_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(Study("toy", {"toy": Experiment(**toy_config(data="co2"))}).to_yaml())
    assert main(["expected-gain", str(path)]) == 2
    assert "'fine'" in capsys.readouterr().err


def test_what_is_right_is_still_right(fitted: DistilledModel) -> None:
    roll: Any = partial(fitted.historical_forecasts, Y, PAST, forecast_horizon=H)
    assert roll(retrain=False) == roll(retrain=np.bool_(False)) == roll(retrain=0)
    assert len(roll(retrain=np.int64(2), start=34, privileged={"lab": LAB}, random_state=np.uint8(3))) > 0
    assert fitted.backtest(Y, PAST, retrain=False, reduction=np.mean, metric_kwargs=None) > 0
