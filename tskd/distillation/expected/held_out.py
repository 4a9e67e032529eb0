"""The held-out comparison of a student of labels with students of teachers, by a probe in the student's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tskd._core.darts.capabilities import is_linear
from tskd.distillation.expected import ridge
from tskd.distillation.expected.fold_answers import JudgedTeacher
from tskd.distillation.expected.purged_folds import purged_folds
from tskd.distillation.expected.rows import Rows
from tskd.distillation.expected.stacking import BlockSums
from tskd.distillation.preflight import PreparedFit
from tskd.teachers.base import BaseTeacher
from tskd.teachers.crossfit import five_days
from tskd.teachers.predictor import TeacherPredictor

FOLDS = 5
# windows on which the models of all folds are compared
COMPARED = 512


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was held out, of K teachers.

    Attributes:
        rows: windows of the training part.
        sums: over held-out labels, by block of time.
        plug_in: λ* of each teacher `[K]`: (Var f₀ − Cov(f₀, f_k)) / ‖f_k − f₀‖², variances by the jackknife over folds.
        explained: share of the variance of held-out labels, within components and series, that each teacher's answers
            explain `[K]`, NaN without any.
        penalty: of the probe, on sums of squares.
        inputs: of the probe `[N, D]`.
        answered: where a teacher has an answer `[N, Q]`.
        residuals: held-out labels less the forecasts of the student of labels `[n, Q]`, NaN where there is no label.
        origins: series and step of the origin of each of these rows `[n, 2]`.
        answers: of each teacher, for all rows, as of the first fold `[K, N, Q]`.
    """

    rows: Rows
    sums: BlockSums
    plug_in: np.ndarray
    explained: np.ndarray
    penalty: float
    inputs: np.ndarray
    answered: np.ndarray
    residuals: np.ndarray
    origins: np.ndarray
    answers: np.ndarray

    @classmethod
    def of(
        cls,
        prepared: PreparedFit,
        teachers: Sequence[tuple[BaseTeacher, TeacherPredictor | None]],
        folds: int = FOLDS,
    ) -> HeldOut:
        """Fit the probe in each fold, to the labels and to the answers of each teacher.

        Args:
            prepared: the fit.
            teachers: fitted, with their predictors for the training part.
            folds: number of folds.

        Raises:
            ValueError: there are too few labels.
        """
        rows = Rows.of(prepared)
        inputs = rows.inputs
        if not is_linear(prepared.recipe.student):
            inputs = ridge.random_features(inputs)
        labelled, reach = rows.labelled, rows.last - rows.first + 1
        parts = purged_folds(rows.at[labelled], reach, folds)
        trains = np.array([fold.trains(rows.at) for fold in parts])
        held = np.array([fold.holds(rows.at) & labelled for fold in parts])
        penalty = ridge.tuned(inputs, rows.labels, [*zip(trains & labelled, held, strict=True)])
        compared = np.flatnonzero(labelled)[
            np.linspace(0, labelled.sum() - 1, min(labelled.sum(), COMPARED)).astype(int)
        ]

        def fitted(target: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray]:
            """Forecasts for the held-out rows, and for those that all folds are compared on."""
            kept = trains[fold] & np.isfinite(target).any(1)
            at = np.concatenate([np.flatnonzero(held[fold]), compared])
            found = next(ridge.forecasts(inputs[kept], target[kept], inputs[at], [penalty]))
            return found[: -len(compared)], found[-len(compared) :]

        plain = [fitted(rows.labels, fold) for fold in range(len(parts))]
        errors = np.concatenate([rows.labels[own] - found for own, (found, _) in zip(held, plain, strict=True)])
        order = np.concatenate([np.flatnonzero(own) for own in held])
        series = rows.keys[:, 0].numpy()[order]
        differences, plug_in, explained = [], [], []
        answered, first = np.zeros(rows.labels.shape, dtype=bool), []
        for one, (teacher, predictor) in zip(prepared.teachers, teachers, strict=True):
            judged = JudgedTeacher(one, teacher, predictor, rows, prepared)
            apart, everywhere, known = [], [], []
            for fold, answers in enumerate(judged.answers(parts)):
                target = np.where(np.isfinite(answers), answers, rows.labels)
                answered |= np.isfinite(answers)
                first += [answers] if fold == 0 else []
                own, common = fitted(target, fold)
                apart.append(own - plain[fold][0])
                everywhere.append(common - plain[fold][1])
                values = rows.level + rows.scale * np.stack([rows.labels, answers])
                known.append(values[:, held[fold]])
            differences.append(np.concatenate(apart))
            plug_in.append(_plug_in(np.stack([common for _, common in plain]), np.stack(everywhere)))
            labels, said = np.concatenate(known, axis=1)
            explained.append(_explained(labels, said, rows.outputs[1], series))
        at = rows.at[order]
        day = max(1, five_days(min(prepared.student.series, key=lambda one: one.start_time())[:1]) // 5)
        origins = np.column_stack([series, at])
        sums = BlockSums.of(errors, np.stack(differences), at // max(reach, day))
        return cls(
            rows,
            sums,
            np.array(plug_in),
            np.array(explained),
            penalty,
            inputs,
            answered,
            errors,
            origins,
            np.stack(first),
        )


def _plug_in(plain: np.ndarray, differences: np.ndarray) -> float:
    """λ* from the forecasts of F folds `[F, M, Q]`: by the jackknife, −Cov(f₀, f₁ − f₀) is what a student can save."""
    folds = len(plain)
    centred = (plain - plain.mean(0)) * (differences - differences.mean(0))
    saved = -(folds - 1) / folds * centred.sum(0).mean()
    size = (differences.mean(0) ** 2).mean()
    return float(np.clip(saved / size, 0, 1)) if size > 0 else 0.0


def _explained(labels: np.ndarray, answers: np.ndarray, components: np.ndarray, series: np.ndarray) -> float:
    """R² of answers `[n, Q]` for labels, mean over components by their number of labels.

    Labels vary about the mean of their own component and series: that these differ in level, no answer explains.

    Args:
        components: of the Q numbers.
        series: of the rows `[n]`.
    """
    both = np.isfinite(labels) & np.isfinite(answers)
    if both.sum() < 3:
        return float("nan")
    found, numbers = [], []
    for component in np.unique(components):
        total = left = 0.0
        columns = both & (components == component)
        for one in np.unique(series):
            known = columns & (series == one)[:, None]
            if known.any():
                total += np.square(labels[known] - labels[known].mean()).sum()
                left += np.square(labels[known] - answers[known]).sum()
        if total > 0:
            found.append(1 - left / total)
            numbers.append(columns.sum())
    return float(np.average(found, weights=numbers)) if found else float("nan")
