"""A configuration that describes a file of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.helpers.experiments import data_of
from tests.helpers.own_files import own_data, steel, write_config
from tskd.cli import main
from tskd.experiment import ConfigError, Experiment, Study
from tskd.experiment.config.own_data import OwnDataConfig
from tskd.experiment.data.loading import load
from tskd.experiment.run.case_plan import plan_study
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.worker import Task, work


@pytest.fixture
def config(tmp_path: Path) -> Path:
    steel().to_csv(tmp_path / "steel.csv", index=False)
    return write_config(tmp_path / "own.yaml")


def keys(path: Path) -> set[str]:
    return set().union(*(plan.keys for plan in plan_study(Study.from_yaml(path))))


def test_the_file_lies_beside_the_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config.parent / "elsewhere").mkdir()
    monkeypatch.chdir(config.parent / "elsewhere")
    experiment = Experiment.from_yaml("../own.yaml")
    assert experiment.dataset_name == "steel"
    data = data_of(experiment)
    assert list(data.series.components) == ["Usage (kWh)"] and len(data.series) == 161
    assert data.past_covariates is not None and list(data.past_covariates.components) == ["outside"]
    # 0.6 of 161 rows are 96.6, 0.8 of them 128.8
    assert data.validation_start == pd.Timestamp("2018-01-05 00:00")
    assert data.test_start == pd.Timestamp("2018-01-06 08:00")


def test_dates_and_a_finer_file(config: Path) -> None:
    fine = pd.DataFrame({"date": pd.date_range("2018-01-01", periods=644, freq="15min"), "x": np.arange(644.0)})
    fine.to_csv(config.parent / "fine.csv.gz", index=False)
    text = yaml.safe_dump({"fine": {"file": "fine.csv.gz", "columns": ["x"]}, "same": "power factor"})
    changed = own_data(privileged=yaml.safe_load(text)) | yaml.safe_load("validation_start: 2018-01-05")
    write_config(config, **changed)
    with pytest.raises(ConfigError, match="no privileged series 'costly'"):
        plan_study(Study.from_yaml(config))
    data = data_of(Experiment.from_yaml(config))
    assert data.privileged["fine"].freq_str == "15min" and len(data.privileged["same"]) == 161
    assert data.validation_start == pd.Timestamp("2018-01-05")


def test_the_record_of_a_run_can_be_gone_on_with(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.parent / "runs" / "steel"
    assert main(["run", str(config), "--out", str(out), "--workers", "1"]) == 0
    cells = sorted((out / "parts").iterdir())
    assert len(cells) == 3
    assert Experiment.from_yaml(out / "config.yaml") == Experiment.from_yaml(config)
    assert main(["resume", str(out), "--workers", "1"]) == 0
    assert sorted((out / "parts").iterdir()) == cells
    assert "steel" in capsys.readouterr().out


def test_a_cell_is_named_by_what_is_in_the_file_and_not_by_where_it_lies(config: Path) -> None:
    before = keys(config)
    other = config.parent / "other"
    other.mkdir()
    steel().to_csv(other / "steel.csv", index=False)
    assert keys(write_config(other / "own.yaml")) == before
    changed = steel().assign(**{"power factor": lambda frame: frame["power factor"].where(frame.index != 150, 1)})
    changed.to_csv(config.parent / "steel.csv", index=False)
    assert not keys(config) & before


def test_a_file_is_read_once_in_a_process(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment.from_yaml(config)
    first = load(experiment)
    monkeypatch.setattr(OwnDataConfig, "load", lambda _: pytest.fail("it is read again"))
    assert load(Experiment.from_yaml(config)) is first


def test_a_worker_that_finds_another_content_says_so(config: Path) -> None:
    plan = plan_study(Study.from_yaml(config))[0]
    block, cells = plan.blocks[0]
    steel(150).to_csv(config.parent / "steel.csv", index=False)
    ((_, content),) = work(Task(block, tuple(cells[:1]), plan.fingerprint, None))
    assert "not the same in this process" in StoredCell.from_bytes(content).row["failed"]["message"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tiem": "date"}, "data: unknown key 'tiem'. Did you mean 'time'?"),
        ({"file": "steel.pkl"}, "data: file: 'steel.pkl' must be a file whose name ends in .csv, .csv.gz or .parquet."),
        ({"time": None}, "data: time: Input should be a valid string (given: None)"),
        ({"target": [3]}, "data: target[0]: Input should be a valid string (given: 3)"),
        ({"privileged": {"a": {"file": "b.csv", "colums": "c"}}}, "series 'a': unknown key 'colums'. Did you mean"),
        (
            {"privileged": {"a": {"file": "/etc/passwd", "columns": "c"}}},
            "'/etc/passwd' must be a file whose name ends",
        ),
        ({"validation_start": [1]}, "data: validation_start.str: Input should be a valid string (given: [1])"),
        # what needs the file
        ({"target": "Usage_kwh"}, "steel.csv has no column 'Usage_kwh', given as target. Did you mean 'Usage (kWh)'?"),
        ({"file": "steal.csv"}, "steal.csv. Did you mean 'steel.csv'?"),
        ({"past": ["kind"]}, "past: column 'kind' of steel.csv holds 'light', which is no number"),
        ({"validation_start": 3}, "validation_start=3, test_start=Timestamp('2018-01-06 08:00:00'): give time stamps"),
        ({"series": {"kind": ["light", "haevy"]}}, "no rows whose 'kind' is 'haevy'. Did you mean 'heavy'?"),
        ({"series": "knid"}, "steel.csv has no column 'knid', given as series. Did you mean 'kind'?"),
        ({"file": "http://localhost/steel.csv"}, "there is no file"),
    ],
)
def test_a_mistake_is_explained_and_exits_with_2(
    config: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    write_config(config, **change)
    for command in (["run", "--out", str(config.parent / "out")], ["expected-gain"]):
        assert main([command[0], str(config), *command[1:]]) == 2
        shown = capsys.readouterr()
        assert message in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert not (config.parent / "out").exists()


def test_a_missing_key_is_named(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    del content["data"]["time"]
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"own.yaml:\n  data: time: Field required"):
        Study.from_yaml(config)


def test_from_python_the_file_is_sought_in_the_working_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config.parent)
    content = yaml.safe_load(config.read_text())
    experiment = Experiment(**content | {"data": own_data(series={"kind": "heavy"}, freq="h")})
    assert experiment.dataset_name == data_of(experiment).name == "steel heavy"
    # every seventh row is another series
    assert np.isnan(data_of(experiment).series.values()).sum() == 22
