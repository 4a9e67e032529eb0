"""Faults in the page of a run: its tables, the files to be taken from it, and what its figures draw."""

from __future__ import annotations

from tests.planted_faults.fault import Fault, faults_in

R = "experiment/report"
DRAWN = [f"{R}/test_drawn_values"]
FILES = [f"{R}/test_exports"]
PAGE = [f"{R}/test_page"]

FAULTS = (
    *faults_in(
        f"{R}/exports",
        FILES,
        ("!$*()+=?~'\"", "!$*()+=?~'#\""),
        ("""{'r' * (len(header) - 1)}""", """{'r' * len(header)}"""),
        ("(header, *rows))\n    begin", "rows)\n    begin"),
    ),
    *faults_in(
        f"{R}/page",
        FILES,
        ("*(x.mse or STATES[x.state], x.mae,", "*(x.mse, x.mae,"),
        ("for text in (one.mse, one.mae))", "for text in (one.mae, one.mse))"),
        ("if seen.lifts else len(header) - 3", "if seen.lifts else len(header)"),
    ),
    *faults_in(
        f"{R}/page",
        PAGE,
        ("[name for name in finished(results) if name not in arms]", "[]"),
        ('for name in ("commit", *VERSIONS))', "for name in VERSIONS)"),
        (' for line in self.lines if line.kind == "student"}', " for line in self.lines}"),
        ("balance in used[arm]", "True"),
    ),
    *faults_in(
        f"{R}/page",
        [f"{R}/test_overview"],
        ("while name in found.values():", "if name in found.values():"),
        ('{f"{case.slug}/{d.name}" if many else d.name: d', "{d.name: d"),
    ),
    *faults_in(
        f"{R}/significance",
        [f"{R}/test_significance"],
        ("wide.dropna().groupby", "wide.groupby"),
        ("results.info.horizon).p_value", "1).p_value"),
        ("block=results.info.block", "block=1"),
        ('table[(table.kind == "student") & table.name.isin(names)]', "table[table.name.isin(names)]"),
        ("of_size(results.windows, largest(results))", "results.windows"),
    ),
    *faults_in(
        f"{R}/figures/intervals",
        DRAWN,
        ("means[:, 0] / means[:, 1] - 1", "means[:, 1] / means[:, 0] - 1"),
        ('pair.groupby("seed")', 'pair.groupby("fold")'),
        ('join="inner"', 'join="outer"'),
        ("_bar(axis, row, comparison, palette[comparison.arm])", "_bar(axis, row, found[0], palette[comparison.arm])"),
    ),
    *faults_in(
        f"{R}/figures/sizes",
        DRAWN,
        ("results.lift(name, size=s)", "results.lift(name)"),
        ("100 * np.nan_to_num(ends)", "np.nan_to_num(ends)"),
        ("DASHES[0 if name in cool else 1]", "DASHES[0]"),
    ),
    *faults_in(
        f"{R}/figures/steps",
        DRAWN,
        ('(means["student", name] / base - 1)', '(means["student", name] - base)'),
        ('.dropna(subset="mse")', ".fillna(0)"),
        ('means["teacher", teacher]', 'means["teacher", teachers[0]]'),
    ),
    *faults_in(
        f"{R}/figures/weights",
        DRAWN,
        ('band["min"], band["max"]', 'band["mean"], band["max"]'),
        ('table.groupby("arm").epoch.transform("max")', "table.epoch.max()"),
        ("means[arm, by, teacher]", "means[arm, by, teachers[0]]"),
        ("axis.axhline(1 / teachers", "axis.axhline(1"),
    ),
    *faults_in(
        f"{R}/figures/forecasts",
        DRAWN,
        ("truth.time.iloc[-horizon - 1]", "truth.time.iloc[-horizon]"),
        ("windows[len(windows) // 2 :][:most]", "windows[:most]"),
        (".tail(2 * horizon)", ".head(2 * horizon)"),
    ),
    *faults_in(
        f"{R}/figures/cases",
        DRAWN,
        ("PRIVILEGED[0] if comparison.lower else", "PRIVILEGED[0] if comparison.relative < 0.03 else"),
        (
            "[100 * comparison.low, 100 * comparison.high], [row, row], color=colour, linewidth=2)",
            "[100 * comparison.low, -100 * comparison.low], [row, row], color=colour, linewidth=2)",
        ),
    ),
    *(
        Fault(f"tskd/{R}/templates/{name}.html.j2", old, new, (f"tests/{R}/{tests}.py",))
        for name, old, new, tests in (
            (
                "case",
                '<td class="mark{{ " best" if line.best }}',
                '<td class="mark{{ " best" if line.kept }}',
                "test_page",
            ),
            ("case", "{{ states[line.state] }}", "–", "test_page"),
            ("case", '{{ "Teacher " if failure.kind == "teacher" }}', "", "test_page"),
            (
                "page",
                "info.cells.finished + info.cells.failed <",
                "info.cells.finished + info.cells.failed >",
                "test_page",
            ),
            ("page", "{% elif info.reproducible %}", "{% elif true %}", "test_page"),
            ("page", '{{ "%.2f" | format(overview.ranks.mean[arm]) }}', "{{ loop.index }}", "test_overview"),
        )
    ),
)
