"""A benchmark at a glance: errors of cases × arms, mean ranks, net privileged lift, and what the cases found in all."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from tskd.experiment.report.lines import number
from tskd.experiment.report.selection import compared, mean_errors, on_a_par, privileged, shown_arm
from tskd.experiment.results.results import Results
from tskd.experiment.statistics.comparison import Comparison
from tskd.experiment.statistics.verdict import interval, percent, without

if TYPE_CHECKING:
    from tskd.experiment.results.study_results import StudyResults
    from tskd.experiment.statistics.rank_tests import RankTest

NONE: Mapping[str, Collection[str]] = MappingProxyType({})
OUTCOMES = {
    "privilege": "privileged information helped",
    "gain": "distilling helped, but a control did as well or is missing",
    "none": "there was no gain",
    "unknown": "nothing can be concluded",
}


@dataclass(frozen=True)
class Entry:
    """Error of an arm in a case, as text; empty if it has none over all folds. `best` and `kept` as in `Line`."""

    mse: str = ""
    best: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Row:
    """A case: its entries by arm, the arm that validation prefers and its net lift, as text, and what was found."""

    label: str
    entries: tuple[Entry, ...]
    arm: str
    lift: str
    interval: str
    outcome: str


@dataclass(frozen=True)
class Overview:
    """Of all cases. `ranks`, over the cases `complete`, where every arm of `ranked` has an error; None, and why."""

    outcome: str
    headline: str
    sentences: tuple[str, ...]
    arms: tuple[str, ...]
    rows: tuple[Row, ...]
    lifts: Mapping[str, Comparison]
    complete: tuple[str, ...]
    ranks: RankTest | None
    no_ranks: str


def overview(study: StudyResults, kept: Mapping[str, Collection[str]] = NONE) -> Overview:
    """What is said of all cases; `kept`: the model confidence set of each."""
    cases = study.cases
    means = {label: mean_errors(results).mse for label, results in cases.items()}
    fair = {label: means[label].reindex(on_a_par(results)[0]) for label, results in cases.items()}
    arms = tuple(dict.fromkeys(arm["name"] for results in cases.values() for arm in results.facts["arms"]))
    errors = pd.DataFrame(fair).T.reindex(columns=list(arms))
    lifts = {label: found for label, results in cases.items() if (found := _lift(results)) is not None}
    outcomes: Counter[str] = Counter(results.verdict.outcome for results in cases.values())
    rows = tuple(
        _row(
            label,
            means[label].reindex(list(arms)),
            fair[label].min(),
            results.verdict.outcome,
            lifts.get(label),
            kept.get(label, ()),
        )
        for label, results in cases.items()
    )
    # an arm that some cases were never meant to have would leave no case to rank
    ranked = [arm for arm in arms if all(any(a["name"] == arm for a in r.facts["arms"]) for r in cases.values())]
    complete = errors[ranked].dropna()
    ranks, no_ranks = _ranks(complete)
    count = len(cases)
    outcome, headline = _headline(outcomes, count)
    sentences = [
        f"In {outcomes[k]} of {count}, {said}." for k, said in OUTCOMES.items() if outcomes[k] and k != outcome
    ]
    sentences += study.left_out
    if ranks and count > len(complete):
        left = count - len(complete)
        sentences.append(f"Ranks leave out {left} case{'s' * (left > 1)}, in which an arm lacks results.")
    if lifts:
        sentences.append(
            f"Of {len(lifts)} intervals at 95 %, {0.025 * len(lifts):.1f} would lie wholly on the better side by "
            "chance if there were no effect at all."
        )
    return Overview(outcome, headline, tuple(sentences), arms, rows, lifts, tuple(complete.index), ranks, no_ranks)


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Labels of cases as names of folders and anchors, no two alike."""
    found: dict[str, str] = {}
    for label in labels:
        plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
        name = stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "case"
        number = 2
        while name in found.values():
            name, number = f"{stem}-{number}", number + 1
        found[label] = name
    return found


def _lift(results: Results) -> Comparison | None:
    arm = shown_arm(results)
    if arm is None or arm not in privileged(results) or arm not in compared(results):
        return None
    found = results.lift(arm)
    return found if found.windows else None


def _row(label: str, own: pd.Series, best: float, outcome: str, lift: Comparison | None, kept: Collection[str]) -> Row:
    entries = tuple(
        Entry() if pd.isna(error) else Entry(number(error, own.min()), error == best, arm in kept)
        for arm, error in own.items()
    )
    return Row(
        label=label,
        entries=entries,
        arm=f"{lift.arm} against {lift.baseline}{without(lift)}" if lift else "",
        lift=percent(lift.relative) if lift else "",
        interval=interval(lift) if lift else "",
        outcome=outcome,
    )


def _ranks(errors: pd.DataFrame) -> tuple[RankTest | None, str]:
    if len(errors) < 2 or errors.shape[1] < 3:
        return None, f"Ranks need 2 cases and 3 arms; complete are {len(errors)} and {errors.shape[1]}."
    try:
        from tskd.experiment.statistics.rank_tests import ranks

        return ranks(errors), ""
    except ImportError as error:
        return None, f"Ranks are not given: {error}"


def _headline(outcomes: Counter[str], count: int) -> tuple[str, str]:
    """The outcome in a word, as a verdict's, and in a sentence."""
    if outcomes["privilege"]:
        return "privilege", f"Privileged information helped in {outcomes['privilege']} of {count} cases."
    if outcomes["gain"]:
        helped = f"Distilling helped in {outcomes['gain']} of {count} cases"
        return "gain", f"{helped}, in none of them by privileged information as far as can be told."
    if outcomes["none"]:
        return "none", f"None of {count} cases shows a gain."
    return "unknown", f"Nothing can be concluded in any of {count} cases."
