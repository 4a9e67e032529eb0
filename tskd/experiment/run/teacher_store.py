"""Fitted teachers kept in a folder: a later cell, in this process or another, uses them instead of fitting them again.

A teacher lies in a folder that bears its key, which appears there whole or not at all. Its description has checksums
of its files; a damaged teacher is thrown away and fitted again. Several processes may do so at once. A linear model
that was read back may differ in the last bit from the one that was written (its coefficients lie in another order in
memory), so the process that fits a teacher reads it back too.
"""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tskd._core.checksums import checksums
from tskd._core.components import restored_orders
from tskd._core.darts.storage import class_name, load_model
from tskd.experiment.config.objects import TRAINER
from tskd.teachers.base import BaseTeacher
from tskd.teachers.crossfit import Folds, stamp, stamp_text
from tskd.teachers.fitted import FittedModels
from tskd.teachers.output_cache import ABANDONED
from tskd.teachers.teacher import Teacher

DESCRIPTION = "teacher.json"
DRAFT = ".draft-"
FORMAT = 1


@dataclass(frozen=True)
class FittedTeacher:
    """A fitted teacher, how long that took, and what it was warned of."""

    teacher: BaseTeacher
    seconds: float
    warnings: tuple[str, ...]


def load_teacher(folder: Path, key: str, unfitted: Teacher) -> FittedTeacher | None:
    """The teacher that was saved under a key; None if there is none, or none that is whole.

    Args:
        folder: of fitted teachers.
        key: of the teacher.
        unfitted: the teacher before its fit.
    """
    place = folder / key
    description = _description(place)
    if description is None:
        _throw_away(place)
        return None
    try:
        fitted = [
            load_model(description["class"], _place(place, number), TRAINER, [type(unfitted.model)])
            for number in range(description["models"])
        ]
    except Exception:
        # a class that darts' safe loading does not know, or a model of another version of a library
        return None
    folds = description["folds"]
    result = FittedModels(
        tuple(fitted),
        None if folds is None else Folds.described(folds),
        restored_orders(description["components"]),
        stamp(description["seen_until"]),
        None if description.get("traces") is None else tuple(description["traces"]),
    )
    teacher = Teacher.of_fitted(replace(unfitted.spec, model=fitted[0]), result)
    return FittedTeacher(teacher, description["seconds"], tuple(description["warnings"]))


def save_teacher(folder: Path, key: str, fitted: FittedTeacher) -> None:
    """Keep a teacher under its key, unless another process has done so by now, or darts cannot save its model."""
    teacher = fitted.teacher
    assert isinstance(teacher, Teacher)
    folder.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFT) as draft:
        place = Path(draft) / key
        place.mkdir()
        try:
            for number, model in enumerate(teacher.models):
                model.save(str(_place(place, number)), clean=True)
        except (pickle.PicklingError, AttributeError, TypeError):
            # an object of the user's own that cannot be pickled: the teacher is fitted where it is needed
            return
        description = {
            "format": FORMAT,
            "class": class_name(teacher.model),
            "models": len(teacher.models),
            "folds": None if teacher.folds is None else teacher.folds.description(),
            "components": teacher.components,
            "seen_until": stamp_text(teacher.seen_until),
            "traces": teacher.traces,
            "seconds": fitted.seconds,
            "warnings": fitted.warnings,
            "files": checksums(place, DESCRIPTION),
        }
        (place / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
        try:
            place.rename(folder / key)
        except OSError:
            if not (folder / key).is_dir():
                raise


def _description(place: Path) -> dict[str, Any] | None:
    """The description of the teacher in a folder; None if it is not whole."""
    try:
        found: dict[str, Any] = json.loads((place / DESCRIPTION).read_text())
        whole = found["format"] == FORMAT and found["files"] == checksums(place, DESCRIPTION)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if whole else None


def _throw_away(place: Path) -> None:
    """Remove a folder that was found not to be whole, if it is there."""
    if not place.is_dir():
        return
    aside = place.with_name(f"{DRAFT}{uuid.uuid4().hex}")
    with suppress(OSError):
        place.rename(aside)
        if _description(aside) is not None:
            # another process has put a whole one there since
            aside.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


def _clear_abandoned(folder: Path) -> None:
    """Remove drafts of processes that were killed long ago."""
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > ABANDONED:
                shutil.rmtree(draft, ignore_errors=True)


def _place(folder: Path, number: int) -> Path:
    return folder / f"model{number}.pt"
