"""Arms: the ways to train the student that an experiment compares."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tskd.experiment.config.merge import deep_merge
from tskd.experiment.config.objects import Spec, Strict, Whole, build_object, parse_object
from tskd.experiment.config.roles import BALANCE, LOSS, WEIGHTING
from tskd.experiment.config.teacher import as_list

CANDIDATES = (0.0, 0.25, 0.5, 1.0)


class Arm(Strict):
    """One way to train the student, run with every seed. Without `teachers` it is the student alone.

    Attributes:
        name: of the arm in tables.
        teachers: names of teachers of the experiment.
        losses: one or more, of `tskd.losses`; summed.
        weighting: of several teachers, of `tskd.weighting`.
        balance: a number, a balance, or a list of candidates, of which the one with the lowest validation error (mean
            over the seeds; the first one of a tie) is used.
        placebo: whether the rows that the teachers' sources read are shuffled
            (`tskd.experiment.controls.shuffling`).
        students: in an arm without teachers, candidate settings, each merged into the student's `kwargs` and chosen
            among likewise. They may shorten the lookback and change the output chunk: the same windows are scored, and
            a shorter chunk is rolled forward on its own forecasts.
        archive: in an arm without teachers, whether the student is trained on archive and target rows `pooled`, or
            `pre-trained` on the archive before it is trained on the target rows.
        oracle: in an arm without teachers, whether the student is trained on all labels, also those that the experiment
            hides: no arm to choose, but a bound on what labels are worth.
        penalties: in an arm without teachers, candidate penalties of a ridge regression on the student's inputs, which
            takes the student's place (`tskd.experiment.run.ridge`).
        smoothing: in an arm without teachers, candidate widths, in steps, of a centred moving average of the labels of
            the training part, which the student learns in their place.
    """

    name: str
    teachers: tuple[str, ...] = ()
    losses: tuple[Any, ...] = Field(default=("OutputKD",), validate_default=True)
    weighting: Any = Field(default="Uniform", validate_default=True)
    balance: tuple[Any, ...] = Field(default=CANDIDATES, validate_default=True)
    placebo: bool = False
    students: tuple[dict[str, Any], ...] = ()
    archive: Literal["pooled", "pre-trained"] | None = None
    oracle: bool = False
    penalties: tuple[Annotated[float, Field(gt=0, strict=True)], ...] = ()
    smoothing: tuple[Annotated[Whole, Field(ge=1)], ...] = ()

    @property
    def candidates(self) -> tuple[Any, ...]:
        """What validation chooses among: balances, settings of the student, penalties, or widths; one for an arm that
        leaves no choice."""
        if self.teachers:
            return self.balance
        named = {"penalty": self.penalties, "width": self.smoothing}
        return self.students or tuple({name: value} for name, values in named.items() for value in values) or ({},)

    @property
    def is_plain(self) -> bool:
        """Whether it is the student as it is configured, on its own rows, without teachers."""
        return not (self.teachers or any(self._uses.values()))

    @property
    def _uses(self) -> dict[str, Any]:
        """What an arm without teachers does otherwise than the student alone."""
        names = ("students", "archive", "oracle", "penalties", "smoothing")
        return {name: getattr(self, name) for name in names}

    def is_alone(self, candidate: int) -> bool:
        """Whether the `candidate` of this number is the student as it is configured, without teachers: a balance of 0,
        or no settings."""
        given = self.candidates[candidate]
        nothing = not given if isinstance(given, dict) else isinstance(given, float) and given == 0
        return nothing and self.archive is None and not self.oracle

    @model_validator(mode="after")
    def _possible(self) -> Arm:
        if self.teachers and self.students:
            raise ValueError("students: only an arm without teachers tunes the student's own settings.")
        if self.teachers and self.archive is not None:
            raise ValueError("archive: only an arm without teachers trains the student on it; give it to a teacher.")
        used = ["teachers"] * bool(self.teachers) + [name for name, value in self._uses.items() if value]
        for name in ("oracle", "penalties", "smoothing"):
            if name in used and len(used) > 1:
                others = " and ".join(other for other in used if other != name)
                raise ValueError(f"{name}: such an arm does nothing else; leave out {others}.")
        return self

    @field_validator("teachers", mode="before")
    @classmethod
    def _teachers(cls, value: Any) -> Any:
        return tuple(as_list(value))

    @field_validator("losses", mode="before")
    @classmethod
    def _losses(cls, value: Any) -> Any:
        losses = tuple(parse_object(item, LOSS) for item in as_list(value))
        if not losses:
            raise ValueError("give at least one loss, not an empty list.")
        return losses

    @field_validator("weighting", mode="before")
    @classmethod
    def _weighting(cls, value: Any) -> Any:
        return parse_object(value, WEIGHTING)

    @field_validator("balance", mode="before")
    @classmethod
    def _balance(cls, value: Any) -> Any:
        candidates = tuple(_candidate(item) for item in as_list(value))
        if not candidates:
            raise ValueError("give a number, a balance, or a list of candidates, not an empty list.")
        return candidates


def candidate_label(candidate: Any) -> str:
    """A balance, or settings of the student, as tables show it."""
    if isinstance(candidate, dict):
        return ", ".join(
            candidate_label(value) if isinstance(value, dict) else f"{key}={value}" for key, value in candidate.items()
        )
    return f"{candidate:g}" if isinstance(candidate, float) else str(candidate)


def with_settings(student: Spec, settings: dict[str, Any]) -> Spec:
    """The student with settings merged into its `kwargs`, mappings key by key."""
    return student.model_copy(update={"kwargs": deep_merge(student.kwargs, settings)})


def _candidate(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # whole numbers may be too large for a float
        build_object(Spec.model_validate({"class": "FixedBalance", "kwargs": {"value": value}}), BALANCE)
        return float(value)
    return parse_object(value, BALANCE)
