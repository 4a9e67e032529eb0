"""Tables of the benchmark of scarce labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scarce_cells import RIDGE, TREES
from scarce_ridge import interval, share_of_oracle
from tables import markdown

LABELS, ARM, ORACLE = "labels", "privileged", "oracle"
VARIANTS = ("one neighbour", "privileged, gated")
CONTROLS = ("self-trained", "placebo", "smoothed", "pooled", "linear")
BEST = "best control"
# with fewer there is no interval
LEAST_FOLDS = 3
# of the oracle: of a smaller gain a share says nothing
LEAST_GAIN = 0.95
GROUP = ["student", "family", "scheme", "days"]
CASES = ["student", "family", "scheme", "days", "series", "fold", "seed"]


def logs(table: pd.DataFrame, arm: str, base: str) -> list[np.ndarray]:
    """Log ratio of the errors of two arms, by family `[series, folds]`, mean over schemes, days and seeds of a fold."""
    if f"mse {arm}" not in table or f"mse {base}" not in table:
        return []
    values = table.assign(log=np.log(table[f"mse {arm}"] / table[f"mse {base}"])).dropna(subset=["log"])
    found = [rows.pivot_table(index="series", columns="fold", values="log") for _, rows in values.groupby("family")]
    return [one.to_numpy() for one in found]


def ratio(table: pd.DataFrame, arm: str, base: str) -> tuple[float, float, float]:
    """Geometric mean of the ratio of the errors of two arms, and its interval; NaN where there are none."""
    found = logs(table, arm, base)
    if not found:
        return float("nan"), float("nan"), float("nan")
    centre = float(np.exp(np.nanmean(np.concatenate([one.ravel() for one in found]))))
    if min(one.shape[1] for one in found) < LEAST_FOLDS:
        return centre, float("nan"), float("nan")
    return centre, *interval(found)


def with_best_control(table: pd.DataFrame) -> pd.DataFrame:
    """With the lowest test error of a cell's controls: in hindsight."""
    columns = [column for name in CONTROLS if (column := f"mse {name}") in table]
    return table.assign(**{f"mse {BEST}": table[columns].min(axis=1)})


