"""What the student's inputs tell of what a teacher reads or answers: canonical correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tskd._core.darts.capabilities import window_span
from tskd._core.windows import INPUT_SLOTS, Windows
from tskd.distillation.expected.rows import Rows, covered_inputs
from tskd.distillation.preflight import TeacherInFit
from tskd.teachers.regression import slots_read

# principal components between which correlations are taken, and windows that each of them needs
MOST_COMPONENTS, PER_COMPONENT = 20, 10
# windows per independent column of a teacher's inputs, for a regression on them
PER_COLUMN = 2


@dataclass(frozen=True)
class Overlap:
    """What the student's inputs have in common with what a teacher reads or answers.

    Attributes:
        of: `"inputs"` of the teacher, or its `"answers"` where it does not read windows (reconstructions, teachers from
            outside) or has its inputs in too few.
        correlations: canonical ones, largest first, between at most 20 principal components of both, and no more than a
            tenth of the windows; empty for fewer than 20 windows. Of overlapping windows they are too large rather than
            too small.
        contained: share of the variance of the student's inputs that is linear in the teacher's: adjusted R². At 1 the
            teacher contains them. NaN for answers, and for fewer than two windows per independent column.
    """

    of: Literal["inputs", "answers"]
    correlations: tuple[float, ...]
    contained: float = float("nan")

    @classmethod
    def of_teacher(cls, one: TeacherInFit, answers: np.ndarray, rows: Rows) -> Overlap:
        """The overlap of a teacher.

        Args:
            one: the teacher, fitted or not, with its inputs.
            answers: of it `[N, Q]`, NaN where there is none.
            rows: of the student.
        """
        covered, inputs = _inputs(one, rows)
        if len(covered) >= 2 * PER_COMPONENT:
            own = rows.inputs[covered]
            return cls("inputs", _correlations(own, inputs), contained(own, inputs))
        columns = np.isfinite(answers).any(0)
        known = np.isfinite(answers[:, columns]).all(1) & columns.any()
        return cls("answers", _correlations(rows.inputs[known], answers[known][:, columns]))


def _correlations(a: np.ndarray, b: np.ndarray) -> tuple[float, ...]:
    if len(a) < 2 * PER_COMPONENT:
        return ()
    return tuple(canonical_correlations(a, b, min(MOST_COMPONENTS, len(a) // PER_COMPONENT)).tolist())


def _inputs(one: TeacherInFit, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """The rows for which a teacher has its inputs, by number `[n]`, and these, of variance 1 `[n, D]`.

    A teacher that does not read windows has none.
    """
    models = one.teacher.models
    if not models:
        return np.zeros(0, dtype=int), np.zeros((0, 0))
    if one.teacher.is_network:
        windows = Windows.of(one.inputs, window_span(models[0]))
    else:
        windows = Windows(dict(zip(INPUT_SLOTS, slots_read(models[0], one.inputs), strict=False)), None)
    return covered_inputs(windows, rows.keys)


def contained(own: np.ndarray, others: np.ndarray) -> float:
    """Share of the variance of `own [n, p]` that is linear in `others [n, q]`: adjusted R²; see `Overlap`."""
    basis, centred = _basis(others, others.shape[1]), own - own.mean(0)
    count, columns = basis.shape
    total = np.square(centred).sum()
    if count < PER_COLUMN * (columns + 1) or not total > 0:
        return float("nan")
    left = np.square(centred - basis @ (basis.T @ centred)).sum() / total
    return float(np.clip(1 - left * (count - 1) / (count - columns - 1), 0, 1))


def canonical_correlations(a: np.ndarray, b: np.ndarray, most: int) -> np.ndarray:
    """Canonical correlations `[min(p, q)]` of the first `most` principal components of `a [n, p]` and `b [n, q]`,
    largest first."""
    return np.clip(np.linalg.svd(_basis(a, most).T @ _basis(b, most), compute_uv=False), 0, 1)


def _basis(values: np.ndarray, most: int) -> np.ndarray:
    left, sizes, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    kept = sizes > 1e-9 * max(sizes[0], 1e-300)
    return left[:, kept][:, :most]
