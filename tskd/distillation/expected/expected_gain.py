"""`expected_gain`: what distillation is expected to give, from the training part alone, before a student is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from tskd._core.checks import type_name
from tskd._core.darts.capabilities import is_linear
from tskd._core.rng import isolated_randomness
from tskd._core.series import SeriesBundle, SeriesLike
from tskd.distillation.expected.chosen_balance import shares_of
from tskd.distillation.expected.coverage import coverage
from tskd.distillation.expected.effective_size import effective_windows, parameters
from tskd.distillation.expected.gain_text import lines_of, paragraphs
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.simpler import linear_is_as_good, neighbour
from tskd.distillation.expected.teacher_gain import TeacherGain, best_share
from tskd.distillation.expected.verdict import Facts, verdict
from tskd.distillation.filled_past import with_filled_past
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.preflight import PreparedFit, TeacherInFit, prepare
from tskd.distillation.recipe import Recipe
from tskd.teachers.base import BaseTeacher
from tskd.teachers.predictor import TeacherPredictor


@dataclass(frozen=True)
class ExpectedGain:
    """What distillation is expected to give.

    Attributes:
        windows, labelled: training windows that have all inputs of the student, and those of them with a label.
        effective_windows: independent windows that the labelled ones are worth.
        parameters: effective number of a tuned ridge regression in the student's place.
        unexplained: share of the variance of held-out labels that this regression of labels alone leaves.
        estimation_share: share of the error of labels alone that comes from estimating d slopes from n independent
            windows, d/(n − 1): what the best of teachers saves on average if the student is linear and unbiased and all
            windows are like the labelled ones. It is no bound: a student that is shrunk, not linear or badly covered
            can gain more, and the held-out errors below are of models that were fitted to fewer labels.
        coverage: L_S, leverage of windows without a label over that of those with one; 1 if all have labels.
        siblings: other target series of the same fit.
        neighbour: largest squared correlation of a privileged component with the target, of changes from one label to
            the next.
        teachers: one by one.
        change: predicted for all teachers together at the model's balance. With a fixed or scheduled balance (whose
            last epoch counts), teachers have the shares given by a `Fixed` weighting, else equal ones.
        best_balance, best_change: for all teachers together, at the share of 0, .05, …, 1 with the least held-out error
            for the same weights among them, which is optimistic.
        verdict: in words, with the cheapest thing to try first.
    """

    windows: int
    labelled: int
    effective_windows: float
    parameters: float
    unexplained: float
    estimation_share: float
    coverage: float
    siblings: int
    neighbour: float
    teachers: tuple[TeacherGain, ...]
    change: PredictedChange
    best_balance: float
    best_change: PredictedChange
    verdict: str

    @property
    def rows_per_parameter(self) -> float:
        """Independent windows for each effective parameter."""
        return self.effective_windows / self.parameters

    def table(self) -> pd.DataFrame:
        """One row per teacher; values that all of them share are repeated in each row, so that tables can be
        concatenated."""
        same = {
            "windows": self.windows,
            "labelled": self.labelled,
            "effective_windows": self.effective_windows,
            "rows_per_parameter": self.rows_per_parameter,
            "unexplained_by_labels": self.unexplained,
            "estimation_share": self.estimation_share,
            "coverage": self.coverage,
            "siblings": self.siblings,
            "neighbour": self.neighbour,
        }
        rows = [
            {
                "teacher": one.name,
                "explained": one.explained,
                "correlation": one.correlations[0] if one.correlations else np.nan,
                "correlation_of": one.overlap.of,
                "contained": one.overlap.contained,
                "effective_blocks": one.effective_blocks,
                "balance": one.balance,
                "change": one.change.change,
                "low": one.change.low,
                "high": one.change.high,
                "best_balance": one.best_balance,
                "best_change": one.best_change.change,
                "best_low": one.best_change.low,
                "best_high": one.best_change.high,
                "verdict": one.verdict,
                **same,
            }
            for one in self.teachers
        ]
        return pd.DataFrame(rows).set_index("teacher")

    def __str__(self) -> str:
        several = len(self.teachers) > 1
        trusted = sum(one.balance for one in self.teachers)
        found = [
            *paragraphs(
                f"{self.labelled} of {self.windows} windows have labels, worth {self.effective_windows:.0f} "
                f"independent ones: {self.rows_per_parameter:.1f} for each of {self.parameters:.0f} parameters.",
                f"Labels alone leave {self.unexplained:.0%} of the variance; in theory, {self.estimation_share:.0%} of "
                f"that comes from estimating so many. Leverage of unlabelled windows: {self.coverage:.1f} times. "
                f"Best neighbour: R\u00b2 {self.neighbour:.2f}. Other series: {self.siblings}.",
            ),
            "",
            *lines_of(self.teachers, (trusted, self.change) if several else None),
            "",
            *paragraphs(self.verdict),
        ]
        return "\n".join(found)


def expected_gain(
    model: Any,
    series: SeriesLike,
    past_covariates: SeriesLike | None = None,
    future_covariates: SeriesLike | None = None,
    *,
    privileged: Mapping[str, SeriesLike] | None = None,
) -> ExpectedGain:
    """What the distillation of a model is expected to give, before its student is trained.

    Only the training part is read, and no network is trained: a ridge regression on purged folds takes the student's
    place, as in `AutoBalance`, and another one that of a network teacher that saw the labels. Other unfitted teachers
    are fitted as copies.

    Args:
        model: a `DistilledModel` with at least one teacher; it stays as it is.
        series, past_covariates, future_covariates, privileged: as for its `fit`.

    Raises:
        TypeError, ValueError: the data cannot be used, or labels are too few for folds.
    """
    if isinstance(model, type) or not hasattr(model, "_recipe"):
        raise TypeError(f"model must be a DistilledModel, got {type_name(model)}")
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
    shares, labelled = shares_of(held_out, recipe), rows.labelled
    spent = parameters(held_out.inputs[labelled], held_out.penalty)
    worth = effective_windows(held_out.residuals, held_out.origins) * float(rows.stands_for[labelled].mean())
    values = rows.values
    deviations = (values - np.nanmean(values, axis=0)) / rows.scale
    left = np.nansum(held_out.residuals**2) / np.nansum(deviations**2)
    teachers = tuple(
        TeacherGain.of(held_out, k, one, share)
        for k, (one, share) in enumerate(zip(prepared.teachers, shares, strict=True))
    )
    own = [_taught_on(one, prepared) for one in prepared.teachers]
    facts = Facts(
        change=PredictedChange.of(sums, shares),
        rows_per_parameter=worth / spent,
        coverage=coverage(held_out.inputs, labelled, held_out.penalty),
        siblings=len(prepared.student.series) - 1,
        neighbour=neighbour(prepared),
        explained=max((one.explained for one in teachers if np.isfinite(one.explained)), default=0.0),
        effective_blocks=min(one.effective_blocks for one in teachers),
        linear=is_linear(recipe.student),
        linear_is_as_good=linear_is_as_good(held_out, recipe),
        elsewhere="other data" in own,
        gain=any(one.best_change.high < 0 for one in teachers),
        contained=min(_contained(one, data) for one, data in zip(teachers, own, strict=True)),
    )
    weights = shares / shares.sum() if shares.sum() > 0 else np.full(len(shares), 1 / len(shares))
    best = best_share(sums, weights)
    return ExpectedGain(
        windows=round(float(rows.stands_for.sum())),
        labelled=round(float(rows.stands_for[labelled].sum())),
        effective_windows=worth,
        parameters=spent,
        unexplained=float(left),
        estimation_share=float(np.clip((spent - 1) / max(worth - 1, 1e-9), 0, 1)),
        coverage=facts.coverage,
        siblings=facts.siblings,
        neighbour=facts.neighbour,
        teachers=tuple(
            replace(one, verdict=verdict(_facts_of(one, facts, data))) for one, data in zip(teachers, own, strict=True)
        ),
        change=facts.change,
        best_balance=best,
        best_change=PredictedChange.of(sums, best * weights),
        verdict=verdict(facts),
    )


def _taught_on(one: TeacherInFit, prepared: PreparedFit) -> Literal["same labels", "other data", "nothing"]:
    """What a teacher learned from, or will: a darts model fitted elsewhere from other data."""
    teacher = one.teacher
    if not teacher.learns or not teacher.models:
        return "nothing"
    known = teacher.fitted and not teacher.was_fitted_on(prepared.student.series)
    return "other data" if known else "same labels"


def _contained(one: TeacherGain, taught_on: str) -> float:
    contained = one.overlap.contained
    return contained if taught_on == "same labels" and np.isfinite(contained) else 0.0


def _facts_of(one: TeacherGain, facts: Facts, taught_on: str) -> Facts:
    """The facts of one teacher alone."""
    return replace(
        facts,
        change=one.change,
        explained=float(np.nan_to_num(one.explained)),
        effective_blocks=one.effective_blocks,
        elsewhere=taught_on == "other data",
        gain=one.best_change.high < 0,
        contained=_contained(one, taught_on),
    )