def line(table: pd.DataFrame) -> dict[str, Any]:
    """What is reported of some cells."""
    found: dict[str, Any] = {"cells": len(table), "mse labels": float(table["mse labels"].mean())}
    for arm in (ARM, *VARIANTS, *CONTROLS, ORACLE, "privileged, trees", "self-trained, trees"):
        found |= _three(f"{arm} / labels", ratio(table, arm, LABELS))
    for control in (*CONTROLS, BEST):
        found |= _three(f"{ARM} / {control}", ratio(table, ARM, control))
    found |= _three("privileged, trees / self-trained, trees", ratio(table, "privileged, trees", "self-trained, trees"))
    found["share of the oracle's gain"] = float("nan")
    if found[f"{ORACLE} / labels"] < LEAST_GAIN:
        found["share of the oracle's gain"] = share_of_oracle(found[f"{ARM} / labels"], found[f"{ORACLE} / labels"])
    for column in ("coverage", "teacher r2"):
        found[column] = float(table[column].median()) if column in table else float("nan")
    worse = [found[f"{ARM} / {base}, high"] for base in (LABELS, *CONTROLS) if np.isfinite(found[f"{ARM} / {base}"])]
    found["gain"] = bool(worse) and all(high < 1 for high in worse)
    return found


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A line for each student, family, label scheme and number of days."""
    table = with_best_control(table[table["mse labels"].notna()])
    lines = [dict(zip(GROUP, key, strict=True)) | line(rows) for key, rows in table.groupby(GROUP, sort=False)]
    return pd.DataFrame(lines)


def signs(table: pd.DataFrame) -> dict[str, float]:
    """Rank correlation of what is known before with the log ratio of privileged to labels, over cells."""
    rows = table[(table.student == RIDGE) & table[f"mse {ARM}"].notna()]
    log = np.log(rows[f"mse {ARM}"] / rows["mse labels"])
    return {column: float(rows[column].corr(log, method="spearman")) for column in ("coverage", "teacher r2")}


def text(row: Mapping[str, Any], name: str) -> str:
    """A ratio with its interval; bold where it excludes 1."""
    centre, low, high = (row.get(f"{name}{part}", float("nan")) for part in ("", ", low", ", high"))
    if not np.isfinite(centre):
        return ""
    if not np.isfinite(low):
        return f"{centre:.3f}"
    said = f"{centre:.3f} [{low:.3f}, {high:.3f}]"
    return f"**{said}**" if high < 1 or low > 1 else said


def section(
    table: pd.DataFrame, lines: pd.DataFrame, counts: Mapping[str, Sequence[int]], cost: Mapping[str, Any]
) -> str:
    """The section of the README."""
    done = ", ".join(f"{found} of {planned} {kind}" for kind, (found, planned) in counts.items())
    parts = [PREAMBLE.format(done=done)]
    whole = with_best_control(table[table["mse labels"].notna()])
    for student, rows in whole.groupby("student", sort=False):
        if student == TREES:
            continue
        found = kinds(rows)
        parts += [
            f"#### Students: {student}; all numbers of labels together",
            overall(found),
            outcome(found),
        ]
    if (whole.student == TREES).any():
        parts += ["#### Ridge students of teachers of trees, labels of 30 days", trees(whole[whole.student == TREES])]
    parts += [
        "#### Ridge students, by number of labels",
        by_days(lines[lines.student == RIDGE]),
        "Scattered labels, and the ratios of all arms: [results/scarce_summary.csv](results/scarce_summary.csv)",
    ]
    told = signs(whole)
    usable = whole[(whole.student == RIDGE) & whole[f"mse {ARM}"].notna()]
    accepted = (usable.coverage > 2) & (usable["teacher r2"] > 0.7)
    said = {
        name: f"{ratio(rows, ARM, LABELS)[0]:.3f} in {len(rows)} cells" if len(rows) else "no cell"
        for name, rows in (("in", usable[accepted]), ("out", usable[~accepted]))
    }
    worst = usable[f"mse {ARM}"] / usable["mse labels"]
    gated = usable["mse privileged, gated"] / usable["mse labels"]
    parts.append(
        f"Rank correlation with the log ratio of privileged to labels over {len(usable)} cells: coverage "
        f"{told['coverage']:.2f}, the teacher's R² {told['teacher r2']:.2f}. Where coverage is above 2 and R² above "
        f"0.7 the ratio is {said['in']}, elsewhere {said['out']}. Worse than labels alone by more than 10 %: "
        f"{(worst > 1.1).mean():.0%} of the cells (worst {worst.max():.2f}); gated {(gated > 1.1).mean():.0%} (worst "
        f"{gated.max():.2f})."
    )
    parts += [costs(cost)] if cost else []
    return "\n\n".join(parts)


def kinds(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A line for each family and kind of labels, and for each kind over all families."""
    rows, found = rows.assign(kind=rows.scheme.str.split(" at ").str[0]), []
    for (family, kind), cells in rows.groupby(["family", "kind"], sort=False):
        found.append({"data": family, "labels": kind} | line(cells))
    for kind, cells in rows.groupby("kind", sort=False):
        if cells.family.nunique() > 1:
            found.append({"data": "all", "labels": kind} | line(cells))
    return found


def overall(lines: Sequence[Mapping[str, Any]]) -> str:
    """The lines of `kinds` as a table."""
    found = []
    for row in lines:
        named = {"data": row["data"], "labels": row["labels"], "cells": row["cells"]}
        columns = {f"{arm} / labels": text(row, f"{arm} / labels") for arm in (ARM, "pooled", ORACLE)}
        against = {f"/ {name}": text(row, f"{ARM} / {name}") for name in (*CONTROLS, BEST)}
        found.append(named | columns | against | signs_of(row) | {"gain": "yes" if row["gain"] else "no"})
    return markdown(_kept(found), found)


