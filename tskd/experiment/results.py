"""What an experiment measured, as flat tables, and what the page says about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tskd.experiment import tables
from tskd.experiment.parts import write_atomically
from tskd.experiment.statistics import Comparison, compare
from tskd.experiment.verdict import Verdict, judge

COUNTING = ("tuned", "self-distilled", "placebo", "pooled", "pre-trained")
"""The controls that an arm must beat, beside the student alone, before its gain is one by privileged information."""


@dataclass(frozen=True, eq=False)
class Results:
    """Tables of an experiment; errors are on the z-scored scale, averaged over windows, horizon and components.

    A row's `fold` counts from 1, the earliest; `size` is the number of training windows, <NA> for all there are.

    - `rows`: one an arm or teacher (`kind`, `name`), fold, size and seed: `key` of the cell, `balance` used, `mse`,
      `mae`, `validation_mse`, `seconds` of the fit (without its teachers'), number of test `windows`, fingerprint of
      the `data`, `commit` of tskd if it is a checkout ('+': with changes), versions.
    - `candidates`: `arm`, fold, size, seed, `balance`, `validation_mse` of every candidate that validation chose among.
    - `windows`: `mse`, `mae` of every test window, by kind, name, fold, size, seed, and `start`, its first target.
    - `steps`: `mse`, `mae` of every step of the horizon, by kind, name, fold, size, seed.
    - `forecasts`: first component of some test windows in the data's units, of the first seed in the last fold, trained
      on the largest size: `line` (an arm, 'teacher ...' or 'truth'), `window`, `time`, `value`.
    - `weights`: how an arm weighed its teachers: arm, fold, size, seed, `epoch`, `by` ("all", "step", "hour"), `at` (0,
      step from 1 on, hour from 0 on), `teacher`, `weight`; `by` "effective" and "masked": numbers of no one teacher.
    - `failures`: what could not be computed: kind, name, fold, size, seed, `candidate`, `error`, `traceback`.

    `facts` holds what else the page states, as JSON can hold it.
    """

    rows: pd.DataFrame
    candidates: pd.DataFrame
    windows: pd.DataFrame
    steps: pd.DataFrame
    forecasts: pd.DataFrame
    weights: pd.DataFrame
    failures: pd.DataFrame
    facts: dict[str, Any] = field(repr=False)

    def errors(
        self, name: str, kind: str = "student", metric: str = "mse", size: int | None = None, fold: int | None = None
    ) -> np.ndarray:
        """Errors [seeds, W] of an arm, or with `kind="teacher"` of a teacher, windows in order of time.

        Those of all folds, one after the other, or of one `fold`; a seed that lacks one of them is left out. `size` is
        one of the training sizes, by default the largest.
        """
        return self._errors(name, kind, metric, size, fold).to_numpy()

    def compare(
        self,
        arm: str,
        baseline: str | None = None,
        kind: str = "student",
        metric: str = "mse",
        size: int | None = None,
        fold: int | None = None,
    ) -> Comparison:
        """Error of an arm (or teacher) relative to the arm `baseline` (the student alone), with a 95 % interval.

        Compared are the seeds that both have. If there is none, nothing can be said, and all numbers are NaN.
        """
        against = str(self.facts["alone"]) if baseline is None else baseline
        block = self.facts["lookback"] + self.facts["horizon"]
        own = self._errors(arm, kind, metric, size, fold)
        other = self._errors(against, "student", metric, size, fold)
        seeds = own.index.intersection(other.index)
        if seeds.empty:
            return Comparison(arm, against, np.nan, np.nan, np.nan, windows=0, block=block)
        return compare(own.loc[seeds].to_numpy(), other.loc[seeds].to_numpy(), block, names=(arm, against))

    def lift(self, arm: str, size: int | None = None) -> Comparison:
        """Net privileged lift: the arm against the best of the controls, the one with the lowest mean test error.

        Those count that might explain the gain without privileged information (`COUNTING`), and the student alone.
        """
        controls = [name for name, control in self.facts["controls"].items() if control in COUNTING]
        finished = [name for name in controls if name != arm and not self._errors(name, size=size).empty]
        rivals = [str(self.facts["alone"]), *finished]
        return self.compare(
            arm, min(rivals, key=lambda name: float(np.nanmean(self.errors(name, size=size)))), size=size
        )

    @property
    def lacking(self) -> dict[str, list[int]]:
        """Seeds that an arm has no result of in some fold or size, for arms that lack any."""
        places = {(fold, size) for fold in range(1, self.facts["folds"] + 1) for size in self.facts["sizes"]}
        own = self.rows[self.rows.kind == "student"]
        found: dict[str, list[int]] = {}
        for arm in self.facts["arms"]:
            mine = own[own.name == arm["name"]]
            for seed in self.facts["seeds"]:
                rows = mine[mine.seed == seed]
                has = {
                    (fold, None if pd.isna(size) else size) for fold, size in zip(rows.fold, rows["size"], strict=True)
                }
                if places - has:
                    found.setdefault(arm["name"], []).append(seed)
        return found

    @cached_property
    def verdict(self) -> Verdict:
        """What was found, in words; with what failed, and how that bears on it."""
        alone = self.facts["alone"]
        arms = [arm for arm in self.facts["arms"] if arm["name"] != alone]
        compared = [arm for arm in arms if self.compare(arm["name"]).windows > 0]
        said = judge(
            self.compare,
            privileged=[arm["name"] for arm in compared if arm["privileged"]],
            controls=[arm["name"] for arm in compared if not arm["privileged"]],
            alone=alone,
        )
        missing = [f"'{arm['name']}' has no result to compare." for arm in arms if arm not in compared]
        missing += [
            f"'{name}' lacks {_seeds(seeds)} in part or whole; it is compared on the seeds that both arms have."
            for name, seeds in self.lacking.items()
            if name == alone or any(arm["name"] == name for arm in compared)
        ]
        if len(self.failures):
            missing.append(f"Cells that failed, and are left out: {len(self.failures)}.")
        return replace(said, sentences=(*said.sentences, *missing))

    def save(self, directory: str | Path) -> None:
        """Write the tables as CSV and the facts as JSON into `directory`, which is made if need be."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name in tables.TABLES:
            tables.write(name, getattr(self, name), folder)
        write_json(folder / "facts.json", self.facts)

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """What `save` wrote."""
        folder = Path(directory)
        read = {name: tables.read(name, folder) for name in tables.TABLES}
        return cls(**read, facts=json.loads((folder / "facts.json").read_text(encoding="utf-8")))

    def __str__(self) -> str:
        from tskd.report.table import terminal_table

        return terminal_table(self)

    def _errors(
        self, name: str, kind: str = "student", metric: str = "mse", size: int | None = None, fold: int | None = None
    ) -> pd.DataFrame:
        """What `errors` gives, with seeds as index and first targets as columns."""
        sizes = self.facts["sizes"]
        if size is None:
            size = None if None in sizes else max(sizes)
        elif size not in sizes:
            raise ValueError(f"size={size} must be one of the training sizes {sizes}.")
        here = self.windows["size"].isna() if size is None else (self.windows["size"] == size).fillna(False)
        if fold is not None:
            if not 1 <= fold <= self.facts["folds"]:
                raise ValueError(f"fold={fold} must be from 1 to {self.facts['folds']}.")
            here &= self.windows.fold == fold
        ran = self.windows[here.astype(bool)]
        found = ran[(ran.kind == kind) & (ran.name == name)]
        if found.empty:
            self._refuse_unknown(name, kind)
        complete = found.groupby("seed").fold.nunique() == ran.fold.nunique()
        wide = found.pivot(index="seed", columns="start", values=metric)
        return wide.loc[complete.index[complete]]

    def _refuse_unknown(self, name: str, kind: str) -> None:
        tables_with_names = [table[table.kind == kind].name for table in (self.rows, self.failures)]
        known = dict.fromkeys(str(name) for names in tables_with_names for name in names)
        known |= dict.fromkeys(arm["name"] for arm in self.facts["arms"] if kind == "student")
        if name not in known:
            raise ValueError(f"there is no {kind} {name!r}; there are: {', '.join(map(repr, known))}.")


def write_json(path: Path, value: Any) -> None:
    """Write a file that a reader can read."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
