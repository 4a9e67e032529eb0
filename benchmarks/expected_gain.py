"""Does `expected_gain` foretell what distillation does to a test part? The cells of `no_harm.py`, told and realised.

    TSKD_DATA=folder/of/data python benchmarks/no_harm.py   # first: it keeps the prediction of every cell
    python benchmarks/expected_gain.py

Writes its section in `benchmarks/README.md`. Design, stated before it was run: for every cell of `no_harm.py` and α =
.25, .5 and 1, the change of the error that `PredictedChange` gives (held-out labels of the training part alone) beside
the realised change on the test part. Reported: Spearman's rank correlation over all of them and by kind of cell, beside
those of simpler predictors (the teacher's R² on held-out labels, the plug-in share λ*); the share of cells whose 95 %
interval holds the realised change; the share of predicted signs that were right, where the interval excludes 0; the
cells that were most wrong. Goals: .8, and 85 to 99 %. The factor by which intervals are widened was chosen on the
development half of the cells; the other half confirms it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from no_harm_cells import FIXED
from no_harm_data import DEVELOPMENT
from scipy.stats import spearmanr
from tables import markdown, write_section

HERE = Path(__file__).parent
WORST = 10
KEPT = ["data", "horizon", "windows", "fold", "labels", "teacher", "useless", "explained", "plug_in"]


def long(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each cell and balance."""
    parts = []
    for alpha in FIXED:
        part = table[KEPT].copy()
        part["alpha"] = alpha
        for what in ("predicted", "low", "high"):
            part[what] = table[f"{what} at {alpha:g}"]
        part["realised"] = table[f"fixed {alpha:g}"] - 1
        parts.append(part)
    whole = pd.concat(parts, ignore_index=True)
    whole["held"] = (whole.low <= whole.realised) & (whole.realised <= whole.high)
    return whole[np.isfinite(whole.predicted) & np.isfinite(whole.low)]


def groups(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Some cells, by what they are."""
    yield "all", cells
    yield "development", cells[cells.data.isin(DEVELOPMENT)]
    yield "confirmation", cells[~cells.data.isin(DEVELOPMENT)]
    for labels, name in (("all", "one series, all labels"), ("block", "labels of one stretch")):
        yield name, cells[cells.labels == labels]
    yield "scattered labels", cells[cells.labels == "scattered"]
    yield "pooled", cells[cells.labels == "pooled"]
    yield "good teachers", cells[~cells.useless]
    yield "good teachers, α = 1", cells[~cells.useless & (cells.alpha == 1)]
    yield "useless teachers", cells[cells.useless]


def line(name: str, cells: pd.DataFrame) -> dict[str, str]:
    """What was foretold of some cells."""

    def correlation(column: str, sign: int = 1) -> str:
        return f"{spearmanr(sign * cells[column], cells.realised, nan_policy='omit').statistic:.2f}"

    told = cells[(cells.low > 0) | (cells.high < 0)]
    right = np.sign(told.predicted) == np.sign(told.realised)
    return {
        "cells": name,
        "number": f"{len(cells):,}",
        "predicted": correlation("predicted"),
        "teacher's R²": correlation("explained", -1),
        "plug-in λ*": correlation("plug_in", -1),
        "interval holds": f"{cells.held.mean():.0%}",
        "sign told": f"{len(told) / len(cells):.0%}",
        "of these right": f"{right.mean():.0%}" if len(told) else "",
    }


def section(table: pd.DataFrame) -> str:
    """The section of `benchmarks/README.md`."""
    cells = long(table)
    lines = [line(name, some) for name, some in groups(cells) if len(some) > WORST]
    away = (np.log1p(cells.realised.clip(lower=-0.99)) - np.log1p(cells.predicted.clip(lower=-0.99))).abs()
    wrong = cells.assign(away=away).sort_values("away", ascending=False).drop_duplicates(["data", "teacher", "labels"])
    named = [
        {
            "data": row.data,
            "labels": row.labels,
            "teacher": row.teacher,
            "H, n, fold": f"{row.horizon}, {row.windows}, {row.fold}",
            "α": f"{row.alpha:g}",
            "predicted": f"{row.predicted:+.2f} [{row.low:+.2f}, {row.high:+.2f}]",
            "realised": f"{row.realised:+.2f}",
        }
        for row in wrong.head(WORST).itertuples()
    ]
    return "\n\n".join(
        [
            "## Expected gain: predicted and realised",
            "`python benchmarks/expected_gain.py`, after `no_harm.py`; the design stands in the script.",
            "Spearman's correlation with the realised change of the test error, and how often that is in the interval.",
            markdown(lines[0], lines),
            "Most wrong, by the ratio of the two errors:",
            markdown(named[0], named),
        ]
    )


def main() -> None:
    table = pd.read_csv(HERE / "results" / "no_harm.csv")
    write_section(HERE / "README.md", "expected_gain", section(table))


if __name__ == "__main__":
    main()
