"""Linear students of the benchmark of harm, in closed form: of labels, of a teacher's answers, and of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from no_harm_cells import (
    FIXED,
    GRID,
    HINDSIGHT,
    LOOKBACK,
    PENALTIES,
    USELESS,
    Group,
    Judged,
    Part,
    judge,
    parts_of,
    teachers,
)

from tskd.distillation.expected.chosen_balance import share_of_loss
from tskd.distillation.expected.predicted_change import PredictedChange

FOLDS = 5


class Rows:
    """Windows of one part of some series, one series after the other.

    Attributes:
        x: inputs, the target's past relative to its last value `[N, D]`.
        y, level: labels relative to the last value of the past, and this value `[N, H]`.
        at: origins `[N]`.
    """

    def __init__(self, group: Group, parts: Sequence[Part], test: bool = False) -> None:
        x, y, level, at = [], [], [], []
        for part in parts:
            first = part.end - LOOKBACK if test else part.start
            last = len(part.values) if test else part.end
            for origin in range(first + LOOKBACK - 1, last - group.horizon):
                past = slice(origin - LOOKBACK + 1, origin + 1)
                labels = (part.values if test else part.labels)[origin + 1 : origin + 1 + group.horizon]
                base = part.values[origin] if group.labels == "all" else 0.0
                seen = part.values[past] - base if group.labels == "all" else part.inputs[past].ravel()
                x.append(np.append(seen, base) if group.labels == "all" else seen)
                y.append(labels - base)
                level.append(np.full(group.horizon, base))
                at.append(origin)
        self.x, self.y, self.level, self.at = np.array(x), np.array(y), np.array(level), np.array(at)


def solved(x: np.ndarray, y: np.ndarray, answers: np.ndarray, alpha: float, penalty: float) -> np.ndarray:
    """Coefficients `[D + 1, H]` of the least (1 − α)·Σ over labels + α·Σ over answers + penalty·|w|², inputs `[N, D]`
    of mean 0 and variance 1; a label counts alone where there is no answer."""
    z = np.hstack([np.ones((len(x), 1)), x])
    found = np.zeros((z.shape[1], y.shape[1]))
    ridge = penalty * np.diag([0.0] + [1.0] * x.shape[1])
    for step in range(y.shape[1]):
        labels, given = np.isfinite(y[:, step]), np.isfinite(answers[:, step])
        weights = (1 - alpha) * labels, alpha * given
        gram = (z * (weights[0] + weights[1])[:, None]).T @ z + ridge
        target = weights[0] * np.nan_to_num(y[:, step]) + weights[1] * np.nan_to_num(answers[:, step])
        found[:, step] = np.linalg.lstsq(gram, z.T @ target, rcond=None)[0]
    return found


def penalty_of(x: np.ndarray, y: np.ndarray, at: np.ndarray, horizon: int) -> float:
    """The penalty with the least error on contiguous fifths of the labelled windows, purged by the horizon."""
    known = np.isfinite(y).any(1)
    total, none = np.zeros(len(PENALTIES)), np.full_like(y, np.nan)
    for held in np.array_split(np.unique(at[known]), FOLDS):
        out = np.isin(at, held) & known
        apart = np.abs(at[:, None] - held[[0, -1]]).min(1) >= horizon
        trains = known & apart & ~((at >= held[0]) & (at <= held[-1]))
        if trains.sum() < 3:
            continue
        for number, penalty in enumerate(PENALTIES):
            found = solved(x[trains], y[trains], none[trains], 0.0, penalty * trains.sum())
            total[number] += np.nansum((y[out] - x[out] @ found[1:] - found[0]) ** 2)
    return float(PENALTIES[total.argmin()] * known.sum())


class Students:
    """Students of one group: errors on the test part, over that of labels alone."""

    def __init__(self, group: Group, parts: Sequence[Part]) -> None:
        self.group, self.parts = group, parts
        self.train, self.test = Rows(group, parts), Rows(group, parts, test=True)
        mean, spread = self.train.x.mean(0), self.train.x.std(0)
        scale = np.where(spread > 1e-9, spread, np.inf)
        self.x, self.out = ((rows.x - mean) / scale for rows in (self.train, self.test))
        self.penalty = penalty_of(self.x, self.train.y, self.train.at, group.horizon)
        self.alone = self.error(np.full_like(self.train.y, np.nan), 0.0)

    def errors(self, answers: np.ndarray, alpha: float) -> np.ndarray:
        """Squared error of each series on the test part `[S]`."""
        found = solved(self.x, self.train.y, answers - self.train.level, alpha, self.penalty)
        left = (self.test.y - self.out @ found[1:] - found[0]) ** 2
        return left.reshape(len(self.parts), -1).mean(1)

    def error(self, answers: np.ndarray, alpha: float) -> float:
        return float(self.errors(answers, alpha).mean())

    def validated(self, answers: np.ndarray) -> float:
        """α of the grid with the least error on the last quarter of the labelled windows.

        Args:
            answers: of a teacher that was fitted on the first three quarters.
        """
        known, at, y = np.isfinite(self.train.y).any(1), self.train.at, self.train.y
        start = np.quantile(at[known], 0.75)
        out, trains = known & (at > start), at <= start - self.group.horizon
        target = answers - self.train.level
        best, least = 0.0, np.inf
        for alpha in GRID:
            found = solved(self.x[trains], y[trains], target[trains], alpha, self.penalty)
            error = np.nansum((y[out] - self.x[out] @ found[1:] - found[0]) ** 2)
            if error < least:
                best, least = alpha, error
        return best


def quarter(group: Group, parts: Sequence[Part]) -> int:
    """The end of the training part without its last quarter of labelled windows."""
    part = parts[0]
    known = np.flatnonzero(np.isfinite(part.labels[part.start : part.end])) + part.start
    return int(np.quantile(known, 0.75)) + 1


def rows_of(group: Group) -> list[dict[str, Any]]:
    """A row for each teacher of a group."""
    parts = parts_of(group)
    students, end = Students(group, parts), quarter(group, parts)
    early = teachers(group, parts, end)
    rows = []
    for name, teacher in teachers(group, parts).items():
        try:
            judged = judge(group, parts, teacher)
        except ValueError:
            # a regression teacher needs labels of a whole horizon, which scattered ones are not
            continue
        alphas = {rule: choice.alpha for rule, choice in judged.choices.items()}
        alphas |= {f"fixed {alpha:g}": alpha for alpha in FIXED}
        alphas["validated"] = _validated(group, parts, early.get(name), end, students)
        errors = {rule: students.errors(judged.answers, alpha) for rule, alpha in alphas.items()}
        alone = students.errors(judged.answers, 0.0)
        grid = [students.error(judged.answers, alpha) for alpha in HINDSIGHT]
        choice = judged.choices["prudent"]
        row: dict[str, Any] = {
            "data": group.name,
            "horizon": group.horizon,
            "windows": group.windows,
            "fold": group.fold,
            "labels": "pooled" if group.pooled else group.labels,
            "teacher": name,
            "useless": name in USELESS,
            "alone": float(alone.mean()),
            "estimate": choice.estimate,
            "standard error": choice.standard_error,
            "effective": choice.effective_blocks,
            "plug_in": choice.plug_in[name],
            "coverage": choice.coverage,
            "explained": choice.explained[name],
        }
        for rule, error in errors.items():
            row[f"alpha, {rule}"] = alphas[rule]
            row[rule] = float(error.mean() / alone.mean())
            row[f"worst series, {rule}"] = float((error / alone).max())
        assert judged.held_out is not None
        for alpha in FIXED:
            share = share_of_loss(alpha, judged.held_out)
            predicted = PredictedChange.of(judged.held_out.sums, np.array([share]))
            row[f"predicted at {alpha:g}"] = predicted.change
            row[f"low at {alpha:g}"], row[f"high at {alpha:g}"] = predicted.low, predicted.high
        row["hindsight"] = float(min(grid) / alone.mean())
        row |= {f"at {alpha:.1f}": value / float(alone.mean()) for alpha, value in zip(HINDSIGHT, grid, strict=True)}
        rows.append(row)
    return rows


def _validated(group: Group, parts: Sequence[Part], teacher: Any, end: int, students: Students) -> float:
    if teacher is None:
        return 0.0
    try:
        judged: Judged = judge(group, parts, teacher, end, choose=False)
    except ValueError:
        # too few windows are left to fit the teacher
        return 0.0
    answers = np.full(students.train.y.shape, np.nan)
    each = len(answers) // len(parts)
    few = len(judged.answers) // len(parts)
    for number in range(len(parts)):
        answers[number * each : number * each + few] = judged.answers[number * few : (number + 1) * few]
    return students.validated(answers)
