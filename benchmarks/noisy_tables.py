"""Ratios of errors over folds, with intervals, and the section of the README."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from tables import markdown

BLOCK, DRAWS = 3, 10_000
GARCH = ("garch", "garch, scaled")
REFERENCES = (*GARCH, "training mean", "teacher")
CONTROLS = ("self-distilled", "placebo", "smoothed")
TUNED = ", balance tuned"
LOOSE = "hardly regularised"
TITLES = {"sp500": "S&P 500", "nasdaq": "Nasdaq"}


class Ratio(NamedTuple):
    """A geometric mean over folds, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    def __str__(self) -> str:
        text = f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"**{text}**" if self.low > 1 or self.high < 1 else text


def interval(logs: np.ndarray) -> Ratio:
    """Of log ratios [F] of folds in the order of time: circular blocks of `BLOCK` of them are drawn."""
    folds, blocks = len(logs), len(logs) // BLOCK
    if blocks < 2:
        return Ratio(math.exp(logs.mean()), math.nan, math.nan)
    starts = np.random.default_rng(0).integers(folds, size=(DRAWS, blocks))
    drawn = logs[(starts[:, :, None] + np.arange(BLOCK)) % folds].mean(axis=(1, 2))
    half = student_t.ppf(0.975, blocks - 1) * drawn.std() * math.sqrt(blocks / (blocks - 1))
    return Ratio(*(math.exp(logs.mean() + sign * half) for sign in (0, -1, 1)))


def ratio_of(errors: pd.DataFrame, arm: str, against: str) -> Ratio | None:
    """Of one index, label and size; of the folds that have both, in the mean of the seeds."""
    logs = errors.assign(log=np.log(errors.error)).pivot_table(index="fold", columns="arm", values="log")
    if not {arm, against} <= set(logs.columns):
        return None
    return interval((logs[arm] - logs[against]).dropna().sort_index().to_numpy())


