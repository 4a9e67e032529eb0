"""Rows in a temporary file: the same as in memory, with nothing left behind, and none where there is no room."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch

from tests.helpers.disk import full_disk
from tskd._core import row_file
from tskd._core.row_file import RowFile

SHAPES = {"matrix": (11, 7), "forecasts": (9, 4, 3), "one number": (5, 1)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(row_file, "LARGE", 1)
    monkeypatch.setattr(row_file, "LONG", 1)
    return tmp_path


def stored(values: torch.Tensor, part: int = 4) -> RowFile:
    file = RowFile.like(values)
    assert file is not None
    for first in range(0, len(values), part):
        file.write(first, values[first : first + part])
    return file


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_rows_in_any_order_and_more_than_once(shape: tuple[int, ...], dtype: torch.dtype, folder: Path) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    rows = torch.tensor([3, 0, len(values) - 1, 3])
    file = stored(values)
    taken = file.take(rows)
    assert taken.dtype == dtype and torch.equal(taken, values[rows])
    assert file.take(rows[:0]).shape == (0, *shape[1:])
    # the file has no name
    assert not list(folder.iterdir())


def test_rows_that_are_no_whole_stretch_of_memory() -> None:
    values = torch.arange(60.0).reshape(5, 4, 3)[:, 1:3]
    assert torch.equal(stored(values).take(torch.tensor([4, 1])), values[[4, 1]])


def test_few_or_short_rows_have_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.zeros(10, 6)  # 240 bytes, in rows of 24
    for large, long, found in [(240, 24, True), (241, 24, False), (240, 25, False)]:
        monkeypatch.setattr(row_file, "LARGE", large)
        monkeypatch.setattr(row_file, "LONG", long)
        assert (RowFile.like(values) is not None) == found


def test_without_room_there_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_disk():
        assert RowFile.like(torch.zeros(30, 2)) is None
    # no folder, as where none can be written to
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    assert RowFile.like(torch.zeros(3, 2)) is None
    assert not list(folder.iterdir())
