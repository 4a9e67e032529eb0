"""A benchmark at a glance: errors of cases × arms, mean ranks, net privileged lift, and what the cases found in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from tskd.experiment.results.arm_table import number
from tskd.experiment.results.measurements import Measurements
from tskd.experiment.results.selection import compared, mean_errors, on_a_par, shown_arm
from tskd.experiment.statistics.intervals import Comparison
from tskd.experiment.statistics.rank_tests import RankTest, ranks
from tskd.experiment.statistics.verdict import interval, percent, without

NONE: Mapping[str, Collection[str]] = MappingProxyType({})
OUTCOMES = {
    "privilege": "privileged information helped",
    "gain": "distilling helped, but a control did as well or is missing",
    "none": "there was no gain",
    "plain": "no arm has privileged information",
    "unknown": "nothing can be concluded",
}


@dataclass(frozen=True)
class OverviewEntry:
    """Errors of an arm in a case, as text; empty if it has none over all folds. `best` and `kept` as in `Line`."""

    mse: str = ""
    mae: str = ""
    best: bool = False
    kept: bool = False


@dataclass(frozen=True)
class OverviewRow:
    """A case.

    Attributes:
        entries: of each arm.
        arm: the one that validation prefers, against its best control.
        lift: its net lift, as text, with its `interval`.
        outcome: of the verdict.
    """

    label: str
    entries: tuple[OverviewEntry, ...]
    arm: str
    lift: str
    interval: str
    outcome: str


@dataclass(frozen=True)
class Overview:
    """All cases of a study.

    Attributes:
        outcome: as a verdict's; `headline` and `sentences` put it in words.
        arms: names, in the order of a row's entries.
        lifts: net lift of the arm that validation prefers, by case.
        complete: cases in which every arm that is ranked has an error.
        ranks: of the arms over the complete cases; None for the reason that is in `no_ranks`.
        means: MSE of the ranked arms over the complete cases, as text; empty if there is no such case.
    """

    outcome: str
    headline: str
    sentences: tuple[str, ...]
    arms: tuple[str, ...]
    rows: tuple[OverviewRow, ...]
    lifts: Mapping[str, Comparison]
    complete: tuple[str, ...]
    ranks: RankTest | None
    no_ranks: str
    means: Mapping[str, str]


def overview(
    cases: Mapping[str, Measurements], left_out: Sequence[str], kept: Mapping[str, Collection[str]] = NONE
) -> Overview:
    """What all cases of a study have found.

    Args:
        cases: by their label.
        left_out: sentences on the cases that have no results.
        kept: the model confidence set of each case.
    """
    means = {label: mean_errors(results) for label, results in cases.items()}
    fair = {label: means[label].mse.reindex(on_a_par(results)[0]) for label, results in cases.items()}
    arms = tuple(dict.fromkeys(arm.name for results in cases.values() for arm in results.info.arms))
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
    ranked = [arm for arm in arms if all(any(a.name == arm for a in r.info.arms) for r in cases.values())]
    complete = errors[ranked].dropna()
    ranks, no_ranks = _ranks(complete)
    count = len(cases)
    outcome, headline = _headline(outcomes, count)
    if outcome == "plain":
        headline = _lowest(errors)
    sentences = [
        f"In {outcomes[k]} of {count}, {text}." for k, text in OUTCOMES.items() if outcomes[k] and k != outcome
    ]
    sentences += left_out
    if ranks and count > len(complete):
        left = count - len(complete)
        sentences.append(f"Ranks leave out {left} case{'s' * (left > 1)}, in which an arm lacks results.")
    if lifts:
        sentences.append(
            f"Of {len(lifts)} intervals at 95 %, {0.025 * len(lifts):.1f} would lie wholly on the better side by "
            "chance if there were no effect at all."
        )
    over_all = complete.mean() if len(complete) else pd.Series(dtype="float64")
    return Overview(
        *(outcome, headline, tuple(sentences), arms, rows, lifts, tuple(complete.index), ranks, no_ranks),
        means={str(arm): number(error, over_all.min()) for arm, error in over_all.items()},
    )


def _lift(results: Measurements) -> Comparison | None:
    arm = shown_arm(results)
    if arm is None or arm not in results.info.privileged or arm not in compared(results):
        return None
    found = results.lift(arm)
    return found if found.windows else None


def _row(
    label: str, own: pd.DataFrame, best: float, outcome: str, lift: Comparison | None, kept: Collection[str]
) -> OverviewRow:
    least = own.min()
    entries = tuple(
        OverviewEntry()
        if pd.isna(mse)
        else OverviewEntry(number(mse, least.mse), number(mae, least.mae), mse == best, arm in kept)
        for arm, mse, mae in own[["mse", "mae"]].itertuples()
    )
    return OverviewRow(
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
        return ranks(errors), ""
    except ImportError as error:
        return None, f"Ranks are not given: {error}"


def _lowest(errors: pd.DataFrame) -> str:
    """In how many cases each arm has the lowest error, those that have it most often first."""
    least = Counter(errors.dropna(how="all").idxmin(axis=1))
    listed = ", ".join(f"'{arm}' in {count}" for arm, count in least.most_common())
    return f"Lowest test error, of {least.total()} cases: {listed}."


def _headline(outcomes: Counter[str], count: int) -> tuple[str, str]:
    """The outcome in a word, as a verdict's, and in a sentence."""
    if outcomes["privilege"]:
        return "privilege", f"Privileged information helped in {outcomes['privilege']} of {count} cases."
    if outcomes["gain"]:
        helped = f"Distilling helped in {outcomes['gain']} of {count} cases"
        return "gain", f"{helped}, in none of them by privileged information as far as can be told."
    if outcomes["plain"] and not outcomes["none"]:
        return "plain", ""
    if outcomes["none"]:
        return "none", f"None of {count} cases shows a gain."
    return "unknown", f"Nothing can be concluded in any of {count} cases."
