"""What an experiment has to compute: blocks of fits, and in each the cells, named by what they are.

A cell is named by the hash of its whole resolved configuration and nothing else: equal keys are the same fit, whatever
experiment, case or arm they belong to, and whatever changes a result changes the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tskd.experiment.config.arm import Arm, with_settings
from tskd.experiment.config.distribution import ForecastDistribution
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.labels import ALL
from tskd.experiment.config.teacher import TeacherConfig
from tskd.experiment.controls.teacher_variants import TeacherVariant, teacher_variants
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.outside import content_of
from tskd.experiment.run.cell import Kind
from tskd.experiment.run.cell_key import canonical, key_of

FORMAT = 1
"""Of resolved configurations; raised when the same configuration comes to mean another computation."""


@dataclass(frozen=True)
class Block:
    """Fits that share data, fold, training size and seed, and that one process computes one after the other.

    Attributes:
        case: label of the experiment in its study.
        experiment: with its controls among its arms.
        fold: from 1, the earliest, to the experiment's `folds`.
        size: in training windows, None for all.
    """

    case: str
    experiment: ExperimentConfig
    fold: int
    size: int | None
    seed: int

    @cached_property
    def readable(self) -> list[str]:
        """Slots of covariates that the student reads, found out once."""
        return self.experiment.readable

    @cached_property
    def longest(self) -> int:
        """The longest lookback of student and teachers, found out once."""
        return self.experiment.longest

    @cached_property
    def distribution(self) -> ForecastDistribution | None:
        """How the distribution that the student forecasts is scored, if it forecasts one; found out once."""
        return self.experiment.distribution

    @property
    def fold_size(self) -> FoldSize:
        """Fold and size."""
        return FoldSize(self.fold, self.size)


@dataclass(frozen=True, eq=False)
class PlannedCell:
    """One cell: a student with one candidate of its arm, or a teacher.

    Attributes:
        key: names the whole `resolved` configuration.
        kind: what is fitted.
        name: what tables call it.
        subject: the arm of the student, or the teacher.
        candidate: position among the candidates of the arm; 0 for a teacher.
        distils: whether teachers take part in the fit of a student.
        resolved: all that the fit depends on; neither experiment, case nor arm are named in it.
    """

    key: str
    kind: Kind
    name: str
    subject: Arm | TeacherVariant
    candidate: int
    distils: bool
    resolved: dict[str, Any] = field(repr=False)


def blocks_of(case: str, experiment: ExperimentConfig) -> list[Block]:
    """The blocks of an experiment that has its controls among its arms."""
    return [
        Block(case, experiment, fold, size, seed)
        for fold in range(1, experiment.folds + 1)
        for size in experiment.sizes
        for seed in experiment.seeds
    ]


def planned(block: Block, fingerprint: str) -> list[PlannedCell]:
    """The cells of a block: the student alone, every teacher, and every candidate of every arm.

    Args:
        block: of an experiment.
        fingerprint: of the whole data set (`tskd.experiment.data.preparation.fingerprint`).
    """
    experiment, common = block.experiment, _common(block, fingerprint)
    teachers = [_teacher_cell(block, common, variant) for variant in teacher_variants(experiment)]
    students = [
        _student_cell(block, common, arm, candidate)
        for arm in experiment.arms
        for candidate in range(len(arm.candidates))
    ]
    alone = experiment.alone.name
    return [
        *(cell for cell in students if cell.name == alone),
        *teachers,
        *(cell for cell in students if cell.name != alone),
    ]


def teacher_key(block: Block, fingerprint: str, variant: TeacherVariant) -> str:
    """The key of a teacher's cell, under which it is saved."""
    return _teacher_cell(block, _common(block, fingerprint), variant).key


def _common(block: Block, fingerprint: str) -> dict[str, Any]:
    """What all cells of a block share. `back`: test lengths that the fold lies before the newest one."""
    experiment = block.experiment
    lookback, horizon = experiment.chunk_lengths(experiment.student)
    return {
        "format": FORMAT,
        "data": {"name": experiment.dataset_name, "fingerprint": fingerprint},
        "back": experiment.folds - block.fold,
        "size": block.size,
        "scored": list(experiment.steps),
        "lookback": lookback,
        "horizon": horizon,
        "reads": block.readable,
        "soft_sensor": experiment.soft_sensor,
        "seed": block.seed,
        # cells from before there were others have no such entry
        **({} if experiment.labels == ALL else {"labels": canonical(experiment.labels)}),
        **({} if block.distribution is None else {"levels": list(block.distribution.levels)}),
    }


def _teacher_cell(block: Block, common: dict[str, Any], variant: TeacherVariant) -> PlannedCell:
    resolved = {**common, "kind": "teacher", "teacher": _teacher(block.experiment, variant)}
    return PlannedCell(key_of(resolved), "teacher", variant.label, variant, 0, False, resolved)


def _student_cell(block: Block, common: dict[str, Any], arm: Arm, candidate: int) -> PlannedCell:
    experiment, student, lesson = block.experiment, block.experiment.student, None
    if arm.students:
        student = with_settings(student, arm.students[candidate])
    # a balance of 0 is the student alone, whatever the teachers are
    distils = bool(arm.teachers) and not arm.is_alone(candidate)
    if distils:
        lesson = {
            "teachers": [_teacher(experiment, TeacherVariant(name, arm.placebo)) for name in arm.teachers],
            "losses": canonical(arm.losses),
            "weighting": canonical(arm.weighting),
            "balance": canonical(arm.balance[candidate]),
        }
    trained = {"student": canonical(student), "archive": arm.archive, "lesson": lesson}
    # where no label is hidden, the oracle is the student alone
    if arm.oracle and experiment.labels != ALL:
        trained["oracle"] = True
    if arm.penalties:
        trained["penalty"] = arm.penalties[candidate]
    if arm.smoothing:
        trained["smoothing"] = {"width": arm.smoothing[candidate], "losses": canonical(arm.losses)}
    resolved = {**common, "kind": "student", **trained}
    kind: Kind = "bound" if arm.oracle else "student"
    return PlannedCell(key_of(resolved), kind, arm.name, arm, candidate, distils, resolved)


def _teacher(experiment: ExperimentConfig, variant: TeacherVariant) -> dict[str, Any]:
    """All that a fitted teacher depends on, with the teachers that teach it. Its name is part of its seed."""
    config = experiment.teachers[variant.name]
    by = config.taught_by
    return {
        **canonical(config),
        "name": variant.name,
        "placebo": variant.shuffled and bool(config.privileged),
        "taught_by": None if by is None else _teacher(experiment, TeacherVariant(by, variant.shuffled)),
        **({} if isinstance(config, TeacherConfig) else {"content": content_of(config)}),
    }
