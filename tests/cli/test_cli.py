"""The command line: instant help, errors without a traceback, and a run from YAML to page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.results import study_info
from tskd import datasets
from tskd.cli import main
from tskd.experiment import Experiment, Results
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tables import TABLES
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell import Cell
from tskd.experiment.run.plan import PlannedCell

CONFIG = """
name: tiny
data: co2
student: &model
  class: DLinearModel
  kwargs: {input_chunk_length: 13, output_chunk_length: 6, kernel_size: 5, n_epochs: 1}
teachers:
  weekly: {model: *model, privileged: {class: HighResolution, kwargs: {name: weekly, coarse: mean}}}
arms:
  - {name: weekly, teachers: weekly, balance: [0, 1]}
  - {name: placebo, teachers: weekly, balance: 1, placebo: true}
seeds: 2
"""
NOT_WRITTEN = "tskd: tables and page are not written; they would be in {}."


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tskd", *arguments], capture_output=True, text=True, check=False)


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    heavy = ("torch", "darts", "pandas", "numpy", "matplotlib", "pydantic", "yaml", "pytorch_lightning")
    code = f"import sys, tskd.cli; sys.exit(str(found) if (found := [m for m in {heavy!r} if m in sys.modules]) else 0)"
    began = time.perf_counter()
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    shown = run("--help")
    assert shown.returncode == 0 and "run" in shown.stdout
    assert time.perf_counter() - began < 2


def test_a_command_is_required() -> None:
    assert run().returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seeds: 2", "seed: 2", "unknown key 'seed'. Did you mean 'seeds'?"),
        ("class: DLinearModel", "class: os.system", "class 'os.system' is not allowed as darts torch model"),
        ("name: weekly, coarse: mean", "name: daily, coarse: mean", "no privileged series 'daily'"),
        ("kernel_size: 5, ", "kernel_size: [, ", "this is not YAML"),
    ],
)
def test_a_bad_configuration_is_explained_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(CONFIG.replace(old, new))
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("tskd: ") and expected in shown.err
    assert "Traceback" not in shown.err and shown.out == ""


def test_a_missing_file_and_a_blocked_folder_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: the file cannot be read: No such file or directory." in capsys.readouterr().err
    path = tmp_path / "good.yaml"
    path.write_text(CONFIG)
    assert main(["run", str(path), "--out", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_run_without_a_result_exits_with_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "diverging.yaml"
    path.write_text(CONFIG.replace("n_epochs: 1", "n_epochs: 3, optimizer_cls: SGD, optimizer_kwargs: {lr: 1e30}"))
    assert main(["run", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
    error = capfd.readouterr().err
    assert re.search(r"^tskd: arm 'alone', seed 0 failed: .* not all finite", error.splitlines()[-1])
    assert "Traceback" not in error


def test_a_run_ends_with_table_and_page_and_does_not_depend_on_workers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "tiny.yaml", tmp_path / "out"
    path.write_text(CONFIG)
    assert main(["run", str(path), "--out", str(out), "--workers", "2"]) == 0
    shown = capfd.readouterr()
    printed = shown.out.strip().splitlines()
    assert printed[-1] == str(out / "report.html")
    assert any(line.startswith("teacher weekly") for line in printed)
    # the bar alone: no chatter of darts or Lightning. Balance 0 is the student alone, and computed once
    assert "10/10" in shown.err
    assert not [line for line in shown.err.replace("\r", "\n").splitlines() if line.strip() and "tiny:" not in line]
    tables = {f"{table}.csv" for table in TABLES}
    folders = {"figures", "locks", "models", "parts"}
    assert {file.name for file in out.iterdir()} == {
        *(tables | folders),
        "config.yaml",
        "facts.json",
        "study.json",
        "fev.csv",
        "report.html",
    }
    assert f"tskd run {path} --out {out} --workers 2" in (out / "report.html").read_text(encoding="utf-8")
    here, there = Experiment.from_yaml(path).run(progress=False, workers=1), Results.load(out)
    for table in TABLES:
        seconds = ["seconds", "inference_seconds"]
        one, other = (getattr(results, table).drop(columns=seconds, errors="ignore") for results in (there, here))
        pd.testing.assert_frame_equal(one, other, check_dtype=len(one) > 0, check_exact=True)


def test_a_run_is_gone_on_with_and_reported_from_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "tiny.yaml", tmp_path / "out"
    path.write_text(CONFIG)
    original, cells = BlockRun.cell, []

    def cell(self: BlockRun, planned: PlannedCell) -> Cell:
        cells.append(planned.key)
        if len(cells) == 6:
            raise KeyboardInterrupt
        if len(cells) == 4:
            raise MemoryError("too little")
        return original(self, planned)

    monkeypatch.setattr(BlockRun, "cell", cell)
    assert main(["run", str(path), "--out", str(out), "--workers", "1"]) == 130
    error = capsys.readouterr().err
    assert f"tskd: interrupted; what is finished is kept. To go on: tskd resume {out}" in error
    assert main(["report", str(out)]) == 1
    shown = capsys.readouterr()
    assert f"tskd: 1 cells failed; to try them again: tskd resume {out}" in shown.err
    assert str(out / "report.html") in shown.out and "alone" in shown.out
    assert main(["resume", str(out), "--workers", "1"]) == 0
    # the one that failed and the one that was interrupted are computed again, no other
    assert len(cells) == 12 and len(set(cells)) == 10
    assert str(out / "report.html") in capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    # what reproduces the results is the run, not the report of it
    assert StudyResults.load(out).facts["command"] == f"tskd run {out / 'config.yaml'} --out {out}"
    capsys.readouterr()
    (out / "report.html").unlink()
    (out / "report.html").mkdir()
    assert main(["report", str(out)]) == 2
    shown = capsys.readouterr()
    assert shown.err == f"tskd: {out / 'report.html'}: Is a directory.\n{NOT_WRITTEN.format(out)}\n"
    assert "alone" in shown.out


@pytest.mark.parametrize(
    ("command", "file"), [("run", "config.yaml"), ("resume", "config.yaml"), ("report", "study.json")]
)
def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, file: str
) -> None:
    """Not the temporary one, of which nobody knows."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    original = Path.open

    def read_only(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" in mode and self.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, mode, *args, **kwargs)

    nothing = StudyResults("tiny", {}, study_info())
    monkeypatch.setattr("tskd.experiment.results.collect.results_so_far", lambda *_: nothing)
    monkeypatch.setattr(Path, "open", read_only)
    given = [str(path), "--out", str(tmp_path)] if command == "run" else [str(tmp_path)]
    assert main([command, *given]) == 2
    shown, error = capfd.readouterr()
    first, *rest = error.splitlines()
    assert first == f"tskd: {tmp_path / file}: Permission denied."
    if command == "report":
        assert shown == f"\n{nothing}\n\n" and rest == [NOT_WRITTEN.format(tmp_path)]
    else:
        assert shown == "" and not rest


@pytest.mark.parametrize(
    "at",
    [
        "tskd.experiment.api.read_yaml",
        "tskd.experiment.results.collect.results_so_far",
        "tskd.experiment.report.write_page",
    ],
)
def test_an_interrupt_at_any_time_is_no_traceback(
    at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the configuration is read, what is finished collected, or the page drawn."""
    (tmp_path / "config.yaml").write_text(CONFIG)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    nothing = StudyResults("tiny", {}, study_info())
    monkeypatch.setattr("tskd.experiment.results.collect.results_so_far", lambda *_: nothing)
    monkeypatch.setattr(at, interrupt)
    assert main(["report", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "tskd: interrupted.\n"


def test_what_is_not_finished_is_not_said_to_have_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    cells = {"planned": 9, "finished": 4, "failed": 0}
    begun = StudyResults("tiny", {}, study_info(left_out={"b": "not begun."}, cells=cells))
    monkeypatch.setattr("tskd.experiment.results.collect.results_so_far", lambda *_: begun)
    monkeypatch.setattr("tskd.experiment.report.write_page", lambda *_: "page")
    monkeypatch.setattr(StudyResults, "__str__", lambda _: "table")
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"tskd: 5 cells are not finished; to go on: tskd resume {tmp_path}\n  ‘b’ has no results: not begun.\n"
    )


def test_workers_that_cannot_be_are_refused_before_a_folder_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "tiny.yaml", tmp_path / "out"
    path.write_text(CONFIG)
    for options, message in (
        (["--workers", "0"], "workers=0 must be at least 1"),
        (["--address", "auto"], "address='auto' is that of a Ray cluster"),
    ):
        assert main(["run", str(path), "--out", str(out), *options]) == 2
        assert message in capsys.readouterr().err and not out.exists()


def test_a_folder_without_a_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, folder in (("resume", tmp_path), ("report", tmp_path), ("report", tmp_path / "none")):
        assert main([command, str(folder)]) == 2
        said = f"tskd: there is no run in {folder}: it has no config.yaml. "
        assert capsys.readouterr().err == f"{said}To start one there: tskd run CONFIG --out {folder}\n"
        assert not (tmp_path / "none").exists()


def test_data_sets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert all(re.search(rf"^{re.escape(name)} ", listed, re.MULTILINE) for name in datasets.names())


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        f"set -o pipefail; '{sys.executable}' -m tskd datasets | true",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_can_be_run() -> None:
    demo = Experiment.from_yaml(Path(__file__).parents[2] / "configs" / "demo.yaml")
    assert demo.folds * len(demo.seeds) >= 8 and demo.data == "sp500"
    assert any(arm.placebo for arm in demo.arms) and any(demo.is_privileged(arm) for arm in demo.arms)
    plain = [arm for arm in demo.arms if arm.teachers and not arm.placebo and not demo.is_privileged(arm)]
    assert plain, "self-distillation is a control"
    assert {"tuned", "smoothed"} <= set(demo.controls)


def test_what_to_expect_is_said_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: object, **__: object) -> None:
        raise AssertionError("a network is trained")

    monkeypatch.setattr("tskd.distillation.fit.fit_through", trained)
    monkeypatch.setattr("tskd.teachers.network.fit_through", trained)
    config = tmp_path / "expected.yaml"
    trusting = "\n  - {name: trusting, teachers: weekly, balance: AutoBalance}\nseeds"
    config.write_text(CONFIG.replace("\nseeds", trusting))
    assert main(["expected-gain", str(config)]) == 0
    said = capsys.readouterr().out
    for arm in ("weekly", "placebo", "trusting"):
        assert f"\n{arm}\n" in f"\n{said}"
    assert "windows have labels, worth" in said and "Try first" in said
    assert "alone\n" not in said
    assert main(["expected-gain", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
