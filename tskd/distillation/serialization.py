"""Saving and loading a `DistilledModel`: darts' own format for models, JSON for everything else, never pickle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tskd import balance, losses, weighting
from tskd._core.checks import check_bool
from tskd._core.checksums import checksums
from tskd._core.components import Orders, restored_orders
from tskd._core.darts.capabilities import is_fitted
from tskd._core.darts.storage import class_name, load_model
from tskd._core.object_spec import described, dotted, restored, trusted_class
from tskd.callbacks import BestEpoch
from tskd.distillation.recipe import Recipe
from tskd.teachers.base import BaseTeacher
from tskd.teachers.given_forecasts import GivenForecasts
from tskd.teachers.given_series import GivenSeries
from tskd.teachers.reconstruction import Reconstruction
from tskd.teachers.teacher import Teacher

DESCRIPTION, CHECKSUMS = "distilled.json", "checksums.json"
FORMAT = 1
KINDS: Mapping[str, type[BaseTeacher]] = {
    "model": Teacher,
    "reconstruction": Reconstruction,
    "series": GivenSeries,
    "forecasts": GivenForecasts,
}


@dataclass(frozen=True, eq=False)
class SavedModel:
    """The state of a `DistilledModel` that is saved.

    Attributes:
        recipe: with fitted teachers.
        given_teachers: the teachers as the user passed them, fitted or not.
        components: orders of component names of the student's inputs, by slot.
    """

    recipe: Recipe
    given_teachers: tuple[BaseTeacher, ...]
    components: Mapping[str, Orders]


def save(saved: SavedModel, folder: Path, clean: bool = False) -> None:
    """Write student, teachers and settings to a folder, atomically.

    Args:
        folder: a new or an empty one.
        clean: whether to save the student without training series and trainer settings, as darts does.

    Raises:
        ValueError: the model is not fitted.
        FileExistsError: the folder is not empty.
    """
    recipe = saved.recipe
    check_bool(clean, "clean")
    if not is_fitted(recipe.student):
        raise ValueError("the model is not fitted; there is nothing to save")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not an empty folder; give a new one")
    description = {
        "format": FORMAT,
        "student": class_name(recipe.student),
        "components": dict(saved.components),
        "losses": [described(loss, losses) for loss in recipe.losses],
        "weighting": described(recipe.weighting, weighting),
        "balance": described(recipe.balance, balance),
        "soft_sensor": recipe.soft_sensor,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tskd-") as draft:
        place = Path(draft) / "model"
        place.mkdir()
        recipe.student.save(str(place / "student.pt"), clean=clean)
        description["teachers"] = [
            {**_kind(teacher), "given_fitted": given.fitted, **teacher.save(place, _stem(index))}
            for index, (teacher, given) in enumerate(zip(recipe.teachers, saved.given_teachers, strict=True))
        ]
        description["checksums"] = CHECKSUMS
        (place / DESCRIPTION).write_text(json.dumps(description, indent=2, default=_number) + "\n")
        (place / CHECKSUMS).write_text(json.dumps(checksums(place, CHECKSUMS), indent=2) + "\n")
        if folder.exists():
            folder.rmdir()
        place.rename(folder)


def load(folder: Path, trusted: Sequence[type] = ()) -> SavedModel:
    """Read a folder that `save` wrote.

    Args:
        folder: as it was saved.
        trusted: classes of the user's own that may be made of what it holds.

    Raises:
        FileNotFoundError: the folder holds no saved model.
        ValueError: it is damaged, or of a format that this version does not know.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no saved DistilledModel: {DESCRIPTION} is missing")
    try:
        return _read(folder, path, [BestEpoch, *trusted])
    except Exception as error:
        # whatever JSON, NumPy, torch and darts make of a file that is not what was written
        raise ValueError(f"the model in {folder} cannot be loaded: {error or type(error).__name__}") from error


def _read(folder: Path, path: Path, trusted: Sequence[type]) -> SavedModel:
    _check_files(folder)
    description: dict[str, Any] = json.loads(path.read_text())
    if "checksums" in description and not (folder / CHECKSUMS).is_file():
        raise ValueError(f"{CHECKSUMS} is missing")
    if description.get("format") != FORMAT:
        raise ValueError(f"{path} has format {description.get('format')!r}; this version reads {FORMAT}")
    teachers = [
        _teacher_class(entry, trusted).restored(folder, _stem(index), entry, trusted)
        for index, entry in enumerate(description["teachers"])
    ]
    recipe = Recipe(
        load_model(description["student"], folder / "student.pt", trusted=trusted),
        tuple(teachers),
        tuple(restored(loss, losses, trusted) for loss in description["losses"]),
        restored(description["weighting"], weighting, trusted),
        restored(description["balance"], balance, trusted),
        description["soft_sensor"],
    )
    given = tuple(
        teacher if entry["given_fitted"] else teacher.unfitted()
        for teacher, entry in zip(teachers, description["teachers"], strict=True)
    )
    return SavedModel(recipe, given, restored_orders(description["components"]))


def _check_files(folder: Path) -> None:
    """Raise a ValueError for a file that is not what was written; folders of earlier versions have no checksums."""
    if not (folder / CHECKSUMS).is_file():
        return
    found = checksums(folder, CHECKSUMS)
    for name, digest in json.loads((folder / CHECKSUMS).read_text()).items():
        if found.get(name) != digest:
            raise ValueError(f"{name} is {'damaged' if name in found else 'missing'}")


def _number(value: Any) -> Any:
    """A NumPy number in a form that JSON can hold."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} cannot be saved as JSON")


def _kind(teacher: BaseTeacher) -> dict[str, str]:
    """The key of a teacher's class, or the dotted name of a user's own."""
    for key, kind in KINDS.items():
        if type(teacher) is kind:
            return {"kind": key}
    return {"kind": dotted(type(teacher))}


def _teacher_class(entry: Mapping[str, Any], trusted: Sequence[type]) -> Any:
    # before there were others, teachers were models
    kind = entry.get("kind", "model")
    return KINDS[kind] if "." not in kind else trusted_class(kind, trusted)


def _stem(teacher: int) -> str:
    return f"teacher{teacher}"
