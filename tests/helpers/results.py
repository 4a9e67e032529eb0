"""Made-up results with known effects, for the tests of the report: nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tskd.experiment import Results
from tskd.experiment.results.experiment_info import ExperimentInfo, StudyInfo
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tables import TABLES, table

# test error over that of the student alone
EFFECTS = {
    "alone": 1.0,
    "future": 0.93,
    "both": 0.9,
    "tuned": 0.985,
    "self-distilled": 0.97,
    "placebo": 0.975,
}
TEACHERS = {"season": 0.6, "weekly": 0.9, "self": 0.98}
LEARNS = {"future": ["season"], "both": ["season", "weekly"], "self-distilled": ["self"], "placebo": ["season"]}
CONTROLS = ("tuned", "self-distilled", "placebo", "iterated", "multi-horizon", "pooled", "pre-trained")
VERSIONS = {"python": "3.11.9", "tskd": "0.1.0", "darts": "0.48.0", "torch": "2.9.0", "numpy": "2.3.0"}
VERSIONS |= {"pytorch_lightning": "2.5.0", "pandas": "2.3.0"}


def made_up_results(
    name: str = "toy",
    case: str = "toy",
    effects: Mapping[str, float] = EFFECTS,
    sizes: Sequence[int | None] = (None,),
    folds: int = 1,
    seeds: int = 3,
    windows: int = 720,
    horizon: int = 24,
    lookback: int = 48,
    failing: Sequence[str] = (),
    random: int = 0,
) -> Results:
    """Errors of all arms follow one series of squared normals; each arm's is `effects` times that of the student alone.

    The fewer training windows, the larger are errors and effects. `failing`: arms that fail with the last seed.
    """
    rng = np.random.default_rng(random)
    cells = [("student", arm, effect) for arm, effect in effects.items()]
    cells += [("teacher", teacher, effect) for teacher, effect in TEACHERS.items()]
    tables: dict[str, list[Any]] = {name: [] for name in TABLES if name != "forecasts"}
    for fold in range(1, folds + 1):
        starts = pd.date_range("2024-01-01", periods=windows, freq="h") + pd.Timedelta(hours=windows * (fold - 1))
        easy = 0.4 * np.exp(0.5 * np.convolve(rng.normal(size=windows + 71), np.ones(72) / 72**0.5, "valid"))
        for size in sizes:
            scarce = 1.0 if size is None else (4000 / size) ** 0.3
            for seed in range(seeds):
                for kind, cell, effect in cells:
                    where = {"fold": fold, "size": size, "seed": seed}
                    key = {"kind": kind, "name": cell, **where}
                    if cell in failing and seed == seeds - 1:
                        tables["failures"].append(key | {"candidate": 0} | FAILURE)
                        continue
                    factor = effect**scarce * scarce**0.5 * (1 + 0.006 * rng.normal())
                    mse = easy * factor * (1 + 0.05 * rng.normal(size=windows))
                    step = np.arange(1, horizon + 1)
                    shape = mse.mean() * (0.5 + step / horizon) * (1 - 0.1 * (1 - effect) * step / horizon)
                    tables["rows"].append(
                        {
                            **key,
                            "key": f"{hash((cell, fold, size, seed)) & 0xFFFF:020x}",
                            "balance": "0.5" if cell in LEARNS else "",
                            "mse": mse.mean(),
                            "mae": np.sqrt(mse).mean(),
                            "validation_mse": 0.9 * mse.mean(),
                            "seconds": 4.2,
                            "windows": windows,
                            "data": "f00d",
                            "commit": "0a1b2c3+",
                            **VERSIONS,
                        }
                    )
                    tables["windows"].append(pd.DataFrame({**key, "start": starts, "mse": mse, "mae": np.sqrt(mse)}))
                    tables["steps"].append(pd.DataFrame({**key, "step": step, "mse": shape, "mae": np.sqrt(shape)}))
                    if kind == "student" and cell in LEARNS:
                        tables["candidates"] += [
                            {
                                "arm": cell,
                                **where,
                                "balance": f"{b:g}",
                                "validation_mse": 0.9 * mse.mean() + abs(b - 0.5),
                            }
                            for b in (0, 0.25, 0.5, 1)
                        ]
                        tables["weights"].append(_weights(cell, where, horizon, rng))
    return Results(
        **{name: _table(name, parts) for name, parts in tables.items()},
        forecasts=_forecasts([*effects], lookback, horizon, rng),
        info=ExperimentInfo.model_validate(
            _facts(name, case, [*effects], sizes, folds, seeds, windows, horizon, lookback)
        ),
    )


def made_up_study(cases: int = 3, name: str = "benchmark", **changes: Any) -> StudyResults:
    """As many cases, with effects that differ."""
    rng = np.random.default_rng(5)
    data, found = ("ETTh1", "ETTh2", "ETTm1", "ETTm2", "weather", "exchange"), {}
    for number in range(cases):
        label = (
            f"{data[number % 6]} · {(24, 48, 96, 192, 336)[number // 6 % 5]} · {('DLinear', 'TiDE')[number // 30 % 2]}"
        )
        effects = {arm: effect + 0.02 * rng.normal() * (arm != "alone") for arm, effect in EFFECTS.items()}
        found[label] = made_up_results(name, label, effects, random=number, **changes)
    counts = {"planned": 20 * cases, "finished": 20 * cases, "failed": 0}
    info = study_info(name=name, command=f"tskd run {name}.yaml", config=f"name: {name}\n", cells=counts)
    return StudyResults(name, found, info)


def study_info(**known: Any) -> StudyInfo:
    """What is known of a study, and defaults for what is not."""
    facts: dict[str, Any] = {"name": "made up", "command": None, "config": "", "reproducible": True, "left_out": {}}
    facts |= {"cells": {"planned": 9, "finished": 9, "failed": 0}, "versions": {}, "commit": ""}
    return StudyInfo.model_validate(facts | known)


def experiment_info(**known: Any) -> ExperimentInfo:
    """What is known of an experiment, and defaults for what is not."""
    return ExperimentInfo.model_validate(_facts("made up", "made up", ["alone"], [None], 1, 1, 9, 2, 3) | known)


def with_info(results: Results, **changes: Any) -> Results:
    """Results with other information."""
    return replace(results, info=ExperimentInfo.model_validate(results.facts | changes))


FAILURE = {
    "error": "RunError: loss is not finite at epoch 3",
    "traceback": 'Traceback (most recent call last):\n  File "cells.py", line 12, in fit\nRunError: loss is not finite',
}


def _table(name: str, parts: list[Any]) -> pd.DataFrame:
    return table(name, pd.concat(parts, ignore_index=True) if parts and isinstance(parts[0], pd.DataFrame) else parts)


def _weights(arm: str, where: dict[str, Any], horizon: int, rng: np.random.Generator) -> pd.DataFrame:
    """Two teachers' weights drift apart over the epochs; the first is trusted at early steps and at night."""
    teachers, epochs = LEARNS[arm], 12
    lines = []
    for epoch in range(epochs):
        first = 0.5 + 0.3 * epoch / epochs + 0.02 * rng.normal() if len(teachers) > 1 else 1.0
        shares = dict(zip(teachers, (first, 1 - first), strict=False))
        for teacher, share in shares.items():
            lines.append((epoch, "all", 0, teacher, share))
            tilt = 1 if teacher == teachers[0] else -1
            for by, first_at, count in (("step", 1, horizon), ("hour", 0, 24)):
                turn = 0.15 * tilt * (len(teachers) > 1) * np.cos(np.pi * np.arange(count) / count)
                lines += [(epoch, by, first_at + i, teacher, share + turn[i]) for i in range(count)]
        lines += [(epoch, "effective", 0, "", 1 / sum(s**2 for s in shares.values())), (epoch, "masked", 0, "", 0.0)]
    frame = pd.DataFrame(lines, columns=["epoch", "by", "at", "teacher", "weight"])
    return frame.assign(arm=arm, **where)


