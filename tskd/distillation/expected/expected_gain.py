"""`expected_gain`: what distillation is expected to give, from the training part alone, before a student is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tskd._core.darts.capabilities import is_linear
from tskd._core.rng import isolated_randomness
from tskd._core.series import SeriesBundle, SeriesLike
from tskd.balance import AutoBalance
from tskd.distillation.expected.chosen_balance import choice_of
from tskd.distillation.expected.coverage import coverage
from tskd.distillation.expected.effective_size import canonical_correlations, effective_windows, parameters
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.simpler import linear_is_as_good, neighbour
from tskd.distillation.expected.stacking import Share
from tskd.distillation.expected.verdict import Facts, verdict
from tskd.distillation.filled_past import with_filled_past
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.preflight import PreparedFit, TeacherInFit, prepare
from tskd.distillation.recipe import Recipe
from tskd.teachers.base import BaseTeacher
from tskd.teachers.predictor import TeacherPredictor

SHARES = np.linspace(0, 1, 21)
# principal components of inputs and answers between which correlations are taken, if windows allow
MOST_COMPONENTS = 20


@dataclass(frozen=True)
class TeacherGain:
    """What one teacher is expected to give.

    Attributes:
        name: of the teacher.
        explained: R² of its answers for held-out labels; of a teacher that saw the labels, out of fold.
        correlations: canonical correlations of the student's inputs with its answers: near 1, the student's inputs tell
            what it says; what they do not tell, no student can learn.
        effective_blocks: n_eff of its share, see `Share`.
        balance: share of trust at which `change` is predicted: that of the model.
        change: predicted at this share.
        best_balance, best_change: at the share with the least held-out error, which is optimistic.
    """

    name: str
    explained: float
    correlations: tuple[float, ...]
    effective_blocks: float
    balance: float
    change: PredictedChange
    best_balance: float
    best_change: PredictedChange


@dataclass(frozen=True)
class ExpectedGain:
    """What distillation is expected to give.

    Attributes:
        windows, labelled: training windows that have all inputs of the student, and those of them with a label.
        effective_windows: independent windows that the labelled ones are worth.
        parameters: effective number of a tuned ridge regression in the student's place.
        unexplained: share of the variance of held-out labels that this regression of labels alone leaves.
        ceiling: largest cut of the error that any teacher can make for an unbiased linear student of labelled windows.
        coverage: L_S, leverage of windows without a label over that of those with one; 1 if all have labels.
        siblings: other target series of the same fit.
        neighbour: largest squared correlation of a privileged component with the target, from step to step.
        teachers: one by one.
        change: predicted for all teachers together, at the model's balance.
        verdict: in words, with the cheapest thing to try first.
    """

    windows: int
    labelled: int
    effective_windows: float
    parameters: float
    unexplained: float
    ceiling: float
    coverage: float
    siblings: int
    neighbour: float
    teachers: tuple[TeacherGain, ...]
    change: PredictedChange
    verdict: str

    @property
    def rows_per_parameter(self) -> float:
        return self.effective_windows / self.parameters

    def table(self) -> pd.DataFrame:
        """A row for each teacher."""
        rows = [
            {
                "teacher": one.name,
                "explained": one.explained,
                "correlation": one.correlations[0] if one.correlations else np.nan,
                "effective_blocks": one.effective_blocks,
                "balance": one.balance,
                "change": one.change.change,
                "low": one.change.low,
                "high": one.change.high,
                "best_balance": one.best_balance,
                "best_change": one.best_change.change,
            }
            for one in self.teachers
        ]
        return pd.DataFrame(rows).set_index("teacher")

    def __str__(self) -> str:
        lines = [
            f"{self.labelled} of {self.windows} windows have labels, worth {self.effective_windows:.0f} independent "
            f"ones: {self.rows_per_parameter:.1f} for each of {self.parameters:.0f} parameters.",
            f"Labels alone leave {self.unexplained:.0%} of the variance; a teacher can cut at most {self.ceiling:.0%}.",
            *(
                f"  {one.name}: {one.change} at balance {one.balance:.2f}, explains {one.explained:.2f}"
                for one in self.teachers
            ),
            self.verdict,
        ]
        return "\n".join(lines)


def expected_gain(
    model: Any,
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    *,
    privileged: Mapping[str, SeriesLike] | None = None,
) -> ExpectedGain:
    """What the distillation of a model is expected to give, before its student is trained.

    Nothing but the training part is read, and no network is trained: a ridge regression on purged folds stands in the
    student's place, as for `AutoBalance`, and another in that of a teacher that is a network and saw the labels.
    Other unfitted teachers are fitted on copies.

    Args:
        model: a `DistilledModel` with at least one teacher; it stays as it is.
        series, past_covariates, future_covariates, privileged: as for its `fit`.

    Raises:
        TypeError, ValueError: the data cannot be used, or labels are too few for folds.
    """
    recipe: Recipe = model._recipe()
    if not recipe.teachers:
        raise ValueError("the model has no teachers: there is no gain to expect")
    train = SeriesBundle.of(series, past_covariates, future_covariates)
    train = train.with_privileged(privileged, recipe.series_names)
    with isolated_randomness():
        prepared = prepare(recipe, train, None, FitOptions(), model.components)
        teachers = [_ready(one, prepared) for one in prepared.teachers]
        known = [teacher for teacher, _ in teachers]
        if all(teacher.fitted for teacher in known):
            prepared = with_filled_past(prepared, known)
        held_out = HeldOut.of(prepared, teachers)
    return gain_of(held_out, prepared)


def _ready(one: TeacherInFit, prepared: PreparedFit) -> tuple[BaseTeacher, TeacherPredictor | None]:
    if one.teacher.trains_network and not one.teacher.fitted:
        return one.teacher, None
    return one.fit(prepared.options, prepared.student.series)


def gain_of(held_out: HeldOut, prepared: PreparedFit) -> ExpectedGain:
    """The expected gain from what was held out."""
    recipe, rows, sums = prepared.recipe, held_out.rows, held_out.sums
    shares, labelled = _shares(held_out, recipe), rows.labelled
    spent = parameters(held_out.inputs[labelled], held_out.penalty)
    worth = effective_windows(held_out.residuals, held_out.origins) * float(rows.stands_for[labelled].mean())
    values = rows.values
    left = np.nansum((held_out.residuals * rows.scale) ** 2) / np.nansum((values - np.nanmean(values, axis=0)) ** 2)
    teachers = tuple(
        _gain_of_one(held_out, k, name, share) for k, (name, share) in enumerate(zip(recipe.names, shares, strict=True))
    )
    facts = Facts(
        change=PredictedChange.of(sums, shares),
        rows_per_parameter=worth / spent,
        ceiling=float(np.clip((spent - 1) / max(worth - 1, 1e-9), 0, 1)),
        coverage=coverage(held_out.inputs, labelled, held_out.penalty),
        siblings=len(prepared.student.series) - 1,
        neighbour=neighbour(prepared),
        explained=max((one.explained for one in teachers if np.isfinite(one.explained)), default=0.0),
        effective_blocks=min(one.effective_blocks for one in teachers),
        linear=is_linear(recipe.student),
        linear_is_as_good=linear_is_as_good(held_out, recipe),
        elsewhere=any(one.teacher.fitted and one.teacher.models for one in prepared.teachers),
        gain=any(one.best_change.high < 0 for one in teachers),
    )
    return ExpectedGain(
        windows=round(float(rows.stands_for.sum())),
        labelled=round(float(rows.stands_for[labelled].sum())),
        effective_windows=worth,
        parameters=spent,
        unexplained=float(left),
        ceiling=facts.ceiling,
        coverage=facts.coverage,
        siblings=facts.siblings,
        neighbour=facts.neighbour,
        teachers=teachers,
        change=facts.change,
        verdict=verdict(facts),
    )


def _shares(held_out: HeldOut, recipe: Recipe) -> np.ndarray:
    """Shares of trust `[K]` at the model's balance; of a fixed or scheduled one, the same for all teachers."""
    balance = recipe.balance
    if isinstance(balance, AutoBalance):
        return np.array([*choice_of(held_out, recipe.names, balance.bold).shares.values()])
    last = 10**6
    return np.full(len(recipe.names), balance.alpha(last) / len(recipe.names))


def _gain_of_one(held_out: HeldOut, number: int, name: str, share: float) -> TeacherGain:
    sums, rows = held_out.sums.of_teachers(np.array([number])), held_out.rows
    best = float(SHARES[np.argmin([sums.squared_errors(np.array([share])).sum() for share in SHARES])])
    answers = held_out.answers[number]
    known = np.isfinite(answers).all(1)
    correlations: tuple[float, ...] = ()
    if known.sum() > 2 * MOST_COMPONENTS:
        most = int(min(MOST_COMPONENTS, known.sum() // 10))
        correlations = tuple(canonical_correlations(rows.inputs[known], answers[known], most).tolist())
    return TeacherGain(
        name,
        float(held_out.explained[number]),
        correlations,
        Share.of(sums).effective_blocks,
        share,
        PredictedChange.of(sums, np.array([share])),
        best,
        PredictedChange.of(sums, np.array([best])),
    )
