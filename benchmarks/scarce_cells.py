"""Cells of the benchmark of scarce labels: their data, the teachers' answers, and the ridge students."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from darts import TimeSeries
from scarce_data import DAY, FAMILIES, Family, Readings, Scheme, labelled, parts, readings, schemes
from scarce_ridge import (
    PENALTIES,
    Design,
    Moments,
    coverage,
    explained,
    held_out,
    mixed,
    permuted,
    ridge_path,
    smoothed,
)

from tskd import Reconstruction
from tskd.experiment.run.files import write_atomically
from tskd.teachers.pointwise import Pointwise, PointwiseKind

DESIGN = 1
LOOKBACK = 24
ALPHAS = (0.1, 0.5, 1.0)
# of the student's inputs a teacher of trees reads these hours before the origin
TREES_READ = (0, 6, 12, 23)
TREES_DAYS, TREES_FOLDS = 30, 3
RIDGE, TREES = "ridge", "ridge, teachers of trees"
SMOOTH_GAP, SMOOTH_WIDTH = 72, 5
MARGIN = 0.98


@dataclass(frozen=True)
class Cell:
    """A target, a fold and a label scheme, for a kind of student."""

    family: str
    series: str
    fold: int
    scheme: Scheme
    student: str = RIDGE
    seed: int = 0

    @property
    def key(self) -> str:
        """Hash of the cell and the design's version."""
        content = json.dumps({"design": DESIGN, **asdict(self)}, sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=10).hexdigest()


def ridge_cells() -> Iterator[Cell]:
    """All cells of ridge students, the latest folds of all families first."""
    for fold in range(max(family.folds for family in FAMILIES)):
        for family in FAMILIES:
            if fold < family.folds:
                for series in family.series:
                    yield from (Cell(family.name, series, fold, scheme) for scheme in schemes(family))


def tree_cells() -> Iterator[Cell]:
    """The cells in which teachers are boosted trees."""
    for cell in ridge_cells():
        if cell.scheme.days == TREES_DAYS and cell.fold < TREES_FOLDS:
            yield replace(cell, student=TREES)


