"""`tskd run --dry-run` and `--seeds`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.own_files import steel, write_config
from tskd.cli import main
from tskd.experiment import Experiment


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    steel().to_csv(tmp_path / "steel.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path / "own.yaml")


def test_it_says_what_would_be_run_and_writes_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(config.parent.rglob("*"))
    assert main(["run", "own.yaml", "--dry-run", "--seeds", "4", "--workers", "3"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "data steel, 161 steps of h, 2018-01-01 00:00:00 to 2018-01-07 16:00:00",
        "target 'Usage (kWh)'",
        "past 'outside'",
        "privileged costly: 'power factor'; 161 steps of h",
        # 0.6 and 0.8 of 161 rows, rounded down
        "96 steps to train, 32 to validate from 2018-01-05 00:00:00 on, 33 to test from 2018-01-06 08:00:00 on",
        # 96 - 9 + 1, 32 - 3 + 1, 33 - 3 + 1
        "of 6 steps to 3: 88 to train, 30 to validate, 31 to test",
        "4 seeds, 1 fold, 1 size: 8 of students, 4 of teachers",
        "cells 12 fits in all",
        "with 3 processes, if every fit takes as long as the one of the student alone that was timed now",
    ):
        assert said in shown
    assert sorted(config.parent.rglob("*")) == before


def test_what_is_finished_is_counted(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "own.yaml", "--workers", "1", "--seeds", "2"]) == 0
    assert Experiment.from_yaml("runs/steel/config.yaml").seeds == (0, 1)
    capsys.readouterr()
    assert main(["run", "own.yaml", "--dry-run", "--seeds", "2"]) == 0
    shown = capsys.readouterr().out
    assert "6 fits in all, of which 6 are finished in runs/steel" in shown and "nothing is left to compute" in shown


def test_a_study_names_its_cases(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = "\ngrid: {target: {usage: {}, outside: {data: {target: outside, past: Usage (kWh)}}}}\n"
    config.write_text(config.read_text() + grid)
    assert main(["run", "own.yaml", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "steel: 2 cases" in shown and "\nusage\n" in shown and "\noutside\n" in shown
    assert "alone (usage) that was timed" in " ".join(shown.split()) and "6 fits in all" in shown


@pytest.mark.parametrize("seeds", ["0", "-3", "10001"])
def test_numbers_of_seeds_that_cannot_be(config: Path, capsys: pytest.CaptureFixture[str], seeds: str) -> None:
    assert main(["run", "own.yaml", "--seeds", seeds]) == 2
    assert capsys.readouterr().err == f"tskd: seeds={seeds} must be from 1 to 10,000.\n"


def test_mistakes_are_told_as_of_a_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(config, target="Usage")
    assert main(["run", "own.yaml", "--dry-run"]) == 2
    assert "no column 'Usage', given as target" in capsys.readouterr().err
    assert main(["run", "own.yaml", "--dry-run", "--workers", "0"]) == 2
    assert "workers=0 must be at least 1" in capsys.readouterr().err
