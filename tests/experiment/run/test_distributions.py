"""An experiment whose student forecasts a distribution, from its file to its tables and page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import yaml
from darts import TimeSeries
from darts.metrics import mic, miw, mql
from scipy.stats import norm

from tests.helpers.experiments import HORIZON, toy_config, toy_data, toy_model
from tskd._core.quiet_logs import quiet
from tskd.experiment import Experiment, Results
from tskd.experiment.config.distribution import DECILES
from tskd.experiment.data.loading import load
from tskd.experiment.report import page
from tskd.experiment.report.page import PageCase, render
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.forecast import of_student, of_teacher
from tskd.experiment.run.plan import Block, planned

QUANTILES = [0.1, 0.4, 0.5, 0.6, 0.9]
FUTURE = {"class": "FutureHorizon", "kwargs": {"end": 2}}


def model(name: str, **kwargs: Any) -> dict[str, Any]:
    return toy_model(normalize=False, likelihood={"class": name, "kwargs": kwargs}, n_epochs=5)


POINTS = toy_model(normalize=False)
QUANTILE, GAUSSIAN = model("QuantileRegression", quantiles=QUANTILES), model("GaussianLikelihood")


def quantile_experiment(**changes: Any) -> Experiment:
    """A teacher of the student's quantiles, one of others, and one of points."""
    teachers = {
        "future": {"model": QUANTILE, "privileged": FUTURE},
        "other": {"model": model("QuantileRegression", quantiles=[0.2, 0.5, 0.8])},
        "point": {"model": toy_model()},
    }
    arms = [
        {"name": "quantiles", "teachers": "future", "losses": "QuantileKD", "balance": [0, 1]},
        {"name": "medians", "teachers": ["future", "other", "point"], "balance": 0.5},
    ]
    config = {"student": QUANTILE, "teachers": teachers, "arms": arms, "seeds": [3], "controls": "linear"}
    return Experiment(**toy_config(**config | changes))


def run_of(experiment: Experiment) -> BlockRun:
    return BlockRun(Block("toy", experiment, 1, None, 3), load(experiment))


@pytest.fixture(scope="module")
def results() -> Results:
    return quantile_experiment().run(progress=False)


def by_darts(student: Any, series: TimeSeries, start: Any) -> list[TimeSeries]:
    """The parameters of the distribution that darts forecasts for every window."""
    with quiet():
        found = student.historical_forecasts(
            series,
            forecast_horizon=HORIZON,
            start=start,
            retrain=False,
            last_points_only=False,
            predict_likelihood_parameters=True,
        )
    return list(found)


def test_a_students_scores_are_those_of_darts_own_forecasts(results: Results) -> None:
    run = run_of(quantile_experiment())
    part = run.prepared[0].test
    with quiet():
        student = run.plain(run.experiment.alone)
    found = by_darts(student, part.series, part.starts[0])
    windows = results.windows[(results.windows.kind == "student") & (results.windows.name == "alone")]
    at = {start: number for number, start in enumerate(windows.start)}
    # two steps of the test part are filled, and no window that holds them is compared
    clean = [one for one, scored in zip(found, part.scored, strict=True) if scored.all()]
    assert 60 < len(clean) < len(found)
    for one in clean:
        row = windows.iloc[at[one.start_time()]]
        np.testing.assert_allclose(row.crps, np.mean(mql(part.series, one, q=QUANTILES)), rtol=1e-4)
        np.testing.assert_allclose(row.coverage, mic(part.series, one, q_interval=(0.1, 0.9)), rtol=1e-6)
        np.testing.assert_allclose(row.width, miw(part.series, one, q_interval=(0.1, 0.9)), rtol=1e-4)
        # the point forecast is the median
        median = one["y_q0.500"].values()[:, 0]
        truth = part.series.slice_intersect(one).values()[:, 0]
        np.testing.assert_allclose(row.mse, np.mean((median - truth) ** 2), rtol=1e-3)
    row = results.rows[(results.rows.kind == "student") & (results.rows.name == "alone")].iloc[0]
    for name in ("mse", "pinball", "crps", "coverage", "width"):
        np.testing.assert_allclose(row[name], windows[name].mean(), rtol=1e-5)
    assert row.crps == 2 * row.pinball and 0 < row.coverage < 1


