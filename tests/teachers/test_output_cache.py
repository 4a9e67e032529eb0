"""Knowledge on disk: whatever happens to it, the student is right or the error is clear."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, LinearRegressionModel, NaiveEnsembleModel, TiDEModel, TSMixerModel

from tests.helpers.caching import LAB, SERIES, SETTINGS, entries, run, student, teacher
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.teachers import output_cache as store
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.predictor import OutputRequest


@pytest.fixture(scope="module")
def fitted() -> Teacher:
    return teacher()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows networks were asked about."""
    from tskd._core.darts.forward import model_outputs

    counts: list[int] = []
    answer = model_outputs

    def counting(model: Any, slots: Any, *args: Any, **kwargs: Any) -> Any:
        counts.append(len(slots["past_target"]))
        return answer(model, slots, *args, **kwargs)

    monkeypatch.setattr("tskd.teachers.network.model_outputs", counting)
    return counts


def test_what_is_kept_is_not_asked_again(fitted: Teacher, tmp_path: Path, asked: list[int]) -> None:
    expected = student(fitted, None)
    assert torch.equal(student(fitted, tmp_path), expected)
    once = len(asked)
    assert torch.equal(student(fitted, tmp_path), expected)
    assert len(asked) == once and len(entries(tmp_path)) == 1
    assert [path.name[0] for path in tmp_path.iterdir()] != ["."]


def test_another_process_finds_it(fitted: Teacher, tmp_path: Path) -> None:
    expected = student(fitted, tmp_path / "cache")
    done = run(tmp_path).communicate(timeout=120)
    assert done[1].strip().endswith("complete")
    np.testing.assert_array_equal(np.load(tmp_path / "student.npy"), expected.numpy())


def flip_a_byte(folder: Path) -> None:
    path = folder / "forecasts.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def tear(folder: Path) -> None:
    path = folder / "forecasts.npy"
    path.write_bytes(path.read_bytes()[:-64])


def lose_the_index(folder: Path) -> None:
    (folder / "index.json").unlink()


def garble_the_index(folder: Path) -> None:
    (folder / "index.json").write_text('{"arrays": ["forecasts"]}')


def lose_an_array(folder: Path) -> None:
    (folder / "covered.npy").unlink()


def replace(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], None]:
    """Arrays that are changed, under the right digests."""

    def damage(folder: Path) -> None:
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        change(arrays)
        for path in folder.glob("*.npy"):
            path.unlink()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        digests = {name: store._digest(folder / f"{name}.npy") for name in arrays}
        (folder / "index.json").write_text(json.dumps({"arrays": digests}))

    return damage


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return replace(lambda arrays: arrays.update({name: change(arrays[name])}))


def index(text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "index.json").write_text(text)

    return damage


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a byte": flip_a_byte,
    "torn": tear,
    "no index": lose_the_index,
    "another index": garble_the_index,
    "a deep index": index("[" * 100_000),
    "no array": lose_an_array,
    "one step": changed("forecasts", lambda values: values[:, :1]),
    "one component": changed("forecasts", lambda values: values[:, :, 0]),
    "another type": changed("forecasts", lambda values: values.astype("complex64")),
    "fewer windows": changed("covered", lambda values: np.zeros_like(values)),
    "numbers for truths": changed("covered", lambda values: values.astype("float32")),
    "no forecasts": replace(lambda arrays: arrays.pop("forecasts")),
    "one more": replace(lambda arrays: arrays.update(more=arrays["covered"])),
    "outside": index('{"arrays": {"../forecasts": ""}}'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_what_is_damaged_is_noticed_and_computed_again(
    fitted: Teacher, tmp_path: Path, asked: list[int], damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    expected = student(fitted, tmp_path)
    before = len(asked)
    damage(entries(tmp_path)[0])
    assert torch.equal(student(fitted, tmp_path), expected)
    assert len(asked) > before
    assert "is damaged and is computed again" in caplog.text
    again = len(asked)
    assert torch.equal(student(fitted, tmp_path), expected)
    assert len(asked) == again


def test_other_data_or_another_teacher_share_nothing(fitted: Teacher, tmp_path: Path) -> None:
    student(fitted, tmp_path)
    values = LAB.values().copy()
    values[60] += 1e-3
    changed = LAB.with_values(values)
    moved = SERIES.with_values(SERIES.values() * (1 + 1e-6 * (np.arange(120) == 50))[:, None].astype("float32"))
    for other, series, lab in ((fitted, SERIES, changed), (teacher(seed=1), SERIES, LAB), (fitted, moved, LAB)):
        assert torch.equal(student(other, tmp_path, series, lab), student(other, None, series, lab))
    assert len(entries(tmp_path)) == 4


def test_a_full_disk_is_a_clear_error_and_the_student_is_as_it_was(
    fitted: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_reserve", full)
    model = DLinearModel(8, 4, **SETTINGS)
    with pytest.raises(OSError, match=r"cannot take what the teachers know.*MiB free.*No space left"):
        DistilledModel(model, fitted).fit(SERIES, privileged={"lab": LAB}, cache=tmp_path)
    assert model.model is None
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_really_full(fitted: Teacher, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no permission to mount a small file system")
    try:
        for size in ("4k", "8k"):
            subprocess.run(["mount", "-o", f"remount,size={size}", str(small)], check=True)
            with pytest.raises(OSError, match="cannot take what the teachers know"):
                student(fitted, small)
            gc.collect()
            assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_large_knowledge_lies_on_disk_without_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "IN_MEMORY", 100)
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path))
    with OutputCache().open(lambda: "", 50) as entry:
        entry.write("forecasts", torch.arange(10, 30), torch.arange(40.0).reshape(20, 2))
        found = entry.read()["forecasts"]
    assert isinstance(entry._arrays["forecasts"], np.memmap)
    assert not list(tmp_path.iterdir())
    torch.testing.assert_close(found[10:30], torch.arange(40.0).reshape(20, 2))
    assert not found[:10].any() and not found[30:].any()


@pytest.mark.slow
def test_killed_while_writing(fitted: Teacher, tmp_path: Path) -> None:
    expected = student(fitted, None).numpy()
    for seed in range(2):
        process = run(tmp_path, "0.3")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 1))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        cache = tmp_path / "cache"
        for entry in entries(cache):
            assert store._verified(entry, 109) is not None
    done = run(tmp_path)
    done.communicate(timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "student.npy"), expected)


