"""The tables of results: which columns they have, of what kind, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from tskd.experiment.run.files import write_atomically

CELL = ("kind", "name", "fold", "size", "seed")
VERSIONS = ("python", "tskd", "darts", "torch", "pytorch_lightning", "numpy", "pandas")
"""Columns of what a fit was made with."""
DISTRIBUTION = ("pinball", "crps", "coverage", "width")
"""Columns of scores of a forecast distribution, which are empty where points are forecast."""
SCORES = ("mse", "mae", *DISTRIBUTION)
TABLES = {
    "rows": (
        *(*CELL, "key", "balance", *SCORES, "validation_mse", "seconds", "inference_seconds", "windows"),
        *("data", "commit", *VERSIONS),
    ),
    "candidates": ("arm", "fold", "size", "seed", "balance", "validation_mse"),
    "windows": (*CELL, "series", "start", *SCORES),
    "steps": (*CELL, "step", *SCORES),
    "forecasts": ("line", "window", "series", "time", "value"),
    "weights": ("arm", "fold", "size", "seed", "epoch", "by", "at", "teacher", "weight"),
    "failures": (*CELL, "candidate", "error", "traceback"),
    "expected": (*CELL, "change", "low", "high"),
    "series": (*CELL, "series", "windows", *SCORES),
}
"""Names of the tables, and their columns."""
ADDED = ("expected", "series")
"""Tables that earlier versions did not write."""

INTEGERS = ("fold", "seed", "windows", "step", "window", "epoch", "at", "candidate")
NUMBERS = (*SCORES, *("validation_mse", "seconds", "inference_seconds", "value", "weight", "change", "low", "high"))
STAMPS = ("start", "time")


def table(name: str, content: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """The table called `name`, its columns in order and of their kind; what it has no column for is left out."""
    columns = list(TABLES[name])
    frame = _with_added(name, pd.DataFrame(content) if len(content) else pd.DataFrame(columns=columns))
    return frame[columns].astype({column: _kind(column) for column in columns if column not in STAMPS})


def write(name: str, content: pd.DataFrame, folder: Path) -> None:
    """Write a table as CSV."""
    write_atomically(folder / f"{name}.csv", content.to_csv(index=False).encode())


def read(name: str, folder: Path) -> pd.DataFrame:
    """What `write` wrote."""
    if name in ADDED and not (folder / f"{name}.csv").exists():
        return table(name, [])
    content = (folder / f"{name}.csv").read_text(encoding="utf-8")
    found = pd.read_csv(
        StringIO(content),
        dtype={column: _kind(column) for column in TABLES[name]},
        float_precision="round_trip",
        keep_default_na=False,
        na_values={column: [""] for column in (*NUMBERS, "size")},
    )
    found = found.assign(**{column: _stamps(found[column]) for column in STAMPS if column in TABLES[name]})
    return _with_added(name, found)[list(TABLES[name])]


def _with_added(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns that earlier versions did not write: empty scores of a distribution and seconds of
    inference, and the name of the series, which is empty where there is one."""
    added = (*DISTRIBUTION, "inference_seconds", "series")
    absent = [column for column in added if column in TABLES[name] and column not in frame]
    return frame.assign(**{column: "" if column == "series" else float("nan") for column in absent})


def _stamps(texts: pd.Series) -> pd.Series:
    """Time stamps; positions of a series that has none."""
    if len(texts) and str(texts.iloc[0]).lstrip("-").isdigit():
        return texts.astype("int64")
    return pd.to_datetime(texts, format="ISO8601")


def _kind(column: str) -> Any:
    if column == "size":
        return "Int64"
    return "int64" if column in INTEGERS else "float64" if column in NUMBERS else str
