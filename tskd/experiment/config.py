"""What an experiment is: its data, student, teachers, arms and seeds, from Python or from a YAML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from tskd import datasets
from tskd.experiment.errors import ConfigError, explain
from tskd.experiment.quiet import quiet
from tskd.experiment.reading import read_yaml
from tskd.experiment.specs import BALANCE, LOSS, MODEL, TEACHER, WEIGHTING, Spec, Strict, make, nearest, part, plain
from tskd.experiment.teachers import TeacherConfig, many, point_forecaster, reach

if TYPE_CHECKING:
    from tskd.experiment.engines import EngineName
    from tskd.experiment.results import Results

ALONE = "alone"
CANDIDATES = (0.0, 0.25, 0.5, 1.0)


class Arm(Strict):
    """One way to train the student, run with every seed.

    Without `teachers` it is the student alone. `balance` is a number, a balance, or a list of candidates of which the
    one with the lowest validation error (mean over the seeds; of equals the first) is used. `placebo` shuffles what the
    teachers' sources read, see `tskd.experiment.placebo`. `students`, in an arm without teachers: candidate settings,
    each merged into the student's `kwargs` and chosen among likewise; the control of labels only, tuned.
    """

    name: str
    teachers: tuple[str, ...] = ()
    losses: tuple[Any, ...] = Field(default=("OutputKD",), validate_default=True)
    weighting: Any = Field(default="Uniform", validate_default=True)
    balance: tuple[Any, ...] = Field(default=CANDIDATES, validate_default=True)
    placebo: bool = False
    students: tuple[dict[str, Any], ...] = ()

    @property
    def candidates(self) -> tuple[Any, ...]:
        """What validation chooses among: balances, or settings of the student; one for an arm that leaves no choice."""
        return self.balance if self.teachers else self.students or ({},)

    @model_validator(mode="after")
    def _possible(self) -> Arm:
        if self.teachers and self.students:
            raise ValueError("students: only an arm without teachers tunes the student's own settings.")
        return self

    @field_validator("teachers", mode="before")
    @classmethod
    def _teachers(cls, value: Any) -> Any:
        return tuple(many(value))

    @field_validator("losses", mode="before")
    @classmethod
    def _losses(cls, value: Any) -> Any:
        return tuple(part(item, LOSS) for item in many(value))

    @field_validator("weighting", mode="before")
    @classmethod
    def _weighting(cls, value: Any) -> Any:
        return part(value, WEIGHTING)

    @field_validator("balance", mode="before")
    @classmethod
    def _balance(cls, value: Any) -> Any:
        candidates = tuple(_candidate(item) for item in many(value))
        if not candidates:
            raise ValueError("give a number, a balance, or a list of candidates, not an empty list.")
        return candidates


class Experiment(Strict):
    """A comparison of arms on one data set: `Experiment(...)` or `Experiment.from_yaml(path)`, then `run()`.

    `data` is the name of a data set (`tskd.datasets.names()`) or a `tskd.datasets.DataSet`. Models, losses and so on
    are given as `{"class": ..., "kwargs": {...}}`, as a class name, or as objects. The student alone is always run: an
    arm called 'alone' is put first if no arm is without teachers. `seeds`: a list, or how many to take from 0 on.
    `soft_sensor`: no student sees the target's past, in training or in use, and no teacher does but by its sources.
    `scored`: first and last step that are scored, if not the student's whole horizon; past it, the student is rolled
    forward on its own forecasts.
    """

    name: str
    data: Any
    student: Any
    teachers: dict[str, TeacherConfig] = Field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    soft_sensor: bool = False
    scored: tuple[int, int] | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w .-]*", value):
            raise ValueError("it names a folder: give letters, digits, blanks, '.', '_', '-', a letter or digit first.")
        return value

    @field_validator("data", mode="before")
    @classmethod
    def _data(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in datasets.names():
            raise ValueError(f"there is no data set {value!r}. {nearest(value, datasets.names())}")
        if not isinstance(value, str | datasets.DataSet):
            raise ValueError(f"give the name of a data set ({', '.join(datasets.names())}) or a DataSet.")
        return value

    @field_validator("student", mode="before")
    @classmethod
    def _student(cls, value: Any) -> Any:
        return point_forecaster(part(value, MODEL))

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        seeds = tuple(range(value)) if isinstance(value, int) else tuple(many(value))
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError("give at least one seed, and none twice.")
        return seeds

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        without = [arm.name for arm in self.arms if not arm.teachers and not arm.students]
        if len(without) > 1:
            raise ValueError(f"arms: only one arm can be without teachers; they are {', '.join(map(repr, without))}.")
        if not without:
            object.__setattr__(self, "arms", (Arm(name=ALONE), *self.arms))
        names = [arm.name for arm in self.arms]
        for arm in self.arms:
            if names.count(arm.name) > 1:
                raise ValueError(f"arms: the name {arm.name!r} is given to {names.count(arm.name)} arms.")
            if arm.placebo and not any(self.teachers[t].privileged for t in arm.teachers if t in self.teachers):
                raise ValueError(f"arm {arm.name!r}: placebo needs a teacher with privileged information to shuffle.")
            for name in arm.teachers:
                if name not in self.teachers:
                    raise ValueError(f"arm {arm.name!r}: unknown teacher {name!r}. {nearest(name, self.teachers)}")
        if self.soft_sensor:
            self._refuse_as_soft_sensor()
        horizon = self.chunk_lengths(self.student)[1]
        if self.scored is not None and not 1 <= self.scored[0] <= self.scored[1]:
            raise ValueError(f"scored: {list(self.scored)} are no first and last step.")
        for arm in self.arms:
            for settings in arm.students:
                self._refuse_settings(arm, settings)
        for name, teacher in self.teachers.items():
            self._refuse_untaught(name)
            teacher.refuse_impossible(name, self.soft_sensor)
            last = reach(teacher.model, TEACHER)[1]
            if last < horizon:
                raise ValueError(
                    f"teacher {name!r}: it forecasts {last} steps, the student {horizon}; a teacher's horizon must "
                    "include the student's."
                )
        return self

    def _refuse_untaught(self, name: str) -> None:
        chain = [name]
        while (by := self.teachers[chain[-1]].taught_by) is not None:
            if by not in self.teachers:
                raise ValueError(f"teacher {chain[-1]!r}: taught_by: there is no {by!r}. {nearest(by, self.teachers)}")
            if by in chain:
                raise ValueError(f"teacher {name!r}: taught_by: {' by '.join(map(repr, [*chain, by]))} is a circle.")
            chain.append(by)

    def _refuse_settings(self, arm: Arm, settings: dict[str, Any]) -> None:
        try:
            tuned = point_forecaster(tuned_by(self.student, settings))
        except ValueError as error:
            raise ValueError(f"arm {arm.name!r}: students: {error}") from error
        if self.chunk_lengths(tuned)[1] != self.chunk_lengths(self.student)[1]:
            raise ValueError(f"arm {arm.name!r}: students: another horizon cannot be compared.")
        if self.chunk_lengths(tuned)[0] > self.chunk_lengths(self.student)[0]:
            raise ValueError(f"arm {arm.name!r}: students: a longer lookback than the student's has other windows.")

    def _refuse_as_soft_sensor(self) -> None:
        from tskd import DistilledModel

        with quiet():
            student = self.student.build(MODEL)
        try:
            DistilledModel(student, soft_sensor=True)
        except (TypeError, ValueError) as error:
            raise ValueError(f"soft_sensor: {error}.") from error

    @property
    def longest(self) -> int:
        """The longest lookback, in steps, of student and teachers."""
        models = [reach(teacher.model, TEACHER) for teacher in self.teachers.values()]
        return max([self.chunk_lengths(self.student)[0], *(lookback for lookback, _ in models)])

    @staticmethod
    def chunk_lengths(model: Spec) -> tuple[int, int]:
        """Lookback and horizon of a torch model, in steps."""
        return model.kwargs["input_chunk_length"], model.kwargs["output_chunk_length"]

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step that are scored."""
        return self.scored or (1, self.chunk_lengths(self.student)[1])

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
        return next(arm for arm in self.arms if not arm.teachers and not arm.students)

    def is_privileged(self, arm: Arm) -> bool:
        """Whether a teacher of the arm sees privileged information, and not a placebo of it."""
        return not arm.placebo and any(self.teachers[name].privileged for name in arm.teachers)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Experiment:
        """The experiment described by a YAML file. Raises ConfigError."""
        try:
            return cls.model_validate(read_yaml(path))
        except ValidationError as error:
            raise ConfigError("\n  ".join([f"{path}:", *explain(error)])) from error
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error

    def to_yaml(self) -> str:
        """The whole configuration, defaults included; what was given as a Python object stands there as its repr."""
        return yaml.safe_dump(plain(self), sort_keys=False, allow_unicode=True, width=100)

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
        the teachers read, RunError if the student alone failed with every seed.
        """
        from tskd.experiment.runner import run
        from tskd.experiment.study import Study

        study = Study(self.name, {self.name: self})
        return run(study, folder, workers, engine, address, progress).cases[self.name]


def tuned_by(student: Spec, settings: dict[str, Any]) -> Spec:
    """The student with settings merged into its `kwargs`, mappings key by key."""

    def merged(old: Any, new: Any) -> Any:
        if isinstance(old, dict) and isinstance(new, dict):
            return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
        return new

    return student.model_copy(update={"kwargs": merged(student.kwargs, settings)})


def _candidate(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = float(value)
        make(Spec.model_validate({"class": "FixedBalance", "kwargs": {"value": value}}), BALANCE)
        return value
    return part(value, BALANCE)
