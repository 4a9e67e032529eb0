"""A saved model that is damaged is refused by one error; what an earlier version saved is read without checksums."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from darts.models import DLinearModel, NLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, Teacher

Y, LAB = walk(40), walk(40, seed=1, name="lab")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    teachers = [Teacher(DLinearModel(4, 3, **fast()), name="a"), Reconstruction("lab", name="b")]
    model = DistilledModel(NLinearModel(4, 3, **fast()), teachers).fit(Y, privileged={"lab": LAB})
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_whole_one_is_loaded(folder: Path) -> None:
    assert DistilledModel.load(folder).predict(3, Y) == DistilledModel.load(folder).predict(3, Y)
    (folder / "notes.txt").write_text("mine")
    DistilledModel.load(folder)


def test_one_flipped_bit_in_whichever_file_is_found(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    assert {"student.pt", "student.pt.ckpt", "teacher0.0.pt.ckpt", "teacher1.npz", "distilled.json"} < set(names)
    for name in names:
        content = (folder / name).read_bytes()
        flip(folder / name)
        with pytest.raises(ValueError, match="cannot be loaded"):
            DistilledModel.load(folder)
        (folder / name).write_bytes(content)
    DistilledModel.load(folder)


@pytest.mark.parametrize("name", ["student.pt.ckpt", "teacher1.npz", "checksums.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"cannot be loaded: {name} is missing"):
        DistilledModel.load(folder)


TEXTS: dict[str, Callable[[str], str]] = {
    "torn": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "deep": lambda _: "[" * 100_000,
    "a list": lambda _: "[1]",
    "components that are no names": lambda text: json.dumps(json.loads(text) | {"components": 3}),
    "no student": lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "student"}),
    "another class": lambda text: text.replace('"NLinearModel"', '"ExponentialSmoothing"'),
    "no class of darts": lambda text: text.replace('"NLinearModel"', '"os"'),
    "a wrong argument": lambda text: text.replace('"metric": "mse"', '"metric": 3'),
    "another kind of teacher": lambda text: text.replace('"reconstruction"', '"magic"'),
    "numbers for texts": lambda text: json.dumps({k: 3 if k != "format" else v for k, v in json.loads(text).items()}),
    "another format": lambda text: text.replace('"format": 1', '"format": 99'),
}


@pytest.mark.parametrize("case", list(TEXTS))
def test_a_description_without_checksums_that_cannot_be_read_has_the_same_error(folder: Path, case: str) -> None:
    (folder / "checksums.json").unlink()
    path = folder / "distilled.json"
    text = path.read_text().replace('"checksums": "checksums.json"', '"saved": ""')
    path.write_text(TEXTS[case](text))
    with pytest.raises(ValueError, match="cannot be loaded"):
        DistilledModel.load(folder)


@pytest.mark.parametrize("path", [3, None, b"model", "a\0b"])
def test_what_is_no_path_is_refused_by_name(path: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^path"):
        DistilledModel.load(path)  # type: ignore[arg-type]
