"""How arms rank over several cases (data sets, horizons), and which ranks can be told apart.

Friedman's test is of whether all arms are alike; Nemenyi's of which pairs are not, as in Demšar, "Statistical
Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), 1-30. Changed for forecasting: lower is better.
Cases count as independent, which horizons of one data set hardly are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tskd._core.optional_imports import import_optional

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
"""Significance level of both tests."""


@dataclass(frozen=True, eq=False)
class RankTest:
    """Ranks of arms over cases; everything in order of mean rank, best first.

    Attributes:
        mean: mean rank of each arm, 1 the lowest error, ties sharing the mean of their ranks.
        friedman_p: p-value of "all arms are alike".
        critical_difference: mean ranks this far apart, or farther, differ at the 5 % level.
        p_values: Nemenyi's, `[arms, arms]`.
        groups: the largest sets of arms no two of which differ; an arm that differs from all others is a group of its
            own.
    """

    mean: pd.Series
    friedman_p: float
    critical_difference: float
    p_values: pd.DataFrame
    groups: list[list[str]]


def ranks(errors: pd.DataFrame) -> RankTest:
    """Friedman's and Nemenyi's tests of `errors` [cases, arms], seeds averaged.

    Of two arms both tests are one, and of a single case nothing can be told: no arms differ. Arms that tie in every
    case are alike, p = 1.

    Raises:
        ImportError: scikit-posthocs is not installed.
        ValueError: fewer than two arms, two arms of one name, no case, or an error is not a number.
    """
    _check(errors)
    posthocs = import_optional("scikit_posthocs", "Nemenyi's test", "statistics")
    from scipy.stats import friedmanchisquare, studentized_range

    cases, arms = errors.shape
    mean = errors.rank(axis=1).mean().sort_values(kind="stable")
    p_values = posthocs.posthoc_nemenyi_friedman(errors).loc[mean.index, mean.index]
    if (errors.nunique(axis=1) == 1).all():
        friedman = 1.0
    elif arms == 2:
        friedman = float(p_values.iloc[0, 1])
    else:
        friedman = float(friedmanchisquare(*errors.to_numpy().T).pvalue)
    quantile = float(studentized_range.ppf(1 - LEVEL, arms, math.inf)) / math.sqrt(2)
    difference = quantile * math.sqrt(arms * (arms + 1) / (6 * cases))
    return RankTest(mean, friedman, difference, p_values, _groups(mean, difference))


def _groups(mean: pd.Series, difference: float) -> list[list[str]]:
    # runs of the sorted ranks; one that ends where the run before it ends is part of that
    groups, end = [], 0
    for start, rank in enumerate(mean):
        last = int((mean < rank + difference).sum())
        if last > end:
            groups.append(mean.index[start:last].tolist())
            end = last
    return groups


def _check(errors: pd.DataFrame) -> None:
    if errors.shape[1] < 2:
        raise ValueError(f"Ranks compare at least two arms; there are {errors.shape[1]}.")
    if not errors.columns.is_unique:
        raise ValueError(f"Two arms have the name {errors.columns[errors.columns.duplicated()][0]!r}.")
    if errors.empty:
        raise ValueError("Ranks compare arms over cases; there is no case.")
    for case, row in errors.isna().iterrows():
        if row.any():
            raise ValueError(f"Case {case!r} has no error of {row.idxmax()!r}: leave out the case or the arm.")
