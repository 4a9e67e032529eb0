"""What `expected_gain` says of the cells of `scarce.py` and `noisy.py`, beside what came of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import noisy
import noisy_folds
import pandas as pd
from darts.models import DLinearModel
from noisy_networks import series, teacher
from scarce_cells import LOOKBACK, Cell, begun, family_of, read_part, ridge_cells
from scarce_networks import prepared
from tqdm import tqdm

from tskd import DistilledModel, expected_gain
from tskd.distillation.expected.expected_gain import ExpectedGain

Rows = list[dict[str, Any]]
SCARCE, NOISY = "few labels (scarce.py)", "noisy labels (noisy.py)"
# fold of both scripts
EVERY = 3
COLUMNS = ["from", "data", "labels", "horizon", "fold", "windows", "teacher", "useless", "explained", "alpha"]
COLUMNS += ["coverage", "predicted", "low", "high", "realised"]


def parts(runs: Path) -> Mapping[str, Callable[[], Rows]]:
    """By name, what computes the rows of some cells that share their data.

    Args:
        runs: folder with the finished cells of both scripts, each in a folder of its own.
    """
    found: dict[str, Callable[[], Rows]] = {}
    for (family, name, fold), cells in _shared(cell for cell in ridge_cells() if cell.fold % EVERY == 0):
        key = f"scarce_{family}_{name}_{fold}".replace(" ", "-").replace(",", "")
        found[key] = partial(scarce_rows, cells, runs / "scarce")
    for index, label, windows in itertools.product(noisy.INDICES, noisy.LABELS, noisy.SIZES):
        folds = range(0, noisy_folds.FOLDS, EVERY)
        some = [noisy.Cell(noisy.CLOSED, 0, windows, label, fold, index) for fold in folds]
        found[f"noisy_{index}_{label}_{windows}"] = partial(noisy_rows, some, runs / "noisy")
    return found


def _shared(cells: Iterator[Cell]) -> Iterator[tuple[tuple[str, str, int], list[Cell]]]:
    def place(cell: Cell) -> tuple[str, str, int]:
        return cell.family, cell.series, cell.fold

    for key, group in itertools.groupby(cells, place):
        yield key, list(group)


def scarce_rows(cells: list[Cell], folder: Path) -> Rows:
    """Cells of `scarce.py` that share a training part, at the balance that held-out labels had chosen in each."""
    rows = []
    for cell in cells:
        recorded = read_part(folder, cell)
        if recorded is None or "mse privileged" not in recorded:
            continue
        part, students, _ = begun(cell)
        task, trainings = prepared(cell, part, students.labels)
        taught, horizon = trainings["privileged"], family_of(cell).horizon
        assert taught.privileged is not None
        model = DistilledModel(
            DLinearModel(LOOKBACK, 1, output_chunk_shift=horizon - 1),
            taught.reconstruction,
            balance=recorded["alpha privileged"],
            soft_sensor=True,
        )
        told = expected_gain(
            model,
            task.series(taught.labels),
            past_covariates=task.covariates,
            privileged={"read": task.series(taught.privileged)},
        )
        labels = "block" if cell.scheme.kind == "block" else "scattered"
        place = {"data": f"{cell.family}, {cell.series}", "labels": labels, "horizon": horizon, "fold": cell.fold}
        change = recorded["mse privileged"] / recorded["mse labels"] - 1
        place["coverage"] = recorded["coverage"]
        rows.append({"from": SCARCE, **place, **_told(told, recorded["alpha privileged"], change)})
    return rows


def noisy_rows(cells: list[noisy.Cell], folder: Path) -> Rows:
    """Cells of `noisy.py`: the ridge student, taught with balance 1 by the teacher of ranges."""
    rows = []
    for cell in cells:
        recorded = noisy.result(cell, folder, compute=False)
        if recorded is None:
            continue
        days = noisy_folds.fold(noisy_folds.load(cell.index, cell.label), cell.fold, cell.windows).train
        student = DLinearModel(noisy_folds.LOOKBACK, noisy_folds.HORIZON)
        told = expected_gain(
            DistilledModel(student, teacher("privileged"), balance=1.0),
            series(days.labels),
            privileged={"range": series(days.ranges)},
        )
        data = f"{cell.index}, {cell.label}"
        place = {"data": data, "labels": "all", "horizon": noisy_folds.HORIZON, "fold": cell.fold, "coverage": 1.0}
        change = recorded["ridge, privileged"] / recorded["ridge, alone"] - 1
        rows.append({"from": NOISY, **place, **_told(told, 1.0, change)})
    return rows


def _told(told: ExpectedGain, alpha: float, realised: float) -> dict[str, Any]:
    (only,) = told.teachers
    return {
        "windows": told.labelled,
        "teacher": "privileged",
        "useless": False,
        "explained": only.explained,
        "alpha": alpha,
        "predicted": told.change.change,
        "low": told.change.low,
        "high": told.change.high,
        "realised": realised,
    }


def table(runs: Path, compute: bool) -> pd.DataFrame:
    """The rows of all cells, kept part by part in the folder `expected_gain`: no part is computed twice.

    Args:
        runs: as for `parts`.
        compute: those that are missing.
    """
    folder, found = runs / "expected_gain", []
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tqdm(parts(runs).items(), unit="part", mininterval=30, disable=not compute):
        path = folder / f"{name}.csv"
        if compute and not path.exists():
            draft = path.with_suffix(".part")
            pd.DataFrame(rows(), columns=COLUMNS).to_csv(draft, index=False, float_format="%.6g")
            draft.rename(path)
        found += [pd.read_csv(path)] if path.exists() else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)
