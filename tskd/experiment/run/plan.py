"""What an experiment has to compute: blocks of fits, and in each the cells, named by what they are.

A cell is named by the hash of its whole resolved configuration and nothing else: equal keys are the same fit, whatever
experiment, case or arm asks for it, and whatever changes a result changes the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tskd.experiment.config.arm import Arm, tuned_by
from tskd.experiment.config.experiment import Experiment
from tskd.experiment.config.teacher import SHUFFLED
from tskd.experiment.controls.registry import expanded
from tskd.experiment.run.cell_key import canonical, key_of

if TYPE_CHECKING:
    from tskd.experiment.config.study import Study

FORMAT = 1
"""Of resolved configurations; raised when the same configuration comes to mean another computation."""


@dataclass(frozen=True)
class Block:
    """What one process does at a stretch: fits that share data, fold, training size and seed.

    `fold` counts from 1, the earliest, to the experiment's `folds`; `size` is in training windows, None for all.
    """

    case: str
    experiment: Experiment
    fold: int
    size: int | None
    seed: int


@dataclass(frozen=True)
class Planned:
    """One cell: a student with one candidate of its arm, or a teacher (`name` then ends in ' (placebo)' for one that is
    shown shuffled rows).

    `key` names the whole `resolved` configuration, in which neither experiment, case nor arm are named.
    """

    key: str
    kind: str
    name: str
    candidate: int
    resolved: dict[str, Any] = field(repr=False)


def blocks(study: Study) -> list[Block]:
    """The blocks of all cases. Their experiments have the controls among their arms; the data are loaded where that
    asks for it."""
    return [
        Block(case, whole, fold, size, seed)
        for case, experiment in study.cases.items()
        for whole in [expanded(experiment).experiment]
        for fold in range(1, experiment.folds + 1)
        for size in experiment.sizes
        for seed in experiment.seeds
    ]


def planned(block: Block, fingerprint: str) -> list[Planned]:
    """The cells of a block: the student alone, every teacher, and every candidate of every arm.

    Args:
        fingerprint: of the whole data set (`tskd.experiment.data.preparation.fingerprint`).
    """
    common = _common(block, fingerprint)
    found = [_teacher_cell(block, common, name, shuffled) for name, shuffled in teachers_of(block.experiment)]
    students = [
        _student_cell(block, common, arm, candidate)
        for arm in block.experiment.arms
        for candidate in range(len(arm.candidates))
    ]
    alone = [cell for cell in students if cell.name == block.experiment.alone.name]
    return [*alone, *found, *(cell for cell in students if cell not in alone)]


def teachers_of(experiment: Experiment) -> list[tuple[str, bool]]:
    """The teachers to fit, as name and whether it is the placebo: all as they are, and those of the placebo arms."""
    shuffled = (
        link for arm in experiment.arms if arm.placebo for name in arm.teachers for link in experiment.chain(name)
    )
    return [(name, False) for name in experiment.teachers] + [
        (name, True) for name in dict.fromkeys(shuffled) if experiment.has_privilege(name)
    ]


def shown(name: str, shuffled: bool) -> str:
    """How tables call a teacher."""
    return name + SHUFFLED if shuffled else name


def teacher_key(block: Block, fingerprint: str, name: str, shuffled: bool) -> str:
    """The key of a teacher's cell, under which it is saved."""
    return _teacher_cell(block, _common(block, fingerprint), name, shuffled).key


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
        "reads": experiment.readable,
        "soft_sensor": experiment.soft_sensor,
        "seed": block.seed,
    }


def _teacher_cell(block: Block, common: dict[str, Any], name: str, shuffled: bool) -> Planned:
    resolved = {**common, "kind": "teacher", "teacher": _teacher(block.experiment, name, shuffled)}
    return Planned(key_of(resolved), "teacher", shown(name, shuffled), 0, resolved)


def _student_cell(block: Block, common: dict[str, Any], arm: Arm, candidate: int) -> Planned:
    experiment, student, lesson = block.experiment, block.experiment.student, None
    if arm.students:
        student = tuned_by(student, arm.students[candidate])
    # a balance of 0 is the student alone, whatever the teachers are
    if arm.teachers and not arm.is_alone(candidate):
        lesson = {
            "teachers": [_teacher(experiment, name, arm.placebo) for name in arm.teachers],
            "losses": canonical(arm.losses),
            "weighting": canonical(arm.weighting),
            "balance": canonical(arm.balance[candidate]),
        }
    trained = {"student": canonical(student), "archive": arm.archive, "lesson": lesson}
    resolved = {**common, "kind": "student", **trained}
    return Planned(key_of(resolved), "student", arm.name, candidate, resolved)


def _teacher(experiment: Experiment, name: str, shuffled: bool) -> dict[str, Any]:
    """All that a fitted teacher depends on, with the teachers that teach it. Its name is part of its seed."""
    config = experiment.teachers[name]
    by = config.taught_by
    return {
        **canonical(config),
        "name": name,
        "placebo": shuffled and bool(config.privileged),
        "taught_by": None if by is None else _teacher(experiment, by, shuffled),
    }
