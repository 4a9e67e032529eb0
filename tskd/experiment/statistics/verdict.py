"""What an experiment found, in words: whether there is a gain, and whether privileged information is its cause.

A gain over the student alone is not enough. Self-distillation (a teacher that sees what the student sees) and a placebo
(a teacher whose privileged rows are shuffled) gain too, by smoothing the labels; only an arm that is distinguishably
below every such control owes its gain to what the teacher was shown. A control that was not run, or has no result, is
not beaten: without both of these nothing is put down to privileged information.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tskd.experiment.statistics.comparison import MINIMUM_BLOCKS, Comparison

Compare = Callable[[str, str], Comparison]
"""Compares the arm named first with the arm named second."""

Conclusion = Literal["privilege", "gain", "none", "unknown"]

COUNTING = ("tuned", "self-distilled", "placebo", "pooled", "pre-trained")
"""The controls that an arm must beat, beside the student alone, before its gain is one by privileged information."""

NEEDED = ("self-distilled", "placebo")
"""Those without which its gain is put down to nothing."""

ORDINARY = "ordinary teacher"
"""What an arm is whose teachers see more than the student, and nothing privileged: no control."""


@dataclass(frozen=True)
class Verdict:
    """One headline, one sentence an arm (`sentences`), and the outcome in a word.

    `outcome`: "privilege" (a gain that beats every control), "gain" (one that does not, or lacks a control), "none" or
    "unknown" (no arm with privileged information was measured, too few windows, or a single seed).
    """

    outcome: Conclusion
    headline: str
    sentences: tuple[str, ...]


def judge(
    compare: Compare,
    privileged: Sequence[str],
    controls: Mapping[str, str],
    alone: str,
    own: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """Judge the arms whose teachers saw privileged information, then the others, against the student alone.

    `controls`: the arms that are compared beside them, each with which control it is. What cannot be compared (NaN, of
    no windows) is named as missing; it is neither beaten nor beats anything. `own`: of each privileged arm those
    controls that have its teachers and its lesson, all of them if left out: the placebo of another arm may explain a
    gain of this one, but cannot rule it out.
    """
    compared = {arm: gain for arm in (*privileged, *controls) if (gain := compare(arm, alone)).windows}
    measured = [arm for arm in privileged if arm in compared]
    sentences: list[str] = []
    gaining: list[str] = []
    caused: list[str] = []
    lacking: dict[str, list[str]] = {}
    for arm in measured:
        sentence = describe(compared[arm])
        if compared[arm].lower:
            gaining.append(arm)
            judged = {name: kind for name, kind in controls.items() if kind != ORDINARY}
            against = [found for name in judged if (found := compare(arm, name)).windows]
            missing = missing_of(judged, {found.baseline for found in against}, None if own is None else own[arm])
            sentence += " " + _attribution(against, missing)
            if all(found.lower for found in against):
                lacking[arm] = missing
                if not missing:
                    caused.append(arm)
        sentences.append(sentence)
    for arm, kind in controls.items():
        if arm in compared:
            sentences.append(f"{'Ordinary teacher' if kind == ORDINARY else 'Control'}: {describe(compared[arm])}")
    outcome: Conclusion = "none"
    too_few = _too_few(compared.values())
    if not measured or too_few:
        outcome = "unknown"
    elif gaining:
        outcome = "privilege" if caused else "gain"
    unmeasured = [arm for arm in privileged if arm not in compared]
    headline = _headline(outcome, too_few, gaining, caused, lacking, measured, unmeasured)
    return Verdict(outcome, headline, tuple(sentences))


def missing_of(controls: Mapping[str, str], known: Collection[str], own: Collection[str] | None = None) -> list[str]:
    """The controls that count and have no result: arms that are not among `known`, and those needed that are no arm.

    `controls`: arms, each with which control it is. `own`: those that are controls of the arm that is judged, all if
    left out.
    """
    arms = [arm for arm, kind in controls.items() if kind in COUNTING and arm not in known]
    kinds = [controls.get(arm) for arm in (controls if own is None else own)]
    absent = [kind for kind in NEEDED if kind not in kinds]
    return [*arms, *(f"{kind} of its own" if kind in controls.values() else kind for kind in absent)]


def describe(comparison: Comparison) -> str:
    """One sentence: the arm's error is lower, higher, or not distinguishable, with percentage and interval."""
    c = comparison
    by = f"{percent(c.relative)} {interval(c)}".strip()
    if not c.enough:
        return (
            f"'{c.arm}' against '{c.baseline}': {by}, but nothing can be concluded: {c.windows} test windows make "
            f"{c.blocks:.1f} independent blocks of {c.block}, and {MINIMUM_BLOCKS} are the least."
        )
    if c.relative == 0 and c.low == c.high == 0:
        return f"'{c.arm}' is the same as '{c.baseline}': validation chose what that is. No gain."
    if c.seeds < 2:
        return f"'{c.arm}' against '{c.baseline}': {by}, but a single seed does not tell a gain from luck."
    if c.lower:
        return f"'{c.arm}' has a lower test error than '{c.baseline}': {by}."
    if c.higher:
        return f"'{c.arm}' has a higher test error than '{c.baseline}': {by}. Distilling did harm."
    return f"'{c.arm}' cannot be distinguished from '{c.baseline}': {by}. No gain is shown."


