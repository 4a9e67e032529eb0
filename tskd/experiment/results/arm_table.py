"""The table of one case: every arm against the student alone, and the teachers as a bound."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from tskd.experiment.results.experiment_info import ArmInfo
from tskd.experiment.results.measurements import Measurements, of_size
from tskd.experiment.results.selection import compared, in_order, largest, mean_errors, on_a_par, state
from tskd.experiment.statistics.verdict import interval, percent

NONE: Mapping[str, str] = MappingProxyType({})
STATES = {"finished": "–", "pending": "not yet", "failed": "failed"}
"""What stands in place of a number that there is not, by the state of the arm."""


@dataclass(frozen=True)
class Line:
    """One arm, teacher or bound, as text; what is not known is empty.

    Attributes:
        mse: mean error over the seeds; so are `mae`, and of a forecast distribution `crps`, `coverage` and `width`.
        relative: difference from the student alone, with its `interval`.
        p: Diebold and Mariano's p-value.
        balance: the one that was used.
        best: whether no arm on a par with it has a lower error.
        kept: whether it belongs to the model confidence set.
        state: "finished" if it has results, and why not otherwise.
    """

    kind: str
    name: str
    note: str
    mse: str = ""
    mae: str = ""
    relative: str = ""
    interval: str = ""
    p: str = ""
    balance: str = ""
    best: bool = False
    kept: bool = False
    state: str = "finished"
    crps: str = ""
    coverage: str = ""
    width: str = ""


def lines(results: Measurements, kept: Collection[str] = (), p_values: Mapping[str, str] = NONE) -> list[Line]:
    """The arms in their order, then the teachers and other bounds; at the largest training size.

    Args:
        results: of a case.
        kept: the model confidence set.
        p_values: of arms, as text.
    """
    rows = of_size(results.rows, largest(results))
    groups = rows.groupby(["kind", "name"], sort=False)
    balance, fits = groups.balance.first(), len(results.info.seeds) * results.info.folds
    means = {kind: mean_errors(results, kind) for kind in ("student", "teacher", "bound")}
    # a teacher's error may be tiny, and would give the students' more digits than tell them apart
    smallest = means["student"].min().fillna(pd.concat(means.values()).min())
    arms, _ = on_a_par(results)
    best = means["student"].mse.reindex(arms).min()
    found = []
    info = results.info
    groups_shown: list[tuple[str, Sequence[tuple[str, str]]]] = [
        ("student", [(arm.name, _note(arm)) for arm in info.arms]),
        ("teacher", [(teacher.name, "") for teacher in info.teachers]),
        ("bound", [(name, "the student, trained on all labels") for name in info.bounds]),
    ]
    for kind, shown in groups_shown:
        comparable = set(compared(results, kind))
        for name, note in shown:
            if (now := state(results, name, kind)) != "finished":
                found.append(Line(kind, name, note, state=now))
                continue
            if groups.size()[kind, name] < fits:
                note = f"{note}; {groups.size()[kind, name]} of {fits} fits".removeprefix("; ")
            errors: Any = means[kind].loc[name] if name in means[kind].index else None
            comparison = results.compare(name, kind=kind) if name in comparable else None
            if errors is not None and math.isnan(errors.mse):
                errors = comparison = None
                note = f"{note}; no answer in the test part".removeprefix("; ")
            found.append(
                Line(
                    kind=kind,
                    name=name,
                    note=note,
                    mse=number(errors.mse, smallest.mse) if errors is not None else "",
                    mae=number(errors.mae, smallest.mae) if errors is not None else "",
                    relative=percent(comparison.relative) if comparison else "",
                    interval=interval(comparison) if comparison else "",
                    p=p_values.get(name, "") if kind == "student" else "",
                    balance=_balance(balance[kind, name]),
                    best=kind == "student" and name in arms and errors is not None and errors.mse == best,
                    kept=kind == "student" and name in kept,
                    **_distribution(errors, smallest),
                )
            )
    return found


def has_distribution(found: Iterable[Line]) -> bool:
    """Whether some arm or teacher is scored as a distribution."""
    return any(line.crps for line in found)


def _distribution(errors: Any, smallest: pd.Series) -> dict[str, str]:
    """Scores of a forecast distribution, as text; none of point forecasts."""
    if errors is None or pd.isna(errors.crps):
        return {}
    share = f"{100 * errors.coverage:.0f}\u00a0%"
    scores = {name: number(errors[name], smallest[name]) for name in ("crps", "width")}
    return {**scores, "coverage": share}


def by_size(results: Measurements) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Differences from the student alone, by training size: the head, and each arm's cells, marked where the interval
    excludes zero. Empty for a single size."""
    sizes = in_order(results)
    if len(sizes) < 2:
        return [], []
    names = [arm.name for arm in results.info.arms if arm.name != results.info.alone]
    cells = []
    for name in names:
        cells.append((name, [_against_alone(results, name, size) for size in sizes]))
    return ["all" if size is None else f"{size:,}".replace(",", "\u2009") for size in sizes], cells


def by_series(results: Measurements) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Errors by series, where there are several, at the largest training size: the head, and each arm's cells, of the
    student alone its MSE and of the others the difference from it, marked where the interval excludes zero."""
    series, alone, size = list(results.info.data.series), results.info.alone, largest(results)
    if not series:
        return [], []
    table = of_size(results.series, size)
    own = table[(table.kind == "student") & (table.name == alone)].groupby("series").mse.mean()
    cells = [(f"{alone}, MSE", [number(own[one], own.min()) if one in own else STATES["finished"] for one in series])]
    each = [results.of_series(one) for one in series]
    for name in (arm.name for arm in results.info.arms if arm.name != alone):
        cells.append((name, [_against_alone(one, name, size) for one in each]))
    return series, cells


def _against_alone(results: Measurements, name: str, size: int | None) -> str:
    if name not in compared(results, size=size):
        return STATES[state(results, name, size=size)]
    found = results.compare(name, size=size)
    if not found.windows:
        return STATES["finished"]
    return f"{percent(found.relative)}{'*' * (found.lower or found.higher)}"


def number(value: float, smallest: float, digits: int = 3) -> str:
    """As many decimals in a whole column as give its smallest value `digits` significant ones."""
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(smallest))) if smallest > 0 else digits}f}"


def _note(arm: ArmInfo) -> str:
    if not arm.teachers:
        return "labels only"
    return f"{' + '.join(arm.teachers)}{', shuffled' if arm.placebo else ''}"


def _balance(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]
