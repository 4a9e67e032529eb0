"""What an experiment measured, as flat tables, and what follows from them: errors, comparisons, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import EllipsisType
from typing import Self

import numpy as np
import pandas as pd

from tskd.experiment.controls.registry import CONTROL_RULES
from tskd.experiment.results.experiment_info import ExperimentInfo
from tskd.experiment.results.tables import CELL, SCORES, table
from tskd.experiment.results.what_chose import why_the_same
from tskd.experiment.statistics.intervals import Comparison, compare, paired
from tskd.experiment.statistics.lift import lift
from tskd.experiment.statistics.verdict import Verdict, describe, judge

WINDOW = ["fold", "start", "series"]
"""Columns that name a window."""
Size = int | None | EllipsisType
"""A training size in windows, None for all; `...` for the largest that the experiment has."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """Tables of an experiment; errors are on the z-scored scale, averaged over windows, horizon and components.

    Of a student that forecasts a distribution `mse` and `mae` are those of its point forecast, its mean or the median
    of its quantiles, and `pinball`, `crps`, `coverage` and `width` those of its quantiles (`info.distribution`,
    `tskd.experiment.run.distribution_scoring`); of who forecasts points they are empty. Candidates are chosen by MSE.

    A row's `fold` counts from 1, the earliest; `size` is the number of training windows, <NA> for all there are. The
    columns are those of `tskd.experiment.results.tables.TABLES`.

    Attributes:
        rows: one an arm or teacher (`kind`, `name`), fold, size and seed, with what it was made with.
        candidates: `validation_mse` of every candidate that validation chose among.
        windows: errors of every test window, which is named by `start`, its first target, and of several series by
            `series`; `rows` and `steps` are means over the windows of all series.
        steps: errors of every step of the horizon.
        forecasts: first component of some test windows in the data's units, of the first seed in the last fold, trained
            on the largest size: `line` is an arm, 'teacher ...' or 'truth'.
        weights: how an arm weighed its teachers: `by` "all", "step" or "hour", `at` 0, a step from 1 on or an hour from
            0 on; `by` "effective" and "masked" are numbers of no one teacher.
        failures: cells that failed, with error and traceback.
        info: how the experiment was set up, and on what data.
        expected: change of the squared error that an arm with an automatic balance expected before its training, and
            the interval of the prediction.
        series: errors by series, where there are several: means over the windows of each.
    """

    rows: pd.DataFrame
    candidates: pd.DataFrame
    windows: pd.DataFrame
    steps: pd.DataFrame
    forecasts: pd.DataFrame
    weights: pd.DataFrame
    failures: pd.DataFrame
    info: ExperimentInfo = field(repr=False)
    expected: pd.DataFrame = field(default_factory=lambda: table("expected", []))
    series: pd.DataFrame = field(default_factory=lambda: table("series", []))

    def errors(
        self,
        name: str,
        kind: str = "student",
        metric: str = "mse",
        size: Size = ...,
        fold: int | None = None,
    ) -> np.ndarray:
        """Errors `[seeds, W]` of an arm, or with `kind="teacher"` of a teacher, windows in order of time.

        Windows of several series lie beside one another at each time.

        Args:
            name: of the arm or teacher.
            kind: `"student"`, `"teacher"` or `"bound"`.
            metric: a column of `windows`: `"mse"` or `"mae"`, on the z-scored scale, or of a forecast distribution
                `"pinball"`, `"crps"`, `"coverage"` or `"width"`.
            size: one of the training sizes, None for all windows; by default the largest.
            fold: from 1 on; None for all folds, one after the other.

        Returns:
            NaN where there is no result.

        Raises:
            ValueError: there is no such arm, teacher, metric, size or fold.
        """
        self._check_known(name, kind)
        if metric not in SCORES:
            raise ValueError(f"metric={metric!r}: give one of {', '.join(SCORES)}.")
        ran = self._of(size, fold)
        own = ran[(ran.kind == kind) & (ran.name == name)]
        wide = own.pivot(index="seed", columns=WINDOW, values=metric)
        return wide.reindex(index=list(self.info.seeds), columns=_grid(ran)).to_numpy(dtype="float64")

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

        Compared are the seeds that both have in all folds. If there is none, all numbers are NaN; so they are by
        `"pinball"` and `"crps"` where one of the two forecasts points. A block of the bootstrap holds the windows of
        all series in as many steps as lookback and horizon have: errors of the series at one time may depend on one
        another, and are resampled together.

        Args:
            arm: name of the arm, or of what `kind` says.
            baseline: name of another arm; None for the student alone.
            kind, metric, size, fold: as for `errors`.

        Raises:
            ValueError: as `errors`, or for a metric of which less is not better.
        """
        if metric in ("coverage", "width"):
            raise ValueError(f"metric={metric!r}: less of it is not better; give mse, mae, pinball or crps.")
        against = self.info.alone if baseline is None else baseline
        own, other = self.errors(arm, kind, metric, size, fold), self.errors(against, "student", metric, size, fold)
        segments, block = self._segments(size, fold), self._block(size, fold)
        if not _shared(own, other, segments):
            return Comparison(arm, against, np.nan, np.nan, np.nan, windows=0, block=block, seeds=0)
        same_model_class = kind != "teacher" and not {arm, against} & self._ridges
        return compare(own, other, block, segments=segments, names=(arm, against), same_model_class=same_model_class)

    def of_series(self, series: str) -> Self:
        """The same of one of several series: `windows` are its own, and scores of `rows` are means over these; `steps`,
        `forecasts` and what was chosen on validation are still those of all."""
        if series not in self.info.data.series:
            raise ValueError(f"series={series!r} must be one of {list(self.info.data.series)}.")
        own = self.series[self.series.series == series].drop(columns="series")
        rows = self.rows.drop(columns=["windows", *SCORES]).merge(own, on=list(CELL))
        return replace(self, rows=table("rows", rows), windows=self.windows[self.windows.series == series])

    def lift(self, arm: str, size: Size = ...) -> Comparison:
        """Net privileged lift (`tskd.experiment.statistics.lift`) of an `arm`, against the best of the controls.

        Those count that might explain the gain without privileged information (`tskd.experiment.controls`), and the
        student alone; those, that is, that share a seed with the arm. What is missing for a gain to be put down to
        privileged information is in `lacking`. `size` is that of `errors`.
        """
        alone, controls, segments = self.info.alone, self.info.controls, self._segments(size, None)
        counting = [name for name, kind in controls.items() if kind in CONTROL_RULES.counting and name != arm]
        own, rivals = self.errors(arm, size=size), {name: self.errors(name, size=size) for name in (alone, *counting)}
        rivals = {name: errors for name, errors in rivals.items() if _shared(own, errors, segments)}
        if rivals:
            found = lift(own, rivals, self._block(size, None), name=arm, segments=segments, other_class=self._ridges)
        else:
            found = self.compare(arm, alone, size=size)
        missing = CONTROL_RULES.missing(controls, {*rivals, arm}, self._own_controls.get(arm))
        return replace(found, lacking=tuple(missing))

    @property
    def lacking(self) -> dict[str, list[int]]:
        """Seeds that an arm has no result of in some fold or size, for arms that lack any."""
        places = self.info.folds * len(self.info.sizes)
        counts = self.rows[self.rows.kind == "student"].groupby(["name", "seed"]).size()
        names, seeds = [arm.name for arm in self.info.arms], self.info.seeds
        lacking = {name: [seed for seed in seeds if counts.get((name, seed), 0) < places] for name in names}
        return {name: missing for name, missing in lacking.items() if missing}

    @cached_property
    def verdict(self) -> Verdict:
        """What was found, in words; with what failed, and how that bears on it."""
        alone, balances = self.info.alone, self.rows[self.rows.kind == "student"].groupby("name").balance.agg(set)
        same = {arm.name: why_the_same(arm.candidates, balances.get(arm.name, ())) for arm in self.info.arms}
        arms = [arm.name for arm in self.info.arms if arm.name != alone]
        compared = [arm for arm in arms if self.compare(arm).windows > 0]
        verdict = judge(
            lambda arm, other: replace(self.compare(arm, other), same=same[arm]),
            privileged=[arm for arm in arms if arm in self.info.privileged],
            controls=self.info.controls,
            alone=alone,
            rules=CONTROL_RULES,
            own=self._own_controls,
        )
        by_crps = [found for arm in arms if (found := self.compare(arm, metric="crps")).windows]
        missing = [f"By CRPS: {describe(replace(found, same=same[found.arm]))}" for found in by_crps]
        missing += [f"'{arm}' has no result to compare." for arm in arms if arm not in compared]
        missing += [
            f"'{name}' lacks {_seeds(seeds)} in part or whole; it is compared on the seeds that both arms have."
            for name, seeds in self.lacking.items()
            if name == alone or name in compared
        ]
        if len(self.failures):
            missing.append(f"Cells that failed, and are left out: {len(self.failures)}.")
        return replace(verdict, sentences=(*verdict.sentences, *missing))

    @property
    def _own_controls(self) -> dict[str, tuple[str, ...]]:
        """Of the privileged arms the controls that tell what their gain is due to."""
        return {arm.name: arm.controls for arm in self.info.arms if arm.privileged}

    @property
    def _ridges(self) -> set[str]:
        """Arms that are no students of the class of the others."""
        return {name for name, kind in self.info.controls.items() if kind == "linear"}

    def _segments(self, size: Size, fold: int | None) -> list[int]:
        """Number of windows of each fold."""
        return np.unique(_grid(self._of(size, fold)).get_level_values("fold"), return_counts=True)[1].tolist()

    def _block(self, size: Size, fold: int | None) -> int:
        """Windows in a block: as many as begin in its steps, where most series are there."""
        return windows_in_block(_grid(self._of(size, fold)), self.info.block)

    def _of(self, size: Size, fold: int | None) -> pd.DataFrame:
        """The windows of a training size, and of a fold if one is given."""
        sizes, folds = self.info.sizes, self.info.folds
        if size is ...:
            size = None if None in sizes else max(known for known in sizes if known is not None)
        elif size not in sizes:
            raise ValueError(f"size={size} must be one of the training sizes {list(sizes)}.")
        if fold is not None and not 1 <= fold <= folds:
            raise ValueError(f"fold={fold} must be from 1 to {folds}.")
        found = of_size(self.windows, size)
        return found if fold is None else found[found.fold == fold]

    def _check_known(self, name: str, kind: str) -> None:
        named = pd.concat([table.loc[table.kind == kind, "name"] for table in (self.rows, self.failures)])
        known = dict.fromkeys(named)
        known |= dict.fromkeys(arm.name for arm in self.info.arms if kind == "student")
        if name not in known:
            raise ValueError(f"there is no {kind} {name!r}; there are: {', '.join(map(repr, known))}.")


def of_size(table: pd.DataFrame, size: int | None) -> pd.DataFrame:
    """The rows of a training size, None for all windows."""
    return table[table["size"].isna()] if size is None else table[(table["size"] == size).fillna(False)]


def _grid(windows: pd.DataFrame) -> pd.MultiIndex:
    """Fold, first target and series of all windows that anything was scored on, in order of time."""
    return pd.MultiIndex.from_frame(windows[WINDOW].drop_duplicates().sort_values(WINDOW))


def windows_in_block(windows: pd.Index, steps: int) -> int:
    """Windows that begin in so many steps, where most series are there; windows are named by `WINDOW`."""
    at_once = pd.Series(1, windows).groupby(["fold", "start"]).sum()
    return steps * int(at_once.max()) if len(at_once) else steps


def _shared(own: np.ndarray, other: np.ndarray, segments: Sequence[int]) -> bool:
    """Whether two arms' errors have a seed in common; without a fold there is nothing to have in common."""
    return bool(segments) and paired(own, other, segments)[0].size > 0


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
