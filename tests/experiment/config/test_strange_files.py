"""What a file from a stranger says stays within the folder of its run, or is refused with a message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.experiments import toy_config, toy_model
from tskd.cli import main
from tskd.experiment import Experiment
from tskd.experiment.config.yaml_file import read_yaml

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
