"""A first configuration for a file of one's own, which runs as it is and says in comments what to change."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tskd.datasets.profile import FileProfile
from tskd.datasets.tables import listed
from tskd.experiment.config.starter_text import DATA, FORECASTER, SOFT_SENSOR
from tskd.experiment.config.yaml_file import inline_yaml

SHARES = 0.7, 0.8
"""Shares of the rows before the validation and the test part."""
SCARCE_SHARES = 0.6, 0.7
"""The same where labels are few: errors need some in the test part."""
FEWEST_LABELS = 3
"""Labels that a part has at least of a target with few of them."""
FEWEST = 60
"""Rows below which no part has a window to speak of."""
BLOCKS = 6
WIDTH = 110
DAY = pd.Timedelta(days=1)


def starter(profile: FileProfile) -> str:
    """The text of a configuration for the file that was looked at, which is to lie beside it.

    A column that is mostly empty beside full ones, with some labels in each part, is taken for a target with few
    labels. A soft sensor estimates it from the full columns but the last, which is privileged. Otherwise the first
    column of numbers is the target, and all others are privileged; if there are none, the teacher sees the first half
    of what is to be forecast.

    Raises:
        ValueError: the file has no column of numbers that vary at most steps, or too few rows.
    """
    table = profile.table
    rows = len(table.values)
    if not profile.numbers:
        empty = f", for these are mostly empty: {listed(profile.sparse)}" if profile.sparse else ""
        raise ValueError(
            f"{table.path.name} has no column of numbers that vary{empty and ' and are there at most steps'}: there is "
            f"nothing to forecast{empty}."
        )
    if rows < FEWEST:
        raise ValueError(f"{table.path.name} has {rows} rows; {FEWEST} are the fewest that three parts can be made of.")
    scarce = _scarce_target(profile)
    validation, test = SHARES if scarce is None else SCARCE_SHARES
    windows = int(validation * rows)
    tail = _forecaster(profile) if scarce is None else _soft_sensor(scarce, profile)
    values = {
        "about": "\n".join(line for text in _about(profile, scarce) for line in _comment(text)),
        "name": inline_yaml(folder_name_of(table.name)),
        "file": inline_yaml(table.path.name),
        "time": inline_yaml(profile.time),
        "optional": _optional(profile),
        "validation": validation,
        "test": test,
        "batch": 32 if windows < 2_000 else 64 if windows < 10_000 else 256,
    }
    return (DATA + tail.template).format(**values, **tail.values)


@dataclass(frozen=True)
class _Tail:
    """What follows the data in a configuration, and the values of its text and theirs."""

    template: str
    values: dict[str, Any]


def _forecaster(profile: FileProfile) -> _Tail:
    first, *others = profile.numbers
    horizon = _horizon(profile.table.values.index)
    half = max(1, horizon // 2)
    source: dict[str, Any] = {"class": "FutureHorizon", "kwargs": {"end": half}}
    if others:
        source = {"class": "CostlySensors", "kwargs": {"name": "others"}}
    sees = "the other columns up to the forecast" if others else f"the first {half} of the steps to be forecast"
    return _Tail(
        FORECASTER,
        {
            **_columns([first], [], others, "forecast", "forecast"),
            "lookback": 2 * horizon,
            "horizon": horizon,
            "teacher": "others" if others else "future",
            "sees": f"sees {sees}",
            "source": inline_yaml(source),
        },
    )


def _soft_sensor(target: str, profile: FileProfile) -> _Tail:
    *inputs, last = profile.numbers
    return _Tail(SOFT_SENSOR, _columns([target], inputs, [last], "estimated, at every step", "estimate"))


def _columns(target: list[str], past: list[str], others: list[str], verb: str, product: str) -> dict[str, Any]:
    privileged = inline_yaml({"others": others} if others else {}, WIDTH)
    return {
        "target": inline_yaml(target),
        "past": textwrap.indent(inline_yaml(past, WIDTH), " " * 4).strip(),
        "privileged": textwrap.indent(privileged, " " * 4).strip(),
        "verb": verb,
        "product": product,
    }


def _optional(profile: FileProfile) -> str:
    """Lines of the data that most files do not need."""
    optional = ""
    if profile.freq is not None:
        optional += (
            f"  freq: {inline_yaml(profile.freq)}    # the step; rows are missing, and count as missing values\n"
        )
    if profile.series is not None:
        (column,) = profile.series
        more = f"there are {profile.others} more in the file; the column alone, {inline_yaml(column)}, reads them all"
        optional += f"  series: {inline_yaml(dict(profile.series))}    # {more}\n"
    return optional


def _scarce_target(profile: FileProfile) -> str | None:
    """The first sparse column that looks like a target with few labels; None if none does: the student and its teacher
    need a column each, and each part some labels."""
    if len(profile.numbers) < 2:
        return None
    values = profile.table.values
    bounds = [int(share * len(values)) for share in SCARCE_SHARES]
    for name in profile.sparse:
        parts = np.split(values[name].notna().to_numpy(), bounds)
        if min(part.sum() for part in parts) >= FEWEST_LABELS:
            return name
    return None


def folder_name_of(text: str) -> str:
    """A text without what a folder's name cannot hold."""
    return re.sub(r"[^\w .-]", "-", text).lstrip(" .-") or "own"


def _horizon(index: pd.Index) -> int:
    """A day of steps shorter than one, at most 48; a week of days; else 12. Fewer in short files: of windows of three
    horizons each, the test part is to hold at least six side by side, or nothing could be concluded."""
    steps = 12
    if isinstance(index, pd.DatetimeIndex):
        step = index[1] - index[0]
        steps = min(48, round(DAY / step)) if step < DAY else 7 if step == DAY else 12
    return max(1, min(steps, int((1 - SHARES[1]) * len(index)) // (3 * BLOCKS + 1)))


def _about(profile: FileProfile, scarce: str | None) -> list[str]:
    table, index = profile.table, profile.table.values.index
    absent = f"; {profile.absent:,} steps have no row" if profile.absent else ""
    step = getattr(index, "freqstr", None) or index[1] - index[0]
    texts = [f"{inline_yaml(table.path.name)}: {len(index):,} steps of {step}, {index[0]} to {index[-1]}{absent}."]
    if profile.series is not None:
        texts.append(f"The series {inline_yaml(dict(profile.series))} is read, the first of {profile.others + 1}.")
    gaps = [f"{name!r} {count:,}" for name, count in profile.numbers.items() if count]
    if gaps:
        texts.append(f"Missing values, which are left out where they are read: {', '.join(gaps)}.")
    labels = {name: f"{name!r} ({len(index) - count:,} values)" for name, count in profile.sparse.items()}
    if scarce is not None:
        texts.append(
            f"Mostly empty, and taken for a target with few labels: {labels.pop(scarce)}. A soft sensor is to estimate "
            "it from columns that are there. To forecast one of these instead, leave that column out of the file."
        )
    if labels:
        texts.append(
            f"Mostly empty, and not used: {', '.join(labels.values())}. To have one estimated from columns that are "
            f"there: `target: {inline_yaml([next(iter(labels))])}`, `soft_sensor: true`, inputs under `past`, and a "
            "teacher `{reconstruction: others}` of privileged ones; each of the three parts needs some labels."
        )
    for reason in dict.fromkeys(profile.left_out.values()):
        names = [name for name, other in profile.left_out.items() if other == reason]
        texts.append(f"Not used, {reason}: {listed(names)}.")
    return texts


def _comment(text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in wrapped]
