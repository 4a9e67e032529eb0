"""Saving and loading a whole distillation: darts' own format for models, JSON for everything else. Never pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tskd import _darts, balance, losses, privileged, weighting
from tskd._settings import described, restored
from tskd.crossfit import CrossFit, Folds, stamp, stamp_text
from tskd.teacher import Teacher

if TYPE_CHECKING:
    from tskd.distilled import DistilledModel

DESCRIPTION = "distilled.json"
FORMAT = 1


def save(model: DistilledModel, folder: Path) -> None:
    """Write student, teachers and settings into a folder.

    Raises:
        ValueError: the model is not fitted.
        FileExistsError: the folder holds something already.
    """
    if not _darts.is_fitted(model.student):
        raise ValueError("the model is not fitted; there is nothing to save")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not an empty folder; give a new one")
    folder.mkdir(parents=True, exist_ok=True)
    model.student.save(str(folder / "student.pt"))
    for index, teacher in enumerate(model.teachers):
        for number, fitted in enumerate(teacher.models):
            fitted.save(str(_place(folder, index, number)), clean=True)
    description = {
        "format": FORMAT,
        "student": type(model.student).__name__,
        "components": model.components,
        "teachers": [
            {
                "name": teacher.name,
                "class": type(teacher.model).__name__,
                "sources": [described(source) for source in teacher.sources],
                "sees_inputs": teacher.sees_inputs,
                "target": teacher.target,
                "models": len(teacher.models),
                "cross_fit": None if teacher.cross_fit is None else described(teacher.cross_fit),
                "folds": None if teacher.folds is None else teacher.folds.description(),
                "components": teacher.components,
                "seen_until": stamp_text(teacher.seen_until),
            }
            for teacher in model.teachers
        ],
        "losses": [described(loss) for loss in model.losses],
        "weighting": described(model.weighting),
        "balance": described(model.balance),
        "soft_sensor": model.soft_sensor,
    }
    # written last: a folder without it is not a saved model
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")


def load(kind: type[DistilledModel], folder: Path) -> DistilledModel:
    """Read what `save` wrote.

    Raises:
        FileNotFoundError: the folder holds no saved model.
        ValueError: it was written in a format that this version does not know.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no saved DistilledModel: {DESCRIPTION} is missing")
    description: dict[str, Any] = json.loads(path.read_text())
    if description.get("format") != FORMAT:
        raise ValueError(f"{path} has format {description.get('format')!r}; this version reads {FORMAT}")
    teachers = [_teacher(folder, index, entry) for index, entry in enumerate(description["teachers"])]
    model = kind(
        _darts.load(description["student"], folder / "student.pt"),
        teachers,
        [restored(loss, losses) for loss in description["losses"]],
        restored(description["weighting"], weighting),
        restored(description["balance"], balance),
        soft_sensor=description["soft_sensor"],
    )
    model.components = description["components"]
    return model


def _teacher(folder: Path, index: int, entry: dict[str, Any]) -> Teacher:
    models = [_darts.load(entry["class"], _place(folder, index, number)) for number in range(entry["models"])]
    sources = [restored(source, privileged) for source in entry["sources"]]
    return Teacher.of_fitted(
        models,
        sources,
        entry["name"],
        sees_inputs=entry["sees_inputs"],
        target=entry["target"],
        cross_fit=None if entry["cross_fit"] is None else CrossFit(**entry["cross_fit"]["kwargs"]),
        folds=None if entry["folds"] is None else Folds.described(entry["folds"]),
        components=entry["components"],
        seen_until=stamp(entry["seen_until"]),
    )


def _place(folder: Path, teacher: int, model: int) -> Path:
    return folder / f"teacher{teacher}.{model}.pt"