def outcome(lines: Sequence[Mapping[str, Any]]) -> str:
    """What the lines of `kinds` of single families say."""
    found: dict[str, list[str]] = {}
    for row in lines:
        if row["data"] == "all":
            continue
        name = f"{row['data']} ({row['labels']})"
        over_labels, pooled = f"{ARM} / {LABELS}", f"{ARM} / pooled"
        if not np.isfinite(row[f"{over_labels}, low"]):
            found.setdefault("Nothing can be concluded, for there are fewer than three folds", []).append(name)
            continue
        better = row[f"{over_labels}, high"] < 1
        if row["gain"]:
            said = "A gain, over labels alone and every control"
        elif better:
            said = "Better than labels alone, but not distinguishably than every control"
        else:
            said = "Not distinguishably better than labels alone"
        found.setdefault(said, []).append(name)
        if row[f"{pooled}, low"] > 1:
            found.setdefault("Pooling siblings is distinguishably better than the privileged teacher", []).append(name)
        elif row[f"{pooled}, high"] < 1:
            found.setdefault("The privileged teacher is distinguishably better than pooling siblings", []).append(name)
        elif np.isfinite(row[pooled]):
            less = f"{name}: {row[pooled]:.3f}"
            found.setdefault("Pooling siblings and the privileged teacher cannot be told apart", []).append(less)
    return "\n".join(f"- {said}: {', '.join(names)}." for said, names in found.items())


def by_days(lines: pd.DataFrame) -> str:
    """A line for each family, scheme and number of days; those of scattered labels are in the file alone."""
    found = []
    for row in lines[lines.scheme != "scattered"].to_dict("records"):
        named = {"data": row["family"], "labels": row["scheme"], "days": row["days"] or "all"}
        columns = {f"{arm} / labels": text(row, f"{arm} / labels") for arm in (ARM, *VARIANTS, "pooled", ORACLE)}
        against = {f"/ {name}": text(row, f"{ARM} / {name}") for name in ("self-trained", "placebo", "pooled")}
        found.append(named | columns | against | signs_of(row) | {"gain": "yes" if row["gain"] else "no"})
    return markdown(_kept(found), found)


def trees(rows: pd.DataFrame) -> str:
    """A line for each family, block and scattered apart."""
    found = []
    for (family, scheme), cells in rows.groupby(["family", "scheme"], sort=False):
        measured = line(cells)
        names = (
            "privileged, trees / labels",
            "self-trained, trees / labels",
            "privileged, trees / self-trained, trees",
        )
        found.append({"data": family, "labels": scheme, **{name: text(measured, name) for name in names}})
    return markdown(list(found[0]), found)


def signs_of(row: Mapping[str, Any]) -> dict[str, str]:
    """What stands beside the ratios of a line."""
    columns = {"share of the oracle's gain": ".2f", "coverage": ".1f", "teacher r2": ".2f"}
    return {name: format(row[name], form) if np.isfinite(row[name]) else "" for name, form in columns.items()}


def costs(cost: Mapping[str, Any]) -> str:
    """What reconstructions cost."""
    said = []
    if "time" in cost:
        found = cost["time"]
        said.append(
            f"`--time`: fit and answers of a reconstruction from 11 neighbours take "
            f"{found['seconds of 10000 steps']} s over 10,000 steps and {found['seconds of 100000 steps']} s over "
            f"100,000, {found['microseconds a further step']} µs a further step: one pass over the time axis."
        )
    if "memory" in cost:
        found = cost["memory"]
        said.append(
            f"`--memory`: one epoch of a DLinear ({found['lookback']} → {found['horizon']} steps) on "
            f"{found['windows']:,} windows, nearly all of them unlabelled, with {found['teachers']} teachers: peak "
            f"resident memory {found['peak beyond it, MiB']:,} MiB beyond the "
            f"{found['resident after imports, MiB']:,} MiB after the imports."
        )
    return "\n\n".join(said)


def _three(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}, low", f"{name}, high"), values, strict=True))


def _kept(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that are not empty everywhere."""
    return [column for column in rows[0] if any(row[column] != "" for row in rows)]


PREAMBLE = """## Labels that are scarce

`TSKD_DATA=folder/of/data python benchmarks/scarce.py`; design and analysis stand in the file, and were committed before
a cell was computed. So far: {done} cells.

A soft sensor is taught by `Reconstruction`, which is fitted on the few labelled hours and answers from privileged
series for all others. Ratios of test MSE on true labels, geometric means over series and folds, 95 % intervals
(bootstrap over series and folds, widened for few folds); bold where the interval excludes 1. Columns */ name*: of the
privileged student to that control. *Pooled*: the other series of the kind, with all their labels. *Best control*: in
hindsight, cell by cell. *Coverage*: L_S, medians over cells. *Gain*: the intervals of privileged to labels alone and to
every control lie below 1; without three folds there is no interval, and no gain. *Oracle*: all labels; a bound, no
control; the share of its gain is given where this is 5 % or more."""
