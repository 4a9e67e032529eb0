"""Experiments: what may be configured, how data are split and scaled, what is trained, and what is chosen by what."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from darts import TimeSeries
from darts.models import NLinearModel
from pydantic import ValidationError

from tests.helpers.experiments import HORIZON, LOOKBACK, STEPS, TEST, VALIDATION, toy_config, toy_data, toy_model
from tskd import DistilledModel, Teacher
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment import Arm, ConfigError, Experiment, Results, RunError
from tskd.experiment.config.objects import Spec
from tskd.experiment.config.roles import MODEL
from tskd.experiment.controls.shuffling import placebo, strata
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.loading import load
from tskd.experiment.data.preparation import fingerprint, prepare
from tskd.experiment.results.candidate_choice import choose
from tskd.experiment.results.tables import DISTRIBUTION
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import Block, blocks_of, planned
from tskd.experiment.run.scoring import mean, score
from tskd.losses import OutputKD
from tskd.privileged import CostlySensors, FutureHorizon, HighResolution
from tskd.weighting import Fixed


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment(**toy_config())


@pytest.fixture(scope="module")
def results(experiment: Experiment) -> Results:
    return experiment.run(progress=False)


def run_of(experiment: Experiment, seed: int) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, seed), load(experiment))


def cells_of(run: BlockRun) -> list[Cell]:
    return [run.cell(plan) for plan in planned(run.block, "")]


def write(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text)
    return path


SMALL = """
name: small
data: co2
student: &model
  class: NLinearModel
  kwargs: {input_chunk_length: 8, output_chunk_length: 4, optimizer_kwargs: {lr: 1e-3}}
teachers:
  season: {model: *model, privileged: {class: FutureHorizon, kwargs: {start: 1, end: 2}}}
arms:
  - {name: distilled, teachers: season, balance: [0, .5]}
