"""The tables of an experiment, from its cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tskd.experiment.config.arm import candidate_label
from tskd.experiment.config.experiment import ExperimentConfig
from tskd.experiment.config.names import TEACHER_LINE, TRUTH
from tskd.experiment.data.folds import FoldSize
from tskd.experiment.data.summary import DataSummary
from tskd.experiment.results.describe import last_of
from tskd.experiment.results.tables import SCORES, table
from tskd.experiment.run.cell import Cell, Kind
from tskd.experiment.run.distribution_scoring import SCORES as DISTRIBUTION


@dataclass(frozen=True)
class FinishedCell:
    """A finished cell, and by which versions of packages and which commit of tskd it was computed."""

    cell: Cell
    versions: dict[str, str]
    commit: str


@dataclass(frozen=True)
class FailedCell:
    """A row of the table of failures."""

    kind: Kind
    name: str
    fold: int
    size: int | None
    seed: int
    candidate: int
    error: str
    traceback: str


@dataclass
class CellsOfTables:
    """The cells that go into tables.

    Attributes:
        failures: those that failed.
        used: teachers, and students with the candidate that was chosen.
        candidates: students with any candidate.
    """

    failures: Sequence[FailedCell]
    used: list[FinishedCell] = field(default_factory=list)
    candidates: list[Cell] = field(default_factory=list)


def tables_of(
    experiment: ExperimentConfig,
    fingerprint: str,
    cells: CellsOfTables,
    summaries: Mapping[FoldSize, DataSummary],
) -> dict[str, pd.DataFrame]:
    """All tables of `Results` by name.

    Args:
        experiment: with its controls among its arms.
        fingerprint: of the data set.
        cells: what is finished or failed.
        summaries: of the data by fold and size.
    """
    arms = {arm.name: arm for arm in experiment.arms}

    def balance(cell: Cell) -> str:
        arm = arms.get(cell.name) if cell.kind == "student" else None
        return candidate_label(arm.candidates[cell.candidate]) if arm and not arm.is_plain else ""

    used, choices = cells.used, (cell for cell in cells.candidates if not arms[cell.name].is_plain)
    return {
        "rows": table("rows", [_row(item, balance(item.cell), fingerprint) for item in used]),
        "candidates": table(
            "candidates",
            [
                {**_key(cell), "arm": cell.name, "balance": balance(cell), "validation_mse": cell.validation_mse}
                for cell in choices
            ],
        ),
        "windows": _stacked("windows", (_windows(i.cell, summaries[_place(i.cell)]) for i in used)),
        "steps": _stacked("steps", (_steps(item.cell) for item in used)),
        "forecasts": _forecasts(experiment, [item.cell for item in used], summaries),
        "weights": table("weights", [row for item in used for row in _weights(item.cell)]),
        "failures": table("failures", [asdict(failure) for failure in cells.failures]),
        "series": table("series", [row for i in used for row in _series(i.cell, summaries[_place(i.cell)])]),
        "expected": table("expected", [row for item in used for row in _expected(item.cell)]),
    }


def _key(cell: Cell) -> dict[str, Any]:
    return {"kind": cell.kind, "name": cell.name, "fold": cell.fold, "size": cell.size, "seed": cell.seed}


def _place(cell: Cell) -> FoldSize:
    return FoldSize(cell.fold, cell.size)


def _row(item: FinishedCell, balance: str, fingerprint: str) -> dict[str, Any]:
    cell = item.cell
    return {
        **_key(cell),
        "key": cell.key,
        "balance": balance,
        "mse": _mean(cell.mse),
        "mae": _mean(cell.mae),
        **{name: _mean(values) for name, values in _distribution(cell.distribution).items()},
        "validation_mse": cell.validation_mse,
        "seconds": round(cell.seconds, 3),
        "inference_seconds": None if cell.inference_seconds is None else round(cell.inference_seconds, 4),
        "windows": int((~np.isnan(cell.mse)).sum()),
        "data": fingerprint,
        "commit": item.commit,
        **{name.replace("-", "_"): version for name, version in item.versions.items()},
    }


def _mean(values: np.ndarray) -> float:
    """Over what there is; NaN where there is nothing, as of a teacher whose sensors have gone before the test part."""
    return math.nan if np.isnan(values).all() else float(np.nanmean(values))


def _windows(cell: Cell, summary: DataSummary) -> pd.DataFrame:
    # a window without a single scored target has no error in any arm
    errors = {
        "series": summary.series,
        "start": summary.starts,
        "mse": cell.mse[summary.scored],
        "mae": cell.mae[summary.scored],
    }
    errors |= {name: values[summary.scored] for name, values in _distribution(cell.distribution).items()}
    return pd.DataFrame({**_key(cell), **errors})


def _series(cell: Cell, summary: DataSummary) -> list[dict[str, Any]]:
    """A row for each series of several: means over its windows."""
    names = [name for name in dict.fromkeys(summary.series) if name]
    frame = _windows(cell, summary)
    of_windows = [name for name in SCORES if name in frame]
    means = frame.groupby("series", sort=False)[of_windows].mean()
    counts = frame.groupby("series", sort=False).mse.count()
    return [{**_key(cell), "series": name, "windows": int(counts[name]), **means.loc[name]} for name in names]


def _steps(cell: Cell) -> pd.DataFrame:
    step = np.arange(1, len(cell.step_mse) + 1)
    errors = {"mse": cell.step_mse, "mae": cell.step_mae, **_distribution(cell.step_distribution)}
    return pd.DataFrame({**_key(cell), "step": step, **errors})


def _distribution(scores: np.ndarray | None) -> dict[str, np.ndarray]:
    """Columns of the scores of a distribution; none of point forecasts."""
    if scores is None:
        return {}
    named = dict(zip(DISTRIBUTION, scores, strict=True))
    return {**named, "crps": 2 * named["pinball"]}


def _weights(cell: Cell) -> Iterator[dict[str, Any]]:
    """Rows of a student's history: at each epoch the teachers' weights, over all and by step and hour, and shares."""
    common = {**_key(cell), "arm": cell.name}
    for entry in cell.weights:
        at = {**common, "epoch": entry["epoch"]}
        for teacher, weight in entry["weights"].items():
            yield {**at, "by": "all", "at": 0, "teacher": teacher, "weight": weight}
        for by, first, named in (("step", 1, "by_step"), ("hour", 0, "by_hour")):
            for teacher, values in entry[named].items():
                for position, weight in enumerate(values, first):
                    yield {**at, "by": by, "at": position, "teacher": teacher, "weight": weight}
        for by in ("effective", "masked"):
            yield {**at, "by": by, "at": 0, "teacher": "", "weight": entry[by]}


def _expected(cell: Cell) -> Iterator[dict[str, Any]]:
    """The row of a student with an automatic balance."""
    if cell.expected is not None:
        yield {**_key(cell), **dict(zip(("change", "low", "high"), cell.expected, strict=True))}


def _forecasts(
    experiment: ExperimentConfig, cells: Sequence[Cell], summaries: Mapping[FoldSize, DataSummary]
) -> pd.DataFrame:
    """Of the first seed, in the last fold, trained on the largest size."""
    place = last_of(summaries)
    summary, lookback = summaries[place], experiment.chunk_lengths(experiment.student)[0]
    shown = [cell for cell in cells if (cell.fold, cell.size) == place and cell.seed == experiment.seeds[0]]
    frames = []
    for number, window in enumerate(summary.examples):
        lines = {TRUTH: (window.times, window.values)}
        for cell in shown:
            line = f"{TEACHER_LINE}{cell.name}" if cell.kind == "teacher" else cell.name
            lines[line] = (window.times[lookback:], cell.forecasts[number])
        about = {"window": number, "series": window.series}
        frames += [
            pd.DataFrame({**about, "line": line, "time": at, "value": window.scale.undo(values)})
            for line, (at, values) in lines.items()
        ]
    return table("forecasts", pd.concat(frames, ignore_index=True))


def _stacked(name: str, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return table(name, pd.concat(list(frames), ignore_index=True))