def test_quantiles_of_a_gaussian_are_those_of_its_mean_and_deviation() -> None:
    run = run_of(Experiment(**toy_config(student=GAUSSIAN, teachers={}, arms=[], seeds=[3])))
    part = run.prepared[0].test
    with quiet():
        student = run.plain(run.experiment.alone)
    ((rows, values, first),) = of_student(student, part, {}, False, DECILES)
    for number, one in enumerate(by_darts(student, part.series, part.starts[0])):
        mean, deviation = one.values().T
        np.testing.assert_allclose(values[number, :, 0, 0], mean, rtol=1e-4, atol=1e-5)
        expected = norm.ppf(np.array(DECILES), mean[:, None], deviation[:, None])
        np.testing.assert_allclose(values[number, :, 0, 1:], expected, rtol=1e-4, atol=1e-5)
    assert rows.tolist() == list(range(len(part.truth))) and first == 1


def test_who_forecasts_no_such_quantiles_has_no_score_of_them(results: Results) -> None:
    absent = {("teacher", "other"), ("teacher", "point"), ("student", "linear")}
    scores = ["pinball", "crps", "coverage", "width"]
    for table in (results.rows, results.windows, results.steps):
        lacking = pd.Series([one in absent for one in zip(table.kind, table.name, strict=True)])
        assert table[scores][lacking].isna().to_numpy().all() and table.mse[lacking].notna().all()
        assert table[scores][~lacking].notna().to_numpy().all() and 0 < lacking.sum() < len(table)
    comparison = results.compare("linear", metric="crps")
    assert comparison.windows == 0 and np.isnan(comparison.relative)


def test_a_teacher_of_the_same_levels_or_of_another_distribution_is_scored_at_them() -> None:
    experiment = quantile_experiment(
        teachers={"gaussian": {"model": GAUSSIAN}, "future": {"model": QUANTILE, "privileged": FUTURE}}, arms=[]
    )
    run = run_of(experiment)
    part = run.prepared[0].test
    for name in ("gaussian", "future"):
        with quiet():
            teacher = run.teacher(name)
        ((_, values, _),) = of_teacher(teacher, part, {}, QUANTILES)
        assert values.shape == (*part.truth.shape, 1 + len(QUANTILES))
        middle = values[..., 1 + QUANTILES.index(0.5)]
        np.testing.assert_allclose(middle, values[..., 0], rtol=1e-5, atol=1e-6)