def _forecasts(arms: Sequence[str], lookback: int, horizon: int, rng: np.random.Generator) -> pd.DataFrame:
    frames = []
    for window in range(3):
        times = pd.date_range("2024-01-03", periods=lookback + horizon, freq="h") + pd.Timedelta(days=9 * window)
        truth = 12 + 4 * np.sin(2 * np.pi * np.arange(len(times)) / 24) + rng.normal(size=len(times)).cumsum() / 6
        frames.append(pd.DataFrame({"line": "truth", "window": window, "time": times, "value": truth}))
        ahead, step = truth[lookback:], np.arange(1, horizon + 1)
        for line in (*arms, *(f"teacher {teacher}" for teacher in TEACHERS)):
            values = ahead + (0.4 if "teacher" in line else 0.9) * rng.normal() * step / horizon
            frames.append(pd.DataFrame({"line": line, "window": window, "time": times[lookback:], "value": values}))
    return table("forecasts", pd.concat(frames, ignore_index=True))


def _facts(
    name: str,
    case: str,
    arms: Sequence[str],
    sizes: Sequence[int | None],
    folds: int,
    seeds: int,
    windows: int,
    horizon: int,
    lookback: int,
) -> dict[str, Any]:
    return {
        "name": name,
        "case": case,
        "cells": {"planned": 20, "finished": 20, "failed": 0},
        "pending": [],
        "reproducible": True,
        "command": f"tskd run {name}.yaml",
        "config": f"name: {name}\ndata: toy\nstudent:\n  class: DLinearModel\n",
        "alone": "alone",
        "student": f"DLinearModel(input_chunk_length={lookback}, output_chunk_length={horizon})",
        "soft_sensor": False,
        "lookback": lookback,
        "horizon": horizon,
        "scored": [1, horizon],
        "seeds": list(range(seeds)),
        "folds": folds,
        "sizes": list(sizes),
        "examples": 3,
        "controls": {arm: arm for arm in arms if arm in CONTROLS},
        "not_applicable": {"multi-horizon": "the student learns every scored step already."},
        "teachers": [
            {
                "name": teacher,
                "model": f"TiDEModel(input_chunk_length={lookback}, output_chunk_length={horizon})",
                "privileged": [] if teacher == "self" else [f"FutureHorizon('{teacher}')"],
                "sees_inputs": True,
                "cross_fit": None,
                "archive": None,
            }
            for teacher in TEACHERS
        ],
        "arms": [
            {
                "name": arm,
                "teachers": LEARNS.get(arm, []),
                "losses": ["OutputKD()"],
                "weighting": "CAMKD()",
                "candidates": ["0", "0.25", "0.5", "1"],
                "placebo": arm == "placebo",
                "privileged": arm in ("future", "both"),
                "controls": [control for control in arms if control in CONTROLS] if arm in ("future", "both") else [],
            }
            for arm in arms
        ],
        "data": {
            "name": "toy",
            "title": "Toy series",
            "unit": "°C",
            "source": "made up",
            "licence": "public domain",
            "notes": "",
            "components": ["y"],
            "step": "h",
            "first": "2023-01-01 00:00:00",
            "validation_start": "2023-10-01 00:00:00",
            "test_start": "2024-01-01 00:00:00",
            "last": "2024-03-01 00:00:00",
            "windows": {"training": 4000, "validation": 700, "test": windows},
            "not_scored": 0,
        },
        # of whoever lays out the tables
        "versions": dict.fromkeys(VERSIONS, "9.9.9"),
        "fingerprint": "f00d" * 16,
        "commit": "9e9e9e9",
        "seconds": 61.3,
        "warnings": [],
    }
