"""From finished cells to results: reading them, and choosing each arm's candidate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tskd.experiment.config.arm import Arm
from tskd.experiment.config.errors import RunError
from tskd.experiment.config.experiment import Experiment
from tskd.experiment.data.folds import prepared as prepare
from tskd.experiment.results.info import facts_of
from tskd.experiment.results.results import Results
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tabulation import FinishedCell, tables_of
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.outline import Outline
from tskd.experiment.run.provenance import commit, versions
from tskd.experiment.run.worker import cell_of, loaded

if TYPE_CHECKING:
    from tskd.experiment.config.study import Study
    from tskd.experiment.run.block import Cell


def collect(study: Study, outlines: Sequence[Outline], parts: CellStore) -> StudyResults:
    """The results of what is finished. A case of which too little is, is left out. Raises RunError if all are."""
    cases, left_out = {}, {}
    for outline in outlines:
        try:
            cases[outline.case] = _results(outline, parts)
        except RunError as error:
            left_out[outline.case] = str(error)
    if not cases:
        raise RunError(next(iter(left_out.values())))
    return StudyResults(
        name=study.name,
        cases=cases,
        facts={
            "name": study.name,
            "command": None,
            "config": study.to_yaml(),
            "reproducible": all(results.facts["reproducible"] for results in cases.values()),
            "cells": counts(outlines, parts),
            "left_out": left_out,
            "versions": versions(),
            "commit": commit(),
        },
    )


def choose(arm: Arm, cells: Iterable[Cell], failed: Collection[tuple[int, int]] = ()) -> int | None:
    """Position of the candidate with the lowest validation error, mean over the seeds; of equal ones the first.

    A candidate that failed with a seed is out, unless all did; those that are the student alone do not stand for the
    others. None if there is no seed that all have that are in, as while a run is at work, or nothing but the student
    alone.

    Args:
        cells: those of one fold and size.
        failed: candidate and seed of each failure of the arm there.
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


def _results(outline: Outline, parts: CellStore) -> Results:
    experiment = outline.experiment
    data, _ = loaded(experiment)
    found, failures, pending = _read(outline, parts)
    kept, rivals, prepared = [], [], {}
    for place in dict.fromkeys((block.fold, block.size) for block, _ in outline.blocks):
        here = [item for item in found if (item.cell.fold, item.cell.size) == place]
        lost = [failure for failure in failures if (failure["fold"], failure["size"]) == place]
        chosen = {arm.name: choose(arm, (item.cell for item in here), _failed(arm, lost)) for arm in experiment.arms}
        used = [item for item in here if item.cell.kind == "teacher" or item.cell.candidate == chosen[item.cell.name]]
        if used:
            prepared[place] = prepare(experiment, data, *place)
        kept += used
        rivals += [item for item in here if item.cell.kind == "student"]
    if not any(item.cell.kind == "student" and item.cell.name == experiment.alone.name for item in kept):
        raise RunError(_nothing(experiment, failures))
    return Results(
        **tables_of(experiment, outline.fingerprint, kept, rivals, failures, prepared),
        facts={
            **facts_of(outline, data, prepared),
            "case": outline.case,
            "cells": counts([outline], parts),
            "pending": pending,
            "versions": versions(),
            "commit": commit(),
            "fingerprint": outline.fingerprint,
            "seconds": round(sum({item.cell.key: item.cell.seconds for item in found}.values()), 1),
            "warnings": list(dict.fromkeys(warning for item in kept for warning in _warnings(item.cell))),
        },
    )


def _read(outline: Outline, parts: CellStore) -> tuple[list[FinishedCell], list[dict[str, Any]], list[dict[str, Any]]]:
    """The cells of a case that are finished, under the names that they have in it, what failed, and of what (no
    candidate is named) some is still to be computed."""
    found, failures = [], []
    pending: list[dict[str, Any]] = []
    for block, cells in outline.blocks:
        own = parts.read({cell.key for cell in cells})
        for planned in cells:
            part = own.get(planned.key)
            names: dict[str, Any] = {"kind": planned.kind, "name": planned.name, "candidate": planned.candidate}
            names |= {"fold": block.fold, "size": block.size, "seed": block.seed}
            if part is None:
                del names["candidate"]
                pending += [names] if names not in pending[-1:] else []
            elif part.failed:
                told = part.row["failed"]
                failures.append(
                    {**names, "error": f"{told['type']}: {told['message']}", "traceback": told["traceback"]}
                )
            else:
                found.append(FinishedCell(cell_of(part, **names), part.row["versions"], part.row["commit"]))
    return found, failures, pending


def _failed(arm: Arm, failures: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
    own = (failure for failure in failures if failure["kind"] == "student" and failure["name"] == arm.name)
    return [(failure["candidate"], failure["seed"]) for failure in own]


def _nothing(experiment: Experiment, failures: Sequence[dict[str, Any]]) -> str:
    """Why there is nothing to compare anything with."""
    own = [f for f in failures if f["kind"] == "student" and f["name"] == experiment.alone.name]
    if not own:
        return f"{experiment.name}: the student alone is not finished with any seed yet; there is nothing to report."
    return f"arm {experiment.alone.name!r}, seed {own[0]['seed']} failed: {own[0]['error']}"


def counts(outlines: Iterable[Outline], parts: CellStore) -> dict[str, int]:
    """How many cells there are, and how many of them are finished or failed."""
    keys = {cell.key for outline in outlines for _, cells in outline.blocks for cell in cells}
    finished = parts.finished(keys)
    failed = {name.partition(".")[0] for name in parts.failures(keys)} - finished
    return {"planned": len(keys), "finished": len(finished), "failed": len(failed)}


def _warnings(cell: Cell) -> list[str]:
    label = f"{'arm' if cell.kind == 'student' else 'teacher'} {cell.name!r}, seed {cell.seed}"
    return [f"{label}: {message}" for message in cell.warnings]
