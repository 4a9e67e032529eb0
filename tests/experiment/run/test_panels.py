"""Experiments on several series: each cut and scaled by itself, one model for all, errors by series and over all."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import matplotlib
import numpy as np
import pandas as pd
import pytest
import yaml
from darts import TimeSeries
from darts.models import NLinearModel

from tests.helpers.experiments import HORIZON, LOOKBACK, toy_model
from tests.helpers.panels import SERIES, member, panel_experiment, toy_panel
from tskd._core.quiet_logs import quiet
from tskd.datasets import Panel
from tskd.experiment import Arm, ConfigError, Experiment, Results, Study
from tskd.experiment.controls.expansion import expanded
from tskd.experiment.data.loading import load
from tskd.experiment.data.preparation import fingerprint
from tskd.experiment.report import page
from tskd.experiment.report.figures.forecasts import forecasts
from tskd.experiment.report.figures.style import STYLE
from tskd.experiment.results import terminal
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.case_plan import plan_study
from tskd.experiment.run.dry_run import dry_run
from tskd.experiment.run.engines import EngineOptions
from tskd.experiment.run.forecast import of_student, of_teacher
from tskd.experiment.run.plan import Block
from tskd.experiment.run.scoring import Score, pooled, score


def run_of(experiment: Experiment, fold: int = 1, size: int | None = None) -> BlockRun:
    return BlockRun(Block("toy", experiment, fold, size, 3), load(experiment))


@pytest.fixture(scope="module")
def run() -> BlockRun:
    return run_of(panel_experiment())


@pytest.fixture(scope="module")
def results() -> Results:
    given = panel_experiment()
    others = [Arm(name="ridge", penalties=(0.1,)), Arm(name="averages", smoothing=(3,))]
    return panel_experiment(arms=[*given.arms, *others]).run(progress=False)


# ---- data ------------------------------------------------------------------------------------------------------------


def test_each_series_is_cut_at_its_own_split_and_scaled_by_its_own_training_part(run: BlockRun) -> None:
    for one, (name, (steps, _, _, _, validation, test)) in zip(run.prepared, SERIES.items(), strict=True):
        whole = member(name)
        times, values = whole.series.time_index, whole.series.values()[:, 0]
        assert one.train.series.end_time() == times[validation - 1] and one.test.starts[0] == times[test]
        assert (len(one.train.truth), len(one.test.truth)) == (
            validation - LOOKBACK - HORIZON + 1,
            steps - test - HORIZON + 1,
        )
        mean, deviation = values[:validation].mean(), values[:validation].std()
        np.testing.assert_allclose(one.train.series.values()[:, 0], (values[:validation] - mean) / deviation, rtol=1e-4)
        np.testing.assert_allclose(one.test.truth[0, :, 0], (values[test : test + 4] - mean) / deviation, rtol=1e-4)
        sensor = whole.privileged["sensor"].values()
        own = (sensor - sensor[:validation].mean(0)) / sensor[:validation].std(0)
        np.testing.assert_allclose(one.train.privileged["sensor"].values(), own[:validation], rtol=1e-4, atol=1e-6)


def test_a_fit_has_the_series_in_their_order_and_each_with_its_own_privilege(run: BlockRun) -> None:
    data: Any = run.supply.training(run.experiment.student, ["sensor"], validates=True)
    for number, one in enumerate(run.prepared):
        assert data["series"][number] == one.train.series
        assert data["privileged"]["sensor"][number] == one.train.privileged["sensor"]
        assert data["val_series"][number].start_time() == one.validation.series.start_time()
        assert data["val_privileged"]["sensor"][number] == one.validation.privileged["sensor"]
    assert {len(value) for value in (data["series"], data["val_series"], data["privileged"]["sensor"])} == {3}
    assert set(data) == {"series", "privileged", "val_series", "val_privileged"}


def test_nothing_of_one_series_is_in_another() -> None:
    """Neither in its scale nor in what its placebo reads."""
    arms = [{"name": "placebo", "teachers": "sensor", "placebo": True, "balance": 0.5}]
    changed = member("east")
    sensor = changed.privileged["sensor"]
    changed = replace(changed, series=changed.series * 7 + 1, privileged={"sensor": sensor * 3})
    one, other = (run_of(panel_experiment(arms=arms, data=data)) for data in (toy_panel(), toy_panel(east=changed)))
    for number in (0, 2):
        first, second = one.prepared[number], other.prepared[number]
        assert first.train.series == second.train.series and first.train.privileged == second.train.privileged
    (name,) = [name for name in one.prepared[0].train.privileged if name.startswith("placebo")]
    for item in one.prepared:
        shuffled, own = (item.test.privileged[key].values() for key in (name, "sensor"))
        assert not (shuffled == own).all() and len(shuffled) == len(own)
        # of its own test part alone
        begin = item.test.reach + len(own) - len(item.test.series)
        np.testing.assert_allclose(np.sort(shuffled[begin:, 0]), np.sort(own[begin:, 0]))


@pytest.mark.parametrize("fold", [1, 2])
def test_folds_of_each_series_lie_one_of_its_own_test_parts_apart(fold: int) -> None:
    run = run_of(panel_experiment(folds=2, sizes=[20]), fold, 20)
    for one, (name, (steps, _, _, _, _, test)) in zip(run.prepared, SERIES.items(), strict=True):
        times, length = member(name).series.time_index, steps - test
        assert one.test.starts[0] == times[test - (2 - fold) * length]
        assert one.test.series.end_time() == times[steps - 1 - (2 - fold) * length]
        # the newest windows of each
        assert len(one.train.truth) == 20


def test_the_fingerprint_knows_every_series_its_name_and_its_place() -> None:
    panel = toy_panel()
    values = panel.members["south"].series.values(copy=True)
    values[50] += 1e-9
    south = replace(panel.members["south"], series=panel.members["south"].series.with_values(values))
    renamed = Panel("stations", {{"east": "west"}.get(name, name): item for name, item in panel.members.items()})
    others = [toy_panel(south=south), renamed, toy_panel("east", "north", "south"), toy_panel("north", "east")]
    assert len({fingerprint(one) for one in (panel, *others)}) == 5
    assert fingerprint(replace(panel, title="Stations")) == fingerprint(panel)


# ---- fits and scores -------------------------------------------------------------------------------------------------


def test_the_student_alone_is_darts_own_fit_on_the_list(run: BlockRun) -> None:
    with quiet():
        student = run.plain(run.experiment.alone)
        kwargs = dict(run.experiment.student.kwargs)
        trainer = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
        plain = NLinearModel(**kwargs, random_state=3, pl_trainer_kwargs=trainer | {"enable_model_summary": False})
        plain.fit([one.train.series for one in run.prepared])
    for own, theirs in zip(student.model.parameters(), plain.model.parameters(), strict=True):
        np.testing.assert_array_equal(own.detach().numpy(), theirs.detach().numpy())


def test_errors_are_means_over_the_windows_of_a_series_and_of_all(run: BlockRun, results: Results) -> None:
    with quiet():
        student = run.plain(run.experiment.alone)
    errors, by_step = {}, []
    for one, name in zip(run.prepared, SERIES, strict=True):
        with quiet():
            found = student.historical_forecasts(
                one.test.series,
                forecast_horizon=HORIZON,
                start=one.test.starts[0],
                retrain=False,
                last_points_only=False,
            )
        values = np.stack([forecast.values() for forecast in found])
        errors[name] = ((values - one.test.truth) ** 2).mean(axis=(1, 2))
        by_step.append(((values - one.test.truth) ** 2)[..., 0])
    own = results.series[(results.series.name == "alone") & (results.series.seed == 3)].set_index("series")
    for name, expected in errors.items():
        assert own.mse[name] == pytest.approx(expected.mean(), rel=1e-4) and own.windows[name] == len(expected)
    row = results.rows[(results.rows.name == "alone") & (results.rows.seed == 3)].iloc[0]
    assert row.mse == pytest.approx(np.concatenate([*errors.values()]).mean(), rel=1e-4)
    assert row.windows == sum(map(len, errors.values())) == results.info.data.windows.test
    steps = results.steps[(results.steps.name == "alone") & (results.steps.seed == 3)]
    np.testing.assert_allclose(steps.mse, np.concatenate(by_step).mean(axis=0), rtol=1e-4)


def test_every_arm_and_teacher_is_scored_on_every_series(results: Results) -> None:
    assert not len(results.failures)
    counts = results.series.groupby(["kind", "name"]).series.agg(list)
    assert all(names == [*SERIES] * 2 for names in counts) and len(counts) == 7
    tests = {name: steps - test - HORIZON + 1 for name, (steps, *_, test) in SERIES.items()}
    for name, windows in tests.items():
        of_one = results.of_series(name)
        own, base = (of_one.errors(arm) for arm in ("taught", "alone"))
        assert own.shape == (2, windows)
        found = of_one.compare("taught")
        rows = of_one.rows[of_one.rows.name == "taught"]
        np.testing.assert_allclose(rows.mse, own.mean(axis=1), rtol=1e-5)
        assert set(rows.windows) == {windows} and rows.key.notna().all()
        assert found.relative == pytest.approx(own.mean() / base.mean() - 1)
        assert (found.windows, found.block) == (windows, LOOKBACK + HORIZON)
    whole = results.compare("taught")
    assert whole.windows == sum(tests.values())
    with pytest.raises(ValueError, match=r"series='west' must be one of \['north', 'east', 'south'\]"):
        results.of_series("west")


def test_examples_are_of_every_series_and_named(results: Results) -> None:
    shown = results.forecasts[results.forecasts.line == "truth"]
    assert list(dict.fromkeys(shown.series)) == [*SERIES] and shown.window.nunique() == 3 * len(SERIES)
    for name, own in shown.groupby("series"):
        assert own.window.nunique() == 3
        values = member(str(name)).series.to_series(copy=True)
        np.testing.assert_allclose(own.value, values[own.time], rtol=1e-5)
    with matplotlib.rc_context(STYLE):
        drawn, two = forecasts(results, ""), forecasts(results, "", 2)
    assert drawn is not None and drawn.alt.endswith("for 3 test windows, north, east, south.")
    assert drawn.caption.startswith("Windows of the test part, one of each series, forecast")
    assert all(f">{name}<" in drawn.svg for name in SERIES)
    assert two is not None and "one of each of 2 of 3 series" in two.caption and ">south<" not in two.svg


def test_a_teacher_reads_the_privilege_of_the_series_that_it_forecasts(run: BlockRun) -> None:
    with quiet():
        teacher = run.teacher("sensor")
    sensor = member("east").privileged["sensor"] * -1 + 2
    other = run_of(panel_experiment(data=toy_panel(east=member("east", privileged={"sensor": sensor}))))
    for number, same in enumerate((True, False, True)):
        ((_, one, _),) = of_teacher(teacher, run.prepared[number].test, {})
        ((_, two, _),) = of_teacher(teacher, other.prepared[number].test, {})
        assert bool((one == two).all()) == same


def test_scores_of_several_series_are_pooled_by_what_they_are_means_of() -> None:
    def of(windows: list[float], steps: list[float], targets: list[int], whole: bool = True) -> Score:
        mse, step = np.array(windows), np.array(steps)
        scores = (np.stack([mse + 1] * 3), np.stack([step + 1] * 3))
        return Score(mse, mse / 2, step, step / 2, np.full((1, 2), mse[0]), whole, *scores, np.array(targets))

    nan = float("nan")
    found = pooled([of([1.0, 2.0], [3.0, nan], [6, 0]), of([4.0, nan, 5.0], [1.0, 2.0], [2, 5])])
    np.testing.assert_array_equal(found.mse, [1, 2, 4, nan, 5])
    assert found.step_mse.tolist() == [(3 * 6 + 1 * 2) / 8, 2] and found.step_mae.tolist() == [1.25, 1]
    assert found.distribution is not None and found.step_distribution is not None
    np.testing.assert_array_equal(found.distribution[2], [2, 3, 5, nan, 6])
    assert found.step_distribution[1].tolist() == [3.5, 3] and found.targets.tolist() == [8, 5]
    assert found.forecasts.tolist() == [[1, 1], [4, 4]] and found.whole
    assert not pooled([found, of([1.0], [1.0, 1.0], [1, 1], whole=False)]).whole


# ---- differences -----------------------------------------------------------------------------------------------------


def copies(results: Results, names: list[str]) -> Results:
    """Results of series whose errors are all those of the first."""
    first = results.windows[results.windows.series == "north"]
    windows = pd.concat([first.assign(series=name) for name in names], ignore_index=True)
    info = results.info.model_copy(update={"data": results.info.data.model_copy(update={"series": tuple(names)})})
    return replace(results, windows=windows, info=info)


def test_series_that_repeat_one_another_make_no_interval_narrower(results: Results) -> None:
    """All windows of a time are resampled together: errors that are the same three times tell no more than once."""
    # blocks as short as the windows of this small test part allow
    short = replace(results, info=results.info.model_copy(update={"lookback": 2, "horizon": 1}))
    alone, thrice = (copies(short, names).compare("placebo") for names in (["north"], ["a", "b", "c"]))
    assert thrice.relative == pytest.approx(alone.relative) and thrice.blocks == pytest.approx(alone.blocks)
    assert (thrice.block, thrice.windows) == (3 * alone.block, 3 * alone.windows)
    assert alone.enough and 0.99 < (thrice.high - thrice.low) / (alone.high - alone.low) < 1.1


def test_a_block_holds_as_many_series_as_there_are_at_once(results: Results) -> None:
    starts = {name: set(frame.start) for name, frame in results.windows.groupby("series")}
    at_once = max(sum(time in own for own in starts.values()) for time in set.union(*starts.values()))
    assert 1 < at_once <= 3 and results.compare("taught").block == at_once * (LOOKBACK + HORIZON)


# ---- from a file to a page -------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    frames = [
        item.series.to_dataframe().assign(s0=item.privileged["sensor"].values()[:, 0], station=name)
        for name, item in toy_panel().members.items()
    ]
    pd.concat(frames).to_csv(tmp_path / "stations.csv", index_label="time")
    given = {
        "name": "stations",
        "data": {
            "file": "stations.csv",
            "time": "time",
            "target": "y",
            "privileged": {"sensor": "s0"},
            "series": "station",
            "validation_start": 0.6,
            "test_start": 0.8,
        },
        "student": toy_model(),
        "teachers": {
            "sensor": {"reconstruction": "sensor", "model": "ridge"},
        },
        "arms": [{"name": "taught", "teachers": "sensor", "balance": 0.5}],
        "seeds": [3],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(given))
    return tmp_path / "own.yaml"


def test_a_file_of_several_series_is_run_and_told(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # they take most of the time of a page
    monkeypatch.setattr(page, "figures", lambda *_: [])
    experiment = Experiment.from_yaml(config)
    text = dry_run(Study("stations", {"stations": experiment}), tmp_path / "none", EngineOptions())
    text = " ".join(text.split())
    assert "stations, 3 series of h, 2021-03-01 00:00:00 to 2021-03-07 05:00:00: 'north', 'east', 'south'" in text
    assert "east: 60 steps to train, 20 to validate from 2021-03-04 12:00:00" in text
    experiment.run(tmp_path / "run", progress=False)
    results = Results.load(tmp_path / "run")
    assert results.info.data.series == ("north", "east", "south") and len(results.series) == 3 * 3
    lines = str(results).splitlines()
    assert lines[0].startswith("stations: stations, 3 series, 8 steps to 4")
    (row,) = [line for line in lines if line.startswith("MSE against alone of")]
    assert row.split()[4:] == ["north", "east", "south"]
    monkeypatch.setattr(terminal, "MOST_SERIES", 2)
    assert "By series: see the page, or series.csv; there are 3." in str(results)
    case = page.PageCase("", "stations", results, False)
    alone = results.series[(results.series.kind == "student") & (results.series.name == "alone")]
    header, first, second = csv.reader(io.StringIO(unquote(case.taken_by_series[0].address.partition(",")[2])))
    assert header == ["MSE against alone", "north", "east", "south"]
    assert [float(text) for text in first[1:]] == pytest.approx([*alone.mse], rel=1e-2)
    assert first[0] == "alone, MSE" and second[0] == "taught"
    html = page.render(results).html
    assert '<th scope="row">south</th>' in html and "Each of 3 series is cut in order of time by itself" in html
    assert "all series of the same time together" in html
    count, words = results.info.data.windows.test, " ".join(html.split())
    assert f" {count} test windows of all series together, of 4 steps" in words
    assert "(of all series together " in words and f"and {count} windows of 8 + 4 steps" in words


def test_some_series_of_a_file_and_one(config: Path) -> None:
    given = yaml.safe_load(config.read_text())
    found = {}
    for series in ({"station": ["south", "north"]}, {"station": "south"}):
        given["data"]["series"] = series
        config.write_text(yaml.safe_dump(given))
        experiment = Experiment.from_yaml(config)
        (plan,) = plan_study(Study("s", {"s": experiment}))
        found[experiment.dataset_name] = plan.data.series
    assert found == {"stations": ("south", "north"), "stations south": ()}


def test_teachers_that_answer_for_one_series_are_refused(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("origin,step,component,value\n2021-03-01,1,y,0\n")
    forecasts, series = {"forecasts": str(tmp_path / "given.csv")}, {"series": "sensor"}
    for teacher in (forecasts, series):
        experiment = panel_experiment(teachers={"given": teacher}, arms=[{"name": "a", "teachers": "given"}])
        with pytest.raises(ConfigError, match=r"teacher 'given': given .* is of one series, and panel 'stations' has"):
            plan_study(Study("s", {"s": experiment}))


def test_what_one_series_lacks_is_told_of_it() -> None:
    with pytest.raises(ConfigError, match=r"data set 'stations east': the validation part has no window of 8 \+ 25"):
        plan_study(Study("s", {"s": panel_experiment(student=toy_model(output_chunk_length=4), scored=[1, 25])}))
    with pytest.raises(ConfigError, match="data set 'stations north': fold 1 of 4 lacks training rows"):
        plan_study(Study("s", {"s": panel_experiment(folds=4)}))


@pytest.mark.parametrize("incomplete", SERIES)
def test_a_control_for_missing_labels_is_there_if_any_series_lacks_some(incomplete: str) -> None:
    gaps = member(incomplete).series.values(copy=True)
    gaps[[5, 40]] = np.nan
    data = toy_panel(**{incomplete: replace(member(incomplete), series=member(incomplete).series.with_values(gaps))})
    with_gaps, whole = (
        expanded(panel_experiment(data=one, controls=["self-trained-trees"])) for one in (data, toy_panel())
    )
    assert not with_gaps.not_applicable and with_gaps.controls["self-trained-trees"] == "self-trained-trees"
    assert whole.not_applicable["self-trained-trees"].startswith("no label is missing")


def test_distributions_and_gaps_of_several_series() -> None:
    """A series with missing labels and one without, forecast as quantiles, one of which is scored by hand."""
    gaps = member("north").series.values(copy=True)
    gaps[[5, 40, 130]] = np.nan
    data = toy_panel(north=replace(member("north"), series=member("north").series.with_values(gaps)))
    quantiles = {"class": "QuantileRegression", "kwargs": {"quantiles": [0.1, 0.5, 0.9]}}
    student = toy_model(normalize=False, likelihood=quantiles)
    experiment = panel_experiment(data=data, student=student, teachers={}, arms=[], seeds=[3])
    results, run = experiment.run(progress=False), run_of(experiment)
    with quiet():
        model = run.plain(experiment.alone)
    how, part = run.block.distribution, run.prepared[1].test
    assert how is not None and run.supply.missing and not run.prepared[1].missing
    own = score(of_student(model, part, {}, False, how.levels), part, 1, how)
    assert own.distribution is not None
    row = results.series[results.series.series == "east"].iloc[0]
    assert row.crps == pytest.approx(2 * own.distribution[0].mean(), rel=1e-5)
    assert row.coverage == pytest.approx(own.distribution[1].mean(), rel=1e-5)


def test_static_covariates_of_each_series_reach_the_student() -> None:
    """And are no component of any part."""

    def with_static(name: str, value: float) -> Any:
        series: TimeSeries = member(name).series
        return replace(member(name), series=series.with_static_covariates(pd.DataFrame({"height": [value]})))

    data = toy_panel(**{name: with_static(name, float(number)) for number, name in enumerate(SERIES)})
    student = toy_model(hidden_size=4, temporal_decoder_hidden=4, decoder_output_dim=2)
    student["kwargs"].pop("const_init")
    experiment = panel_experiment(data=data, student={**student, "class": "TiDEModel"}, teachers={}, arms=[])
    run = run_of(experiment)
    with quiet():
        model = run.plain(experiment.alone)
    assert model.uses_static_covariates
    given: Any = run.supply.training(experiment.student)
    assert [one.static_covariates["height"].iloc[0] for one in given["series"]] == [0, 1, 2]
