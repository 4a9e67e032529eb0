"""What an experiment found, in words: whether there is a gain, and whether privileged information is its cause.

A gain over the student alone is not enough. Self-distillation (a teacher that sees what the student sees) and a placebo
(a teacher whose privileged rows are shuffled) gain too, by smoothing the labels; only an arm that is distinguishably
below every such control owes its gain to what the teacher was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tskd.experiment.statistics import MINIMUM_BLOCKS, Comparison

Compare = Callable[[str, str], Comparison]
"""Compares the arm named first with the arm named second."""

Outcome = Literal["privilege", "gain", "none", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """One headline, one sentence an arm (`sentences`), and the outcome in a word.

    `outcome`: "privilege" (a gain that beats every control), "gain" (one that does not, or has no control), "none" or
    "unknown" (too few windows to say).
    """

    outcome: Outcome
    headline: str
    sentences: tuple[str, ...]


def judge(compare: Compare, privileged: Sequence[str], controls: Sequence[str], alone: str) -> Verdict:
    """Judge the arms whose teachers saw privileged information, then the controls, against the student alone."""
    sentences, gaining, caused = [], [], []
    for arm in privileged:
        gain = compare(arm, alone)
        sentence = describe(gain)
        if gain.lower:
            gaining.append(arm)
            against = [compare(arm, control) for control in controls]
            sentence += " " + _attribution(against)
            if against and all(c.lower for c in against):
                caused.append(arm)
        sentences.append(sentence)
    sentences += [f"Control: {describe(compare(arm, alone))}" for arm in controls]
    outcome: Outcome = "none"
    if not all(compare(arm, alone).enough for arm in (*privileged, *controls)):
        outcome = "unknown"
    elif gaining:
        outcome = "privilege" if caused else "gain"
    return Verdict(outcome, _headline(outcome, gaining, caused, bool(controls)), tuple(sentences))


def describe(comparison: Comparison) -> str:
    """One sentence: the arm's error is lower, higher, or not distinguishable, with percentage and interval."""
    c = comparison
    by = f"{percent(c.relative)} {interval(c)}".strip()
    if not c.enough:
        return (
            f"'{c.arm}' against '{c.baseline}': {by}, but nothing can be concluded: {c.windows} test windows make "
            f"{c.blocks:.1f} independent blocks of {c.block}, and {MINIMUM_BLOCKS} are the least."
        )
    if c.lower:
        return f"'{c.arm}' has a lower test error than '{c.baseline}': {by}."
    if c.higher:
        return f"'{c.arm}' has a higher test error than '{c.baseline}': {by}. Distilling did harm."
    if c.relative == 0 and c.low == c.high == 0:
        return f"'{c.arm}' is the same as '{c.baseline}': validation gave the teachers no weight. No gain."
    return f"'{c.arm}' cannot be distinguished from '{c.baseline}': {by}. No gain is shown."


def percent(relative: float) -> str:
    """A relative difference as a signed percentage, -0.031 as '−3.1 %' with a space that does not break."""
    return f"{_signed(100 * relative)}\u00a0%"


def interval(comparison: Comparison) -> str:
    """The 95 % interval as '[−5.1, −1.6]', empty if there is none."""
    if not comparison.enough:
        return ""
    return f"[{_signed(100 * comparison.low)},\u00a0{_signed(100 * comparison.high)}]"


def _signed(value: float) -> str:
    # a second decimal below 1, so that a bound just beside zero does not read as zero
    text = f"{value:+.1f}" if abs(value) >= 1 else f"{value:+.2f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _attribution(against: Sequence[Comparison]) -> str:
    if not against:
        return "Whether privileged information is the cause cannot be said: the experiment has no control arm."
    ties = [c for c in against if not c.lower]
    if not ties:
        listed = ", ".join(f"'{c.baseline}' ({percent(c.relative)} {interval(c)})" for c in against)
        return f"It is below every control too, {listed}: the gain is due to privileged information."
    listed = ", ".join(f"'{c.baseline}' ({percent(c.relative)} {interval(c)})" for c in ties)
    return f"It is not below {listed}: as far as these data tell, the gain is not due to privileged information."


def _headline(outcome: Outcome, gaining: Sequence[str], caused: Sequence[str], controlled: bool) -> str:
    if outcome == "unknown":
        return "Nothing can be concluded: the test part has too few windows."
    if outcome == "privilege":
        return f"Privileged information helped: {_listed(caused)} beat the student alone and every control."
    if outcome == "none":
        return "No gain: no student distilled from privileged information is distinguishably better than the one alone."
    if controlled:
        return f"Distilling helped ({_listed(gaining)}), but not by privileged information: a control does as well."
    return f"Distilling helped ({_listed(gaining)}); without a control the cause is unknown."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