def percent(relative: float) -> str:
    """A relative difference as a signed percentage, -0.031 as '−3.1 %' with a space that does not break."""
    return f"{_signed(100 * relative)}\u00a0%"


def interval(comparison: Comparison) -> str:
    """The 95 % interval as '[−5.1, −1.6]', empty if there is none."""
    if not comparison.enough:
        return ""
    return f"[{_signed(100 * comparison.low)},\u00a0{_signed(100 * comparison.high)}]"


def without(lift: Comparison) -> str:
    """The controls that a lift lacks, as ' (without placebo)'; empty if none."""
    return f" (without {', '.join(lift.lacking)})" if lift.lacking else ""


def _signed(value: float) -> str:
    # a second decimal below 1, so that a bound just beside zero does not read as zero
    text = f"{value:+.1f}" if abs(value) >= 1 else f"{value:+.2f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _attribution(against: Sequence[Comparison], missing: Sequence[str]) -> str:
    ties = [c for c in against if not c.lower]
    if ties:
        listed = ", ".join(f"'{c.baseline}' ({percent(c.relative)} {interval(c)})" for c in ties)
        return f"It is not below {listed}: as far as these data tell, the gain is not due to privileged information."
    if missing:
        return (
            "Whether privileged information is the cause cannot be said: there is no result of the "
            f"control{'s' * (len(missing) > 1)} {_listed(missing)}."
        )
    listed = ", ".join(f"'{c.baseline}' ({percent(c.relative)} {interval(c)})" for c in against)
    return f"It is below every control too, {listed}: the gain is due to privileged information."


def _too_few(compared: Collection[Comparison]) -> str:
    """What there is too little of for any conclusion; empty if there is enough."""
    if not all(found.enough for found in compared):
        return "the test part has too few windows"
    if any(found.seeds < 2 for found in compared):
        return "a single seed does not tell a gain from luck"
    return ""


def _headline(
    outcome: Conclusion,
    too_few: str,
    gaining: Sequence[str],
    caused: Sequence[str],
    lacking: Mapping[str, Sequence[str]],
    measured: Sequence[str],
    unmeasured: Sequence[str],
) -> str:
    if not measured:
        none = f"{_listed(unmeasured)} has no result to compare" if unmeasured else "no arm has it"
        return f"Nothing can be concluded about privileged information: {none}."
    if outcome == "unknown":
        return f"Nothing can be concluded: {too_few}."
    if outcome == "privilege":
        return f"Privileged information helped: {_listed(caused)} beat the student alone and every control."
    if outcome == "none":
        without = f" that was measured ({_listed(unmeasured)} was not)" if unmeasured else ""
        return (
            f"No gain: no student distilled from privileged information{without} is distinguishably better than the "
            "one alone."
        )
    if not lacking:
        return f"Distilling helped ({_listed(gaining)}), but not by privileged information: a control does as well."
    missing = dict.fromkeys(name for names in lacking.values() for name in names)
    return f"Distilling helped ({_listed(gaining)}); without the controls {_listed(missing)} the cause is unknown."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
