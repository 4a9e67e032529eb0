"""What an experiment measured, as flat tables, and what the page says about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import pandas as pd

from tskd.experiment.results import tables
from tskd.experiment.run.cell_store import write_atomically
from tskd.experiment.statistics.comparison import Comparison, compare, paired
from tskd.experiment.statistics.lift import lift
from tskd.experiment.statistics.verdict import COUNTING, Verdict, judge, missing_of

Size = int | None | EllipsisType
"""A training size in windows, None for all; `...` for the largest that the experiment has."""


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
        self, name: str, kind: str = "student", metric: str = "mse", size: Size = ..., fold: int | None = None
    ) -> np.ndarray:
        """Errors [seeds, W] of an arm, or with `kind="teacher"` of a teacher, windows in order of time.

        Those of all folds, one after the other, or of one `fold`; NaN where there is no result. `size` is one of the
        training sizes, None for all windows; by default the largest.
        """
        self._check_known(name, kind)
        ran = self._of(size, fold)
        own = ran[(ran.kind == kind) & (ran.name == name)]
        wide = own.pivot(index="seed", columns=["fold", "start"], values=metric)
        return wide.reindex(index=self.facts["seeds"], columns=_grid(ran)).to_numpy(dtype="float64")

    def compare(
        self,
        arm: str,
        baseline: str | None = None,
        kind: str = "student",
        metric: str = "mse",
        size: Size = ...,
        fold: int | None = None,
    ) -> Comparison:
        """Error of an arm (or teacher) relative to the arm `baseline` (the student alone), with a 95 % interval.

        Compared are the seeds that both have in all folds. If there is none, all numbers are NaN: nothing can be said.
        """
        against = str(self.facts["alone"]) if baseline is None else baseline
        own, other = self.errors(arm, kind, metric, size, fold), self.errors(against, "student", metric, size, fold)
        segments = self._segments(size, fold)
        if not _shared(own, other, segments):
            return Comparison(arm, against, np.nan, np.nan, np.nan, windows=0, block=self._block, seeds=0)
        same_model_class = kind == "student"
        return compare(
            own, other, self._block, segments=segments, names=(arm, against), same_model_class=same_model_class
        )

    def lift(self, arm: str, size: Size = ...) -> Comparison:
        """Net privileged lift (`tskd.experiment.statistics.lift`): the arm against the best of the controls.

        Those count that might explain the gain without privileged information
        (`tskd.experiment.statistics.verdict.COUNTING`), and the student alone; those, that
        is, that share a seed with the arm. What is missing for a gain to be put down to privileged information is in
        `lacking`.
        """
        alone, controls, segments = str(self.facts["alone"]), self.facts["controls"], self._segments(size, None)
        counting = [name for name, control in controls.items() if control in COUNTING and name != arm]
        own, rivals = self.errors(arm, size=size), {name: self.errors(name, size=size) for name in (alone, *counting)}
        rivals = {name: errors for name, errors in rivals.items() if _shared(own, errors, segments)}
        if rivals:
            found = lift(own, rivals, self._block, name=arm, segments=segments)
        else:
            found = self.compare(arm, alone, size=size)
        return replace(found, lacking=tuple(missing_of(controls, {*rivals, arm}, self._own_controls.get(arm))))

    @property
    def lacking(self) -> dict[str, list[int]]:
        """Seeds that an arm has no result of in some fold or size, for arms that lack any."""
        places = self.facts["folds"] * len(self.facts["sizes"])
        own = self.rows[self.rows.kind == "student"]
        found: dict[str, list[int]] = {}
        for arm in self.facts["arms"]:
            mine = own[own.name == arm["name"]]
            for seed in self.facts["seeds"]:
                if len(mine[mine.seed == seed]) < places:
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
            privileged=[arm["name"] for arm in arms if arm["privileged"]],
            controls=self.facts["controls"],
            own=self._own_controls,
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
        from tskd.experiment.report.terminal import terminal_table

        return terminal_table(self)

    @property
    def _own_controls(self) -> dict[str, list[str]]:
        """Of the privileged arms the controls that tell what their gain is due to."""
        return {arm["name"]: arm["controls"] for arm in self.facts["arms"] if arm["privileged"]}

    @property
    def _block(self) -> int:
        return int(self.facts["lookback"] + self.facts["horizon"])

    def _segments(self, size: Size, fold: int | None) -> list[int]:
        """Number of windows of each fold."""
        return np.unique(_grid(self._of(size, fold)).get_level_values("fold"), return_counts=True)[1].tolist()

    def _of(self, size: Size, fold: int | None) -> pd.DataFrame:
        """The windows of a training size, and of a fold if one is given."""
        sizes, folds = self.facts["sizes"], self.facts["folds"]
        if size is ...:
            size = None if None in sizes else max(sizes)
        elif size not in sizes:
            raise ValueError(f"size={size} must be one of the training sizes {sizes}.")
        if fold is not None and not 1 <= fold <= folds:
            raise ValueError(f"fold={fold} must be from 1 to {folds}.")
        found = of_size(self.windows, size)
        return found if fold is None else found[found.fold == fold]

    def _check_known(self, name: str, kind: str) -> None:
        named = pd.concat([table.loc[table.kind == kind, "name"] for table in (self.rows, self.failures)])
        known = dict.fromkeys(named)
        known |= dict.fromkeys(arm["name"] for arm in self.facts["arms"] if kind == "student")
        if name not in known:
            raise ValueError(f"there is no {kind} {name!r}; there are: {', '.join(map(repr, known))}.")


def write_json(path: Path, value: Any) -> None:
    """Write a file that a reader can read."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def of_size(table: pd.DataFrame, size: int | None) -> pd.DataFrame:
    """The rows of a training size, None for all windows."""
    return table[table["size"].isna()] if size is None else table[(table["size"] == size).fillna(False)]


def _grid(windows: pd.DataFrame) -> pd.MultiIndex:
    """Fold and first target of all windows that anything was scored on, in order of time."""
    return pd.MultiIndex.from_frame(windows[["fold", "start"]].drop_duplicates().sort_values(["fold", "start"]))


def _shared(own: np.ndarray, other: np.ndarray, segments: Sequence[int]) -> bool:
    """Whether two arms' errors have a seed in common; without a fold there is nothing to have in common."""
    return bool(segments) and paired(own, other, segments)[0].size > 0


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
