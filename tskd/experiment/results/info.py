"""What the tables do not say: how an experiment was set up, and on what data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tskd.datasets import DataSet
from tskd.experiment.config.objects import Strict
from tskd.experiment.controls.kinds import controls_of
from tskd.experiment.data.preparation import Prepared, examples
from tskd.experiment.run.outline import Outline

Place = tuple[int, int | None]
"""Fold and training size (None: all of the training part): arms are compared, and candidates chosen, within one."""


def last_place(places: Iterable[Place]) -> Place:
    """The last fold, and of it the largest size."""
    return max(places, key=lambda place: (place[0], np.inf if place[1] is None else place[1]))


def facts_of(outline: Outline, data: DataSet, prepared: Mapping[Place, Prepared]) -> dict[str, Any]:
    """What an experiment is, and what its data are, as JSON can hold it. `prepared`: the data by fold and size.

    Numbers of windows, and of targets that are not scored, are of the last fold and the largest size.
    """
    experiment = outline.experiment
    last = prepared[last_place(prepared)]
    lookback, horizon = experiment.chunk_lengths(experiment.student)[0], experiment.steps[1]
    parts = {"training": last.train, "validation": last.validation, "test": last.test}
    return {
        "name": experiment.name,
        "command": None,
        "config": outline.given.to_yaml(),
        "reproducible": reproducible(outline.given),
        "alone": experiment.alone.name,
        "student": str(experiment.student),
        "soft_sensor": experiment.soft_sensor,
        "lookback": lookback,
        "horizon": horizon,
        "scored": list(experiment.steps),
        "seeds": list(experiment.seeds),
        "folds": experiment.folds,
        "sizes": list(experiment.sizes),
        "controls": outline.expanded.controls,
        "not_applicable": outline.expanded.not_applicable,
        "examples": len(examples(len(last.test.truth))),
        "teachers": [
            {
                "name": name,
                "model": str(teacher.model),
                "privileged": [str(source) for source in teacher.privileged],
                "sees_inputs": teacher.sees_inputs,
                "cross_fit": None if teacher.cross_fit is None else teacher.cross_fit.folds,
                "archive": teacher.archive,
            }
            for name, teacher in experiment.teachers.items()
        ],
        "arms": [
            {
                "name": arm.name,
                "teachers": list(arm.teachers),
                "losses": [str(loss) for loss in arm.losses],
                "weighting": str(arm.weighting),
                "candidates": [label(candidate) for candidate in arm.candidates],
                "placebo": arm.placebo,
                "archive": arm.archive,
                "privileged": experiment.is_privileged(arm),
                "controls": controls_of(experiment, arm) if experiment.is_privileged(arm) else [],
            }
            for arm in experiment.arms
        ],
        "data": {
            "name": data.name,
            "title": data.title,
            "unit": data.unit,
            "source": data.source,
            "licence": data.licence,
            "notes": data.notes,
            "components": list(data.series.components),
            "step": data.series.freq_str,
            "first": str(data.series.start_time()),
            "validation_start": str(data.validation_start),
            "test_start": str(data.test_start),
            "last": str(data.series.end_time()),
            "windows": {name: len(part.truth) for name, part in parts.items()},
            "not_scored": _not_scored(last.test.scored[:, experiment.steps[0] - 1 :]),
        },
    }


def reproducible(given: Any) -> bool:
    """Whether the YAML of an experiment, or of a part of one, gives the same again: not where that has data or objects
    from Python, which stand there by their name or repr."""
    if isinstance(given, Strict):
        return all(reproducible(value) for _, value in given)
    if isinstance(given, dict):
        return all(reproducible(item) for pair in given.items() for item in pair)
    if isinstance(given, list | tuple):
        return all(map(reproducible, given))
    return given is None or isinstance(given, bool | int | float | str)


def label(candidate: Any) -> str:
    """A balance, or settings of the student, as the tables show it."""
    if isinstance(candidate, dict):
        return ", ".join(
            label(value) if isinstance(value, dict) else f"{key}={value}" for key, value in candidate.items()
        )
    return f"{candidate:g}" if isinstance(candidate, float) else str(candidate)


def _not_scored(scored: np.ndarray) -> int:
    """How many targets are not, of windows `[W, H]` that overlap."""
    return int((~scored[:, -1]).sum() + (~scored[0, :-1]).sum())
