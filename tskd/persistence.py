"""Saving and loading a whole distillation: darts' own format for models, JSON for everything else. Never pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tskd import _darts, balance, losses, privileged, weighting
from tskd._settings import described, restored
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
        teacher.model.save(str(folder / f"teacher{index}.pt"), clean=True)
    description = {
        "format": FORMAT,
        "student": type(model.student).__name__,
        "components": model._components,
        "teachers": [
            {
                "name": teacher.name,
                "class": type(teacher.model).__name__,
                "sources": [described(source) for source in teacher.sources],
                "components": teacher._components,
            }
            for teacher in model.teachers
        ],
        "losses": [described(loss) for loss in model.losses],
        "weighting": described(model.weighting),
        "balance": described(model.balance),
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
    teachers = []
    for index, entry in enumerate(description["teachers"]):
        teacher = Teacher(
            _darts.load(entry["class"], folder / f"teacher{index}.pt"),
            [restored(source, privileged) for source in entry["sources"]],
            entry["name"],
        )
        teacher._components = entry["components"]
        teachers.append(teacher)
    model = kind(
        _darts.load(description["student"], folder / "student.pt"),
        teachers,
        [restored(loss, losses) for loss in description["losses"]],
        restored(description["weighting"], weighting),
        restored(description["balance"], balance),
    )
    model._components = description["components"]
    return model
