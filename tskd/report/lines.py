"""The table of one case: every arm against the student alone, and the teachers as a bound."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from tskd.experiment.results import Results, of_size
from tskd.experiment.verdict import interval, percent
from tskd.report.shown import compared, finished, in_order, largest

NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Line:
    """One arm or teacher, as text: mean errors over the seeds, difference from the student alone, balance used.

    `p`: Diebold and Mariano's p-value. `best`: no arm has a lower error. `kept`: it belongs to the model confidence
    set. `finished`: it has results.
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
    finished: bool = True


def lines(results: Results, kept: Collection[str] = (), p_values: Mapping[str, str] = NONE) -> list[Line]:
    """The arms in their order, then the teachers; at the largest training size. `kept`: the model confidence set."""
    rows = of_size(results.rows, largest(results))
    groups = rows.groupby(["kind", "name"], sort=False)
    mse, mae, balance = groups.mse.mean(), groups.mae.mean(), groups.balance.first()
    fits = len(results.facts["seeds"]) * results.facts["folds"]
    best = mse["student"].min() if finished(results) else math.nan
    found = []
    for kind, group in (("student", results.facts["arms"]), ("teacher", results.facts["teachers"])):
        known, comparable = set(finished(results, kind)), set(compared(results, kind))
        for item in group:
            name, note = item["name"], _note(item) if kind == "student" else ""
            if name not in known:
                found.append(Line(kind, name, note, finished=False))
                continue
            if groups.size()[kind, name] < fits:
                note = f"{note}; {groups.size()[kind, name]} of {fits} fits".removeprefix("; ")
            comparison = results.compare(name, kind=kind) if name in comparable else None
            found.append(
                Line(
                    kind=kind,
                    name=name,
                    note=note,
                    mse=number(mse[kind, name], mse.min()),
                    mae=number(mae[kind, name], mae.min()),
                    relative=percent(comparison.relative) if comparison else "",
                    interval=interval(comparison) if comparison else "",
                    p=p_values.get(name, "") if kind == "student" else "",
                    balance=_balance(balance[kind, name]),
                    best=kind == "student" and mse[kind, name] == best,
                    kept=kind == "student" and name in kept,
                )
            )
    return found


def by_size(results: Results) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Differences from the student alone, by training size: the head, and each arm's cells, marked where the interval
    excludes zero. Empty for a single size."""
    sizes = in_order(results)
    if len(sizes) < 2:
        return [], []
    names = [arm["name"] for arm in results.facts["arms"] if arm["name"] != results.facts["alone"]]
    cells = []
    for name in names:
        found = [results.compare(name, size=size) if name in compared(results, size=size) else None for size in sizes]
        cells.append((name, [f"{percent(c.relative)}{'*' * (c.lower or c.higher)}" if c else "failed" for c in found]))
    return ["all" if size is None else f"{size:,}".replace(",", "\u2009") for size in sizes], cells


def number(value: float, smallest: float, digits: int = 3) -> str:
    """As many decimals in a whole column as give its smallest value `digits` significant ones."""
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(smallest))) if smallest > 0 else digits}f}"


def _note(arm: dict) -> str:
    if not arm["teachers"]:
        return "labels only"
    return f"{' + '.join(arm['teachers'])}{', shuffled' if arm['placebo'] else ''}"


def _balance(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]
