"""What an experiment found, in words: whether there is a gain, and whether privileged information is its cause.

A gain over the student alone is not enough. Self-distillation (a teacher that sees what the student sees) and a placebo
(a teacher whose privileged rows are shuffled) gain too, by smoothing the labels; only an arm that is distinguishably
below every such control owes its gain to privileged information. A control that was not run, or has no result, is
not beaten: without both of these nothing is put down to privileged information.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tskd.experiment.statistics.best_arm import best_arm, best_in_words
from tskd.experiment.statistics.intervals import MINIMUM_BLOCKS, Comparison

Compare = Callable[[str, str], Comparison]
"""Compares the arm named first with the arm named second."""

Conclusion = Literal["privilege", "gain", "none", "plain", "unknown"]


@dataclass(frozen=True)
class ControlRules:
    """Which kinds of arms are controls, and what each of them is needed for.

    Attributes:
        kinds: all kinds of controls, of which an arm must beat all that have a result before its gain is one by
            privileged information. An arm of any other kind is compared, and explains nothing.
        counting: those that are missing if they have no result, and that a net lift is measured against.
        required: those without which its gain is put down to nothing.
    """

    kinds: tuple[str, ...]
    counting: tuple[str, ...]
    required: tuple[str, ...]

    def missing(
        self, controls: Mapping[str, str], known: Collection[str], own: Collection[str] | None = None
    ) -> list[str]:
        """The counting controls that have no result, and the required ones that the experiment does not have.

        Args:
            controls: arms, each with the kind of control that it is.
            known: arms that have a result.
            own: arms that are controls of the arm that is judged; all of `controls` by default.
        """
        arms = [arm for arm, kind in controls.items() if kind in self.counting and arm not in known]
        kinds = [controls.get(arm) for arm in (controls if own is None else own)]
        absent = [kind for kind in self.required if kind not in kinds]
        return [*arms, *(f"{kind} of its own" if kind in controls.values() else kind for kind in absent)]


@dataclass(frozen=True)
class Verdict:
    """What an experiment found, in words.

    Attributes:
        outcome: "privilege" (a gain that beats every control), "gain" (one that does not, or lacks a control), "none",
            "plain" (no arm has privileged information; the best arm is named), or "unknown" (none that has it was
            measured, too few windows, or a single seed).
        headline: one sentence.
        sentences: one an arm.
    """

    outcome: Conclusion
    headline: str
    sentences: tuple[str, ...]


@dataclass
class _Findings:
    """Privileged arms: those with a result and those without, those that gain, and what rules their cause in or out."""

    measured: list[str]
    unmeasured: list[str]
    gaining: list[str] = field(default_factory=list)
    caused: list[str] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)


def judge(
    compare: Compare,
    privileged: Sequence[str],
    controls: Mapping[str, str],
    alone: str,
    rules: ControlRules,
    own: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """Judge the arms whose teachers saw privileged information, then the others, against the student alone.

    What cannot be compared (NaN, of no windows) is named as missing; it is neither beaten nor beats anything.

    Args:
        compare: compares two arms.
        privileged: arms whose teachers saw privileged information.
        controls: arms that are compared beside them, each with the kind of control that it is.
        alone: the student alone.
        rules: which kinds of controls there are.
        own: of each privileged arm those controls that have its teachers and its losses, by default all of them: the
            placebo of another arm may explain a gain of this one, but cannot rule it out.
    """
    compared = {arm: gain for arm in (*privileged, *controls) if (gain := compare(arm, alone)).windows}
    found = _Findings(
        [arm for arm in privileged if arm in compared], [arm for arm in privileged if arm not in compared]
    )
    judged = {name: kind for name, kind in controls.items() if kind in rules.kinds}
    sentences: list[str] = []
    for arm in found.measured:
        sentence = describe(compared[arm])
        if compared[arm].lower:
            found.gaining.append(arm)
            against = [one for name in judged if (one := compare(arm, name)).windows]
            missing = rules.missing(judged, {one.baseline for one in against}, None if own is None else own[arm])
            sentence += " " + _attribution(against, missing)
            if all(one.lower for one in against):
                found.lacking[arm] = missing
                if not missing:
                    found.caused.append(arm)
        sentences.append(sentence)
    for arm, kind in controls.items():
        if arm in compared:
            sentences.append(f"{'Control' if kind in rules.kinds else 'Ordinary teacher'}: {describe(compared[arm])}")
    outcome: Conclusion = "none"
    too_few = _too_few(compared.values())
    if compared and not privileged and not too_few:
        headline = best_in_words(*best_arm(compare, compared, alone))
        return Verdict("plain", headline, tuple(sentences))
    if not found.measured or too_few:
        outcome = "unknown"
    elif found.gaining:
        outcome = "privilege" if found.caused else "gain"
    return Verdict(outcome, _headline(outcome, too_few, found), tuple(sentences))


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
        return f"'{c.arm}' is the same as '{c.baseline}'{f': {c.same}' if c.same else ''}. No gain."
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


def _headline(outcome: Conclusion, too_few: str, found: _Findings) -> str:
    if found.unmeasured and not found.measured:
        unmeasured = f"{_listed(found.unmeasured)} has no result to compare"
        return f"Nothing can be concluded about privileged information: {unmeasured}."
    if not found.measured and not too_few:
        return "Nothing can be concluded: there is no other arm to compare with the student alone."
    if outcome == "unknown":
        return f"Nothing can be concluded: {too_few}."
    if outcome == "privilege":
        return f"Privileged information helped: {_listed(found.caused)} beat the student alone and every control."
    if outcome == "none":
        without = f" that was measured ({_listed(found.unmeasured)} was not)" if found.unmeasured else ""
        return (
            f"No gain: no student distilled from privileged information{without} is distinguishably better than the "
            "one alone."
        )
    gaining = _listed(found.gaining)
    if not found.lacking:
        return f"Distilling helped ({gaining}), but not by privileged information: a control does as well."
    missing = dict.fromkeys(name for names in found.lacking.values() for name in names)
    return f"Distilling helped ({gaining}); without the controls {_listed(missing)} the cause is unknown."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
