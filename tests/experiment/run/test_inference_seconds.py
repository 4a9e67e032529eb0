"""How long forecasts of the test part took: measured without their errors, kept, and not known of older parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.helpers.experiments import toy_config, toy_model
from tskd.experiment import Experiment, Results
from tskd.experiment.config.distribution import ForecastDistribution
from tskd.experiment.run import scoring
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.cell_record import StoredCell
from tskd.experiment.run.cell_store import CellStore
from tskd.experiment.run.scoring import pooled, score


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


def test_forecasts_are_timed_and_their_errors_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, truth = Clock(), np.zeros((5, 2, 1))
    part: Any = SimpleNamespace(
        truth=truth, scored=np.ones((5, 2), bool), complete=np.ones(5, bool), examples=np.array([3])
    )

    def slow_scores(*given: Any) -> np.ndarray:
        clock.now += 64
        return np.zeros((3, *given[1].shape))

    def forecasts(seconds: tuple[float, ...], after: float) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        for rows, spent in zip((np.array([4, 0]), np.array([1, 2, 3])), seconds, strict=True):
            clock.now += spent
            yield rows, np.zeros((len(rows), 2, 1, 4)), 1
        clock.now += after

    monkeypatch.setattr(scoring, "time", clock)
    monkeypatch.setattr(scoring, "distribution_scores", slow_scores)
    how = ForecastDistribution((0.2, 0.5, 0.8), "median")
    one, other = (score(forecasts(*each), part, 1, how) for each in (((2.0, 0.5), 0.25), ((8.0, 1.0), 0.0)))
    assert (one.seconds, other.seconds) == (2.75, 9.0)
    # of several series those of all
    assert pooled([one]).seconds == 2.75 and pooled([one, other]).seconds == 11.75


def test_every_fit_says_how_long_its_forecasts_took_and_older_parts_are_read_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(
        **toy_config(
            teachers={"equal": {"model": toy_model()}},
            arms=[{"name": "taught", "teachers": "equal", "balance": 0.5}],
            controls=["linear"],
            seeds=[3, 5],
        )
    )
    rows = experiment.run(tmp_path, progress=False).rows
    assert set(zip(rows.kind, rows.name, strict=True)) == {
        *(("student", name) for name in ("alone", "taught", "linear")),
        ("teacher", "equal"),
    }
    assert (rows.inference_seconds > 0).all()
    # as it was written, to a tenth of a millisecond
    store = CellStore(tmp_path / "parts")
    parts = store.read({path.name.partition(".")[0] for path in store.folder.glob("*.npz")})
    for key, seconds in zip(rows.key, rows.inference_seconds, strict=True):
        kept = parts[key].cell().inference_seconds
        assert kept is not None and seconds == round(kept, 4)

    first = parts[rows.key[0]]
    older = {name: value for name, value in first.row.items() if name != "inference_seconds"}
    store.write(first.key, StoredCell(older, first.arrays).to_bytes())  # type: ignore[arg-type]
    for path in list(store.folder.glob(f"{first.key}.*")):
        if "inference_seconds" in StoredCell.from_bytes(path.read_bytes()).row:
            path.unlink()
    monkeypatch.setattr(BlockRun, "cell", lambda *_: pytest.fail("a cell is computed anew"))
    again = experiment.run(tmp_path, progress=False).rows
    assert again.key.tolist() == rows.key.tolist()
    assert again.inference_seconds.isna().tolist() == [key == first.key for key in rows.key]
    np.testing.assert_array_equal(again.inference_seconds[1:], rows.inference_seconds[1:])
    # tables of older versions have no such column
    for written in tmp_path.rglob("rows.csv"):
        text = written.read_text(encoding="utf-8").splitlines()
        at = text[0].split(",").index("inference_seconds")
        written.write_text("\n".join(",".join(v for n, v in enumerate(line.split(",")) if n != at) for line in text))
    read = Results.load(tmp_path).rows
    assert read.inference_seconds.isna().all() and read.columns.tolist() == rows.columns.tolist()
