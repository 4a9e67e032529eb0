"""The page of configuration keys: its tables are those of the models, and every example can be read."""

from __future__ import annotations

import pytest
import yaml

from tests.docs.configuration import ANYTHING, BASE, MARK, PAGE, SECTIONS, Section, meanings, type_text, written
from tskd.experiment import Experiment
from tskd.experiment.config import any_teacher, arm, experiment, labels, objects, own_data, teacher
from tskd.experiment.config.objects import Strict
from tskd.experiment.config.outside_teacher import KINDS, OutsideTeacherConfig
from tskd.experiment.config.plain import plain

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert written(TEXT) == TEXT, "python -m tests.docs.configuration --write"


def test_every_model_of_a_configuration_has_its_table() -> None:
    modules = (any_teacher, arm, experiment, labels, objects, own_data, teacher)
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    found = {one for one in found if issubclass(one, Strict)} | set(KINDS.values())
    assert {section.model for section in SECTIONS.values()} == found - {Strict, OutsideTeacherConfig}
    marks = [name for _, name, _ in MARK.findall(TEXT)]
    assert sorted(marks) == sorted([*SECTIONS, "controls", "classes"])


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
def test_every_key_has_a_meaning_and_an_example(section: Section) -> None:
    fields = section.model.model_fields
    assert set(meanings(section.model)) == set(fields)
    assert set(section.examples) == {field.alias or name for name, field in fields.items()}


@pytest.mark.parametrize(
    ("section", "text"),
    [
        pytest.param(section, text, id=f"{name}: {key}")
        for name, section in SECTIONS.items()
        for key, text in section.examples.items()
    ],
)
def test_every_example_is_read_and_is_not_the_default(section: Section, text: str) -> None:
    ((key, value),) = yaml.safe_load(text).items()
    Experiment.model_validate(section.whole({key: value}))
    field = next(field for name, field in section.model.model_fields.items() if key in (name, field.alias))
    assert field.is_required() or plain(field.get_default(call_default_factory=True)) != value


def test_what_stands_for_an_annotation_is_of_a_field() -> None:
    known = {f"{section.model.__name__}.{name}" for section in SECTIONS.values() for name in section.model.model_fields}
    assert set(ANYTHING) <= known


def test_types_in_words() -> None:
    fields = experiment.ExperimentConfig.model_fields
    assert type_text(fields["name"].annotation) == "text"
    assert type_text(fields["scored"].annotation) == "list of 2 whole numbers; null"
    assert type_text(arm.Arm.model_fields["penalties"].annotation) == "list of numbers above 0"
    assert type_text(arm.Arm.model_fields["archive"].annotation) == "`pooled` or `pre-trained`; null"
    assert type_text(labels.LabelsConfig.model_fields["every"].annotation) == "whole number from 2 on; null"


def test_one_text_stands_for_a_list_of_one() -> None:
    given = yaml.safe_load(BASE)
    read = Experiment.model_validate(given)
    assert read.arms[1].teachers == ("range",)
    given["arms"][1]["teachers"] = ["range"]
    assert repr(Experiment.model_validate(given)) == repr(read)
