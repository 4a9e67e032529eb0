"""The table of an experiment: every arm against the student alone, and the teachers as a bound."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tskd.experiment.verdict import interval, percent

if TYPE_CHECKING:
    from tskd.experiment.results import Results

WIDTH = 100


@dataclass(frozen=True)
class Line:
    """One arm or teacher, as text: mean errors over the seeds, difference from the student alone, balance used."""

    kind: str
    name: str
    note: str
    mse: str
    mae: str
    relative: str
    interval: str
    balance: str


def lines(results: Results) -> list[Line]:
    """The arms in their order, then the teachers; a teacher's difference is that of the bound it sets."""
    arms = {arm["name"]: arm for arm in results.facts["arms"]}
    groups = results.rows.groupby(["kind", "name"], sort=False)
    mse, mae, balance = groups.mse.mean().to_dict(), groups.mae.mean().to_dict(), groups.balance.first().to_dict()
    found = []
    for kind in ("student", "teacher"):
        for name in results.rows.name[results.rows.kind == kind].unique():
            alone = kind == "student" and name == results.facts["alone"]
            comparison = None if alone else results.compare(name, kind=kind)
            found.append(
                Line(
                    kind=kind,
                    name=name,
                    note=_note(arms[name]) if kind == "student" else "",
                    mse=number(mse[kind, name], min(mse.values())),
                    mae=number(mae[kind, name], min(mae.values())),
                    relative=percent(comparison.relative) if comparison else "",
                    interval=interval(comparison) if comparison else "",
                    balance=balance[kind, name],
                )
            )
    return found


def terminal_table(results: Results) -> str:
    """Title, table and verdict, at most 100 characters wide."""
    facts = results.facts
    header = ["", "MSE", "MAE", "MSE against alone", "95 % interval", "balance"]
    rows = [header] + [
        [f"teacher {x.name}" if x.kind == "teacher" else x.name, x.mse, x.mae, x.relative, x.interval, x.balance]
        for x in lines(results)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    aligned = [f"{{:<{widths[0]}}}", *(f"{{:>{width}}}" for width in widths[1:])]
    text = ["  ".join(aligned).format(*row) for row in rows]
    rule = "─" * len(text[0])
    first_teacher = next((i for i, x in enumerate(lines(results), 1) if x.kind == "teacher"), len(text))
    title = (
        f"{facts['name']}: {facts['data']['name']}, {facts['lookback']} steps to {facts['horizon']}, "
        f"{len(facts['seeds'])} seeds, {facts['data']['windows']['test']} test windows"
    )
    body = [text[0], rule, *text[1:first_teacher], rule, *text[first_teacher:]]
    said = [results.verdict.headline, "", *(f"• {sentence}" for sentence in results.verdict.sentences)]
    said += [f"! {warning}" for warning in facts["warnings"]]
    paragraph = textwrap.TextWrapper(WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join([title, "", *(line.rstrip() for line in body), "", *map(paragraph.fill, said)])


def _note(arm: dict) -> str:
    if not arm["teachers"]:
        return "no teacher"
    return f"{' + '.join(arm['teachers'])}{', shuffled' if arm['placebo'] else ''}"


def number(value: float, smallest: float, digits: int = 3) -> str:
    """As many decimals in a whole column as give its smallest value `digits` significant ones."""
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(smallest))) if smallest > 0 else digits}f}"
