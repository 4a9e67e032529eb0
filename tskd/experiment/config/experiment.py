"""What an experiment is: its data, student, teachers, arms and seeds, validated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tskd import datasets
from tskd._core.checks import MOST
from tskd._core.quiet_logs import quiet
from tskd.datasets.panel import Data
from tskd.experiment.config.any_teacher import AnyTeacherConfig, OneTeacher
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.chunk_lengths import chunks, with_default_lengths
from tskd.experiment.config.consistency import (
    check_arms,
    check_names,
    check_scored,
    check_settings,
    check_soft_sensor,
    check_teachers,
)
from tskd.experiment.config.distribution import ForecastDistribution, forecast_distribution
from tskd.experiment.config.errors import nearest
from tskd.experiment.config.labels import ALL, Labels, parse_labels
from tskd.experiment.config.model_arguments import is_whole
from tskd.experiment.config.names import PLACEBO_SUFFIX
from tskd.experiment.config.objects import Spec, Strict, Whole, parse_object
from tskd.experiment.config.own_data import OwnDataConfig, parse_own_data
from tskd.experiment.config.plain import plain
from tskd.experiment.config.roles import MODEL, TEACHER
from tskd.experiment.config.seeds import parse_seeds
from tskd.experiment.config.teacher import TeacherConfig, as_list, lookback_and_horizon, scorable
from tskd.experiment.config.yaml_file import to_yaml

ALONE = "alone"


class ExperimentConfig(Strict):
    """A comparison of arms on one data set, as it is configured.

    Models, losses and so on are given as `{"class": ..., "kwargs": {...}}`, as a class name, or as objects.

    Attributes:
        name: of the experiment and, by default, of the folder of its run.
        data: name of a data set (`tskd.datasets.names()`), a `tskd.datasets.DataSet`, a `tskd.datasets.Panel` of
            several series, or a file of one's own (`tskd.experiment.config.own_data.OwnDataConfig`).
        student: a torch model of darts. One with a likelihood is scored as a distribution too
            (`tskd.experiment.run.distribution_scoring`), if its quantiles are known for any value: quantile regression,
            Gaussian, Laplace, Gumbel, Cauchy.
        teachers: by name: darts models, or teachers from outside (`tskd.experiment.config.outside_teacher`).
        arms: the student alone is always run: an arm called 'alone' is put first if no arm is without teachers.
        seeds: a list, or how many to take from 0 on.
        soft_sensor: no student sees the target's past, in training or in use, and teachers only by their sources.
        scored: first and last step that are scored, by default the student's horizon; past its own horizon the student
            is rolled forward on its own forecasts.
        lookback, horizon: in steps, of student and teachers whose arguments leave them out.
        sizes: training sizes in windows of the student, of each series, None for all (`tskd.experiment.data.folds`).
        folds: number of chronological folds.
        labels: `"all"`, or which of them there are (`LabelsConfig`): the others are hidden from all that train and
            select. A file may list several, each of which is a case of a study.
        controls: names of controls to add as arms (`tskd.experiment.controls.registry`).
    """

    name: str
    data: Any
    student: Any
    teachers: dict[str, OneTeacher] = Field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    seeds: tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...] = (0, 1, 2, 3, 4)
    soft_sensor: bool = False
    scored: tuple[Whole, Whole] | None = None
    lookback: Whole | None = Field(default=None, ge=1)
    horizon: Whole | None = Field(default=None, ge=1)
    sizes: tuple[int | None, ...] = (None,)
    folds: Whole = Field(default=1, ge=1)
    labels: Labels = ALL
    controls: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = (data.get("lookback"), data.get("horizon"))
        # anything but a number is rejected where the field is read
        return with_default_lengths(data, *(steps if is_whole(steps, 1) else None for steps in given))

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return folder_name(value)

    @field_validator("data", mode="before")
    @classmethod
    def _data(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, OwnDataConfig):
            return value
        if isinstance(value, Mapping):
            return parse_own_data(value, (info.context or {}).get("folder"))
        if isinstance(value, str) and value not in datasets.names():
            raise ValueError(f"there is no data set {value!r}. {nearest(value, datasets.names())}")
        if not isinstance(value, str | datasets.DataSet | datasets.Panel):
            raise ValueError(
                f"give the name of a data set ({', '.join(datasets.names())}), a DataSet, a Panel, or a file of your "
                "own, as in {file: steel.csv, time: date, target: [load], validation_start: 0.7, test_start: 0.8}."
            )
        return value

    @field_validator("teachers")
    @classmethod
    def _teachers(cls, value: dict[str, AnyTeacherConfig]) -> dict[str, AnyTeacherConfig]:
        for name in value:
            if name.endswith(PLACEBO_SUFFIX):
                raise ValueError(f"tables call a placebo so: give teacher {name!r} a name without {PLACEBO_SUFFIX!r}.")
        return value

    @field_validator("student", mode="before")
    @classmethod
    def _student(cls, value: Any) -> Any:
        return scorable(parse_object(value, MODEL))

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return parse_seeds(value)

    @field_validator("seeds")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        for seed, count in Counter(value).items():
            if count > 1:
                raise ValueError(f"give none twice; {seed} is there {count} times.")
        return value

    @field_validator("sizes", mode="before")
    @classmethod
    def _sizes(cls, value: Any) -> Any:
        sizes = tuple(as_list(value))
        wrong = [size for size in sizes if not (size is None or (is_whole(size, 1) and size <= MOST))]
        if wrong or not sizes or len(set(sizes)) < len(sizes):
            raise ValueError(f"give numbers of training windows, none twice, or null for all; not {list(sizes)}.")
        return sizes

    @field_validator("labels", mode="before")
    @classmethod
    def _labels(cls, value: Any) -> Any:
        return parse_labels(value)

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentConfig:
        without = [arm.name for arm in self.arms if arm.is_plain]
        if len(without) > 1:
            raise ValueError(f"arms: only one arm can be without teachers; they are {', '.join(map(repr, without))}.")
        if not without:
            object.__setattr__(self, "arms", (Arm(name=ALONE), *self.arms))
        check_names(self.arms, self.teachers)
        check_arms(self.arms, self.teachers)
        if self.soft_sensor:
            check_soft_sensor(self.student)
        if self.scored is not None and not 1 <= self.scored[0] <= self.scored[1]:
            raise ValueError(f"scored: {list(self.scored)} are no first and last step.")
        check_scored(self.student, self.steps, self.soft_sensor)
        for arm in self.arms:
            check_settings(arm, self.student, self.steps, self.soft_sensor)
        check_teachers(self.teachers, chunks(self.student)[2], self.soft_sensor)
        return self

    @property
    def longest(self) -> int:
        """The longest lookback, in steps, of student and teachers."""
        darts = [teacher.model for teacher in self.teachers.values() if isinstance(teacher, TeacherConfig)]
        models = [lookback_and_horizon(model, TEACHER) for model in darts]
        return max([self.chunk_lengths(self.student)[0], *(lookback for lookback, _ in models)])

    @staticmethod
    def chunk_lengths(model: Spec) -> tuple[int, int]:
        """Lookback and last step of the horizon of a torch model."""
        return chunks(model)[::2]

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step that are scored."""
        return self.scored or chunks(self.student)[1:]

    @property
    def distribution(self) -> ForecastDistribution | None:
        """How the distribution that the student forecasts is scored; None if it forecasts points."""
        with quiet():
            return forecast_distribution(self.student.build(MODEL))

    @property
    def readable(self) -> list[str]:
        """Slots of covariates, `"past"` and `"future"`, that the student's class reads."""
        with quiet():
            student = self.student.build(MODEL)
        return [slot for slot in ("past", "future") if getattr(student, f"supports_{slot}_covariates")]

    @property
    def dataset_name(self) -> str:
        """Name of the data set, which need not be loaded for it."""
        return self.data if isinstance(self.data, str) else self.data.name

    def dataset(self) -> Data:
        """The data set, loaded if it was given by name or as a file."""
        if isinstance(self.data, OwnDataConfig):
            return self.data.load()
        return datasets.load(self.data) if isinstance(self.data, str) else self.data

    @property
    def alone(self) -> Arm:
        """The student as it is configured, without teachers."""
        return next(arm for arm in self.arms if arm.is_plain)

    def is_privileged(self, arm: Arm) -> bool:
        """Whether a teacher of the arm, or one that teaches it, sees privileged information, and not a placebo."""
        return not arm.placebo and any(self.has_privilege(name) for name in arm.teachers)

    def has_privilege(self, name: str) -> bool:
        """Whether a teacher, or one that teaches it, sees privileged information."""
        return any(self.teachers[link].privileged for link in self.chain(name))

    def chain(self, name: str) -> Iterator[str]:
        """A teacher, the one that teaches it, and so on."""
        link: str | None = name
        while link is not None:
            yield link
            link = self.teachers[link].taught_by

    def to_yaml(self) -> str:
        """The whole configuration, defaults included; Python objects stand there as their repr."""
        return to_yaml(plain(self))


def folder_name(name: Any) -> str:
    """A name, if a folder can bear it; ValueError if not."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w .-]*", name):
        raise ValueError("it names a folder: give letters, digits, blanks, '.', '_', '-', a letter or digit first.")
    return name
