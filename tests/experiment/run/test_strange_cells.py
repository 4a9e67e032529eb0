"""Parts of a run that anybody may have written: each is rejected by name, at once, and its cell counts as missing."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tskd.experiment import Study
from tskd.experiment.results.collect import results_so_far
from tskd.experiment.run import cell_archive
from tskd.experiment.run.case_plan import CasePlan, plan_study
from tskd.experiment.run.cell_check import planned_store
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore

WRITTEN = Path(__file__).parents[2] / "helpers" / "written" / "run"


@pytest.fixture(scope="module")
def plans() -> list[CasePlan]:
    return plan_study(Study.from_yaml(WRITTEN / "config.yaml"))


@pytest.fixture(scope="module")
def part() -> StoredCell:
    """A finished part of an arm with teachers."""
    found = [StoredCell.from_bytes(path.read_bytes()) for path in sorted((WRITTEN / "parts").iterdir())]
    return next(one for one in found if one.row.get("weights"))


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def members_of(part: StoredCell) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(part.to_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_row(part: StoredCell, **row: Any) -> bytes:
    return StoredCell({**part.row, **row}, part.arrays).to_bytes()  # type: ignore[typeddict-item]


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[StoredCell], bytes]:
    return lambda part: StoredCell(part.row, {**part.arrays, name: change(part.arrays[name])}).to_bytes()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def row_of(text: bytes) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.frombuffer(text, np.uint8))
    return stream.getvalue()


def marked(content: bytes, offset: int, value: int) -> bytes:
    """A zip with a byte changed in both headers of its first member, by its place in the local one."""
    changed = bytearray(content)
    changed[offset] = value
    central = content.index(b"PK\x01\x02")
    changed[central + offset + 2] = value
    return bytes(changed)


STRANGE: dict[str, Callable[[StoredCell], bytes]] = {
    "huge shape": lambda part: packed({**members_of(part), "mse.npy": header("(1000000000000,)")}),
    "shape beyond all numbers": lambda part: packed({**members_of(part), "mse.npy": header("(10**30,)")}),
    "deep header": lambda part: packed({**members_of(part), "mse.npy": header("(" * 90)}),
    "broken compression": lambda part: broken(packed(members_of(part))),
    "encrypted": lambda part: marked(packed(members_of(part)), 6, 1),
    "unknown compression": lambda part: marked(packed(members_of(part)), 8, 99),
    "deep JSON": lambda part: packed({**members_of(part), "row.npy": row_of(b"[" * 100_000)}),
    "a row that is a list": lambda part: packed({**members_of(part), "row.npy": row_of(b"[1]")}),
    "no row": lambda part: packed({k: v for k, v in members_of(part).items() if k != "row.npy"}),
    "a missing array": lambda part: StoredCell(
        part.row, {k: v for k, v in part.arrays.items() if k != "mae"}
    ).to_bytes(),
    "one more array": lambda part: StoredCell(part.row, {**part.arrays, "more": part.arrays["mae"]}).to_bytes(),
    "too short": with_array("mse", lambda values: values[:-1]),
    "too few steps": lambda part: StoredCell(
        part.row, {**part.arrays, "step_mse": part.arrays["step_mse"][:1], "step_mae": part.arrays["step_mae"][:1]}
    ).to_bytes(),
    "too deep": with_array("mse", lambda values: values[:, None]),
    "texts": with_array("mse", lambda values: values.astype("U8")),
    "complex numbers": with_array("mse", lambda values: values.astype("complex64")),
    "a text for seconds": lambda part: with_row(part, seconds="1"),
    "inference in words": lambda part: with_row(part, inference_seconds="a second"),
    "inference that ended before it began": lambda part: with_row(part, inference_seconds=-0.5),
    "no versions": lambda part: with_row(part, versions=None),
    "weights of another kind": lambda part: with_row(part, weights=[{"epoch": 0}]),
    "an expectation without its interval": lambda part: with_row(part, expected=[-0.1]),
    "an expectation in words": lambda part: with_row(part, expected="a gain"),
    "warnings of another kind": lambda part: with_row(part, warnings=[1]),
    "a failure without a message": lambda part: with_row(part, failed={"type": "ValueError"}),
}


def broken(content: bytes) -> bytes:
    changed = bytearray(content)
    for place in range(60, 90):
        changed[place] ^= 0xFF
    return bytes(changed)


def plant(folder: Path, part: StoredCell, content: bytes) -> str:
    """Put a file in the place of a part, under the name that vouches for its bytes."""
    for path in folder.glob(f"{part.key}.*"):
        path.unlink()
    name = f"{part.key}.{hashlib.sha256(content).hexdigest()[:16]}.npz"
    (folder / name).write_bytes(content)
    return name


@pytest.mark.parametrize("case", list(STRANGE))
def test_a_strange_part_counts_as_missing_and_is_moved_aside(
    case: str, part: StoredCell, plans: list[CasePlan], tmp_path: Path
) -> None:
    (tmp_path / "parts").mkdir()
    name = plant(tmp_path / "parts", part, STRANGE[case](part))
    store = planned_store(tmp_path, plans)
    began = time.monotonic()
    assert store.read([part.key]) == {} and store.finished([part.key]) == set()
    assert time.monotonic() - began < 5
    assert store.sweep() == [name] and (tmp_path / "parts" / "rejected" / name).is_file()


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    part: StoredCell, plans: list[CasePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_archive, "MOST_BYTES", 2**20)
    large = StoredCell(part.row, {**part.arrays, "mse": np.zeros(2**19, "float32")}).to_bytes()
    assert len(large) < 2**16
    (tmp_path / "parts").mkdir()
    plant(tmp_path / "parts", part, large)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
    assert planned_store(tmp_path, plans).read([part.key]) == {}


def test_every_part_that_was_written_is_what_its_plan_asks_for(plans: list[CasePlan]) -> None:
    keys = {path.name.partition(".")[0] for path in (WRITTEN / "parts").iterdir()}
    assert set(planned_store(WRITTEN, plans).read(keys)) == set(CellStore(WRITTEN / "parts").read(keys)) == keys


def test_a_report_counts_it_as_missing(part: StoredCell, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WRITTEN, tmp_path / "run"))
    plant(folder / "parts", part, json.dumps({"key": part.key}).encode())
    results = results_so_far(Study.from_yaml(folder / "config.yaml"), folder)
    assert results.info.cells.missing == 1
