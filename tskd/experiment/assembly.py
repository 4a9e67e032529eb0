"""From single fits to results: choosing each arm's balance, and laying out the tables."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import tskd
from tskd.experiment.arm import Arm
from tskd.experiment.config import Experiment
from tskd.experiment.preparation import Prepared, examples, fingerprint
from tskd.experiment.results import Results

if TYPE_CHECKING:
    from tskd.experiment.cells import Cell

PACKAGES = ("darts", "torch", "pytorch-lightning", "numpy", "pandas")


def assemble(experiment: Experiment, prepared: Prepared, cells: Sequence[Cell], seconds: float) -> Results:
    """The tables from all fits. Chooses each arm's balance: nothing but validation errors is looked at for that."""
    chosen = {arm.name: choose(arm, cells) for arm in experiment.arms}
    kept = [c for c in cells if c.kind == "teacher" or c.candidate == chosen[c.name]]
    arms = {arm.name: arm for arm in experiment.arms}
    versions = _versions()
    stamp = {"data": fingerprint(prepared.data), **{name.replace("-", "_"): v for name, v in versions.items()}}
    # a window without a single scored target has no error in any arm
    some = ~np.isnan(kept[0].mse)
    starts = prepared.test.starts
    rows, windows, steps = [], [], []
    for cell in kept:
        key = {"kind": cell.kind, "name": cell.name, "seed": cell.seed}
        chose = cell.kind == "student" and _chooses(arms[cell.name])
        rows.append(
            {
                **key,
                "balance": label(arms[cell.name].candidates[cell.candidate]) if chose else "",
                "mse": float(np.nanmean(cell.mse)),
                "mae": float(np.nanmean(cell.mae)),
                "validation_mse": cell.validation_mse,
                "seconds": round(cell.seconds, 3),
                "windows": int((~np.isnan(cell.mse)).sum()),
                **stamp,
            }
        )
        windows.append(pd.DataFrame({**key, "start": starts[some], "mse": cell.mse[some], "mae": cell.mae[some]}))
        step = np.arange(1, len(cell.step_mse) + 1)
        steps.append(pd.DataFrame({**key, "step": step, "mse": cell.step_mse, "mae": cell.step_mae}))
    candidates = [
        {"arm": c.name, "seed": c.seed, "balance": label(arms[c.name].candidates[c.candidate]), "validation_mse": v}
        for c in cells
        if c.kind == "student" and _chooses(arms[c.name])
        for v in [c.validation_mse]
    ]
    return Results(
        rows=pd.DataFrame(rows),
        candidates=pd.DataFrame(candidates, columns=["arm", "seed", "balance", "validation_mse"]),
        windows=pd.concat(windows, ignore_index=True),
        steps=pd.concat(steps, ignore_index=True),
        forecasts=_forecasts(experiment, prepared, kept),
        facts={
            **_facts(experiment, prepared),
            "versions": {"python": platform.python_version(), **versions},
            "fingerprint": stamp["data"],
            "seconds": round(seconds, 1),
            "warnings": list(dict.fromkeys(w for cell in kept for w in cell.warnings)),
        },
    )


def choose(arm: Arm, cells: Sequence[Cell]) -> int:
    """Position of the candidate with the lowest validation error, mean over the seeds; of equal ones the first."""
    means = [
        np.mean([c.validation_mse for c in cells if c.kind == "student" and c.name == arm.name and c.candidate == i])
        for i in range(len(arm.candidates))
    ]
    return int(np.argmin(means))


def label(candidate: Any) -> str:
    """A balance, or settings of the student, as the tables show it."""
    if isinstance(candidate, dict):
        return ", ".join(
            label(value) if isinstance(value, dict) else f"{key}={value}" for key, value in candidate.items()
        )
    return f"{candidate:g}" if isinstance(candidate, float) else str(candidate)


def _chooses(arm: Arm) -> bool:
    return bool(arm.teachers or arm.students)


def _forecasts(experiment: Experiment, prepared: Prepared, cells: Sequence[Cell]) -> pd.DataFrame:
    part, scale = prepared.test, prepared.scale
    lookback, horizon = experiment.chunk_lengths(experiment.student)[0], experiment.steps[1]
    frames = []
    for number, window in enumerate(examples(len(part.truth))):
        past = slice(window + part.reach - lookback, window + part.reach + horizon)
        times = part.series.time_index[past]
        lines = {"truth": (times, part.series.values(copy=False)[past])}
        for cell in cells:
            if cell.seed == experiment.seeds[0]:
                line = cell.name if cell.kind == "student" else f"teacher {cell.name}"
                lines[line] = (times[lookback:], cell.forecasts[number])
        frames += [
            pd.DataFrame({"line": line, "window": number, "time": at, "value": scale.undo(values)[:, 0]})
            for line, (at, values) in lines.items()
        ]
    return pd.concat(frames, ignore_index=True)


def _facts(experiment: Experiment, prepared: Prepared) -> dict[str, Any]:
    data = prepared.data
    lookback, horizon = experiment.chunk_lengths(experiment.student)[0], experiment.steps[1]
    parts = {"training": prepared.train, "validation": prepared.validation, "test": prepared.test}
    return {
        "name": experiment.name,
        "command": None,
        "config": experiment.to_yaml(),
        "alone": experiment.alone.name,
        "student": str(experiment.student),
        "soft_sensor": experiment.soft_sensor,
        "lookback": lookback,
        "horizon": horizon,
        "scored": list(experiment.steps),
        "seeds": list(experiment.seeds),
        "examples": len(examples(len(prepared.test.truth))),
        "teachers": [
            {
                "name": name,
                "model": str(teacher.model),
                "privileged": [str(source) for source in teacher.privileged],
                "sees_inputs": teacher.sees_inputs,
                "cross_fit": None if teacher.cross_fit is None else teacher.cross_fit.folds,
                "archive": teacher.archive,
            }
            for name, teacher in experiment.teachers.items()
        ],
        "arms": [
            {
                "name": arm.name,
                "teachers": list(arm.teachers),
                "losses": [str(loss) for loss in arm.losses],
                "weighting": str(arm.weighting),
                "candidates": [label(candidate) for candidate in arm.candidates],
                "placebo": arm.placebo,
                "privileged": experiment.is_privileged(arm),
            }
            for arm in experiment.arms
        ],
        "data": {
            "name": data.name,
            "title": data.title,
            "unit": data.unit,
            "source": data.source,
            "licence": data.licence,
            "notes": data.notes,
            "components": list(data.series.components),
            "step": data.series.freq_str,
            "first": str(data.series.start_time()),
            "validation_start": str(data.validation_start),
            "test_start": str(data.test_start),
            "last": str(data.series.end_time()),
            "windows": {name: len(part.truth) for name, part in parts.items()},
            "not_scored": _not_scored(prepared.test.scored[:, experiment.steps[0] - 1 :]),
        },
    }


def _not_scored(scored: np.ndarray) -> int:
    """How many targets are not, of windows `[W, H]` that overlap."""
    return int((~scored[:, -1]).sum() + (~scored[0, :-1]).sum())


def _versions() -> dict[str, str]:
    return {"tskd": tskd.__version__, **{package: version(package) for package in PACKAGES}}
