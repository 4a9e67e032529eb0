"""What an experiment is: its data, student, teachers, arms and seeds, from Python or from a YAML file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from tskd import datasets
from tskd.experiment.config.arguments import is_whole
from tskd.experiment.config.arm import Arm
from tskd.experiment.config.chunk_lengths import chunks, filled
from tskd.experiment.config.errors import ConfigError, explain
from tskd.experiment.config.objects import MODEL, TEACHER, Spec, Strict, Whole, nearest, part, plain
from tskd.experiment.config.quiet import quiet
from tskd.experiment.config.seeds import listed
from tskd.experiment.config.teacher import SHUFFLED, TeacherConfig, many, point_forecaster, reach
from tskd.experiment.config.validation import check_consistent
from tskd.experiment.config.yaml_file import read_yaml, to_yaml
from tskd.experiment.controls.kinds import CONTROLS, Control, control_of

if TYPE_CHECKING:
    from tskd.experiment.results.results import Results
    from tskd.experiment.run.engines import EngineName

ALONE = "alone"


class Experiment(Strict):
    """A comparison of arms on one data set: `Experiment(...)` or `Experiment.from_yaml(path)`, then `run()`.

    `data` is the name of a data set (`tskd.datasets.names()`) or a `tskd.datasets.DataSet`. Models, losses and so on
    are given as `{"class": ..., "kwargs": {...}}`, as a class name, or as objects. The student alone is always run: an
    arm called 'alone' is put first if no arm is without teachers. `seeds`: a list, or how many to take from 0 on.
    `lookback` and `horizon` are those of student and teachers whose arguments leave them out. `soft_sensor`: no student
    sees the target's past, in training or in use, and no teacher does but by its sources. `scored`: first and last step
    that are scored, if not the student's whole horizon; past it, the student is rolled forward on its own forecasts.
    `sizes`: training sizes in windows of the student, None for all; `folds`: chronological folds; for both see
    `tskd.experiment.data.folds`. `controls`: names of arms to add, or `all`; see `tskd.experiment.controls.registry`.
    """

    name: str
    data: Any
    student: Any
    teachers: dict[str, TeacherConfig] = Field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    seeds: tuple[Annotated[Whole, Field(ge=0, lt=2**32)], ...] = (0, 1, 2, 3, 4)
    soft_sensor: bool = False
    scored: tuple[Whole, Whole] | None = None
    lookback: Whole | None = Field(default=None, ge=1)
    horizon: Whole | None = Field(default=None, ge=1)
    sizes: tuple[int | None, ...] = (None,)
    folds: Whole = Field(default=1, ge=1)
    controls: tuple[Control, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = (data.get("lookback"), data.get("horizon"))
        # anything but a number is refused where the field is read
        return filled(data, *(steps if is_whole(steps, 1) else None for steps in given))

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return safe(value)

    @field_validator("data", mode="before")
    @classmethod
    def _data(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in datasets.names():
            raise ValueError(f"there is no data set {value!r}. {nearest(value, datasets.names())}")
        if not isinstance(value, str | datasets.DataSet):
            raise ValueError(f"give the name of a data set ({', '.join(datasets.names())}) or a DataSet.")
        return value

    @field_validator("teachers")
    @classmethod
    def _teachers(cls, value: dict[str, TeacherConfig]) -> dict[str, TeacherConfig]:
        for name in value:
            if name.endswith(SHUFFLED):
                raise ValueError(f"tables call a placebo so: give teacher {name!r} a name without {SHUFFLED!r}.")
        return value

    @field_validator("student", mode="before")
    @classmethod
    def _student(cls, value: Any) -> Any:
        return point_forecaster(part(value, MODEL))

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return listed(value)

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
        sizes = tuple(many(value))
        wrong = [size for size in sizes if not (size is None or is_whole(size, 1))]
        if wrong or not sizes or len(set(sizes)) < len(sizes):
            raise ValueError(f"give numbers of training windows, none twice, or null for all; not {list(sizes)}.")
        return sizes

    @field_validator("controls", mode="before")
    @classmethod
    def _controls(cls, value: Any) -> Any:
        names = many(value)
        for name in names:
            if name not in (*CONTROLS, "all"):
                raise ValueError(f"there is no control {name!r}. {nearest(str(name), [*CONTROLS, 'all'])}")
        return CONTROLS if "all" in names else tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        without = [arm.name for arm in self.arms if arm.is_plain]
        if len(without) > 1:
            raise ValueError(f"arms: only one arm can be without teachers; they are {', '.join(map(repr, without))}.")
        if not without:
            object.__setattr__(self, "arms", (Arm(name=ALONE), *self.arms))
        check_consistent(self)
        return self

    @property
    def longest(self) -> int:
        """The longest lookback, in steps, of student and teachers."""
        models = [reach(teacher.model, TEACHER) for teacher in self.teachers.values()]
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
    def readable(self) -> list[str]:
        """Slots of covariates, `"past"` and `"future"`, that the student's class reads."""
        with quiet():
            student = self.student.build(MODEL)
        return [slot for slot in ("past", "future") if getattr(student, f"supports_{slot}_covariates")]

    @property
    def dataset_name(self) -> str:
        """Name of the data set, which need not be loaded for it."""
        return self.data if isinstance(self.data, str) else self.data.name

    def dataset(self) -> datasets.DataSet:
        """The data set, loaded if it was given by name."""
        return datasets.load(self.data) if isinstance(self.data, str) else self.data

    @property
    def alone(self) -> Arm:
        """The student as it is configured, without teachers."""
        return next(arm for arm in self.arms if arm.is_plain)

    def control(self, arm: Arm) -> str | None:
        """Which control an arm is by what it does; None for the student alone and for arms with privileged teachers.

        One that learns from teachers is `self-distilled` if these see just what the student sees, and no more of the
        past, or if that is its name; other than that it is no control, but has an 'ordinary teacher'.
        """
        return control_of(self, arm)

    def is_privileged(self, arm: Arm) -> bool:
        """Whether a teacher of the arm, or one that it learns from, sees privileged information, and not a placebo."""
        return not arm.placebo and any(self.has_privilege(name) for name in arm.teachers)

    def has_privilege(self, name: str) -> bool:
        """Whether a teacher, or one that it learns from, sees privileged information."""
        return any(self.teachers[link].privileged for link in self.chain(name))

    def chain(self, name: str) -> Iterator[str]:
        """A teacher, the one that teaches it, and so on."""
        link: str | None = name
        while link is not None:
            yield link
            link = self.teachers[link].taught_by

    @classmethod
    def from_yaml(cls, path: str | Path) -> Experiment:
        """The experiment described by a YAML file. Raises ConfigError."""
        try:
            config = read_yaml(path)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        if "grid" in config:
            raise ConfigError(f"{path}: it has a grid, and is a study of several experiments: use Study.from_yaml.")
        return validated(config, str(path))

    def to_yaml(self) -> str:
        """The whole configuration, defaults included; what was given as a Python object stands there as its repr."""
        return to_yaml(plain(self))

    def run(
        self,
        folder: str | Path | None = None,
        workers: int | None = 1,
        engine: EngineName = "processes",
        address: str | None = None,
        progress: bool = True,
    ) -> Results:
        """Train all arms with all seeds, and score them on the test part.

        Args:
            folder: where the run is kept, so that it can be killed and gone on with by the same call: what is finished
                is not computed again. None: nowhere.
            workers: how many blocks (fold, size and seed) are computed at once; None: as many as there are cores.
                Results do not depend on it. With more than one, a script must guard its entry with
                `if __name__ == "__main__":`, as always in multiprocessing.
            engine: "processes" on this machine, or "ray".
            address: of a Ray cluster; None: one of this machine's cores, for this run.

        A fit that fails is in the results' `failures`, and stops nothing. Raises ConfigError for data that lack what
        is read, RunError if the student alone failed with every seed.
        """
        from tskd.experiment.config.study import Study

        study = Study(self.name, {self.name: self})
        return study.run(folder, workers, engine, address, progress).cases[self.name]


def safe(name: Any) -> str:
    """A name, if a folder can bear it; ValueError if not."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w .-]*", name):
        raise ValueError("it names a folder: give letters, digits, blanks, '.', '_', '-', a letter or digit first.")
    return name


def validated(config: dict[str, Any], where: str) -> Experiment:
    """The experiment that a configuration describes. Raises ConfigError, which names the place."""
    try:
        return Experiment.model_validate(config)
    except ValidationError as error:
        raise ConfigError("\n  ".join([f"{where}:", *explain(error)])) from error
