"""Writes the tables of docs/reference/configuration.md from the models that read a configuration.

`python -m tests.docs.configuration --write` puts them between the marks of the page; without `--write` it says whether
they are up to date. Keys, types and defaults are those of the models, and meanings those of their docstrings; examples
stand here, and each is read as part of a whole configuration before it is written.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic_core import PydanticUndefined

from tskd._core.checks import MOST
from tskd.experiment import Experiment
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import CENTURY, LabelsConfig
from tskd.experiment.config.objects import Spec, Strict
from tskd.experiment.config.outside_teacher import GivenForecastsConfig, GivenSeriesConfig, ReconstructionConfig
from tskd.experiment.config.own_data import FinerFileConfig, OwnDataConfig
from tskd.experiment.config.plain import plain
from tskd.experiment.config.roles import BALANCE, LOSS, PRIVILEGED, WEIGHTING, Role
from tskd.experiment.config.teacher import CrossFitConfig, TeacherConfig
from tskd.experiment.config.yaml_file import inline_yaml
from tskd.experiment.controls.registry import CONTROLS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
MARK = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", flags=re.DOTALL)

BASE = """
name: example
data: sp500
student: {class: DLinearModel, kwargs: {input_chunk_length: 22, output_chunk_length: 5}}
teachers:
  range:
    model: {class: LinearRegressionModel, kwargs: {lags_past_covariates: 22, output_chunk_length: 5}}
    privileged: {class: CostlySensors, kwargs: {name: range}}
    sees_inputs: false
