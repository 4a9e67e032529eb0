"""What of an experiment is shown, where not everything can be, and in which order."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.tables import SCORES


def largest(results: Measurements) -> int | None:
    """The largest training size, in windows; None for all."""
    return in_order(results)[-1]


def in_order(results: Measurements) -> list[int | None]:
    """The training sizes from the smallest on; None, all windows, comes last."""
    return sorted(results.info.sizes, key=lambda size: float("inf") if size is None else size)


def windows_of(results: Measurements, size: int | None) -> int:
    """Training windows that a size stands for."""
    return results.info.data.windows.training if size is None else size


def finished(results: Measurements, kind: str = "student", size: Any = ...) -> list[str]:
    """Arms (teachers, or bounds) that have results at a training size, the largest if none is given; in their order."""
    rows = of_size(results.rows, largest(results) if size is ... else size)
    known = set(rows.name[rows.kind == kind])
    info = results.info
    names = {"student": [arm.name for arm in info.arms], "teacher": [teacher.name for teacher in info.teachers]}
    return [name for name in names.get(kind, info.bounds) if name in known]


def compared(results: Measurements, kind: str = "student", size: Any = ...) -> list[str]:
    """Arms (or teachers) that can be compared with the student alone, in their order; it is not one of them.

    They share with it a seed that both have in all folds.
    """
    alone, whole = results.info.alone, _whole_seeds(results, kind, size)
    shared = _whole_seeds(results, "student", size).get(alone, set())
    found = {name for name, seeds in whole.items() if seeds & shared}
    return [name for name in finished(results, kind, size) if name in found and (kind, name) != ("student", alone)]


def on_a_par(results: Measurements) -> tuple[list[str], list[int]]:
    """Arms whose mean errors can be held against each other, and the seeds of which; at the largest training size.

    Those that have every seed in all folds. While there are not two such arms, those that have any seed in all folds,
    and the seeds that are common to them; neither if there is none.
    """
    whole, planned = _whole_seeds(results, "student"), set(results.info.seeds)
    arms = [name for name in finished(results) if whole.get(name) == planned]
    if len(arms) < 2:
        arms = [name for name in finished(results) if name in whole]
    seeds = sorted(set.intersection(*(whole[name] for name in arms))) if arms else []
    return (arms, seeds) if seeds else ([], [])


def mean_errors(results: Measurements, kind: str = "student") -> pd.DataFrame:
    """Mean scores by arm (or teacher) at the largest training size, of results in all folds.

    Of arms on a par, over the seeds that makes them so; of others over those they have. Whoever misses a fold with
    every seed is not in it.
    """
    arms, seeds = on_a_par(results)
    whole = _whole_seeds(results, kind)
    rows = of_size(results.rows, largest(results))
    rows = rows[rows.kind == kind]
    kept = [
        seed in (seeds if kind == "student" and name in arms else whole.get(name, ()))
        for name, seed in zip(rows.name, rows.seed, strict=True)
    ]
    return rows[np.array(kept, dtype=bool)].groupby("name")[list(SCORES)].mean()


def state(
    results: Measurements, name: str, kind: str = "student", size: Any = ...
) -> Literal["finished", "pending", "failed"]:
    """Whether an arm (or teacher) has results at a training size, the largest if none is given, or why not."""
    if name in finished(results, kind, size):
        return "finished"
    size = largest(results) if size is ... else size
    waits = any((p.kind, p.name, p.size) == (kind, name, size) for p in results.info.pending)
    return "pending" if waits else "failed"


def _whole_seeds(results: Measurements, kind: str, size: Any = ...) -> dict[str, set[int]]:
    """By arm (or teacher), the seeds that it has in all folds of which there is any result."""
    rows = of_size(results.rows, largest(results) if size is ... else size)
    counts = rows[rows.kind == kind].groupby(["name", "seed"]).fold.nunique()
    found: dict[str, set[int]] = {}
    for name, seed in counts.index[counts == rows.fold.nunique()]:
        found.setdefault(name, set()).add(seed)
    return found


def shown_arm(results: Measurements) -> str | None:
    """The arm whose forecasts are drawn: of those with privileged teachers the one with the lowest validation error."""
    arms = [arm for arm in results.info.arms if arm.teachers and arm.name in finished(results)]
    preferred = [arm.name for arm in arms if arm.privileged] or [arm.name for arm in arms]
    return _by_validation(results, preferred)[0] if preferred else None


def shown_teacher(results: Measurements) -> str | None:
    """The teacher whose forecasts are drawn: the first one of the arm that is."""
    arm = shown_arm(results)
    return next((a.teachers[0] for a in results.info.arms if a.name == arm), None)


def few(results: Measurements, count: int = 5) -> list[str]:
    """At most `count` arms that lines are drawn for: those with privileged teachers before controls, and each by
    validation error."""
    names, cool = compared(results), results.info.privileged
    ranked = _by_validation(results, names)
    kept = sorted(ranked, key=lambda name: name not in cool)[:count]
    return [name for name in names if name in kept]


def _by_validation(results: Measurements, names: list[str]) -> list[str]:
    """Arms by validation error, those that lack results after those that do not."""
    rows, (arms, _) = of_size(results.rows, largest(results)), on_a_par(results)
    means = rows[rows.kind == "student"].groupby("name").validation_mse.mean()
    return sorted(names, key=lambda name: (name not in arms, means[name]))
