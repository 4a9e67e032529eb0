"""What an experiment measured, as flat tables, and what the page says about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tskd.experiment.statistics import Comparison, compare
from tskd.experiment.verdict import Verdict, judge

if TYPE_CHECKING:
    pass

TABLES = ("rows", "candidates", "windows", "steps", "forecasts")
TEXTS = ("kind", "name", "arm", "line", "balance", "data")
STAMPS = {"windows": ["start"], "forecasts": ["time"]}


@dataclass(frozen=True, eq=False)
class Results:
    """Tables of an experiment; errors are on the z-scored scale, averaged over windows, horizon and components.

    - `rows`: one an arm or teacher (`kind`, `name`) and seed: `balance` used, `mse`, `mae`, `validation_mse`, `seconds`
      of the fit (with asking its teachers, if no candidate or arm had asked them before), number of test `windows`,
      fingerprint of the `data`, versions.
    - `candidates`: `arm`, `seed`, `balance`, `validation_mse` of every candidate for the balance.
    - `windows`: `mse`, `mae` of every test window, by `kind`, `name`, `seed`, and `start`, its first target.
    - `steps`: `mse`, `mae` of every step of the horizon, by `kind`, `name`, `seed`.
    - `forecasts`: first component of some test windows in the data's units with the first seed: `line` (an arm,
      'teacher ...' or 'truth'), `window`, `time`, `value`.

    `facts` holds what else the page states, as JSON can hold it.
    """

    rows: pd.DataFrame
    candidates: pd.DataFrame
    windows: pd.DataFrame
    steps: pd.DataFrame
    forecasts: pd.DataFrame
    facts: dict[str, Any] = field(repr=False)

    def errors(self, name: str, kind: str = "student", metric: str = "mse") -> np.ndarray:
        """Errors [seeds, W] of an arm, or with `kind="teacher"` of a teacher, windows in order of time."""
        found = self.windows[(self.windows.kind == kind) & (self.windows.name == name)]
        if found.empty:
            known = ", ".join(map(repr, self.windows[self.windows.kind == kind].name.unique()))
            raise ValueError(f"there is no {kind} {name!r}; there are: {known}.")
        return found.pivot(index="seed", columns="start", values=metric).to_numpy()

    def compare(self, arm: str, baseline: str | None = None, kind: str = "student", metric: str = "mse") -> Comparison:
        """Error of an arm (or teacher) relative to the arm `baseline` (the student alone), with a 95 % interval."""
        against = str(self.facts["alone"]) if baseline is None else baseline
        block = self.facts["lookback"] + self.facts["horizon"]
        return compare(self.errors(arm, kind, metric), self.errors(against, metric=metric), block, names=(arm, against))

    @cached_property
    def verdict(self) -> Verdict:
        """What was found, in words."""
        arms = self.facts["arms"]
        return judge(
            self.compare,
            privileged=[arm["name"] for arm in arms if arm["privileged"]],
            controls=[arm["name"] for arm in arms if not arm["privileged"] and arm["name"] != self.facts["alone"]],
            alone=self.facts["alone"],
        )

    def save(self, directory: str | Path) -> None:
        """Write the tables as CSV and the facts as JSON into `directory`, which is made if need be."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            getattr(self, table).to_csv(folder / f"{table}.csv", index=False)
        text = json.dumps(self.facts, indent=2, ensure_ascii=False)
        (folder / "facts.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """What `save` wrote."""
        folder = Path(directory)
        tables = {
            table: pd.read_csv(
                folder / f"{table}.csv",
                dtype=dict.fromkeys(TEXTS, str),
                parse_dates=STAMPS.get(table, False),
                float_precision="round_trip",
                keep_default_na=False,
                na_values={"mse": [""], "mae": [""]},
            )
            for table in TABLES
        }
        return cls(**tables, facts=json.loads((folder / "facts.json").read_text(encoding="utf-8")))

    def __str__(self) -> str:
        from tskd.report.table import terminal_table

        return terminal_table(self)
