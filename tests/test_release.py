"""What a release says of itself in several files agrees, and the workflows test what the package promises."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import tskd
from tskd.experiment.run.cell_archive import MOST_BYTES

ROOT = Path(__file__).parents[1]
if not (ROOT / ".github").exists():
    pytest.skip("a copy of the package without its workflows", allow_module_level=True)

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
JOBS: dict[str, Any] = WORKFLOWS["ci.yml"]["jobs"]


def lowest(requirements: list[str]) -> list[str]:
    """The lowest versions that requirements allow, as constraints."""
    found = (re.fullmatch(r"([\w-]+)>=([\w.]+)(,<[\w.]+)?", text) for text in requirements)
    return [f"{one[1]}=={one[2]}" for one in found if one]


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tskd.__version__
    first = re.search(r"^## \[([\d.]+)\] – (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert (first[1], first[2]) == (tskd.__version__, citation["date-released"].isoformat())
    assert citation["license"] == PROJECT["license"] and citation["keywords"] == PROJECT["keywords"]


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins == lowest(PROJECT["dependencies"]) and len(pins) == len(PROJECT["dependencies"])


def test_the_pinned_versions_are_within_what_is_declared() -> None:
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    for one in lowest(PROJECT["dependencies"]):
        name, least = one.split("==")
        assert numbers(pinned[name]) >= numbers(least), name


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def test_every_python_that_is_promised_is_tested_on_every_system() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    matrix = JOBS["tests"]["strategy"]["matrix"]
    assert matrix["python"] == promised and PROJECT["requires-python"] == f">={promised[0]}"
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert {"tests", "docs", "wheel"} <= JOBS.keys()


@pytest.mark.parametrize(("job", "constraints"), [("lowest", ["constraints-lowest.txt"]), ("newest", [])])
def test_the_suite_is_run_with_the_lowest_and_with_the_newest_versions(job: str, constraints: list[str]) -> None:
    install, run = (step["run"] for step in JOBS[job]["steps"] if "run" in step)
    assert re.findall(r"--constraint (\S+)", install) == constraints
    assert "pytest" in run and "-k" not in run


def test_commands_of_the_workflows_name_files_and_targets_that_exist() -> None:
    commands = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    names = {name for text in commands for name in re.findall(r"[\w./-]+\.(?:txt|yaml|toml)", text)}
    assert names and not [name for name in names if not (ROOT / name.removeprefix("GITHUB_WORKSPACE/")).exists()]
    # of the documentation's there is a file where it is
    targets = {name for text in commands for name in re.findall(r"make ([\w-]+)", text)} - {"docs"}
    rules = (ROOT / "Makefile").read_text()
    assert targets and all(f"\n{name}:" in rules for name in targets)


def test_no_file_of_a_release_names_a_host_to_install_from() -> None:
    paths = [*(ROOT / ".github").rglob("*.yml"), *map(ROOT.joinpath, ("constraints-lowest.txt", "constraints.txt"))]
    assert not [path.name for path in paths if re.search(r"://|index-url|find-links", path.read_text())]


def test_the_limit_that_is_told_is_the_one_that_holds() -> None:
    told = re.search(r"up to (\d+) MiB", (ROOT / "SECURITY.md").read_text())
    assert told is not None and int(told[1]) * 2**20 == MOST_BYTES
