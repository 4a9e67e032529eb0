"""`tskd init`: the configuration that it writes runs as it is, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.experiments import data_of
from tests.helpers.own_files import steel
from tskd.cli import main
from tskd.experiment import Experiment, Study
from tskd.experiment.run.case_plan import plan_study


def written(path: Path) -> Experiment:
    assert main(["init", str(path)]) == 0
    return Experiment.from_yaml(path.with_name(f"{path.name.split('.')[0]}.yaml"))


def test_the_first_column_is_forecast_and_the_others_are_privileged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steel(300).drop(index=[30, 31]).to_csv(tmp_path / "steel.csv", index=False)
    experiment = written(tmp_path / "steel.csv")
    shown = capsys.readouterr().out
    assert "steel.csv: 300 steps of h, 2018-01-01 00:00:00 to 2018-01-13 11:00:00; 2 steps have no row." in shown
    assert "Not used, texts: 'kind'." in shown and f"tskd run {tmp_path / 'steel.yaml'} --dry-run" in shown
    text = (tmp_path / "steel.yaml").read_text()
    assert "  target: [Usage (kWh)]    # what is forecast\n" in text
    assert "  privileged: {others: [outside, power factor]}\n" in text and "  freq: h " in text
    # of 60 steps of the test part, 6 blocks of windows of 3 * 3 steps fit
    assert experiment.chunk_lengths(experiment.student) == (6, 3)
    study = plan_study(_study(experiment))
    assert {"self-distilled", "placebo"} <= set(study[0].expanded.controls)


def test_a_file_of_one_column_has_a_teacher_of_the_steps_to_come(tmp_path: Path) -> None:
    steel(400)[["date", "outside"]].to_csv(tmp_path / "one.csv", index=False)
    experiment = written(tmp_path / "one.csv")
    (teacher,) = experiment.teachers.values()
    assert [str(source) for source in teacher.sources()] == ["FutureHorizon(end=2)"]
    assert len(plan_study(_study(experiment))[0].blocks) == 2


def test_odd_names_and_many_series(tmp_path: Path) -> None:
    names = ["yes", "a: b", "#1", "1e3", "[x]", "it's"]
    rng = np.random.default_rng(3)
    one = pd.DataFrame({"on": pd.date_range("2020-01-31", periods=70, freq="ME")})
    one = one.assign(**{name: rng.normal(size=70) for name in names})
    pd.concat([one.assign(no=7), one.assign(no=3)]).to_csv(tmp_path / "odd & ends.csv", index=False)
    experiment = written(tmp_path / "odd & ends.csv")
    data = data_of(experiment)
    assert (experiment.name, data.name) == ("odd - ends 7", "odd & ends 7")
    assert list(data.series.components) == ["yes"] and data.series.freq_str == "ME"
    assert list(data.privileged["others"].components) == names[1:]
    plan_study(_study(experiment))


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steel(90).to_csv(tmp_path / "my.csv", index=False)
    (tmp_path / "my.yaml").write_text("mine")
    assert main(["init", str(tmp_path / "my.csv")]) == 2
    assert capsys.readouterr().err == (
        f"tskd: {tmp_path / 'my.yaml'} is there already, and is not overwritten; move it away, or run it.\n"
    )
    assert (tmp_path / "my.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (59, slice(None), "my.csv has 59 rows; 60 are the fewest"),
        (90, ["date", "kind"], "my.csv has no column of numbers that vary: there is nothing to forecast"),
        (90, ["kind"], "my.csv has no column that can be read as time stamps"),
    ],
)
def test_a_file_that_will_not_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: int, columns: list[str] | slice, message: str
) -> None:
    frame = steel(rows)
    (frame if isinstance(columns, slice) else frame[columns]).to_csv(tmp_path / "my.csv", index=False)
    assert main(["init", str(tmp_path / "my.csv")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "my.yaml").exists()
    assert main(["init", str(tmp_path / "mine.csv")]) == 2
    assert "Did you mean 'my.csv'?" in capsys.readouterr().err


def _study(experiment: Experiment) -> Study:
    return Study(experiment.name, {experiment.name: experiment})
