"""What one teacher is expected to give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tskd.distillation.expected.canonical import Overlap
from tskd.distillation.expected.held_out import HeldOut
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.stacking import BlockSums, Share
from tskd.distillation.preflight import TeacherInFit

# of trust, among which the best is looked for
SHARES = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class TeacherGain:
    """What one teacher is expected to give.

    Attributes:
        name: of the teacher.
        explained: R² of its answers for held-out labels; of a teacher that saw the labels, out of fold.
        overlap: of the student's inputs with what it reads: what they do not tell of that, no student can learn.
        effective_blocks: n_eff of its share, see `Share`.
        balance: share of trust at which `change` is predicted: that of the model; above α of the loss where windows
            have no label, since teachers then count in more windows than labels do.
        change: predicted at this share.
        best_balance, best_change: at the share of 0, .05, …, 1 with the least held-out error, which is optimistic.
        verdict: in words, for this teacher alone.
    """

    name: str
    explained: float
    overlap: Overlap
    effective_blocks: float
    balance: float
    change: PredictedChange
    best_balance: float
    best_change: PredictedChange
    verdict: str = ""

    @classmethod
    def of(cls, held_out: HeldOut, number: int, one: TeacherInFit, share: float) -> TeacherGain:
        """What was held out of one teacher, without a verdict."""
        sums = held_out.sums.of_teachers(np.array([number]))
        best = best_share(sums, np.ones(1))
        return cls(
            one.teacher.name,
            float(held_out.explained[number]),
            Overlap.of_teacher(one, held_out.answers[number], held_out.rows),
            Share.of(sums).effective_blocks,
            share,
            PredictedChange.of(sums, np.array([share])),
            best,
            PredictedChange.of(sums, np.array([best])),
        )

    @property
    def unexplained(self) -> float:
        """1 − R², the share of the variance of held-out labels that its answers leave."""
        return 1 - self.explained

    @property
    def correlations(self) -> tuple[float, ...]:
        """Canonical correlations, largest first; see `Overlap`."""
        return self.overlap.correlations


def best_share(sums: BlockSums, weights: np.ndarray) -> float:
    """The share of all teachers together, with `weights [K]` of sum 1 among them, that has the least held-out error."""
    return float(SHARES[np.argmin([sums.squared_errors(share * weights).sum() for share in SHARES])])