def test_drafts_of_processes_killed_long_ago_are_cleared(fitted: Teacher, tmp_path: Path) -> None:
    old, fresh = (tmp_path / f".{digit * 40}.{digit * 32}" for digit in "ab")
    notes = tmp_path / ".my.notes"
    for folder in (old, fresh, notes):
        folder.mkdir()
    for folder in (old, notes):
        os.utime(folder, (0, 0))
    student(fitted, tmp_path)
    assert not old.exists() and fresh.exists() and notes.exists()


def test_two_processes_at_once(fitted: Teacher, tmp_path: Path) -> None:
    expected = student(fitted, None).numpy()
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    (tmp_path / "shared").mkdir()
    for folder in folders:
        (folder / "cache").symlink_to(tmp_path / "shared")
    processes = [run(folder, "0.1") for folder in folders]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    for folder in folders:
        np.testing.assert_array_equal(np.load(folder / "student.npy"), expected)
    assert len(entries(tmp_path / "shared")) == 1


def test_static_covariates_are_part_of_the_name(tmp_path: Path, asked: list[int]) -> None:
    def placed(value: float) -> list[TimeSeries]:
        frames = [pd.DataFrame({"place": [value + index]}) for index in range(2)]
        return [s.with_static_covariates(f) for s, f in zip((SERIES, walk(90, seed=5)), frames, strict=True)]

    model = LinearRegressionModel(lags=4, output_chunk_length=4, use_static_covariates=True)
    fitted = Teacher(model).fit(placed(0.0))
    names = [
        fitted.predictor(placed(value)).fingerprint(OutputRequest(torch.tensor([[0, 20]]), slice(0, 4), torch.float32))
        for value in (0.0, 5.0, 0.0)
    ]
    assert names[0] == names[2] != names[1]


def test_networks_with_batch_norm_and_ensembles_of_networks(tmp_path: Path) -> None:
    normed = TSMixerModel(8, 4, norm_type="TimeBatchNorm2d", hidden_size=4, **SETTINGS)
    ensemble = NaiveEnsembleModel([TiDEModel(8, 4, **SETTINGS), TiDEModel(8, 4, **SETTINGS)])
    for model, kept in ((normed, 1), (ensemble, 0)):
        folder = tmp_path / type(model).__name__
        fitted = Teacher(model).fit(SERIES)
        weights = []
        for cache in (None, folder, folder):
            one = DLinearModel(8, 4, **SETTINGS)
            # an ensemble forecasts one window at a time
            DistilledModel(one, fitted, balance=1).fit(SERIES[:30], cache=cache)
            weights.append(torch.cat([value.flatten() for value in one.model.state_dict().values()]))
        assert all(torch.equal(w, weights[0]) for w in weights)
        assert (len(entries(folder)) if folder.exists() else 0) == kept
