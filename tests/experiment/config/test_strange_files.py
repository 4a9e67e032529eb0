"""What a file from a stranger says stays within the folder of its run, or is refused with a message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.experiments import toy_config, toy_model
from tests.helpers.results import made_up_results, study_info
from tskd.cli import main
from tskd.experiment import Experiment
from tskd.experiment.config.yaml_file import read_yaml
from tskd.experiment.report import page
from tskd.experiment.report.figures import Drawing
from tskd.experiment.results.results import INFO_FILE, STUDY_FILE
from tskd.experiment.results.study_results import StudyResults

OUTSIDE: dict[str, dict[str, Any]] = {
    "default_root_dir": {"pl_trainer_kwargs": {"default_root_dir": "/tmp/elsewhere"}},
    "enable_checkpointing": {"pl_trainer_kwargs": {"enable_checkpointing": True}},
    "logger": {"pl_trainer_kwargs": {"logger": True}},
    "profiler": {"pl_trainer_kwargs": {"profiler": "pytorch"}},
    "work_dir": {"work_dir": "/tmp/elsewhere"},
    "log_tensorboard": {"log_tensorboard": True},
    "save_checkpoints": {"save_checkpoints": True},
}


@pytest.mark.parametrize("name", list(OUTSIDE))
@pytest.mark.parametrize("whose", ["student", "teacher", "candidate"])
def test_no_model_of_a_configuration_writes_files(name: str, whose: str) -> None:
    config = toy_config()
    if whose == "student":
        config["student"] = toy_model(**OUTSIDE[name])
    elif whose == "teacher":
        config["teachers"] = {**config.get("teachers", {}), "bad": {"model": toy_model(**OUTSIDE[name])}}
    else:
        config["arms"] = [*config["arms"], {"name": "bad", "students": [{}, OUTSIDE[name]]}]
    with pytest.raises(ValueError, match=f"{name}.*leave it out"):
        Experiment.model_validate(config)


def test_a_trainer_may_say_that_it_writes_nothing() -> None:
    trainer = {"logger": False, "enable_checkpointing": False, "default_root_dir": None}
    Experiment.model_validate(toy_config() | {"student": toy_model(pl_trainer_kwargs=trainer)})


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, "{a: " * 3000 + "1" + "}" * 3000, "- " * 3000 + "1"])
def test_yaml_that_is_too_deep(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(f"name: {text}" if text[0] != "-" else f"name:\n  {text}")
    with pytest.raises(ValueError, match="too deeply"):
        read_yaml(path)
    assert main(["run", str(path)]) == 2
    assert "too deeply" in capsys.readouterr().err


def grown(kind: str) -> str:
    """Nine aliases, each of which repeats the one before ten times: a hundred million values."""
    repeated = {"list": "[{}]", "mapping": "{{<<: [{}]}}", "named": "{{{}}}"}[kind]
    lines = [f"a0: &a0 {'[x]' if kind == 'list' else '{x: 1}'}"]
    for level in range(1, 10):
        every = [f"{f'k{i}: ' if kind == 'named' else ''}*a{level - 1}" for i in range(10)]
        lines.append(f"a{level}: &a{level} {repeated.format(', '.join(every))}")
    return "\n".join([*lines, "name: *a9"])


@pytest.mark.parametrize("kind", ["list", "mapping", "named"])
def test_yaml_whose_aliases_would_fill_all_memory(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "grown.yaml"
    path.write_text(grown(kind))
    assert main(["run", str(path)]) == 2
    assert "this holds, with what aliases repeat, more than 1,000,000 values" in capsys.readouterr().err


def test_aliases_that_repeat_little_are_read(tmp_path: Path) -> None:
    path = tmp_path / "aliases.yaml"
    path.write_text("base: &base {epochs: 3, rate: 1e-3}\nfirst: *base\nother: {<<: *base, epochs: 4}\n")
    base = {"epochs": 3, "rate": 0.001}
    assert read_yaml(path) == {"base": base, "first": base, "other": base | {"epochs": 4}}


NUMBERS = {"decimal": "9" * 5000, "hexadecimal": "0x" + "f" * 5000, "binary": "-0b" + "1" * 20_000}
NUMBERS["base 60"] = ":".join(["59"] * 3000)


@pytest.mark.parametrize("kind", list(NUMBERS))
@pytest.mark.parametrize("place", ["horizon: {}", "seeds: [1, {}]", "student: {{kwargs: {{kernel_size: {}}}}}"])
def test_a_number_that_nobody_can_read(
    kind: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "number.yaml"
    path.write_text(f"name: toy\n{place.format(NUMBERS[kind])}\n")
    assert main(["run", str(path)]) == 2
    assert f"line 2: {NUMBERS[kind][:20]!r} is no whole number that can be read" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", '{"cases": 3}', "{", "\xff"], ids=range(5))
@pytest.mark.parametrize("name", [STUDY_FILE, INFO_FILE])
def test_results_that_another_hand_has_written(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused with a message by what reads them alone."""
    folder = tmp_path / "run"
    made_up_results(effects={"alone": 1.0, "future": 0.9}, windows=20, seeds=1).save(folder)
    info = study_info().model_dump(mode="json")
    (folder / STUDY_FILE).write_text(json.dumps({"name": "toy", "cases": {"toy": "."}, "facts": info}))
    assert main(["compare", str(folder), str(folder)]) == 0
    (folder / name).write_bytes(content.encode("latin-1"))
    capsys.readouterr()
    assert main(["compare", str(folder), str(folder)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["../../x", "/tmp/elsewhere", "C:\\x"])
def test_results_and_pages_of_a_case_stay_within_the_folder(
    label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Drawing("arms", "", "", "<svg></svg>", b"")
    monkeypatch.setattr(page, "figures", lambda *_: [drawn])
    monkeypatch.setattr(page, "overview_figures", lambda *_: [])
    small: dict[str, Any] = {"effects": {"alone": 1.0, "future": 0.9}, "windows": 20, "seeds": 1}
    study = StudyResults("two", {label: made_up_results(**small), "b": made_up_results(**small)}, study_info())
    folder = tmp_path / "outer" / "run"
    study.save(folder)
    page.write_page(study, folder)
    assert [path for path in tmp_path.rglob("*") if folder not in (path, *path.parents)] == [folder.parent]
    assert list(StudyResults.load(folder).cases) == [label, "b"]
    assert len(list(folder.glob("figures/*/arms.svg"))) == len(list(folder.glob("cases/*/rows.csv"))) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "a\0b"],
        ["run", "a.yaml", "--out", "a\0b"],
        ["resume", "a\0b"],
        ["report", "a\0b"],
        ["expected-gain", "a\0b"],
        ["init", "a\0b.csv"],
        ["show", "a\0b"],
        ["compare", "a", "a\0b"],
    ],
)
def test_a_path_that_can_be_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "NUL" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\0b", "\x1b[31m", "\ud800", "a\nb"])
def test_a_name_that_cannot_be_written(name: str) -> None:
    config = toy_config()
    with pytest.raises(ValueError, match="cannot be written"):
        Experiment.model_validate(config | {"arms": [*config["arms"], {"name": name, "students": [{}]}]})