def table(errors: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm over what it is compared with.

    Args:
        errors: columns `index`, `label`, `windows`, `fold`, `seed`, `arm` and `error`.
    """
    rows: list[dict[str, Any]] = []
    for (index, label, windows), found in errors.groupby(["index", "label", "windows"], sort=False):
        arms = list(dict.fromkeys(found.arm))
        students = [arm.removesuffix(", alone") for arm in arms if arm.endswith(", alone")]
        for student in students:
            own = [arm for arm in arms if arm.startswith(f"{student}, ") and not arm.endswith(", alone")]
            pairs = [(arm, f"{student}, alone") for arm in [*own, *REFERENCES]]
            others = [f"{student}, {control}" for control in CONTROLS] + [*GARCH, "har, alone"]
            pairs += [("har, alone", f"{student}, alone")] if student != "har" else []
            pairs += [(f"{student}, privileged", other) for other in others]
            pairs += [(f"{student}, smoothed ranges", f"{student}, smoothed")]
            pairs += [(f"{student}, {LOOSE}, privileged", f"{student}, {LOOSE}")]
            for arm, against in dict.fromkeys(pairs):
                ratio = ratio_of(found, arm, against)
                if ratio is not None:
                    folds = found[found.arm == arm].fold.nunique()
                    rows.append(
                        {"index": index, "label": label, "windows": windows, "student": student, "arm": arm}
                        | {"against": against, **ratio._asdict(), "folds": folds}
                    )
    return pd.DataFrame(rows)


PREAMBLE = """## Labels that are noise: volatility of two stock indices

`python benchmarks/noisy.py` (`pip install 'tskd[arch]'`; nothing is downloaded)

Forecasts of absolute and of squared daily returns, five days ahead from 22 past ones, by students whose teacher sees
the high-low ranges of the days to be forecast, and nothing else. Question, design, controls and what counts as a gain
stand in the script, and stood there before the run. Ratios of test errors to those of the same student on labels alone,
geometric means over 30 chronological folds, 95 % intervals over blocks of folds; bold where the interval excludes 1.
Balance 1 if not said otherwise."""


def section(ratios: pd.DataFrame) -> str:
    """The section of the README."""
    parts = [PREAMBLE, "The primary outcome (absolute returns, ridge student, 250 windows):", outcome(ratios)]
    arms = ("privileged", f"privileged{TUNED}", *CONTROLS, f"placebo{TUNED}", f"smoothed{TUNED}", "rescaled range")
    for label, heading in (("absolute", "Absolute returns"), ("squared", "Squared returns")):
        for student, said in (("ridge", "ridge regression on 22 days"), ("har", "regression on day, week and month")):
            columns = [f"{student}, {arm}" for arm in arms]
            beside = [
                f"{student}, ranges as inputs",
                *GARCH,
                *(["har, alone"] if student == "ridge" else []),
                "teacher",
            ]
            shown = lines(ratios, label, student, [*columns, *beside])
            parts += [f"### {heading}, {said}", markdown(["index", "windows", *arms, *map(short, beside)], shown)]
    parts += ["### What was added when these were known", added(ratios)]
    for student in ("DLinear", "TiDE"):
        columns = [f"{student}, {arm}" for arm in ("privileged", *CONTROLS)] + [*GARCH, "har, alone"]
        shown = lines(ratios, "absolute", student, columns)
        if shown:
            parts += [f"### Absolute returns, {student}", markdown(["index", "windows", *map(short, columns)], shown)]
    return "\n\n".join(parts)


ADDED = """*Smoothed ranges*: rescaled, and averaged over time like smoothed labels: what privilege adds to smoothing.
*Hardly regularised*: the ridge student with a penalty of .03 a window instead of one that is chosen.

"""


def added(ratios: pd.DataFrame) -> str:
    """A line for each label, index and size."""
    pairs = {
        "smoothed ranges / alone": ("ridge, smoothed ranges", "ridge, alone"),
        "smoothed ranges / smoothed labels": ("ridge, smoothed ranges", "ridge, smoothed"),
        "HAR: smoothed ranges / smoothed labels": ("har, smoothed ranges", "har, smoothed"),
        "hardly regularised / alone": (f"ridge, {LOOSE}", "ridge, alone"),
        "privileged / alone, both hardly regularised": (f"ridge, {LOOSE}, privileged", f"ridge, {LOOSE}"),
    }
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for row in ratios.itertuples():
        for heading, pair in pairs.items():
            if pair == (row.arm, row.against):
                key = (row.label, row.index, row.windows)
                line = found.setdefault(
                    key, {"label": row.label, "index": TITLES[row.index], "windows": f"{row.windows:,}"}
                )
                line[heading] = str(Ratio(row.ratio, row.low, row.high))
    return ADDED + markdown(["label", "index", "windows", *pairs], found.values())


def short(arm: str) -> str:
    """A heading: the arm without its student, but for a student beside."""
    return arm if arm in GARCH or arm == "har, alone" else arm.partition(", ")[2] or arm


def lines(ratios: pd.DataFrame, label: str, student: str, arms: list[str]) -> list[dict[str, Any]]:
    """A line for each index and size, over the student alone."""
    own = ratios[(ratios.label == label) & (ratios.student == student) & (ratios.against == f"{student}, alone")]
    found = []
    for (index, windows), rows in own.groupby(["index", "windows"], sort=False):
        cells = {
            short(row.arm): str(Ratio(row.ratio, row.low, row.high)) for row in rows.itertuples() if row.arm in arms
        }
        found.append({"index": TITLES[index], "windows": f"{windows:,}", **cells})
    return sorted(found, key=lambda line: line["index"], reverse=True)


def outcome(ratios: pd.DataFrame) -> str:
    """What the design says will be concluded, of each index."""
    said = []
    for index, title in TITLES.items():
        rows = ratios[(ratios["index"] == index) & (ratios.label == "absolute") & (ratios.windows == 250)]
        rows = rows[rows.arm == "ridge, privileged"]
        found = {row.against: Ratio(row.ratio, row.low, row.high) for row in rows.itertuples()}
        gain = all(found[f"ridge, {other}"].high < 1 for other in ("alone", *CONTROLS))
        worth = gain and all(found[other].high < 1 for other in (*GARCH, "har, alone"))
        listed = ", ".join(f"{ratio} over {short(other)}" for other, ratio in found.items())
        verdict = "no gain by privilege is shown"
        if gain:
            verdict = f"a gain by privilege, {'worth having' if worth else 'not shown to be worth having'}"
        said.append(f"- {title}: {listed}: {verdict}.")
    return "\n".join(said)
