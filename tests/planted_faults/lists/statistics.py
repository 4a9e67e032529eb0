"""Faults in the statistics of an experiment, and in the tables and conclusions that rest on them."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

S, R = "experiment/statistics", "experiment/results/test_results"

FAULTS = (
    *faults_in(
        "experiment/statistics/intervals",
        [f"{S}/test_intervals"],
        ("of_seeds.var(ddof=1)", "of_seeds.var()"),
        ("(arm - (1 + relative) * baseline) / mean", "(arm - baseline) / mean"),
        ("half = max(", "half = min("),
        ("blocks / (blocks - 1), (blocks - 1) / 2", "blocks / (blocks - 1), blocks - 1"),
        ("blocks / (blocks - 1), blocks - lost", "blocks / (blocks - 1), blocks - 1"),
        ("known[seeds].all(axis=0)", "known[seeds].any(axis=0)"),
        ("return self.high < 0 and self.seeds > 1", "return self.high < 0"),
        ("float(variance) / windows**2", "float(variance) / windows"),
        ("np.cumsum(segments or [windows])[:-1])\n    variance", "[])\n    variance"),
        ("fold.any(axis=1) for fold", "fold.all(axis=1) for fold"),
        ("return float(t.ppf(0.975, combined))", "return float(t.ppf(0.95, combined))"),
        ("variance**2 / dof +", "variance**2 +"),
        ("self.blocks >= MINIMUM_BLOCKS", "self.blocks > MINIMUM_BLOCKS"),
        ("np.split(windows, ends) if fold.any()]", "np.split(known[0], ends) if fold.any()]"),
    ),
    *faults_in(
        "experiment/statistics/confidence_set",
        [f"{S}/test_confidence_set"],
        ("size=1 - level", "size=level"),
        ("known = errors.dropna()", "known = errors.fillna(0)"),
        ("axis=0).all().any()]", "axis=0).any().any()]"),
        ("len(known) / block < MINIMUM_BLOCKS", "len(known) < MINIMUM_BLOCKS"),
    ),
    *faults_in(
        "experiment/statistics/diebold_mariano",
        [f"{S}/test_diebold_mariano"],
        ("harvey_adj=True", "harvey_adj=False"),
        (
            "        arm.mean(axis=0),\n        baseline.mean(axis=0),\n",
            "        baseline.mean(axis=0),\n        arm.mean(axis=0),\n",
        ),
        ("horizon=horizon,\n    )", "horizon=1,\n    )"),
        ("paired(arm, baseline, segments)", "paired(arm, baseline)"),
    ),
    *faults_in(
        "experiment/statistics/rank_tests",
        [f"{S}/test_rank_tests"],
        ("arms * (arms + 1) / (6 * cases)", "arms * (arms - 1) / (6 * cases)"),
        ("math.inf)) / math.sqrt(2)", "math.inf))"),
        ("errors.rank(axis=1)", "errors.rank(axis=0)"),
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
        "experiment/statistics/verdict",
        [R, f"{S}/test_intervals"],
        ("if all(one.lower for one in against):", "if any(one.lower for one in against):"),
        ("if kind in self.counting and arm not in known", "if arm not in known"),
        ("if any(found.seeds < 2 for", "if all(found.seeds < 2 for"),
        ("if not found.measured or too_few:", "if not found.measured:"),
        ("ties = [c for c in against if not c.lower]", "ties = [c for c in against if c.higher]"),
    ),
    *faults_in(
        "experiment/results/measurements",
        [R],
        ('self.errors(against, "student", metric, size, fold)', 'self.errors(against, "student", "mse", size, fold)'),
        ("{arm, against} & self._ridges", "{arm} & self._ridges"),
        ("max(known for known in sizes if known is not None)", "min(known for known in sizes if known is not None)"),
        ("ran[(ran.kind == kind) & (ran.name == name)]", "ran[ran.name == name]"),
        ("and name != arm]", "]"),
        ("if len(mine[mine.seed == seed]) < places:", "if not len(mine[mine.seed == seed]):"),
    ),
    *faults_in(
        "experiment/results/selection",
        [R, "experiment/report/test_page"],
        ("set.intersection(*(whole[name] for name in arms))", "set.union(*(whole[name] for name in arms))"),
        ("if seeds & shared}", "}"),
        ("counts == rows.fold.nunique()", "counts > 0"),
        ("(name not in arms, means[name])", "means[name]"),
    ),
    *faults_in(
        "experiment/results/tabulation",
        ["experiment/results/test_tabulation"],
        ("cell.mse[summary.scored]", "cell.mse[: len(summary.scored)]"),
        (
            "window.times[lookback:], cell.forecasts[number]",
            "window.times[-len(cell.forecasts[number]) :], cell.forecasts[0]",
        ),
        ('(("step", 1, "by_step"), ("hour", 0, "by_hour"))', '(("step", 0, "by_step"), ("hour", 0, "by_hour"))'),
        ("float(np.nanmean(cell.mae))", "float(np.nanmean(cell.mse))"),
    ),
)
