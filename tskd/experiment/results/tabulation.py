"""The tables of an experiment, from its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tskd.experiment.config.experiment import Experiment
from tskd.experiment.data.preparation import Prepared, examples
from tskd.experiment.results.info import Place, label, last_place
from tskd.experiment.results.tables import TEACHER_LINE, TRUTH, table

if TYPE_CHECKING:
    from tskd.experiment.run.block import Cell


@dataclass(frozen=True)
class FinishedCell:
    """A finished cell, and by which versions of packages and which commit of tskd it was computed."""

    cell: Cell
    versions: dict[str, str]
    commit: str


def tables_of(
    experiment: Experiment,
    fingerprint: str,
    kept: Sequence[FinishedCell],
    rivals: Iterable[FinishedCell],
    failures: Sequence[dict[str, Any]],
    prepared: Mapping[Place, Prepared],
) -> dict[str, pd.DataFrame]:
    """All tables of `Results` by name.

    Args:
        fingerprint: of the data set.
        kept: teachers, and students with the candidate that was chosen.
        rivals: students with any candidate.
        failures: rows as the table has them.
        prepared: the data by fold and size.
    """
    arms = {arm.name: arm for arm in experiment.arms}

    def balance(cell: Cell) -> str:
        arm = arms.get(cell.name) if cell.kind == "student" else None
        return label(arm.candidates[cell.candidate]) if arm and not arm.is_plain else ""

    choices = (item.cell for item in rivals if not arms[item.cell.name].is_plain)
    return {
        "rows": table("rows", [_row(item, balance(item.cell), fingerprint) for item in kept]),
        "candidates": table(
            "candidates",
            [
                {**_key(cell), "arm": cell.name, "balance": balance(cell), "validation_mse": cell.validation_mse}
                for cell in choices
            ],
        ),
        "windows": _stacked("windows", (_windows(i.cell, prepared[i.cell.fold, i.cell.size]) for i in kept)),
        "steps": _stacked("steps", (_steps(item.cell) for item in kept)),
        "forecasts": _forecasts(experiment, [item.cell for item in kept], prepared),
        "weights": table("weights", [row for item in kept for row in _weights(item.cell)]),
        "failures": table("failures", failures),
    }


def _key(cell: Cell) -> dict[str, Any]:
    return {"kind": cell.kind, "name": cell.name, "fold": cell.fold, "size": cell.size, "seed": cell.seed}


def _row(item: FinishedCell, balance: str, fingerprint: str) -> dict[str, Any]:
    cell = item.cell
    return {
        **_key(cell),
        "key": cell.key,
        "balance": balance,
        "mse": float(np.nanmean(cell.mse)),
        "mae": float(np.nanmean(cell.mae)),
        "validation_mse": cell.validation_mse,
        "seconds": round(cell.seconds, 3),
        "windows": int((~np.isnan(cell.mse)).sum()),
        "data": fingerprint,
        "commit": item.commit,
        **{name.replace("-", "_"): version for name, version in item.versions.items()},
    }


def _windows(cell: Cell, prepared: Prepared) -> pd.DataFrame:
    # a window without a single scored target has no error in any arm
    some = np.flatnonzero(prepared.test.scored.any(axis=1))
    errors = {"start": prepared.test.starts[some], "mse": cell.mse[some], "mae": cell.mae[some]}
    return pd.DataFrame({**_key(cell), **errors})


def _steps(cell: Cell) -> pd.DataFrame:
    step = np.arange(1, len(cell.step_mse) + 1)
    return pd.DataFrame({**_key(cell), "step": step, "mse": cell.step_mse, "mae": cell.step_mae})


def _weights(cell: Cell) -> Iterator[dict[str, Any]]:
    """What a student's history says of each epoch: teachers' weights, over all and by step and hour, and shares."""
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


def _forecasts(experiment: Experiment, cells: Sequence[Cell], prepared: Mapping[Place, Prepared]) -> pd.DataFrame:
    """Of the first seed, in the last fold, trained on the largest size."""
    place = last_place(prepared)
    part, scale = prepared[place].test, prepared[place].scale
    lookback, horizon = experiment.chunk_lengths(experiment.student)[0], experiment.steps[1]
    shown = [cell for cell in cells if (cell.fold, cell.size) == place and cell.seed == experiment.seeds[0]]
    frames = []
    for number, window in enumerate(examples(len(part.truth))):
        past = slice(window + part.reach - lookback, window + part.reach + horizon)
        times = part.series.time_index[past]
        lines = {TRUTH: (times, part.series.values(copy=False)[past, 0])}
        for cell in shown:
            line = cell.name if cell.kind == "student" else f"{TEACHER_LINE}{cell.name}"
            lines[line] = (times[lookback:], cell.forecasts[number])
        frames += [
            pd.DataFrame({"line": line, "window": number, "time": at, "value": scale.undo(values)})
            for line, (at, values) in lines.items()
        ]
    return pd.concat(frames, ignore_index=True)


def _stacked(name: str, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return table(name, pd.concat(list(frames), ignore_index=True))
