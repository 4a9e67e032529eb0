"""Faults in the statistics of an experiment, and in the tables and conclusions that rest on them."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

S, R = "experiment/statistics", "experiment/results/test_results"

FAULTS = (
    *faults_in(
        "experiment/statistics/intervals",
        [f"{S}/test_intervals"],
        ("blocks / (blocks - 1), (blocks - 1) / 2", "blocks / (blocks - 1), blocks - 1"),
        ("blocks / (blocks - 1), blocks - lost", "blocks / (blocks - 1), blocks - 1"),
        ("return self.high < 0 and self.seeds > 1", "return self.high < 0"),
        ("np.cumsum(segments or [windows])[:-1])\n    variance", "[])\n    variance"),
        ("fold.any(axis=1) for fold", "fold.all(axis=1) for fold"),
        ("np.split(windows, ends) if fold.any()]", "np.split(known[0], ends) if fold.any()]"),
    ),
    *faults_in(
        "experiment/statistics/confidence_set",
        [f"{S}/test_confidence_set"],
        ("known = errors.dropna()", "known = errors.fillna(0)"),
    ),
    *faults_in(
        "experiment/statistics/diebold_mariano",
        [f"{S}/test_diebold_mariano"],
        ("harvey_adj=True", "harvey_adj=False"),
        (
            "        arm.mean(axis=0),\n        baseline.mean(axis=0),\n",
            "        baseline.mean(axis=0),\n        arm.mean(axis=0),\n",
        ),
    ),
    *faults_in(
        "experiment/statistics/rank_tests",
        [f"{S}/test_rank_tests"],
        ("mean < rank + difference", "mean <= rank + difference"),
    ),
    *faults_in(
        "experiment/statistics/lift",
        [f"{S}/test_lift", R],
        ("return max(comparisons", "return min(comparisons"),
        (
            "1 + comparison.relative, 1 + comparison.high, 1 + comparison.low",
            "1 + comparison.relative, 1 + comparison.low, 1 + comparison.high",
        ),
        ("control not in other_class", "control in other_class"),
    ),
    *faults_in(
        "experiment/results/tabulation",
        ["experiment/results/test_tabulation"],
        (
            "window.times[lookback:], cell.forecasts[number]",
            "window.times[-len(cell.forecasts[number]) :], cell.forecasts[0]",
        ),
    ),
)