seeds: 2
"""


SHIFTED = "{class: NLinearModel, kwargs: {input_chunk_length: 8, output_chunk_length: 4, output_chunk_shift: 1}}"


# ---- configuration ---------------------------------------------------------------------------------------------------


def test_a_yaml_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    read = Experiment.from_yaml(write(tmp_path, SMALL))
    assert [arm.name for arm in read.arms] == ["alone", "distilled"] and read.alone.teachers == ()
    assert read.seeds == (0, 1)
    assert read.arms[1].balance == (0.0, 0.5) and read.arms[1].teachers == ("season",)
    assert [loss.class_ for loss in read.arms[1].losses] == ["OutputKD"] and read.arms[1].weighting.class_ == "Uniform"
    # 1e-3 is a text in YAML 1.1
    assert read.student.kwargs["optimizer_kwargs"]["lr"] == 0.001


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (np.int64(3), (0, 1, 2)),
        (range(2, 5), (2, 3, 4)),
        (np.arange(2), (0, 1)),
        ([np.int64(1), 7], (1, 7)),
        (pd.Series([4, 2]), (4, 2)),
    ],
)
def test_seeds_are_whole_numbers_of_any_kind(given: Any, seeds: tuple[int, ...]) -> None:
    made, usual = Experiment(**toy_config(seeds=given)), Experiment(**toy_config(seeds=list(seeds)))
    assert made.seeds == seeds and {type(seed) for seed in made.seeds} == {int}
    keys = [[cell.key for block in blocks_of("toy", one) for cell in planned(block, "")] for one in (made, usual)]
    assert keys[0] == keys[1] and made.to_yaml() == usual.to_yaml()


def test_numbers_of_numpy_are_numbers() -> None:
    made, usual = (
        Experiment(**toy_config(student=toy_model(optimizer_kwargs={"lr": lr}))) for lr in (np.float64(0.01), 0.01)
    )
    keys = [[cell.key for cell in planned(blocks_of("toy", one)[0], "")] for one in (made, usual)]
    assert keys[0] == keys[1] and made.to_yaml() == usual.to_yaml()


@pytest.mark.parametrize("given", [np.array([0.5]), [np.True_], [np.int64(-1)], range(10**20), np.arange(0), {1}])
def test_what_are_no_seeds_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError, match="seeds"):
        Experiment(**toy_config(seeds=given))


def test_the_arm_without_teachers_may_have_any_name(tmp_path: Path) -> None:
    named = Experiment.from_yaml(write(tmp_path, SMALL.replace("seeds:", "  - {name: plain}\nseeds:")))
    assert [arm.name for arm in named.arms] == ["distilled", "plain"] and named.alone.name == "plain"


def test_the_whole_configuration_reads_back_equal(tmp_path: Path) -> None:
    read = Experiment.from_yaml(write(tmp_path, SMALL))
    assert Experiment.model_validate(yaml.safe_load(read.to_yaml())) == read


def test_python_objects_do_as_well_as_yaml(tmp_path: Path) -> None:
    def model() -> NLinearModel:
        return NLinearModel(8, 4, optimizer_kwargs={"lr": 1e-3})

    made = Experiment(
        name="small",
        data="co2",
        student=model(),
        teachers={"season": Teacher(model(), privileged=FutureHorizon(start=1, end=2))},
        arms=[Arm(name="distilled", teachers="season", balance=[0, 0.5], losses=OutputKD("huber"))],
        seeds=2,
    )
    read = Experiment.from_yaml(write(tmp_path, SMALL))
    given = read.student.kwargs.items()
    assert made.student.class_ == "NLinearModel" and given <= made.student.kwargs.items()
    assert made.teachers["season"].privileged == (FutureHorizon(start=1, end=2),)
    assert "OutputKD(metric='huber')" in made.to_yaml()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 2", "seed: 2", "unknown key 'seed'. Did you mean 'seeds'?"),
        ("balance: [0, .5]", "balence: 1", r"arms[0]: unknown key 'balence'. Did you mean 'balance'?"),
        ("  class: NLinearModel", "  clas: NLinearModel", "student: unknown key 'clas'. Did you mean 'class'?"),
        ("privileged: {", "priviliged: {", "teachers.season: unknown key 'priviliged'. Did you mean 'privileged'?"),
        ("class: NLinearModel", "class: NLinerModel", "Did you mean 'NLinearModel'?"),
        ("input_chunk_length: 8", "input_chunk_lenght: 8", "Did you mean 'input_chunk_length'?"),
        ("optimizer_kwargs", "optimiser_kwargs", "Did you mean 'optimizer_kwargs'?"),
        ("teachers: season", "teachers: saeson", "unknown teacher 'saeson'. Did you mean 'season'?"),
        ("data: co2", "data: c02", "data: there is no data set 'c02'. Did you mean 'co2'?"),
        ("start: 1", "start: 0", "start=0"),
        ("start: 1", "begin: 1", "FutureHorizon"),
        ("balance: [0, .5]", "balance: [0, 1.5]", "balance=1.5"),
        ("balance: [0, .5]", "balance: []", "not an empty list"),
        ("balance: [0, .5]", "balance: [0, .5], name: twice", "line 10: the key 'name' is given twice"),
        ("seeds: 2", "seeds: [1, 1]", "none twice"),
        ("seeds: 2", "seeds: many", "seeds[0]: Input should be a valid integer"),
        ("seeds: 2", "seeds: {a: 1}", "seeds[0]: Input should be a valid integer"),
        ("seeds: 2", "seeds: 0", "seeds: give at least one seed, and at most 10000; not 0."),
        ("seeds: 2", "seeds: 3000000000", "seeds: give at least one seed, and at most 10000; not 3000000000."),
        ("name: small", "name: ../up", "it names a folder"),
        ("seeds: 2", "seeds: 2\nname: again", "'name' is given twice"),
        ("output_chunk_length: 4", "a: {b: [*model]}", "line 6: *model lies within &model, and cannot hold itself."),
        ("output_chunk_length: 4", "<<: *model", "line 6: *model lies within &model, and cannot hold itself."),
        ("name: distilled, ", "name: truth, ", "arm 'truth': the table of forecasts calls the truth 'truth'"),
        ("name: distilled, ", "name: teacher season, ", "arm 'teacher season': the table of forecasts calls"),
        ("name: distilled, ", "name: '', ", "arms: '' is no name"),
        ("  season: {", "  ' ': {", "teachers: ' ' is no name; give one that has a character"),
        ("name: small", "name: ''", "name: it names a folder: give letters"),
        ("name: distilled, ", "name: alone, ", "the name 'alone' is given to 2 arms"),
        ("lr: 1e-3}", "lr: 1e-3}, random_state: 1", "random_state is set by the experiment"),
        (
            "model: *model",
            f"model: {SHIFTED}",
            "output_chunk_shift must be 0",
        ),
        ("lr: 1e-3}", "lr: 1e-3}, layer_cls: Linear", "only optimizer_cls and lr_scheduler_cls can be named"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    path = write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        Experiment.from_yaml(path)
    assert str(raised.value).startswith(str(path)) and message in str(raised.value)


@pytest.mark.parametrize(
    ("role", "given"),
    [
        ("student", "os.system"),
        ("student", "subprocess.Popen"),
        ("student", "LinearRegressionModel"),
        ("student", "NaiveMean"),
        ("student", "torch.nn.Linear"),
        ("losses", "Comparison"),
        ("losses", "DistillationLoss"),
        ("losses", "torch.nn.MSELoss"),
        ("weighting", "Step"),
        ("balance", "Balance"),
        ("optimizer", "torch.load"),
        ("optimizer", "Optimizer"),
        ("callback", "ModelCheckpoint"),
        ("callback", "builtins.eval"),
    ],
)
def test_only_allowed_classes_are_made(role: str, given: str) -> None:
    config = toy_config()
    if role == "student":
        config["student"] = {"class": given}
    elif role == "optimizer":
        config["student"]["kwargs"]["optimizer_cls"] = given
    elif role == "callback":
        config["student"]["kwargs"]["pl_trainer_kwargs"] = {"callbacks": [{"class": given}]}
    else:
        config["arms"][1][role] = {"class": given} if role != "losses" else [{"class": given}]
    with pytest.raises(ValidationError, match=f"class '{given}' is not allowed as"):
        Experiment(**config)


def test_allowed_classes_are_made() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 1}}
    config = toy_config(student=toy_model(optimizer_cls="AdamW", pl_trainer_kwargs={"callbacks": [stop]}))
    config["arms"][1] |= {
        "losses": [{"class": "tskd.losses.OutputKD", "kwargs": {"metric": "mae"}}],
        "weighting": {"class": "Fixed", "kwargs": {"weights": {"future": 1, "fine": 3}}},
        "balance": {"class": "ScheduledBalance", "kwargs": {"value": 0.5, "warm_up": 1}},
    }
    made = Experiment(**config)
    assert isinstance(made.arms[1].weighting.build(_role("WEIGHTING")), Fixed)
    model = made.student.build(_role("MODEL"))
    assert model.pl_module_params["optimizer_cls"] is torch.optim.AdamW


def _role(name: str) -> Any:
    from tskd.experiment.config import roles

    return getattr(roles, name)


def test_models_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValidationError, match="likelihood"):
        Experiment(**toy_config(student=toy_model(likelihood={"class": "PoissonLikelihood"}, normalize=False)))
    config = toy_config()
    config["teachers"]["equal"] = {"model": toy_model(output_chunk_length=3)}
    with pytest.raises(ValidationError, match="teacher 'equal': it forecasts 3 steps, the student 4"):
        Experiment(**config)
    fitted = Teacher(NLinearModel(8, 4, n_epochs=1, pl_trainer_kwargs={"logger": False}))
    with quiet():
        fitted = fitted.fit(toy_data().series)
    with pytest.raises(ValidationError, match="is fitted"):
        Experiment(**toy_config(teachers={"fitted": fitted}, arms=[]))


def test_arms_that_cannot_be_told_apart_are_refused() -> None:
    for arms, message in (
        ([{"name": "a"}, {"name": "b"}], "only one arm can be without teachers"),
        ([{"name": "a", "teachers": "equal"}, {"name": "a", "teachers": "fine"}], "'a' is given to 2 arms"),
        ([{"name": "a", "teachers": "equal", "placebo": True}], "placebo needs a teacher with privileged information"),
    ):
        with pytest.raises(ValidationError, match=message):
            Experiment(**toy_config(arms=arms))


def test_a_privileged_series_that_the_data_lack_is_named_before_training() -> None:
    config = toy_config()
    config["teachers"]["fine"]["privileged"][1]["kwargs"]["name"] = "sensors"
    with pytest.raises(ConfigError, match=r"teacher 'fine': .* no privileged series 'sensors'. Did you mean 'sensor'"):
        Experiment(**config).run(progress=False)


def test_parts_without_a_window_are_refused() -> None:
    data = toy_data()
    late = replace(data, test_start=data.series.time_index[-3])
    with pytest.raises(ConfigError, match="the test part has no window of 8 \\+ 4 steps; it has 3 steps"):
        Experiment(**toy_config(data=late)).run(progress=False)


# ---- split and scale -------------------------------------------------------------------------------------------------


def test_scaling_knows_the_training_part_only() -> None:
    data = toy_data()
    prepared = prepare(data, LOOKBACK, (1, HORIZON))
    train = data.series.values()[:VALIDATION, 0]
    assert prepared.scale.mean == pytest.approx(train.mean()) and prepared.scale.deviation == pytest.approx(train.std())
    np.testing.assert_allclose(
        prepared.train.series.values()[:, 0], (train - train.mean()) / train.std(), rtol=0, atol=1e-5
    )
    # the same quantity, the same scale: the fine samples of an hour still average to it
    fine = prepared.train.privileged["fine"].values()[:, 0].reshape(-1, 4).mean(axis=1)
    np.testing.assert_allclose(fine, prepared.train.series.values()[:, 0], atol=1e-5)
    sensor = data.privileged["sensor"].values()[:VALIDATION]
    scaled = prepared.train.privileged["sensor"].values()
    np.testing.assert_allclose(scaled, (sensor - sensor.mean(0)) / sensor.std(0), atol=1e-5)


def test_every_window_of_a_part_is_there_once() -> None:
    prepared = prepare(toy_data(), LOOKBACK, (1, HORIZON))
    scaled = prepared.scale.undo(prepared.test.series.values()[LOOKBACK:, 0])
    np.testing.assert_allclose(scaled, toy_data().series.values()[TEST:, 0], rtol=1e-5)
    for part, first, end in (
        (prepared.train, LOOKBACK, VALIDATION),
        (prepared.validation, VALIDATION, TEST),
        (prepared.test, TEST, STEPS),
    ):
        windows = end - first - HORIZON + 1
        assert part.truth.shape == (windows, HORIZON, 1) and part.scored.shape == (windows, HORIZON)
        assert list(part.starts) == list(toy_data().series.time_index[first : first + windows])
        assert len(part.series) == end - first + LOOKBACK
        values = part.series.to_series()
        np.testing.assert_array_equal(part.truth[3, :, 0], values[part.starts[3] :][:HORIZON])
        # nothing privileged from after the part
        last = toy_data().series.time_index[end - 1] + pd.Timedelta(minutes=45)
        assert all(series.end_time() <= last for series in part.privileged.values())


def test_filled_targets_are_not_scored() -> None:
    part = prepare(toy_data(), LOOKBACK, (1, HORIZON)).test
    unscored = {(w, h) for w in range(len(part.starts)) for h in range(HORIZON) if TEST + w + h in (330, 331)}
    assert {tuple(map(int, at)) for at in np.argwhere(~part.scored)} == unscored and len(unscored) == 8
    found = score(iter([(np.arange(len(part.truth)), part.truth + 2.0, 1)]), part, 1)
    # the step before a filled one counts in full
    for errors, expected in ((found.mse, 4), (found.mae, 2), (found.step_mse, 4), (found.step_mae, 2)):
        np.testing.assert_allclose(errors, expected, atol=1e-4)
    assert found.whole and found.mse.shape == part.starts.shape and found.step_mae.shape == (HORIZON,)


def test_mean_of_nothing_is_nan() -> None:
    values = np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(mean(values, axis=1), [2, 5, np.nan])


def test_a_fingerprint_changes_with_any_value() -> None:
    data = toy_data()
    assert fingerprint(data) == fingerprint(toy_data())
    later = replace(data, test_start=data.series.time_index[TEST + 1])
    assert len({fingerprint(data), fingerprint(toy_data(later=1e-3)), fingerprint(later)}) == 3


# ---- placebo ---------------------------------------------------------------------------------------------------------


def test_strata_are_hours_of_the_day_or_weeks_of_the_year() -> None:
    hourly = pd.date_range("2021-01-01 05:00", periods=75, freq="h")
    assert list(strata(hourly)) == [3600 * ((5 + i) % 24) for i in range(75)]
    daily = pd.date_range("2020-01-01", "2022-12-31", freq="D")
    weeks = dict(zip(daily.strftime("%Y-%m-%d"), strata(daily), strict=True))
    stamps = ["2020-01-01", "2020-01-28", "2020-01-29", "2020-12-31", "2021-01-02"]
    assert [weeks[stamp] for stamp in stamps] == [0, 0, 1, 12, 0]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # ten-minute stamps of two days: two rows each, so hours count
        (pd.date_range("2021-01-01", periods=288, freq="10min"), [h % 24 for h in range(48) for _ in range(6)]),
        # of six hours and a half: the last hour has half as many rows, three
        (pd.date_range("2021-01-01", periods=39, freq="10min"), [i // 6 for i in range(39)]),
        # hours of two days: quarters of the day
        (pd.date_range("2021-01-01", periods=48, freq="h"), [i % 24 // 6 for i in range(48)]),
        # less than three rows in the last quarter: all alike
        (pd.date_range("2021-01-01", periods=8, freq="h"), [0] * 8),
        # days of ten weeks: the last four weeks have two weeks, which are enough
        (pd.date_range("2021-01-01", periods=70, freq="D"), [i // 28 for i in range(70)]),
        # weeks: four are one stratum of four rows, the last has two; so twelve weeks count
        (pd.date_range("2021-01-01", periods=18, freq="7D"), [i // 12 for i in range(18)]),
        (pd.date_range("2021-01-01", periods=14, freq="7D"), [0] * 14),
        (pd.date_range("2021-01-01", periods=1, freq="h"), [0]),
    ],
)
def test_strata_are_as_fine_as_leaves_several_rows_to_each(times: pd.DatetimeIndex, expected: list[int]) -> None:
    assert list(strata(times)) == expected


@pytest.mark.parametrize("freq", ["10min", "h", "D"])
@pytest.mark.parametrize("rows", [85, 235])
def test_every_row_of_a_placebo_moves_however_short_a_part_is(freq: str, rows: int) -> None:
    """85 rows are 50 windows of 36 steps."""
    times = pd.date_range("2021-03-01 07:30", periods=rows + 600, freq=freq)
    series = TimeSeries.from_times_and_values(times, np.arange(len(times), dtype=float), columns=["y"])
    data = replace(toy_data(), series=series, validation_start=times[rows], test_start=times[rows + 300])
    source, named = placebo(FutureHorizon(), data, seed=1)
    before, after = series.values()[:, 0], named[str(source.name)].values()[:, 0]
    assert (before != after).all()
    for part in (slice(0, rows), slice(rows, rows + 300), slice(rows + 300, None)):
        assert set(before[part]) == set(after[part])


@pytest.mark.parametrize("source", [FutureHorizon(), FutureHorizon("sensor", end=2), CostlySensors("sensor")])
def test_placebo_rows_change_place_within_their_part_and_hour(source: Any) -> None:
    data = toy_data()
    original = data.series if source.name is None else data.privileged[source.name]
    shuffled_source, named = placebo(source, data, seed=1)
    shuffled = named[str(shuffled_source.name)]
    assert replace(shuffled_source, name=source.name) == source and shuffled_source.name != source.name
    hours = original.time_index.hour
    for part in (slice(0, VALIDATION), slice(VALIDATION, TEST), slice(TEST, STEPS)):
        for hour in range(24):
            before = original.values()[part][hours[part] == hour]
            after = shuffled.values()[part][hours[part] == hour]
            np.testing.assert_array_equal(np.sort(before[:, 0]), np.sort(after[:, 0]))
            assert (before != after).all()
            # rows stay whole
            assert {tuple(row) for row in before} == {tuple(row) for row in after}


@pytest.mark.parametrize("coarse", ["mean", "point"])
def test_placebo_of_finer_samples_keeps_the_coarse_values(coarse: Any) -> None:
    data = toy_data()
    fine = data.privileged["fine"].values()[:, 0]
    if coarse == "point":
        data = replace(data, series=data.series.with_values(fine[::4, None]))
    source, named = placebo(HighResolution("fine", coarse=coarse), data, seed=1)
    shuffled = named[str(source.name)].values()[:, 0]
    if coarse == "mean":
        before, after = fine.reshape(-1, 4), shuffled.reshape(-1, 4)
        level, kept = before.mean(1, keepdims=True), after.mean(1, keepdims=True)
    else:
        # the samples after the stamp before, up to the stamp; those before the first stamp do not exist
        before, after = fine[1:-3].reshape(-1, 4), shuffled[1:-3].reshape(-1, 4)
        level, kept = before[:, -1:], after[:, -1:]
    np.testing.assert_allclose(kept, level, atol=1e-9)
    details, mixed = before - level, after - kept
    assert (np.abs(details - mixed).max(axis=1) > 1e-6).all()
    np.testing.assert_allclose(np.sort(details[:, 0]), np.sort(mixed[:, 0]), atol=1e-9)


@pytest.mark.parametrize("coarse", ["mean", "point"])
def test_placebo_of_the_days_of_months_keeps_what_they_make_up(coarse: Any) -> None:
    """Months of 28 to 31 days: a step takes the details of another one, every so many of them."""
    months = pd.date_range("2016-01-01", periods=72, freq="MS")
    days = pd.date_range("2015-12-02", "2021-12-31", freq="D")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=len(days)), "b": rng.normal(size=len(days))}, index=days)
    ends = [*months[1:], pd.Timestamp("2022-01-01")] if coarse == "mean" else months
    begins = months if coarse == "mean" else months - pd.offsets.MonthBegin() + pd.Timedelta("1D")
    last = pd.Timedelta("1D" if coarse == "mean" else "0D")
    steps = [frame[begin : end - last] for begin, end in zip(begins, ends, strict=True)]
    level = [one.mean() if coarse == "mean" else one.iloc[-1] for one in steps]
    data = DataSet(
        name="months",
        series=TimeSeries.from_times_and_values(months, np.stack([one.to_numpy() for one in level])),
        privileged={"days": TimeSeries.from_times_and_values(days, frame.to_numpy(), columns=["a", "b"])},
        validation_start=months[36],
        test_start=months[54],
    )
    source, named = placebo(HighResolution("days", coarse=coarse), data, seed=1)
    shuffled = named[str(source.name)].to_dataframe()
    details = [(one - kept).to_numpy() for one, kept in zip(steps, level, strict=True)]
    part = np.repeat([0, 1, 2], [36, 18, 18])
    for index, (before, kept) in enumerate(zip(steps, level, strict=True)):
        after = shuffled.loc[before.index]
        found = after.mean() if coarse == "mean" else after.iloc[-1]
        np.testing.assert_allclose(found, kept, atol=1e-9)
        assert np.abs(after - before).to_numpy().max(axis=0).min() > 1e-3
        # components stay together, and come from a step of the same part, in the order of its days
        mixed = (after - after.mean()).to_numpy()
        donors = [detail for detail, whose in zip(details, part, strict=True) if whose == part[index]]
        lengths = [len(detail) for detail in donors if _drawn_from(mixed, detail)]
        assert len(lengths) == 1 and 28 <= lengths[0] <= 31


def _drawn_from(mixed: np.ndarray, detail: np.ndarray) -> bool:
    """Whether rows are those of `detail`, but for their mean, and for days repeated or left out."""
    rows = len(detail) - 1 - np.arange(len(mixed))[::-1] * len(detail) // len(mixed)
    drawn = detail[rows]
    return bool(np.allclose(mixed, drawn - drawn.mean(axis=0), atol=1e-9))


def test_placebo_is_the_same_for_the_same_seed_and_knows_no_later_part() -> None:
    for source in (FutureHorizon(), HighResolution("fine", coarse="mean"), CostlySensors("sensor")):
        one, other, next_seed, later = (
            next(iter(placebo(source, data, seed)[1].values()))
            for data, seed in ((toy_data(), 1), (toy_data(), 1), (toy_data(), 2), (toy_data(later=5.0), 1))
        )
        assert one == other and one != next_seed
        cut = toy_data().test_start
        assert one.drop_after(cut) == later.drop_after(cut) and one != later


# ---- running ---------------------------------------------------------------------------------------------------------


def test_one_row_for_every_arm_and_teacher_and_seed(results: Results, experiment: Experiment) -> None:
    students = ["alone", "both", "self", "placebo"]
    teachers = ["future", "fine", "equal", "future (placebo)", "fine (placebo)"]
    assert list(results.rows.name) == [*students[:1], *teachers, *students[1:]] * 2
    absent = list(DISTRIBUTION)
    assert set(results.rows.seed) == {3, 5} and not results.rows.drop(columns=["size", *absent]).isna().any().any()
    # points are forecast
    assert results.rows[absent].isna().all().all()
    assert len(planned(Block("toy", experiment, 1, None, 3), "")) == 1 + 5 + 3 + 1 + 1
    assert len(results.candidates) == 2 * 5
    assert set(results.rows.windows) == {STEPS - TEST - HORIZON + 1}
    assert results.errors("both").shape == (2, STEPS - TEST - HORIZON + 1)


def test_the_student_alone_is_darts_own_and_scored_on_every_window(results: Results, experiment: Experiment) -> None:
    data = toy_data()
    values = data.series.values()
    scaled = (values - values[:VALIDATION].mean()) / values[:VALIDATION].std()
    series = TimeSeries.from_times_and_values(data.series.time_index, scaled.astype("float32"), columns=["y"])
    with quiet():
        model = NLinearModel(
            LOOKBACK,
            HORIZON,
            n_epochs=2,
            const_init=False,
            optimizer_kwargs={"lr": 0.01},
            random_state=3,
            pl_trainer_kwargs={"accelerator": "cpu", "logger": False},
        ).fit(series[:VALIDATION])
        squares, counted = [], 0
        for start in range(TEST, STEPS - HORIZON + 1):
            forecast = model.predict(HORIZON, series=series[start - LOOKBACK : start]).values()[:, 0]
            kept = [h for h in range(HORIZON) if start + h not in (330, 331)]
            squares.append(np.mean([(forecast[h] - scaled[start + h, 0]) ** 2 for h in kept]))
            counted += 1
    row = results.rows[(results.rows.name == "alone") & (results.rows.seed == 3)].iloc[0]
    assert counted == row.windows
    assert row.mse == pytest.approx(np.mean(squares), rel=1e-5)
    np.testing.assert_allclose(results.errors("alone")[0], squares, rtol=1e-4)


def test_step_errors_are_those_of_the_windows(results: Results) -> None:
    steps = results.steps[(results.steps.name == "both") & (results.steps.seed == 5)]
    windows = STEPS - TEST - HORIZON + 1
    # two targets are not scored, and each of the four steps meets both
    scored = [sum(TEST + w + h not in (330, 331) for h in range(HORIZON)) for w in range(windows)]
    assert list(steps.step) == [1, 2, 3, 4]
    assert (steps.mse * (windows - 2)).sum() == pytest.approx((results.errors("both")[1] * scored).sum(), rel=1e-6)


def test_balance_zero_is_bit_equal_to_the_student_alone(experiment: Experiment) -> None:
    run = run_of(experiment, 3)
    with quiet():
        plain = run.plain(run.experiment.alone).model.state_dict()
        distilled = run.distilled(experiment.arms[1], 0).student.model.state_dict()
        other = run.distilled(experiment.arms[1], 1).student.model.state_dict()
    assert all(torch.equal(plain[key], distilled[key]) for key in plain)
    assert not all(torch.equal(plain[key], other[key]) for key in plain)


def test_teachers_are_fitted_once_a_seed(monkeypatch: pytest.MonkeyPatch, experiment: Experiment) -> None:
    fitted = []
    original = Teacher.fit

    def fit(self: Teacher, *args: Any, **kwargs: Any) -> Teacher:
        fitted.append((self.name, tuple(self.names)))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Teacher, "fit", fit)
    cells_of(run_of(experiment, 3))
    assert len(fitted) == len(set(fitted)) == 5
    assert [name for name, _ in fitted] == ["future", "fine", "equal", "future", "fine"]


def test_the_teacher_sees_what_the_arm_says(experiment: Experiment) -> None:
    run = run_of(experiment, 3)
    with quiet():
        teachers = run.teacher("fine"), run.teacher("fine", shuffled=True), run.teacher("equal")
    assert teachers[0].names == ["fine", "sensor"] and teachers[2].names == []
    assert all(name.startswith("placebo of") for name in teachers[1].names)
    assert run.teacher("fine") is teachers[0] and run.teacher("equal", shuffled=True) is teachers[2]


def test_a_placebo_arm_learns_from_other_teachers(experiment: Experiment) -> None:
    run = run_of(experiment, 3)
    with quiet():
        both, shuffled = run.distilled(experiment.arms[1], 1), run.distilled(experiment.arms[3], 0)
    assert experiment.arms[1].balance[1] == experiment.arms[3].balance[0] == 0.5
    assert all(name.startswith("placebo of") for teacher in shuffled.teachers for name in teacher.names)
    assert not torch.equal(*(m.student.model.state_dict()["layer.weight"] for m in (both, shuffled)))


def test_a_teacher_like_the_student_is_not_its_twin() -> None:
    config = toy_config()
    config["teachers"]["equal"] = {"model": config["student"]}
    run = run_of(Experiment(**config), 3)
    with quiet():
        twins = [run.plain(run.experiment.alone).model.state_dict(), run.teacher("equal").model.model.state_dict()]
    assert not torch.equal(twins[0]["layer.weight"], twins[1]["layer.weight"])


def cell(name: str, candidate: int, seed: int, validation: float, test: float) -> Cell:
    nothing: Any = np.zeros(0)
    return Cell("", "student", name, 1, None, seed, candidate, 0, validation, np.array([test]), *[nothing] * 4)


def test_the_balance_is_chosen_on_validation_over_all_seeds() -> None:
    arm = Arm(name="a", teachers="t", balance=[0, 0.5, 1])
    validation = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 1.5, (1, 1): 1.5, (2, 0): 5.0, (2, 1): 0.1}
    cells = [cell("a", c, s, value, test=-value) for (c, s), value in validation.items()]
    cells += [cell("b", c, s, 0.0, test=0.0) for c in range(3) for s in range(2)]
    # means 2, 1.5, 2.55; the test errors would choose the last
    assert choose(arm, cells) == 1
    # of equal ones the first
    assert choose(arm, [cell("a", c, 0, 1.0, 0.0) for c in (2, 1, 0)]) == 0


def test_nothing_of_the_test_part_reaches_a_choice_or_a_student(experiment: Experiment, results: Results) -> None:
    """Leak test 3: with other values in the whole test part, everything but the test errors is bit-identical."""
    changed = Experiment(**toy_config(data=toy_data(later=5.0)))
    other = changed.run(progress=False)
    pd.testing.assert_frame_equal(other.candidates, results.candidates, check_exact=True)
    chosen = ["kind", "name", "seed", "balance", "validation_mse"]
    pd.testing.assert_frame_equal(other.rows[chosen], results.rows[chosen], check_exact=True)
    assert (other.rows.mse != results.rows.mse).all()
    for arm, candidate in ((experiment.arms[1], 1), (experiment.arms[3], 0)):
        with quiet():
            one, two = (run_of(e, 3).distilled(arm, candidate).student for e in (experiment, changed))
        states = one.model.state_dict(), two.model.state_dict()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_forecasts_that_are_not_finite_are_an_error() -> None:
    diverging = toy_model(optimizer_kwargs={"lr": 1e30}, optimizer_cls="SGD", n_epochs=3)
    with pytest.raises(RunError, match=r"arm 'alone', seed 3.*not all finite"):
        Experiment(**toy_config(student=diverging)).run(progress=False)


def test_early_stopping_watches_the_validation_part() -> None:
    stop = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 1, "min_delta": 1e9}}
    config = toy_config(student=toy_model(n_epochs=30, pl_trainer_kwargs={"callbacks": [stop]}))
    stopped = Experiment(**config)
    run = run_of(stopped, 3)
    with quiet():
        assert run.plain(run.experiment.alone).epochs_trained == 2
        assert run.distilled(stopped.arms[1], 1).student.epochs_trained == 2


def test_a_run_leaves_logs_warnings_and_threads_as_they_were() -> None:
    logger = logging.getLogger("pytorch_lightning")
    before = logger.level, list(warnings.filters), torch.get_num_threads()
    with quiet() as own:
        logger.error("not seen")
        warnings.warn("someone else's", UserWarning, stacklevel=1)
    assert (logger.level, list(warnings.filters), torch.get_num_threads()) == before
    assert own == []


def test_warnings_of_tskd_are_kept_for_the_report() -> None:
    flat = toy_model(optimizer_kwargs={"lr": 0.0}, n_epochs=1, normalize=False, const_init=False)
    config = toy_config(seeds=[1], arms=[{"name": "flat", "teachers": "flat", "balance": 0.5}])
    config["teachers"] = {"flat": {"model": flat}}
    experiment = Experiment(**config)
    run = run_of(experiment, 1)
    with quiet():
        network = run.teacher("flat").model.model
        for parameter in network.parameters():
            torch.nn.init.zeros_(parameter)
    cells = cells_of(run)
    told = [warning for found in cells for warning in found.warnings]
    assert told == ["teacher 'flat' forecasts the same for every window"]


def test_a_model_that_wraps_the_student_is_not_needed_to_use_it(experiment: Experiment) -> None:
    with quiet():
        model = run_of(experiment, 3).distilled(experiment.arms[1], 2)
    assert isinstance(model, DistilledModel) and type(model.student) is NLinearModel


def test_steps_past_the_output_chunk_are_scored_by_rolling_the_student_forward() -> None:
    """Against `predict(n)` of darts for each test window; the steps before the first scored one do not count."""
    far = toy_model(output_chunk_length=9)
    config = toy_config(teachers={"far": {"model": far}}, seeds=[3], scored=[5, 9], arms=[{"name": "alone"}])
    experiment = Experiment(**config)
    results = experiment.run(progress=False)
    run = run_of(experiment, 3)
    with quiet():
        student = run.plain(run.experiment.alone)
        part = run.prepared[0].test
        assert part.truth.shape == (STEPS - TEST - 9 + 1, 9, 1)
        values = part.series.values()[:, 0]
        squares = []
        for window in range(len(part.truth)):
            end = part.reach + window
            forecast = student.predict(9, series=part.series[end - LOOKBACK : end]).values()[:, 0]
            kept = [h for h in range(4, 9) if TEST + window + h not in (330, 331)]
            squares.append(np.mean([(forecast[h] - values[end + h]) ** 2 for h in kept]))
    np.testing.assert_allclose(results.errors("alone")[0], squares, rtol=1e-4)
    steps = results.steps[results.steps.name == "alone"].mse
    assert steps[:4].isna().all() and steps[4:].notna().all()
    assert results.facts["data"]["not_scored"] == 2
    assert results.facts["horizon"] == 9


def test_a_tuned_student_is_chosen_on_validation_and_is_a_control() -> None:
    settings = [{}, {"optimizer_kwargs": {"weight_decay": 0.5}}, {"n_epochs": 5}]
    arms = [
        {"name": "tuned", "students": settings},
        {"name": "future", "teachers": "future", "balance": 0.5},
    ]
    config = toy_config(arms=arms, student=toy_model(optimizer_cls="AdamW", optimizer_kwargs={"lr": 0.01}))
    results = Experiment(**config).run(progress=False)
    found = results.candidates[results.candidates.arm == "tuned"].groupby("balance").validation_mse.mean()
    labels = ["", "weight_decay=0.5", "n_epochs=5"]
    assert set(found.index) == set(labels) and found.nunique() == 3
    used = results.rows[results.rows.name == "tuned"].balance.unique()
    assert list(used) == [found.idxmin()]
    np.testing.assert_array_equal(
        results.candidates[(results.candidates.arm == "tuned") & (results.candidates.balance == "")].validation_mse,
        results.rows[results.rows.name == "alone"].validation_mse,
    )
    assert any("'tuned'" in sentence and "Control" in sentence for sentence in results.verdict.sentences)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scored": [3, 2]}, "no first and last step"),
        ({"arms": [{"name": "a", "students": [{}], "teachers": "future"}]}, "only an arm without teachers"),
        ({"arms": [{"name": "a", "students": [{"output_chunk_shift": 1}]}]}, "steps 2 to 5, and 1 to 4 are scored"),
        ({"soft_sensor": True, "teachers": {}, "arms": [], "scored": [1, 9]}, "cannot go on from its own forecasts"),
        ({"arms": [{"name": "a", "teachers": "future", "archive": "pooled"}]}, "only an arm without teachers"),
        ({"sizes": [3, 3]}, "none twice"),
        ({"sizes": [0]}, "numbers of training windows"),
        ({"folds": 0}, "folds"),
        ({"controls": "tunde"}, "there is no control 'tunde'. Did you mean 'tuned'"),
        ({"arms": [{"name": "a", "students": [{"input_chunk_length": 9}]}]}, "longer lookback"),
        ({"arms": [{"name": "a", "students": [{"n_epoch": 9}]}]}, "n_epochs"),
        ({"arms": [{"name": "a", "students": [{"n_epochs": 0}]}]}, "arm 'a': students: .*n_epochs=0 must be"),
        ({"arms": [{"name": "a", "teachers": "future", "losses": []}]}, "at least one loss"),
        ({"student": toy_model(input_chunk_length="16")}, "input_chunk_length='16' must be a whole number, 1 or more"),
        ({"student": toy_model(input_chunk_length=-1)}, "input_chunk_length=-1 must be a whole number, 1 or more"),
        ({"student": toy_model(output_chunk_shift=True)}, "output_chunk_shift=True must be a whole number, 0 or more"),
        ({"student": toy_model(n_epochs="two")}, "NLinearModel: n_epochs='two' must be a whole number"),
        ({"student": toy_model(pl_trainer_kwargs=[1])}, r"pl_trainer_kwargs=\[1\] must be a mapping"),
        ({"student": toy_model(optimizer_kwargs=3)}, "optimizer_kwargs=3 must be a mapping"),
        ({"student": toy_model(save_checkpoints=True)}, "save_checkpoints: an experiment keeps no checkpoints"),
        ({"teachers": {"t": {"model": toy_model(n_epochs=1.5)}}, "arms": []}, "teachers.t.model.*n_epochs=1.5"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        ({"seeds": [2**40]}, "less than 4294967296"),
        ({"seeds": True}, "seeds.* valid integer"),
        ({"seeds": 0}, "at least one seed"),
        ({"seeds": ["1"]}, "seeds.* valid integer"),
        ({"folds": True}, "folds.* valid integer"),
        ({"sizes": True}, "numbers of training windows"),
        ({"sizes": [100, True]}, "numbers of training windows"),
        ({"lookback": True}, "lookback.* valid integer"),
        ({"lookback": "16"}, "lookback.* valid integer"),
        ({"horizon": 0}, "horizon.* greater than or equal to 1"),
        ({"scored": [True, 2]}, "scored.* valid integer"),
        ({"teachers": {"t": {"model": toy_model(), "cross_fit": {"folds": True}}}, "arms": []}, "valid integer"),
        ({"teachers": {"t (placebo)": {"model": toy_model()}}, "arms": []}, r"'t \(placebo\)' a name without"),
    ],
)
def test_what_cannot_be_scored_or_tuned_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){message}"):
        Experiment(**toy_config(**change))


def test_a_refusal_without_words_is_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("darts.models.DLinearModel.__init__", refuse)
    with pytest.raises(ValueError, match=r"DLinearModel: its arguments are refused \(AssertionError\)"):
        Spec.model_validate({"class": "DLinearModel"}).build(MODEL)


def test_more_folds_of_teachers_than_training_windows_are_refused() -> None:
    windows = VALIDATION - LOOKBACK - HORIZON + 1

    def crossed(folds: int, sizes: list[int | None]) -> Experiment:
        teachers = {"equal": {"model": toy_model(), "cross_fit": {"folds": folds, "block": 24}}}
        return Experiment(**toy_config(teachers=teachers, arms=[], sizes=sizes))

    assert check_data(crossed(windows, [None]), toy_data())
    with pytest.raises(ConfigError, match=f"teacher 'equal': cross_fit asks for {windows + 1} folds, .* {windows} tr"):
        check_data(crossed(windows + 1, [None]), toy_data())
    with pytest.raises(ConfigError, match=r"asks for 51 folds, and .* has 50 training windows in its smallest"):
        check_data(crossed(51, [None, 50]), toy_data())
