"""The verdict on an expected gain, in words, and the cheapest thing to try first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tskd.distillation.expected.coverage import UNCOVERED
from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.stacking import FEW_BLOCKS

# explained variance from which on a teacher is accurate enough for windows that labels do not cover
ACCURATE = 0.7
# squared correlation from which on one neighbour tells most of what a teacher can
NEIGHBOUR = 0.5
# windows per parameter from which on privilege cuts next to nothing (2 % in theory)
PLENTY = 50.0
# share of the variance of the student's inputs that is linear in the teacher's from which on the teacher contains them
CONTAINS = 0.999


@dataclass(frozen=True)
class Facts:
    """What a verdict follows from; see `ExpectedGain` and `TeacherGain`.

    Attributes:
        linear: whether the student is a linear model.
        linear_is_as_good: whether a tuned linear model of labels has no more held-out error than the student's probe.
        elsewhere: whether a teacher was fitted on other data.
        gain: whether a teacher is expected to help at some balance.
        contained: share of the student's inputs that is linear in what each teacher reads, the least of them; 0 if it
            is not known, or a teacher learned from anything but the same labels.
    """

    change: PredictedChange
    rows_per_parameter: float
    coverage: float
    siblings: int
    neighbour: float
    explained: float
    effective_blocks: float
    linear: bool
    linear_is_as_good: bool
    elsewhere: bool
    gain: bool
    contained: float = 0.0

    @property
    def nested(self) -> bool:
        """Whether least squares on the teachers' answers are least squares on the labels: with the same rows, all of
        them labelled, and a teacher that contains the student's inputs, a linear student has nothing to gain."""
        return self.linear and self.coverage == 1 and self.contained >= CONTAINS


def verdict(facts: Facts) -> str:
    """What is expected, and what to try first."""
    first = next(_first(facts))
    return f"{_expected(facts)} Try first: {first}."


def _expected(facts: Facts) -> str:
    change = facts.change
    if change.change == change.low == change.high == 0:
        text = "Teachers have no share: the student learns from labels alone."
    elif change.high < 0:
        text = f"A gain is expected: error {change}."
    elif change.low > 0:
        text = f"Harm is expected: error {change}."
    else:
        text = f"No gain can be told from these labels: error {change}."
    if facts.nested:
        text += " A teacher that contains the student's inputs, on the same labels, tells a linear student nothing new."
    if facts.effective_blocks < FEW_BLOCKS:
        text += f" Labels are worth {facts.effective_blocks:.0f} effective blocks of time, too few to promise anything."
    return text


def _first(facts: Facts) -> Iterator[str]:
    """What is cheaper than distilling and may do as well, the most to the point first."""
    if facts.coverage > UNCOVERED:
        if facts.explained > ACCURATE and facts.neighbour > NEIGHBOUR:
            yield "labels by least squares on one neighbour, Reconstruction(..., model='one-neighbour')"
        if facts.explained > ACCURATE:
            yield "labels by a reconstruction from the privileged series, in the windows that have none"
        yield "labels scattered over the history, which cover it better than one stretch"
    if facts.elsewhere:
        yield "the older data themselves, pooled or before, where you may train on them"
    if facts.linear_is_as_good:
        yield "a tuned linear model, which has no more held-out error than a network's probe"
    if facts.siblings:
        yield "the series pooled with labels alone, as they are here"
    if facts.rows_per_parameter > PLENTY and not facts.linear:
        yield "more training steps, as labels are plenty"
    if facts.gain and not facts.nested:
        yield "AutoBalance()"
    yield "a tuned student: weight decay, its lookback" if facts.linear else "a tuned linear model"