arms: [{name: alone}, {name: taught, teachers: range}]
"""
OWN = """
file: plant.csv
time: date
target: load
validation_start: 0.7
test_start: 0.85
"""


ALONE = {"student", "teachers", "soft_sensor"}
"""Keys whose examples do not go with the teachers of the base."""


@dataclass(frozen=True)
class Section:
    """The keys of one part of a configuration.

    Attributes:
        model: that reads it.
        examples: of each key, as YAML.
        whole: a whole configuration with the keys and values of an example.
    """

    model: type[Strict]
    examples: Mapping[str, str]
    whole: Callable[[dict[str, Any]], dict[str, Any]]


def base(**changes: Any) -> dict[str, Any]:
    return {**yaml.safe_load(BASE), **changes}


def without_teachers(given: dict[str, Any]) -> dict[str, Any]:
    """A configuration without those of the base, of which others may be given."""
    return base(**{"teachers": {}, "arms": [{"name": "alone"}], **given})


def with_arm(arm: dict[str, Any]) -> dict[str, Any]:
    """A configuration with an arm that has teachers only where it may have them."""
    plain_arm = {"students", "archive", "oracle", "penalties", "smoothing"}.isdisjoint(arm)
    return base(arms=[{"name": "alone"}, {"name": "more", **({"teachers": "range"} if plain_arm else {}), **arm}])


def with_teacher(teacher: dict[str, Any]) -> dict[str, Any]:
    """A configuration with one more teacher, and one that it may learn from."""
    known = base()["teachers"]
    return base(teachers={**known, "later": known["range"], "more": {**known["range"], **teacher}})


def with_outside(teacher: dict[str, Any]) -> dict[str, Any]:
    return base(teachers={**base()["teachers"], "more": teacher})


def own(changes: dict[str, Any]) -> dict[str, Any]:
    return {**yaml.safe_load(OWN), **changes}


SECTIONS: dict[str, Section] = {
    "an experiment": Section(
        ExperimentConfig,
        {
            "name": "name: load-forecast",
            "data": "data: {file: plant.csv, time: date, target: load, validation_start: 0.7, test_start: 0.85}",
            "student": "student: {class: TiDEModel, kwargs: {input_chunk_length: 96, output_chunk_length: 24}}",
            "teachers": "teachers: {simulation: {series: simulated}}",
            "arms": "arms: [{name: alone}, {name: taught, teachers: range, balance: [0, 0.5]}]",
            "seeds": "seeds: 3",
            "soft_sensor": "soft_sensor: true",
            "scored": "scored: [1, 3]",
            "lookback": "lookback: 96",
            "horizon": "horizon: 24",
            "sizes": "sizes: [250, 1000, null]",
            "folds": "folds: 4",
            "labels": "labels: {every: 25}",
            "controls": "controls: [tuned, self-distilled, placebo]",
        },
        lambda given: (
            without_teachers(given) if given.keys() & {"student", "teachers", "soft_sensor"} else base(**given)
        ),
    ),
    "a file of your own": Section(
        OwnDataConfig,
        {
            "file": "file: plant.csv",
            "time": "time: date",
            "target": "target: [load, power]",
            "freq": "freq: 15min",
            "past": "past: [temperature]",
            "future": "future: [holiday]",
            "privileged": "privileged: {lab: [analyser], fine: {file: minutes.csv, columns: [load]}}",
            "series": "series: {station: north}",
            "validation_start": "validation_start: 2024-08-01",
            "test_start": "test_start: 0.85",
        },
        lambda given: base(data=own(given)),
    ),
    "a finer file": Section(
        FinerFileConfig,
        {
            "file": "file: minutes.csv",
            "columns": "columns: [load]",
            "time": "time: stamp",
            "freq": "freq: min",
        },
        lambda given: base(data=own({"privileged": {"fine": {"file": "minutes.csv", "columns": "load", **given}}})),
    ),
    "labels": Section(
        LabelsConfig,
        {
            "last_days": "last_days: 14",
            "every": "every: 25",
            "offset": "offset: 3",
            "share": "share: 0.05",
        },
        lambda given: base(labels={"every": 25, **given} if "offset" in given else given),
    ),
    "a teacher": Section(
        TeacherConfig,
        {
            "model": "model: {class: TiDEModel, kwargs: {input_chunk_length: 44, output_chunk_length: 5}}",
            "privileged": "privileged: [{class: CostlySensors, kwargs: {name: range}}]",
            "sees_inputs": "sees_inputs: false",
            "cross_fit": "cross_fit: 4",
            "archive": "archive: true",
            "taught_by": "taught_by: later",
        },
        with_teacher,
    ),
    "cross_fit": Section(
        CrossFitConfig,
        {"folds": "folds: 4", "block": "block: 120"},
        lambda given: with_teacher({"cross_fit": {"folds": 4, **given}}),
    ),
    "a reconstruction": Section(
        ReconstructionConfig,
        {
            "reconstruction": "reconstruction: [stations, weather]",
            "model": "model: one-neighbour",
            "steps": "steps: 2",
            "fills_past": "fills_past: true",
        },
        lambda given: with_outside({"reconstruction": "stations", **given}),
    ),
    "a given series": Section(GivenSeriesConfig, {"series": "series: satellite"}, with_outside),
    "given forecasts": Section(GivenForecastsConfig, {"forecasts": "forecasts: chronos.csv"}, with_outside),
    "an arm": Section(
        Arm,
        {
            "name": "name: taught",
            "teachers": "teachers: [range]",
            "losses": "losses: [OutputKD, {class: LevelShapeKD, kwargs: {weight: 0.5}}]",
            "weighting": "weighting: {class: Fixed, kwargs: {weights: {range: 1}}}",
            "balance": "balance: [0, 0.5, AutoBalance]",
            "placebo": "placebo: true",
            "students": "students: [{input_chunk_length: 11}, {optimizer_kwargs: {weight_decay: 0.1}}]",
            "archive": "archive: pooled",
            "oracle": "oracle: true",
            "penalties": "penalties: [1, 10, 100]",
            "smoothing": "smoothing: [3, 7]",
        },
        with_arm,
    ),
    "an object": Section(
        Spec,
        {
            "class": "class: NLinearModel",
            "kwargs": "kwargs: {input_chunk_length: 22, output_chunk_length: 5, n_epochs: 20}",
        },
        lambda given: base(
            student={"class": "DLinearModel", "kwargs": {"input_chunk_length": 22, "output_chunk_length": 5}, **given}
        ),
    ),
}
ANYTHING = {
    "ExperimentConfig.data": "name of a data set, or [a file of your own](#data)",
    "ExperimentConfig.student": "[object](#objects), a torch model",
    "ExperimentConfig.teachers": "mapping of names to [teachers](#teachers)",
    "ExperimentConfig.controls": "list of [controls](#controls), or `all`",
    "ExperimentConfig.seeds": "whole number, or list of whole numbers from 0 on",
    "TeacherConfig.model": "[object](#objects), any global model",
    "TeacherConfig.privileged": "[object](#objects) or list of such, sources",
    "TeacherConfig.cross_fit": "whole number of folds, or [mapping](#cross-fitting); null",
    "Arm.losses": "[object](#objects) or list of such, losses",
    "Arm.weighting": "[object](#objects), a weighting",
    "Arm.balance": "number from 0 to 1, [object](#objects), or list of such",
    **{
        key: "text, or list of texts"
        for key in (
            *("OwnDataConfig.target", "OwnDataConfig.past", "OwnDataConfig.future", "FinerFileConfig.columns"),
            *("ReconstructionConfig.reconstruction", "Arm.teachers"),
        )
    },
    "Spec.class_": "text",
    "Spec.kwargs": "mapping",
    "Arm.students": "list of mappings",
    "OwnDataConfig.series": "mapping of a column to the value to read, or text; null",
    "OwnDataConfig.privileged": "mapping of names to columns or [a finer file](#a-finer-file)",
    "ExperimentConfig.arms": "list of [arms](#arms)",
    "ExperimentConfig.labels": "`all`, or [mapping](#labels); a list of such is an axis of a study",
    "ExperimentConfig.sizes": "whole number, null for all, or list of such",
}
"""What a value may be, where the annotation does not tell, or less than a reader should know."""


def key_of(model: type[Strict], field: str) -> str:
    return model.model_fields[field].alias or field


def meanings(model: type[Strict]) -> dict[str, str]:
    """What each field means, of the docstring of its model."""
    found: dict[str, str] = {}
    _, _, text = (inspect.getdoc(model) or "").partition("Attributes:\n")
    for names, meaning in re.findall(r"^    ([\w, ]+): ((?:.|\n {8})*)", text, flags=re.MULTILINE):
        for name in names.split(", "):
            plainly = re.sub(r" \(`(?:tskd\.[\w.]+|LabelsConfig)`\)", "", re.sub(r"\s+", " ", meaning).strip())
            found[name] = re.sub(r"\bNone\b", "`null`", plainly)
    return found


def type_text(annotation: Any, limits: tuple[Any, ...] = ()) -> str:
    """An annotation in words, with the limits that stand beside it."""
    if hasattr(annotation, "__metadata__"):
        return type_text(annotation.__origin__, (*limits, *_limits(annotation.__metadata__)))
    inner = get_args(annotation)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if type(None) in inner:
        (some,) = (one for one in inner if one is not type(None))
        return f"{type_text(some, limits)}; null"
    if get_origin(annotation) is tuple:
        if len(inner) == 2 and inner[1] is ...:
            return f"list of {plural(type_text(inner[0]))}"
        return f"list of {len(inner)} {plural(type_text(inner[0]))}"
    if get_origin(annotation) is Union or "UnionType" in type(annotation).__name__:
        return ", or ".join(dict.fromkeys(type_text(one) for one in inner))
    names = {str: "text", bool: "`true` or `false`", int: "whole number", float: "number"}
    return " ".join([names[annotation], *_limit_texts(limits)])


def plural(text: str) -> str:
    return re.sub(r"^(text|number|whole number)", r"\1s", text)


def _limits(metadata: tuple[Any, ...]) -> list[Any]:
    """The limits in the metadata of an annotation, those within pydantic's `Field` too."""
    return [limit for one in metadata for limit in (getattr(one, "metadata", None) or [one])]


