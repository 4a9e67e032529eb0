"""A finished run in a folder that cannot be written to: the report is printed, and says where it would be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tskd.cli import main

WRITTEN = Path(__file__).parents[2] / "helpers" / "written" / "run"
REASONS = {"read-only": "Read-only file system", "full": "No space left on device"}


def mount(*arguments: str) -> None:
    if subprocess.run(["mount", *arguments], capture_output=True).returncode:
        pytest.skip("no permission to mount a file system")


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy of a finished run on a file system that is read-only, or full."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "none", str(place))
    try:
        run = Path(shutil.copytree(WRITTEN, place / "run"))
        if request.param == "full":
            fill(place / "filler")
        else:
            mount("-o", "remount,ro", str(place))
        yield run
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """Until not another byte can be written."""
    for size in (2**16, 1):
        with path.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(size))


def check(folder: Path, reason: str, shown: tuple[str, str]) -> None:
    out, err = shown
    assert "both" in out and "alone" in out and "MSE" in out
    named, where = err.splitlines()
    assert named.startswith(f"tskd: {folder}") and named.endswith(f": {reason}.")
    assert where == f"tskd: tables and page are not written; they would be in {folder}."


@pytest.mark.parametrize("folder", list(REASONS), indirect=True)
def test_a_report_is_printed(folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["report", str(folder)]) == 2
    reason = REASONS[request.node.callspec.params["folder"]]
    check(folder, reason, capsys.readouterr())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "at", ["tskd.experiment.results.study_results.StudyResults.save", "tskd.experiment.report.write_page"]
)
def test_so_it_is_whatever_cannot_be_written(
    at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(WRITTEN, tmp_path / "run"))

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder / "study.json"))

    monkeypatch.setattr(at, denied)
    assert main(["report", str(folder)]) == 2
    check(folder, "Permission denied", capsys.readouterr())
