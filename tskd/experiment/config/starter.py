"""A first configuration for a file of one's own, which runs as it is and says in comments what to change."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pandas as pd

from tskd.datasets.profile import FileProfile
from tskd.datasets.tables import listed
from tskd.experiment.config.yaml_file import inline_yaml

VALIDATION, TEST = 0.7, 0.8
FEWEST = 60
"""Rows below which no part has a window to speak of."""
BLOCKS = 6
WIDTH = 110
DAY = pd.Timedelta(days=1)

TEMPLATE = """\
{about}
#
# It runs as it is. Which columns are the target, which the deployed model will have, and which it will not, only you
# know: read the comments under `data`, and change what is wrong.
name: {name}

data:
  file: {file}    # in the folder of this configuration
  time: {time}
{optional}  target: {target}    # what is forecast
  past: []      # columns that the deployed model will have too, up to the forecast
  future: []    # columns that it will know in advance: a calendar, a plan, a weather forecast
  # columns for training alone, by a name of your choice; of a finer file: {{minutes: {{file: fine.csv, columns: [a]}}}}
  privileged: {privileged}
  validation_start: {validation}    # share of the rows before it, or a date, such as 2018-08-01
  test_start: {test}

lookback: {lookback}    # steps that a forecast is made from
horizon: {horizon}    # steps that are forecast

student:    # what will be deployed: a network of darts
  class: DLinearModel
  kwargs: &kwargs
    kernel_size: 5
    const_init: false    # else the seeds would differ in the order of the batches alone
    n_epochs: 20
    batch_size: {batch}
    optimizer_cls: AdamW
    optimizer_kwargs: {{lr: 1e-2, weight_decay: 0.1}}

teachers:
  {teacher}:    # {sees}
    model: {{class: DLinearModel, kwargs: *kwargs}}
    privileged: {source}

arms:    # ways to train the student; the student alone is always among them
  - {{name: {teacher}, teachers: {teacher}, balance: [0, 0.5, 1]}}    # weights of the teacher, chosen on validation
controls: [tuned, self-distilled, placebo, linear]    # what a gain has to beat; `all` adds those that are left

seeds: 2    # more make the verdict surer, and take longer
"""


def starter(profile: FileProfile) -> str:
    """The text of a configuration for the file that was looked at, which is to lie beside it.

    The first column of numbers is the target, all others are privileged; without others, the teacher sees the first
    half of what is to be forecast.

    Raises:
        ValueError: the file has no column of numbers that vary, or too few rows.
    """
    table, columns = profile.table, list(profile.numbers)
    if not columns:
        raise ValueError(f"{table.path.name} has no column of numbers that vary: there is nothing to forecast.")
    rows = len(table.values)
    if rows < FEWEST:
        raise ValueError(f"{table.path.name} has {rows} rows; {FEWEST} are the fewest that three parts can be made of.")
    horizon = _horizon(table.values.index)
    source: dict[str, Any] = {"class": "CostlySensors", "kwargs": {"name": "others"}}
    sees, privileged = "sees the other columns up to the forecast", {"others": columns[1:]}
    if not columns[1:]:
        half = max(1, horizon // 2)
        source = {"class": "FutureHorizon", "kwargs": {"end": half}}
        sees, privileged = f"sees the first {half} of the steps to be forecast", {}
    windows = int(VALIDATION * rows)
    optional = ""
    if profile.freq is not None:
        optional += (
            f"  freq: {inline_yaml(profile.freq)}    # the step; rows are missing, and count as missing values\n"
        )
    if profile.series is not None:
        (column,) = profile.series
        more = f"there are {profile.others} more in the file; the column alone, {inline_yaml(column)}, reads them all"
        optional += f"  series: {inline_yaml(dict(profile.series))}    # {more}\n"
    return TEMPLATE.format(
        about="\n".join(line for text in _about(profile) for line in _comment(text)),
        name=inline_yaml(folder_name_of(table.name)),
        file=inline_yaml(table.path.name),
        time=inline_yaml(profile.time),
        optional=optional,
        target=inline_yaml(columns[:1]),
        privileged=textwrap.indent(inline_yaml(privileged, WIDTH), " " * 4).strip(),
        validation=VALIDATION,
        test=TEST,
        lookback=2 * horizon,
        horizon=horizon,
        batch=32 if windows < 2_000 else 64 if windows < 10_000 else 256,
        teacher="others" if columns[1:] else "future",
        sees=sees,
        source=inline_yaml(source),
    )


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
    return max(1, min(steps, int((1 - TEST) * len(index)) // (3 * BLOCKS + 1)))


def _about(profile: FileProfile) -> list[str]:
    table, index = profile.table, profile.table.values.index
    absent = f"; {profile.absent:,} steps have no row" if profile.absent else ""
    step = getattr(index, "freqstr", None) or index[1] - index[0]
    texts = [f"{inline_yaml(table.path.name)}: {len(index):,} steps of {step}, {index[0]} to {index[-1]}{absent}."]
    if profile.series is not None:
        texts.append(f"The series {inline_yaml(dict(profile.series))} is read, the first of {profile.others + 1}.")
    gaps = [f"{name!r} {count:,}" for name, count in profile.numbers.items() if count]
    if gaps:
        texts.append(f"Missing values, which are left out where they are read: {', '.join(gaps)}.")
    for reason in dict.fromkeys(profile.left_out.values()):
        names = [name for name, other in profile.left_out.items() if other == reason]
        texts.append(f"Not used, {reason}: {listed(names)}.")
    return texts


def _comment(text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in wrapped]