def test_arms_are_compared_by_what_is_an_error(results: Results) -> None:
    crps, pinball = (results.compare("medians", metric=name) for name in ("crps", "pinball"))
    assert crps.relative == pytest.approx(pinball.relative) and crps.relative != results.compare("medians").relative
    own, base = (results.errors(name, metric="crps") for name in ("medians", "alone"))
    assert crps.relative == pytest.approx(own.mean() / base.mean() - 1)
    assert results.errors("alone", metric="coverage").mean() == pytest.approx(
        results.rows.coverage[results.rows.name == "alone"].iloc[0], rel=1e-6
    )
    with pytest.raises(ValueError, match="metric='width': less of it is not better"):
        results.compare("medians", metric="width")
    with pytest.raises(ValueError, match="metric='rmse': give one of mse, mae, pinball, crps, coverage, width"):
        results.errors("medians", metric="rmse")
    sentences = [text for text in results.verdict.sentences if text.startswith("By CRPS: ")]
    assert [text.split("'")[1] for text in sentences] == ["quantiles", "medians"]


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time of a page."""
    monkeypatch.setattr(page, "figures", lambda *_: [])


@pytest.mark.usefixtures("no_figures")
def test_tables_page_and_terminal_say_what_is_scored(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path)
    read = Results.load(tmp_path)
    assert read.info.distribution == results.info.distribution and str(read) == str(results)
    said = (
        "MSE and MAE are of the median. CRPS: twice the mean pinball loss of the quantiles at 0.1, 0.4, 0.5, 0.6, 0.9."
    )
    text = " ".join(str(results).split())
    assert said in text and "interval that is to hold 80 %." in text.replace("\u00a0", " ")
    lines = str(results).splitlines()
    assert lines[2].split()[:4] == ["MSE", "MAE", "CRPS", "coverage"] and max(map(len, lines)) <= 100
    case = PageCase("", "toy", results, False)
    shown = {line.name: (line.crps, line.coverage, line.width) for line in case.lines}
    alone = results.rows[results.rows.name == "alone"].iloc[0]
    assert shown["alone"][1] == f"{100 * alone.coverage:.0f}\u00a0%"
    assert [float(text) for text in shown["alone"][::2]] == pytest.approx([alone.crps, alone.width], abs=5e-3)
    assert shown["linear"] == shown["point"] == ("", "", "")
    header, *rows = csv.reader(io.StringIO(unquote(case.taken[0].address.partition(",")[2])))
    assert header[1:6] == ["MSE", "MAE", "CRPS", "Coverage", "Width"]
    assert {row[0]: tuple(row[3:6]) for row in rows if row[0] in shown} == {
        line.name: shown[line.name] for line in case.lines if line.kind == "student"
    }
    html = render(results).html
    assert all(f'<th scope="col">{name}</th>' in html for name in header[3:6]) and said in html


@pytest.mark.usefixtures("no_figures")
def test_points_are_shown_as_they_were() -> None:
    results = Experiment(**toy_config(teachers={}, arms=[], seeds=[3])).run(progress=False)
    assert results.info.distribution is None and "CRPS" not in str(results)
    html = render(results).html
    assert "CRPS" not in html and "Coverage" not in html
    assert results.rows[["pinball", "crps", "coverage", "width"]].isna().to_numpy().all()


def test_a_file_gives_a_student_its_likelihood(tmp_path: Path) -> None:
    data = toy_data()
    (tmp_path / "own.csv").write_text(data.series.to_dataframe().to_csv(index_label="time"))
    config = {
        "name": "own",
        "data": {"file": "own.csv", "time": "time", "target": ["y"], "validation_start": 0.6, "test_start": 0.8},
        "student": QUANTILE,
        "seeds": [3],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    experiment = Experiment.from_yaml(tmp_path / "own.yaml")
    assert experiment.distribution == quantile_experiment().distribution
    results = experiment.run(tmp_path / "run", progress=False)
    assert 0 < results.rows.crps.iloc[0] < results.rows.mae.iloc[0] * 2
    # and its parts are read again
    again = experiment.run(tmp_path / "run", progress=False)
    np.testing.assert_array_equal(again.windows.crps, results.windows.crps)


def test_the_levels_are_part_of_the_keys_and_only_of_distributions() -> None:
    def keys(student: dict[str, Any]) -> dict[str, str]:
        teachers = {"point": {"model": toy_model()}}
        experiment = Experiment(**toy_config(student=student, teachers=teachers, arms=[], seeds=[3]))
        cells = planned(Block("c", experiment, 1, None, 3), "data")
        assert all(("levels" in cell.resolved) == (student is not POINTS) for cell in cells)
        return {cell.kind: cell.key for cell in cells}

    found = [keys(one) for one in (POINTS, QUANTILE, GAUSSIAN)]
    # a teacher is scored at the student's levels
    assert all(len({one[kind] for one in found}) == 3 for kind in ("student", "teacher"))
