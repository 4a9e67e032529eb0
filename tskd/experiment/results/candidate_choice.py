"""Which candidate of an arm, a balance or settings of the student, validation chooses."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from tskd.experiment.config.arm import Arm
from tskd.experiment.run.cell import Cell


def choose(arm: Arm, cells: Iterable[Cell], failed: Collection[tuple[int, int]] = ()) -> int | None:
    """Position of the candidate with the lowest validation error, mean over the seeds; of equal ones the first.

    A candidate that failed with a seed is out, unless all did; those that are the student alone do not stand for the
    others.

    Args:
        arm: which has the candidates.
        cells: those of one fold and size.
        failed: candidate and seed of each failure of the arm there.

    Returns:
        None if there is no seed that all candidates have that are in, as while a run goes on, or nothing but the
        student alone.
    """
    errors: dict[int, dict[int, float]] = {candidate: {} for candidate in range(len(arm.candidates))}
    for cell in cells:
        if cell.kind == "student" and cell.name == arm.name:
            errors[cell.candidate][cell.seed] = cell.validation_mse
    flawed = {candidate for candidate, _ in failed}
    others = {candidate for candidate in errors if not arm.is_alone(candidate)} or set(errors)
    able = {candidate: own for candidate, own in errors.items() if candidate not in flawed}
    if not others & set(able):
        able = {candidate: own for candidate, own in errors.items() if own}
        if not others & set(able):
            return None
    seeds = sorted(set.intersection(*map(set, able.values())))
    if not seeds:
        return None
    return min(able, key=lambda candidate: float(np.mean([able[candidate][seed] for seed in seeds])))