def _limit_texts(limits: tuple[Any, ...]) -> list[str]:
    signs = ((Ge, "ge", "from {:g} on"), (Gt, "gt", "above {:g}"), (Lt, "lt", "below {:g}"), (Le, "le", "up to {:g}"))
    found = []
    for kind, name, text in signs:
        for limit in limits:
            if isinstance(limit, kind) and getattr(limit, name) not in (MOST, CENTURY):
                found.append(text.format(getattr(limit, name)))
    return found


def default_text(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default_factory() if field.default is PydanticUndefined else field.default
    return f"`{inline_yaml(plain(value), 1000)}`"


def keys_table(section: Section) -> str:
    """The table of the keys of a section."""
    model, told = section.model, meanings(section.model)
    lines = ["| Key | Value | Default | Meaning | Example |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        key = key_of(model, name)
        what = ANYTHING.get(f"{model.__name__}.{name}") or type_text(field.annotation, tuple(_limits((field,))))
        cells = (f"`{key}`", what, default_text(field), told[name], f"`{section.examples[key]}`")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def controls_table() -> str:
    lines = ["| Control | What it is | Part of the lift | Required |", "|---|---|---|---|"]
    lines += [
        f"| `{one.name}` | {one.description} | {'yes' if one.counts and not one.bound else 'no'} | "
        f"{'yes' if one.required else 'no'} |"
        for one in CONTROLS
    ]
    return "\n".join(lines)


def classes_table() -> str:
    """The classes that a file may name, for the parts that are tskd's."""
    lines = ["| Part | Classes |", "|---|---|"]
    for where, role in (("privileged", PRIVILEGED), ("losses", LOSS), ("weighting", WEIGHTING), ("balance", BALANCE)):
        lines.append(f"| `{where}` | {', '.join(f'`{name}`' for name in names_of(role))} |")
    return "\n".join(lines)


def names_of(role: Role) -> list[str]:
    """Classes of tskd that a role allows."""
    found = []
    for module in role.modules:
        for name in importlib.import_module(module).__all__:
            try:
                role.allowed(name)
            except ValueError:
                continue
            found.append(name)
    return found


TABLES: dict[str, Callable[[], str]] = {"controls": controls_table, "classes": classes_table}


def check_examples() -> None:
    """Read each example as part of a whole configuration. Raises the ValidationError of one that cannot be read."""
    for section in SECTIONS.values():
        for text in section.examples.values():
            Experiment.model_validate(section.whole(yaml.safe_load(text)))


def written(page: str) -> str:
    """The page, with its tables as they are to be."""

    def table(found: re.Match[str]) -> str:
        made = TABLES[found[2]]() if found[2] in TABLES else keys_table(SECTIONS[found[2]])
        return f"{found[1]}\n{made}\n\n{found[3]}"

    return MARK.sub(table, page)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.docs.configuration", description=written.__doc__)
    arguments.add_argument("--write", action="store_true", help="write the page")
    check_examples()
    old = PAGE.read_text(encoding="utf-8")
    new = written(old)
    if arguments.parse_args().write:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    print("up to date" if old == new else "out of date: --write")
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
