"""Ranks over cases against a published table, against the libraries, and by hand."""

from __future__ import annotations

import math
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare, norm

from tskd.experiment.statistics.rank_tests import ranks

posthocs = pytest.importorskip("scikit_posthocs")

# area under the curve of C4.5 on 14 data sets, from Demšar (2006), table 6, which ranks cf before m+cf on the last but
# one though it prints 0.975 for both
PUBLISHED = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["C4.5", "m", "cf", "m+cf"],
)


def test_published_example() -> None:
    """Mean ranks 3.143, 2.000, 2.893 and 1.964; critical difference 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25."""
    found = ranks(1 - PUBLISHED)
    assert found.mean.index.tolist() == ["m+cf", "m", "cf", "C4.5"]
    np.testing.assert_allclose(found.mean, [1.964, 2.000, 2.893, 3.143], atol=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    # 3.143 - 1.964 = 1.18: not one pair differs
    assert found.groups == [["m+cf", "m", "cf", "C4.5"]]
    assert found.p_values.to_numpy().min() > 0.05
    # the paper's 9.28 leaves out the correction for ties, which makes it larger: p = .0257 is that of 9.28
    plain = 12 * 14 / (4 * 5) * ((found.mean - 2.5) ** 2).sum()
    assert plain == pytest.approx(9.28, abs=0.005)
    assert found.friedman_p == friedmanchisquare(*(1 - PUBLISHED[arm] for arm in PUBLISHED)).pvalue < 0.0258


@pytest.mark.parametrize(("arms", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_difference_by_the_published_quantiles(arms: int, quantile: float) -> None:
    errors = pd.DataFrame(np.random.default_rng(0).random((9, arms)), columns=[f"a{i}" for i in range(arms)])
    expected = quantile * math.sqrt(arms * (arms + 1) / (6 * 9))
    assert ranks(errors).critical_difference == pytest.approx(expected, rel=1e-3)


def test_the_libraries_say_the_same() -> None:
    errors = pd.DataFrame(np.random.default_rng(1).random((12, 4)).round(1), columns=list("wxyz"))
    found = ranks(errors)
    assert found.friedman_p == friedmanchisquare(*(errors[arm] for arm in errors)).pvalue
    direct = posthocs.posthoc_nemenyi_friedman(errors)
    for arm in "wxyz":
        for other in "wxyz":
            assert found.p_values.loc[arm, other] == direct.loc[arm, other]


def ordered(cases: int, *swaps: tuple[str, str], arms: str = "abcd") -> pd.DataFrame:
    """Errors that rank `arms` in this order, but for one case a swap."""
    rows = []
    for case in range(cases):
        order = list(arms)
        if case < len(swaps):
            first, second = (order.index(arm) for arm in swaps[case])
            order[first], order[second] = order[second], order[first]
        rows.append({arm: float(order.index(arm)) for arm in arms})
    return pd.DataFrame(rows)


def test_groups_are_the_longest_runs_within_the_critical_difference() -> None:
    # four arms over 20 cases: 2.569 sqrt(20 / 120) = 1.049, more than one rank and less than two
    found = ranks(ordered(20))
    assert found.mean.tolist() == [1, 2, 3, 4] and 1 < found.critical_difference < 2
    assert found.groups == [["a", "b"], ["b", "c"], ["c", "d"]]
    # over 30: 0.857, and each is alone
    assert ranks(ordered(30)).groups == [["a"], ["b"], ["c"], ["d"]]
    # over 4: 2.345, three together
    assert ranks(ordered(4)).groups == [["a", "b", "c"], ["b", "c", "d"]]
    # ranks 1, 2.4, 2.6, 4 over 30 cases
    found = ranks(ordered(30, *[("b", "c")] * 12))
    np.testing.assert_allclose(found.mean, [1, 2.4, 2.6, 4])
    assert found.groups == [["a"], ["b", "c"], ["d"]]


def test_groups_agree_with_the_p_values() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        errors = pd.DataFrame(draw.normal(size=(15, 5)) + 0.5 * np.arange(5), columns=list("vwxyz"))
        found = ranks(errors)
        together = {(arm, other) for group in found.groups for arm in group for other in group}
        above = found.p_values > 0.05
        alike = {(arm, other) for arm in "vwxyz" for other in "vwxyz" if above[other][arm]}
        assert together == alike


def test_two_arms() -> None:
    """One better in 9 of 10: mean ranks 1.1 and 1.9, z = 0.8 sqrt(10), in both tests."""
    found = ranks(ordered(10, ("a", "b"), arms="ab"))
    p = 2 * norm.sf(0.8 * math.sqrt(10))
    assert found.friedman_p == pytest.approx(p) and found.p_values.loc["a", "b"] == pytest.approx(p)
    assert found.groups == [["a"], ["b"]]


@pytest.mark.parametrize("arms", [2, 3, 10])
def test_of_one_case_nothing_is_told(arms: int) -> None:
    found = ranks(pd.DataFrame([np.arange(arms)], columns=[f"a{i}" for i in range(arms)]))
    assert len(found.groups) == 1 and found.friedman_p > 0.05


def test_arms_that_always_tie_are_alike() -> None:
    found = ranks(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0], "c": [1.0, 2.0, 3.0]}))
    assert found.mean.tolist() == [2, 2, 2] and found.friedman_p == 1
    assert found.groups == [["a", "b", "c"]] and (found.p_values == 1).all(axis=None)


def test_unusable_errors_are_refused() -> None:
    errors = ordered(5)
    with pytest.raises(ValueError, match="there are 1"):
        ranks(errors[["a"]])
    with pytest.raises(ValueError, match="no case"):
        ranks(errors[:0])
    with pytest.raises(ValueError, match="the name 'a'"):
        ranks(errors[["a", "b", "a"]])
    errors.loc[3, "c"] = np.nan
    with pytest.raises(ValueError, match="Case 3 has no error of 'c'"):
        ranks(errors)


def test_without_the_package_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scikit_posthocs", None)
    with pytest.raises(ImportError, match=r"Nemenyi's test needs scikit_posthocs: pip install 'tskd\[statistics\]'"):
        ranks(ordered(5))


def test_ranks_that_differ_by_the_critical_difference_differ() -> None:
    from tskd.experiment.statistics.rank_tests import _groups

    mean = pd.Series({"a": 1.0, "b": 1.75, "c": 2.0, "d": 3.0})
    assert _groups(mean, 1.0) == [["a", "b"], ["b", "c"], ["d"]]
