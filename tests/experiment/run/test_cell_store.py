"""Parts on disk: whole or not there, known by their content, and never mistaken for another."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import STALE, CellStore
from tskd.experiment.run.files import write_atomically
from tskd.experiment.run.folder import take_lock

KEYS = ("aa00", "bb11", "cc22")


def part(key: str, value: float = 1.0, **row: Any) -> StoredCell:
    stored: Any = {"key": key, "value": value, **row}
    return StoredCell(stored, {"mse": np.array([value, np.nan])})


def failed(key: str, at: float = 0.0) -> StoredCell:
    return StoredCell(
        {"key": key, "failed": {"type": "ValueError", "message": "no", "traceback": "…"}, "finished": at}, {}
    )


def written(folder: Path, *given: StoredCell) -> CellStore:
    parts = CellStore(folder / "parts")
    for item in given:
        parts.write(item.key, item.to_bytes())
    return parts


def test_a_part_reads_back_as_it_was(tmp_path: Path) -> None:
    row: Any = {"text": "−3,1 % é", "none": None, "list": [1, {"a": 0.1}], "huge": 1e300}
    arrays = {"mse": np.array([0.1, np.nan, 1e-300]), "forecasts": np.zeros((2, 3, 1), dtype="float32")}
    parts = written(tmp_path, StoredCell({"key": "aa00", **row}, arrays))
    read = parts.read(KEYS)["aa00"]
    assert read.row == {"key": "aa00", **row} and not read.failed
    for name, array in arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)
        assert read.arrays[name].dtype == array.dtype
    assert parts.read(["bb11"]) == {} and parts.finished(KEYS) == {"aa00"}


def test_a_part_holds_nothing_beside_its_row_and_arrays_and_no_objects() -> None:
    content = StoredCell({"key": "a"}, {"mse": np.arange(3.0), "mae": np.arange(2.0)}).to_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["mae.npy", "mse.npy", "row.npy"]
    assert content == StoredCell({"key": "a"}, {"mse": np.arange(3.0), "mae": np.arange(2.0)}).to_bytes()
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        StoredCell({"key": "a"}, {"mse": np.array([{}, None])}).to_bytes()


def test_the_name_is_key_and_hash_of_the_bytes(tmp_path: Path) -> None:
    parts = written(tmp_path, part("aa00"))
    (path,) = parts.folder.iterdir()
    assert path.name == f"aa00.{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.npz"


def plant(parts: CellStore, how: str) -> Path:
    """A part of `aa00` that is not what its name says."""
    (path,) = parts.folder.iterdir()
    content = path.read_bytes()
    if how == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "edited":
        place = content.index(b"PK\x01\x02") + 12  # the time at which a member was written, which nobody reads
        path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    elif how == "rewritten":
        path.write_bytes(part("aa00", 2.0).to_bytes())
    elif how == "renamed":
        path = path.rename(path.with_name("bb11" + path.name[4:]))
    elif how == "foreign":
        path.unlink()
        alien = b"no archive at all"
        path = path.with_name(f"aa00.{hashlib.sha256(alien).hexdigest()[:16]}.npz")
        path.write_bytes(alien)
    else:
        path = path.rename(path.with_name("aa00.npz"))
    return path


@pytest.mark.parametrize("how", ["torn", "empty", "edited", "rewritten", "renamed", "foreign", "unsigned"])
def test_what_is_no_part_counts_as_missing_and_is_moved_aside(tmp_path: Path, how: str) -> None:
    parts = written(tmp_path, part("aa00"))
    planted = plant(parts, how)
    assert parts.finished(KEYS) == set() and parts.read(KEYS) == {}
    assert parts.sweep() == [planted.name] and not planted.exists()
    assert (parts.folder / "rejected" / planted.name).is_file()
    parts.write("aa00", part("aa00").to_bytes())
    assert parts.finished(KEYS) == {"aa00"} and parts.sweep() == []


def test_a_duplicate_is_harmless(tmp_path: Path) -> None:
    parts = written(tmp_path, part("aa00", 1.0), part("aa00", 2.0), part("bb11"))
    first = min(path.name for path in parts.folder.glob("aa00.*"))
    read = parts.read(KEYS)["aa00"]
    assert read.to_bytes() == (parts.folder / first).read_bytes()
    assert parts.finished(KEYS) == {"aa00", "bb11"} and parts.sweep() == []


def test_a_failure_gives_way_to_a_result_and_to_a_later_failure(tmp_path: Path) -> None:
    parts = written(tmp_path, failed("aa00", 1.0), part("bb11"))
    (before,) = parts.failures(KEYS)
    assert parts.finished(KEYS) == {"bb11"} and parts.read(KEYS)["aa00"].failed
    parts.write("aa00", failed("aa00", 2.0).to_bytes())
    (after,) = parts.failures(KEYS)
    assert before != after
    parts.write("aa00", part("aa00").to_bytes())
    assert parts.failures(KEYS) == set() and parts.finished(KEYS) == {"aa00", "bb11"}
    # of another run at the same time: a result is never displaced
    parts.write("aa00", failed("aa00", 3.0).to_bytes())
    assert not parts.read(KEYS)["aa00"].failed and parts.finished(KEYS) == {"aa00", "bb11"}


def test_a_temporary_file_is_no_part_and_goes_when_its_writer_is_long_dead(tmp_path: Path) -> None:
    parts = written(tmp_path, part("aa00"))
    fresh, old = (parts.folder / f".aa00.{name}.npz.7.tmp" for name in ("fresh", "old"))
    for path in (fresh, old):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - STALE - 1,) * 2)
    assert parts.sweep() == [] and fresh.exists() and not old.exists() and parts.finished(KEYS) == {"aa00"}


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(
        "tskd.experiment.run.cell_store.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and [file.name for file in tmp_path.iterdir()] == ["file"]


def _hold(path: Path, ready: Any) -> None:
    lock = take_lock(path)
    assert lock is not None
    ready.set()
    time.sleep(60)


def test_a_lock_is_one_process_s_until_it_dies(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, path = context.Event(), tmp_path / "locks" / "a"
    holder = context.Process(target=_hold, args=(path, ready), daemon=True)
    holder.start()
    assert ready.wait(60) and take_lock(path) is None
    other = take_lock(path.with_name("b"))
    assert other is not None and take_lock(path.with_name("b")) is None
    other.release()
    assert take_lock(path.with_name("b")) is not None
    holder.kill()
    holder.join()
    assert take_lock(path) is not None
