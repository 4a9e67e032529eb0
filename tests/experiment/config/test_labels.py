"""`labels` in a configuration: which there may be, and several as cases of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.helpers.experiments import toy_config, toy_model
from tskd.experiment import ConfigError, Experiment, Study
from tskd.experiment.config.labels import LabelsConfig, labels_text, parse_labels


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("all", "all labels"),
        ({"last_days": 14}, "labels of the last 14 days"),
        ({"every": 25}, "a label every 25 steps"),
        ({"every": 25, "offset": 3}, "a label every 25 steps, from row 3 on"),
        ({"share": 0.05}, "5 % of the labels"),
    ],
)
def test_labels_in_words(given: Any, text: str) -> None:
    assert labels_text(parse_labels(given)) == labels_text(parse_labels([given])) == text
    assert Experiment(**toy_config(labels=given)).labels == parse_labels(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("some", "give 'all', .*not 'some'"),
        (None, "not None"),
        ({}, "give one of last_days, every and share, not none of them"),
        ({"every": 3, "share": 0.5}, "give one of .*, not every and share"),
        ({"evry": 3}, "unknown key 'evry'. Did you mean 'every'"),
        ({"every": 1}, "every: Input should be greater than or equal to 2"),
        ({"every": 4, "offset": 4}, "offset=4 must be below every=4"),
        ({"share": 0.5, "offset": 1}, "offset=1 must be below"),
        ({"share": 1.0}, "share: Input should be less than 1"),
        ({"last_days": 0}, "last_days: Input should be greater than 0"),
        (["all", {"every": 3}], "a file that lists several is a study"),
    ],
)
def test_a_mistake_is_named(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experiment(**toy_config(labels=given))


def file_of(folder: Path, **changes: Any) -> Path:
    config = {"name": "scarce", "data": "co2", "student": toy_model(), "seeds": [0], **changes}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_several_in_a_file_are_an_axis_beside_those_of_the_grid(tmp_path: Path) -> None:
    several = ["all", {"every": 5}]
    study = Study.from_yaml(file_of(tmp_path, labels=several))
    assert {case: one.labels for case, one in study.cases.items()} == {
        "all labels": "all",
        "a label every 5 steps": LabelsConfig(every=5),
    }
    grid = {"length": {"short": {"sizes": [40]}, "long": None}}
    study = Study.from_yaml(file_of(tmp_path, labels=several, grid=grid))
    assert {case: (one.sizes, one.labels == "all") for case, one in study.cases.items()} == {
        "short · all labels": ((40,), True),
        "short · a label every 5 steps": ((40,), False),
        "long · all labels": ((None,), True),
        "long · a label every 5 steps": ((None,), False),
    }
    again = tmp_path / "again.yaml"
    again.write_text(study.to_yaml())
    assert Study.from_yaml(again) == study


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["all", "all"]}, "labels: give none twice; they are all labels"),
        ({"labels": ["all", "most"]}, "labels: give 'all', .* not 'most'"),
        ({"labels": ["all", {"every": 2}], "grid": {"labels": {"a": None}}}, "the grid has an axis of that name"),
        ({"labels": ["all", {"every": 2}], "grid": ["a"]}, "grid: give axes"),
    ],
)
def test_a_mistake_in_a_list_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Study.from_yaml(file_of(tmp_path, **changes))
