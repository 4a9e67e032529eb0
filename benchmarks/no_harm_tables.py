"""Tables and the figure of the benchmark of harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from no_harm_data import DEVELOPMENT
from tables import markdown

RULES = {
    "prudent": "`AutoBalance()`",
    "bold": "`AutoBalance(bold=True)`",
    "validated": "validated",
    "fixed 0.25": "α = .25",
    "fixed 0.5": "α = .5",
    "fixed 1": "α = 1",
}
HEADER = (
    "cells",
    "rule",
    "number",
    "> .5 % worse",
    "> 2 % worse",
    "worst",
    "kept of good teachers'",
    "median α of good",
)


def figures(cells: pd.DataFrame, rule: str) -> dict[str, str]:
    """What a rule did in some cells."""
    ratio, good = cells[rule], cells[~cells.useless]
    possible = (1 - good.hindsight).sum()
    return {
        "number": f"{len(cells):,}",
        "> .5 % worse": f"{(ratio > 1.005).mean():.1%}",
        "> 2 % worse": f"{(ratio > 1.02).mean():.1%}",
        "worst": f"{ratio.max():.3f}",
        "kept of good teachers'": f"{(1 - good[rule]).sum() / possible:.0%}" if possible > 0 else "",
        "median α of good": f"{good[f'alpha, {rule}'].median():.2f}",
    }


def groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Some cells, by what they are."""
    early = table.data.isin(DEVELOPMENT)
    single = table.labels != "pooled"
    full = table.labels == "all"
    yield "one series, all labels, development", table[full & early]
    yield "one series, all labels, confirmation", table[full & ~early]
    yield "few labels, development", table[single & ~full & early]
    yield "few labels, confirmation", table[single & ~full & ~early]
    yield "pooled", table[~single]


def section(table: pd.DataFrame) -> str:
    """The section of `benchmarks/README.md`."""
    lines = [
        {"cells": name, "rule": text, **figures(cells, rule)}
        for name, cells in groups(table)
        if len(cells)
        for rule, text in RULES.items()
    ]
    by_teacher = [
        {"teacher": name, **{text: _spread(cells[rule]) for rule, text in RULES.items()}}
        for name, cells in table.groupby("teacher", sort=False)
    ]
    pooled = table[table.labels == "pooled"]
    each = ""
    if len(pooled):
        worse = pooled["worst series, prudent"]
        each = (
            f" Of pooled cells, the worst single series is more than .5 % worse in {(worse > 1.005).mean():.1%}, more "
            f"than 2 % in {(worse > 1.02).mean():.1%}, at most {worse.max():.3f}."
        )
    return "\n\n".join(
        [
            "## Harm: how far teachers are trusted",
            "`TSKD_DATA=folder/of/data python benchmarks/no_harm.py`; the design, stated before, is in the file.",
            f"Test error over that of the same linear student on labels alone, {len(table):,} cells.{each} "
            "[results/no_harm.csv](results/no_harm.csv)",
            markdown(HEADER, lines),
            "![sorted cells](results/no_harm.png)",
            "By teacher: median ratio, and the largest.",
            markdown(("teacher", *RULES.values()), by_teacher),
        ]
    )


def _spread(ratio: pd.Series) -> str:
    return f"{ratio.median():.3f}, {ratio.max():.2f}"


def figure(table: pd.DataFrame, path: Path) -> None:
    """Sorted ratios of every rule."""
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    for axis, (title, kept) in zip(axes, (("one series", False), ("pooled", True)), strict=True):
        cells = table[(table.labels == "pooled") == kept]
        for rule, text in RULES.items():
            ratio = np.sort(cells[rule].to_numpy())
            axis.plot(np.linspace(0, 1, len(ratio)), ratio, label=text.strip("`"), lw=1.4)
        axis.axhline(1, color="0.6", lw=0.8)
        axis.set(title=title, xlabel="share of cells", ylim=(0.6, 1.5))
    axes[0].set_ylabel("test error over labels alone")
    axes[0].legend(frameon=False, fontsize=8)
    drawn.tight_layout()
    drawn.savefig(path, dpi=130)
    plt.close(drawn)
