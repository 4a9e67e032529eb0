"""The balance that `AutoBalance` chooses in a fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tskd.balance import AutoBalance, FixedBalance
from tskd.distillation.expected.coverage import UNCOVERED, coverage
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.stacking import BOLD, CAP, FEW_BLOCKS, PRUDENT, trust
from tskd.distillation.preflight import PreparedFit
from tskd.distillation.recipe import Recipe
from tskd.distillation.untrained_outputs import untaught_outputs
from tskd.teachers.base import BaseTeacher
from tskd.teachers.predictor import TeacherPredictor
from tskd.weighting import Fixed

logger = logging.getLogger(__name__)

# explained variance from which on the bold trust a teacher where labels do not cover the windows
ACCURATE = 0.8
# most α where some of the student's outputs, such as outer quantiles, have no loss but that of the labels
MOST = 0.9
# after every schedule's end
LAST_EPOCH = 10**6


@dataclass(frozen=True)
class BalanceChoice:
    """How far an `AutoBalance` trusts the teachers in a fit, and why.

    Attributes:
        alpha: α of the loss.
        shares: by teacher, its share in the forecast of the student, at most 1 together; 0 for one that is left out.
            Where windows have no label, α is less than their sum: teachers then count in more windows than labels do.
        estimate: α̂ of all teachers together, before it was shrunk.
        standard_error: of the estimate, over blocks of time.
        effective_blocks: n_eff, see `Share`: a useless teacher costs 1/(2·n_eff) on average.
        plug_in: λ* by teacher, see `HeldOut`; twice this much is the most for a single series.
        coverage: L_S, the leverage of windows without a label over that of windows with one; 1 if all have labels.
        explained: share of the variance of held-out labels that a teacher's answers explain, by teacher.
        expected: change of the error that the shares are expected to make; None where it could not be estimated.
        reason: in words.
    """

    alpha: float
    shares: dict[str, float] = field(default_factory=dict)
    estimate: float = 0.0
    standard_error: float = 0.0
    effective_blocks: float = 0.0
    plug_in: dict[str, float] = field(default_factory=dict)
    coverage: float = 1.0
    explained: dict[str, float] = field(default_factory=dict)
    expected: PredictedChange | None = None
    reason: str = ""

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in self.shares.items())
        change = "" if self.expected is None or not self.alpha else f"; expected change of the error {self.expected}"
        return f"balance {self.alpha:.2f} ({shares or 'no teachers'}): {self.reason}{change}"

    def applied_to(self, prepared: PreparedFit) -> PreparedFit:
        """The fit with this balance."""
        given = [self.shares.get(name, 0.0) for name in prepared.recipe.names]
        recipe = replace(prepared.recipe, balance=FixedBalance(self.alpha))
        return replace(prepared, recipe=recipe, trust=given if sum(given) > 0 else None)


def choose_balance(
    prepared: PreparedFit, teachers: Sequence[tuple[BaseTeacher, TeacherPredictor]], balance: AutoBalance
) -> BalanceChoice:
    """Choose the balance of a fit.

    Args:
        prepared: the fit, with the past of the target filled.
        teachers: fitted, with their predictors for the training part.
        balance: how to choose.
    """
    if not teachers:
        return BalanceChoice(0.0, reason="there are no teachers")
    names = prepared.recipe.names
    try:
        held_out = HeldOut.of(prepared, teachers, balance.folds)
    except ValueError as error:
        choice = BalanceChoice(0.0, dict.fromkeys(names, 0.0), reason=f"labels alone, since {error}")
    else:
        choice = choice_of(held_out, names, balance.bold)
    if choice.alpha > MOST and bool(untaught_outputs(prepared).any()):
        reason = f"{choice.reason}; at most {MOST}, as labels alone train some of the student's outputs"
        choice = replace(choice, alpha=MOST, reason=reason)
    logger.info("%s", choice)
    return choice


def choice_of(held_out: HeldOut, names: Sequence[str], bold: bool = False) -> BalanceChoice:
    """The balance for what was held out, of the teachers `names`."""
    rows = held_out.rows
    single = len(rows.keys[:, 0].unique()) == 1 and not bold
    explained = np.nan_to_num(held_out.explained)
    caps = CAP * held_out.plug_in if single else None
    found = trust(held_out.sums, BOLD if bold else PRUDENT, caps, explained > 0)
    shares, covered = found.shares, coverage(held_out.inputs, rows.labelled, held_out.penalty)
    accurate = np.flatnonzero(explained > ACCURATE)
    blocks = found.share.effective_blocks
    reason = f"held-out labels of {blocks:.0f} effective blocks give {found.share.estimate:.2f}"
    if covered > UNCOVERED:
        shares = np.zeros(len(names))
        reason = f"labels do not cover the other windows (L_S {covered:.1f})"
        if bold and len(accurate):
            shares[accurate] = explained[accurate] / explained[accurate].sum()
            reason += ", and the teachers are accurate"
        else:
            reason += ", and cannot tell what teachers are worth there"
    elif blocks < FEW_BLOCKS:
        reason += "; with fewer than 100 it may be worse than labels alone"
    return BalanceChoice(
        _of_the_loss(float(shares.sum()), held_out),
        dict(zip(names, shares.tolist(), strict=True)),
        found.share.estimate,
        found.share.variance**0.5,
        blocks,
        dict(zip(names, held_out.plug_in.tolist(), strict=True)),
        covered,
        dict(zip(names, held_out.explained.tolist(), strict=True)),
        PredictedChange.of(held_out.sums, shares),
        reason,
    )


def shares_of(held_out: HeldOut, recipe: Recipe) -> np.ndarray:
    """Shares of trust in each teacher `[K]` at the balance of a recipe.

    Those that an `AutoBalance` would choose. For others α after the last epoch, as a share of all teachers together:
    divided by the weights of a `Fixed` weighting, and equally for others, whose weights are not known before training.
    """
    balance, names, weighting = recipe.balance, recipe.names, recipe.weighting
    if isinstance(balance, AutoBalance):
        return np.array([*choice_of(held_out, names, balance.bold).shares.values()])
    weights = np.ones(len(names))
    if isinstance(weighting, Fixed):
        given = weighting.weights
        weights = np.array([given[name] for name in names] if isinstance(given, dict) else given, dtype=float)
    return share_of_loss(balance.alpha(LAST_EPOCH), held_out) * weights / weights.sum()


def _of_the_loss(share: float, held_out: HeldOut) -> float:
    """α of the loss with which a student trusts teachers with a share: the same if all windows have labels.

    Labels weigh 1 − α in n windows, teachers α in M ≥ n: the share is α·M/(α·M + (1 − α)·n) where inputs are alike.
    """
    labels, answers = _numbers(held_out)
    return share * labels / (share * labels + (1 - share) * answers) if share > 0 else 0.0


def share_of_loss(alpha: float, held_out: HeldOut) -> float:
    """The share with which a student trusts teachers by α of the loss: above α where windows have no label."""
    labels, answers = _numbers(held_out)
    return alpha * answers / (alpha * answers + (1 - alpha) * labels) if alpha > 0 else 0.0


def _numbers(held_out: HeldOut) -> tuple[float, float]:
    """Numbers of labels, and of labels or answers, among all windows that the rows stand for."""
    rows = held_out.rows
    known = np.isfinite(rows.labels)
    return float(rows.stands_for @ known.sum(1)), float(rows.stands_for @ (known | held_out.answered).sum(1))
