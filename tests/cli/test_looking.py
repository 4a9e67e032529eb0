"""`tskd show`, `compare` and `datasets NAME`, and completion by the shell: nothing is computed or written."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.results import made_up_results, made_up_study, study_info, with_info
from tskd.cli import main
from tskd.experiment import Results, StudyResults
from tskd.experiment.results.run_comparison import differing


def run_of(results: Results, folder: Path, config: str = "name: mine\nseeds: [0, 1]\n") -> Path:
    """A folder as a run of one experiment leaves it."""
    name = results.info.name
    info = study_info(name=name, command=f"tskd run {name}.yaml", config=config)
    StudyResults(name, {name: results}, info).save(folder)
    return folder


# ---- show ------------------------------------------------------------------------------------------------------------


def test_a_run_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = made_up_results()
    folder = run_of(results, tmp_path / "run")
    (folder / "report.html").touch()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(["show", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(str(results)) and results.verdict.headline in " ".join(shown.split())
    assert f"9 of 9 cells are finished; by: tskd run {results.info.name}.yaml\n{folder / 'report.html'}\n" in shown
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("command", ["show", "compare", "report", "resume"])
def test_a_file_of_a_run_in_place_of_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder = run_of(made_up_results(), tmp_path / "run")
    given = [str(folder), str(folder / "rows.csv")] if command == "compare" else [str(folder / "rows.csv")]
    assert main([command, *given]) == 2
    assert f"tskd: {folder / 'rows.csv'} is a file: give the folder of the run, {folder}." in capsys.readouterr().err


@pytest.mark.parametrize("kind", [Results, StudyResults])
def test_a_file_of_results_in_place_of_their_folder(tmp_path: Path, kind: Any) -> None:
    folder = run_of(made_up_results(), tmp_path / "run")
    with pytest.raises(NotADirectoryError, match=r"rows\.csv is a file: give the folder of the run, "):
        kind.load(folder / "rows.csv")


def test_the_folder_of_a_study_in_place_of_that_of_an_experiment(tmp_path: Path) -> None:
    made_up_study().save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"it is a study: use StudyResults.load, or one of the folders below"):
        Results.load(tmp_path)


@pytest.mark.parametrize("command", ["show", "compare"])
def test_a_run_that_has_written_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    folders = [str(tmp_path)] * (2 if command == "compare" else 1)
    assert main([command, *folders]) == 2
    assert f"there is no run in {tmp_path}: it has no config.yaml" in capsys.readouterr().err
    (tmp_path / "config.yaml").write_text(
        "name: begun\ndata: co2\nstudent: {class: DLinearModel}\nlookback: 9\nhorizon: 2\n"
    )
    assert main([command, *folders]) == 2
    assert f"has written no results yet; to write what is finished: tskd report {tmp_path}" in capsys.readouterr().err
    (tmp_path / "study.json").write_text("{}")
    assert main([command, *folders]) == 2
    assert f"the results in {tmp_path} cannot be read" in capsys.readouterr().err


# ---- compare ---------------------------------------------------------------------------------------------------------


def line(text: str, name: str) -> list[str]:
    return next(row.split() for row in text.splitlines() if row.startswith(f"{name} "))


def test_arms_are_compared_on_the_windows_and_seeds_that_both_runs_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = made_up_results()
    arm = first.info.privileged[0]
    own = (first.windows.kind == "student") & (first.windows.name == arm)
    better = first.windows.assign(mse=first.windows.mse.where(~own, 0.9 * first.windows.mse))
    # the second lacks the first seed and the first windows
    lost = (better.seed == better.seed.min()) | (better.start <= better.start.sort_values().unique()[7])
    second = replace(first, windows=better[~lost])
    folders = [run_of(first, tmp_path / "a"), run_of(second, tmp_path / "b", "name: mine\nseeds: [0, 2]\nfolds: 1\n")]
    assert main(["compare", *map(str, folders)]) == 0
    shown = capsys.readouterr().out
    assert f"{folders[1]} against {folders[0]}" in shown
    assert "  seeds: [0, 1] → [0, 2]\n  folds: – → 1\n" in shown
    found = line(shown, arm)
    assert found[1] == f"{first.windows[own].groupby('seed').mse.mean().mean():.4g}"
    # str.split parts at spaces that do not break, too
    assert found[3:5] == ["−10.0", "%"] and line(shown, first.info.alone)[3:5] == ["0", "%"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fingerprint": "0" * 16}, "the data are not the same"),
        ({"scored": (1, 1)}, "other steps of the horizon are scored"),
        ({"folds": 7}, "the numbers of folds differ"),
    ],
)
def test_what_cannot_be_compared_is_shown_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], reason: str
) -> None:
    first = made_up_results()
    folders = [run_of(first, tmp_path / "a"), run_of(with_info(first, **change), tmp_path / "b")]
    assert main(["compare", *map(str, folders)]) == 0
    shown = capsys.readouterr().out
    assert "The configurations are the same." in shown and f"No differences are given: {reason}" in shown
    alone = line(shown, first.info.alone)
    assert alone[1] == alone[2] and alone[3] == "–"


def test_cases_of_studies_are_matched_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = made_up_study(2)
    first, second = study.cases
    study.save(tmp_path / "a")
    replace(study, cases={second: study.cases[second]}).save(tmp_path / "b")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = capsys.readouterr().out
    assert f"\n{second}\n" in shown and first not in shown
    replace(study, cases={}).save(tmp_path / "b")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "They have no case in common" in capsys.readouterr().out


def test_settings_that_differ() -> None:
    one = {"a": {"b": 1, "c": [1, 2]}, "arms": [{"name": "x", "balance": 0}, {"name": "y", "balance": 1}]}
    other = {"a": {"b": 1, "c": [1, 3]}, "arms": [{"name": "y", "balance": 0.5}], "new": None}
    assert differing(one, other) == {
        "a.c": ([1, 2], [1, 3]),
        "arms.x.name": ("x", "–"),
        "arms.x.balance": (0, "–"),
        "arms.y.balance": (1, 0.5),
        "new": ("–", None),
    }


# ---- datasets --------------------------------------------------------------------------------------------------------


def test_a_data_set_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "co2"]) == 0
    shown = capsys.readouterr().out
    for said in ("CO2 at Mauna Loa", "weekly", "split", "licence", "notes", "in statsmodels"):
        assert said in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_a_data_set_whose_file_is_not_here_is_described_as_far_as_it_is_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TSKD_DATA", str(tmp_path))
    assert main(["datasets", "illness"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "benchmark: influenza-like illness" in shown and "966 × 7, 7 days" in shown
    assert "is not in the folder" in shown and "Autoformer" in shown
    assert main(["datasets", "ilness"]) == 2
    assert "there is no data set 'ilness'. Did you mean 'illness'?" in capsys.readouterr().err


# ---- completion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"), [("tskd res", {"resume "}), ("tskd run --dr", {"--dry-run "}), ("tskd show r", {"runs/"})]
)
def test_a_shell_completes_commands_options_and_paths(tmp_path: Path, typed: str, expected: set[str]) -> None:
    pytest.importorskip("argcomplete")
    (tmp_path / "runs").mkdir()
    answers = tmp_path / "answers"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": typed, "COMP_POINT": str(len(typed))}
    code = "import sys; sys.argv = ['tskd']; from tskd.cli import main; main()"
    environment = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answers), "COMP_TYPE": "9"}
    environment["PYTHONPATH"] = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(answers.read_text().split("\n")) == expected