def write_part(folder: Path, cell: Cell, row: dict[str, Any]) -> None:
    """Keep the result of a cell, with a checksum."""
    text = json.dumps(row, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    write_atomically(folder / f"{cell.key}.json", f"{digest}\n{text}\n".encode())


def read_part(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """The result of a cell; None if there is none, or it was torn or edited."""
    try:
        digest, text = (folder / f"{cell.key}.json").read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, ValueError):
        return None
    if digest != hashlib.blake2b(text.encode(), digest_size=8).hexdigest():
        return None
    found: dict[str, Any] = json.loads(text)
    return found


@dataclass(frozen=True, eq=False)
class Part:
    """The training part of a fold, and the test part after it; a row is an hour that is forecast.

    Attributes:
        times: `[N]` of the training part.
        design: the student's inputs, standardised, of all training rows whose inputs are known `[N, d + 1]`; rows of
            zeros elsewhere.
        usable: whether they are known `[N]`.
        truth: `[N]`, NaN where it was not measured.
        privileged: `[N, M]`.
        for_trees: some of the inputs `[N, P']`.
        test_x, test_y: rows of the test part that were measured.
        siblings: truth and design of other series' training parts.
    """

    times: pd.DatetimeIndex
    design: Design
    usable: np.ndarray
    truth: np.ndarray
    privileged: np.ndarray
    for_trees: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    siblings: tuple[tuple[np.ndarray, Design], ...]

    @property
    def x(self) -> np.ndarray:
        return self.design.x[:, 1:]


def lagged(inputs: np.ndarray, times: pd.DatetimeIndex, horizon: int) -> np.ndarray:
    """What a student reads for the forecast of each hour: the inputs of `LOOKBACK` hours up to `horizon` before it, and
    sine and cosine of the origin's hour `[T, LOOKBACK·P + 2]`, NaN where they begin before the data."""
    found = np.full((len(inputs), LOOKBACK * inputs.shape[1] + 2), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(inputs, LOOKBACK, axis=0)
    first = LOOKBACK - 1 + horizon
    found[first:, :-2] = windows[: len(inputs) - first].transpose(0, 2, 1).reshape(len(inputs) - first, -1)
    angle = 2 * np.pi * ((times.hour.to_numpy() - horizon) % DAY) / DAY
    found[:, -2], found[:, -1] = np.sin(angle), np.cos(angle)
    return found


@lru_cache(maxsize=2)
def part_of(family: Family, series: str, fold: int) -> Part:
    """The data of a fold; inputs are standardised with the training part's, labelled or not."""
    data: Readings = readings(family.name, series)
    train, test = parts(family, fold, len(data.target))
    x = lagged(data.inputs, data.times, family.horizon)
    usable = np.isfinite(x[train]).all(1)
    mean, scale = x[train][usable].mean(0), x[train][usable].std(0)
    scale[scale == 0] = 1

    def design(rows: np.ndarray) -> Design:
        z = np.nan_to_num((rows - mean) / scale) * np.isfinite(rows).all(1, keepdims=True)
        return Design(np.column_stack([np.ones(len(z)), z]))

    siblings = []
    for target, inputs in data.siblings:
        own = lagged(inputs, data.times, family.horizon)[train]
        siblings.append((np.where(np.isfinite(own).all(1), target[train], np.nan), design(own)))
    tested = np.isfinite(x[test]).all(1) & np.isfinite(data.target[test])
    columns = data.inputs.shape[1]
    read = [LOOKBACK - 1 - back for back in TREES_READ]
    chosen = [hour * columns + column for hour in read for column in range(columns)] + [x.shape[1] - 2, x.shape[1] - 1]
    return Part(
        data.times[train],
        design(x[train]),
        usable,
        data.target[train],
        data.privileged[train],
        x[train][:, chosen],
        design(x[test][tested]).x,
        data.target[test][tested],
        tuple(siblings),
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """A teacher's answers, NaN where it is silent.

    Attributes:
        whole: of one that was fitted on all labels, out of fold where there is one `[N]`.
        folds: for each held-out fifth of the labels, of one that was fitted without them `[N]`.
    """

    whole: np.ndarray
    folds: tuple[np.ndarray, ...]


def reconstructed(
    times: pd.DatetimeIndex, labels: np.ndarray, values: np.ndarray, kind: PointwiseKind, fifths: list[np.ndarray]
) -> Answers:
    """The answers of `tskd.Reconstruction`.

    Args:
        labels: `[N]`, NaN where there is none.
        values: what it reads `[N, M]`.
        fifths: held-out labelled rows `[N]`; elsewhere than in them, labelled rows keep their answers out of fold.
    """
    target = TimeSeries.from_times_and_values(times, labels[:, None])
    privileged = {"read": TimeSeries.from_times_and_values(times, values)}
    teacher = Reconstruction("read", kind).fit(target, privileged)
    (answered,) = teacher.answers_on(teacher.inputs_on(teacher.data_of(target, None, None, privileged)))
    whole = answered.values()[:, 0]
    known, folds = np.isfinite(labels), []
    for fifth in fifths:
        kept = known & ~fifth
        answers = Pointwise.fit(kind, values[kept], labels[kept]).predict(values)
        folds.append(np.where(kept, whole, answers))
    return Answers(whole, tuple(folds))


def smoothed_answers(labels: np.ndarray, fifths: list[np.ndarray]) -> Answers:
    """The labels averaged over time."""
    several = [labels, *(np.where(fifth, np.nan, labels) for fifth in fifths)]
    whole, *folds = (smoothed(one, SMOOTH_GAP, SMOOTH_WIDTH) for one in several)
    return Answers(whole, tuple(folds))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A student chosen on held-out labels."""

    error: float
    chosen_by: float
    alpha: float
    penalty: float
    coefficients: np.ndarray


class Students:
    """Ridge students of one cell.

    Args:
        part: of the fold.
        rows: labelled rows `[N]`.
    """

    def __init__(self, part: Part, rows: np.ndarray) -> None:
        self.part, self.rows = part, rows
        self.labels = np.where(rows, part.truth, np.nan)
        splits = held_out(rows, LOOKBACK)
        self.fifths, self.near = ([pair[side] for pair in splits] for side in (0, 1))
        self.spread = float(np.nanvar(self.labels))

    def alone(self) -> Fitted:
        """Of the labels."""
        return self._best({0.0: (self._moments(self.labels), [self._moments(self.labels, near) for near in self.near])})

    def taught(self, answers: Answers) -> Fitted:
        """Of labels and a teacher's answers."""
        folds = [self._moments(one, near) for one, near in zip(answers.folds, self.near, strict=True)]
        known = [self.part.usable & np.isfinite(one) for one in (answers.whole, *answers.folds)]
        return self._mixed([self._moments(answers.whole), *folds], known)

    def pooled(self) -> Fitted:
        """Of the labels, and all those of the siblings."""
        found = []
        for near in (None, *self.near):
            each = [design.moments(y, np.isfinite(y), near) for y, design in self.part.siblings]
            found.append(reduce(add, each))
        return self._mixed(found, None)

    def oracle(self) -> Fitted:
        """Of all labels: a bound."""
        truth = self.part.truth
        return self._best({1.0: (self._moments(truth), [self._moments(truth, near) for near in self.near])})

    def _moments(self, y: np.ndarray, left_out: np.ndarray | None = None) -> Moments:
        """Of the rows that have a value."""
        return self.part.design.moments(y, self.part.usable & np.isfinite(y), left_out)

    def _mixed(self, answers: list[Moments], known: list[np.ndarray] | None) -> Fitted:
        """Of labels and others' rows; the first of `answers` is of all, the others for each held-out fifth."""
        labels = [self._moments(self.labels), *(self._moments(self.labels, near) for near in self.near)]
        count = [answer.rows for answer in answers]
        if known is not None:
            kept = [np.ones(len(self.rows), dtype=bool), *(~near for near in self.near)]
            has_label = np.isfinite(self.labels)
            count = [float(((one | has_label) & rows).sum()) for one, rows in zip(known, kept, strict=True)]
        options = {}
        for alpha in ALPHAS:
            whole, *folds = (mixed(*each, alpha) for each in zip(labels, answers, count, strict=True))
            options[alpha] = whole, folds
        return self._best(options)

    def _best(self, options: dict[float, tuple[Moments, list[Moments]]]) -> Fitted:
        """Share of the teacher and penalty with the lowest error on held-out labels, and the test error with them."""
        found = []
        for alpha, (whole, folds) in options.items():
            error = np.zeros(len(PENALTIES))
            for moments, inside in zip(folds, self.fifths, strict=True):
                forecasts = self.part.design.x[inside] @ ridge_path(moments).T
                error += np.square(forecasts - self.labels[inside][:, None]).sum(0)
            best = int(error.argmin())
            found.append((error[best] / self.rows.sum(), alpha, best, whole))
        chosen_by, alpha, best, whole = min(found, key=lambda one: one[0])
        coefficients = ridge_path(whole, PENALTIES[[best]])[0]
        error = np.square(self.part.test_x @ coefficients - self.part.test_y).mean() / self.spread
        return Fitted(float(error), float(chosen_by / self.spread), alpha, float(PENALTIES[best]), coefficients)


def teachers(part: Part, students: Students, kind: str) -> dict[str, Callable[[], Answers]]:
    """What gives the answers of privileged teachers and of controls, by arm."""

    def of(values: np.ndarray, kind: PointwiseKind) -> Callable[[], Answers]:
        return lambda: reconstructed(part.times, students.labels, values, kind, students.fifths)

    if kind == TREES:
        return {"privileged, trees": of(part.privileged, "trees"), "self-trained, trees": of(part.for_trees, "trees")}
    return {
        "privileged": of(part.privileged, "ridge"),
        "one neighbour": of(part.privileged, "one-neighbour"),
        "placebo": of(placebo(part), "ridge"),
        "self-trained": of(np.where(part.usable[:, None], part.x, np.nan), "ridge"),
        "smoothed": lambda: smoothed_answers(students.labels, students.fifths),
    }


def placebo(part: Part) -> np.ndarray:
    """The privileged rows, permuted within the hour of the day."""
    return permuted(part.privileged, part.times.hour.to_numpy(), seed=0)


def family_of(cell: Cell) -> Family:
    return next(family for family in FAMILIES if family.name == cell.family)


def begun(cell: Cell) -> tuple[Part, Students, dict[str, Any]]:
    """The data of a cell, and a row without errors."""
    part = part_of(family_of(cell), cell.series, cell.fold)
    rows = labelled(cell.scheme, part.times.hour.to_numpy()) & np.isfinite(part.truth) & part.usable
    row = {
        "family": cell.family,
        "series": cell.series,
        "fold": cell.fold,
        "scheme": cell.scheme.name,
        "days": cell.scheme.days,
        "student": cell.student,
        "seed": cell.seed,
        "labels": int(rows.sum()),
        "windows": int(part.usable.sum()),
        "tested": len(part.test_y),
        "failures": "",
    }
    return part, Students(part, rows), row


def ridge_row(cell: Cell) -> dict[str, Any]:
    """Test errors of all arms of a cell, and what was known before."""
    part, students, row = begun(cell)
    alone = students.alone()
    row["mse labels"] = alone.error
    for name, answering in teachers(part, students, cell.student).items():
        try:
            answers = answering()
            fitted = students.taught(answers)
        except ValueError as error:
            row["failures"] += f"{name}: {error}; "
            continue
        row |= {f"mse {name}": fitted.error, f"alpha {name}": fitted.alpha}
        if name == "privileged":
            row["teacher r2"] = explained(students.labels, answers.whole)
            gated = fitted if fitted.chosen_by < MARGIN * alone.chosen_by else alone
            row["mse privileged, gated"] = gated.error
    if cell.student == RIDGE:
        others = part.usable & ~students.rows
        row["coverage"] = coverage(part.x, students.rows, others, alone.penalty)
        if part.siblings:
            row["mse pooled"] = students.pooled().error
        row["mse oracle"] = students.oracle().error
    return row
