"""Results as the terminal shows them: the table of a case, or one line for each of several, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from tskd.experiment.config.labels import ALL, labels_text
from tskd.experiment.results.arm_table import STATES, by_series, by_size, has_distribution, lines
from tskd.experiment.results.measurements import Measurements
from tskd.experiment.results.overview import overview

WIDTH = 100
MOST_SERIES = 12
"""Series that are shown one by one."""
WORDS = {"privilege": "privilege", "gain": "gain", "none": "no gain", "plain": "–", "unknown": "unknown"}


def case_text(results: Measurements) -> str:
    """Title, table and verdict of one case, at most 100 characters wide; of a distribution with CRPS and coverage."""
    info = results.info
    found = lines(results)
    header = ["", "MSE", "MAE", "MSE against alone", "95 % interval", "balance"]
    wide = has_distribution(found)
    name_width, balance_width = (20, 14) if wide else (34, 20)
    if wide:
        header = ["", "MSE", "MAE", "CRPS", "coverage", "against alone", "95 % interval", "balance"]
    rows = [
        [
            _fit(f"teacher {x.name}" if x.kind == "teacher" else x.name, name_width),
            *(x.mse or STATES[x.state], x.mae, *((x.crps, x.coverage) if wide else ())),
            *(x.relative, x.interval, _fit(x.balance, balance_width)),
        ]
        for x in found
    ]
    students = sum(x.kind == "student" for x in found)
    folds = f", {info.folds} folds" if info.folds > 1 else ""
    labels = f", {info.labels}" if info.labels != labels_text(ALL) else ""
    several = f", {len(info.data.series)} series" if info.data.series else ""
    title = (
        f"{info.name}: {info.data.name}{several}, {info.lookback} steps to {info.horizon}, "
        f"{len(info.seeds)} seeds{folds}, {info.data.windows.scored_text}{labels}"
    )
    text = [str(info.distribution), ""] if wide else []
    text += [results.verdict.headline, "", *(f"• {sentence}" for sentence in results.verdict.sentences)]
    text += [f"! {warning}" for warning in info.warnings]
    excludes = "* the 95 % interval excludes zero"
    below = _in_columns("MSE against alone at", *by_size(results), f"training windows; {excludes}")
    below += _by_series(results, excludes)
    return "\n".join([*_wrapped([title]), "", *ruled(header, rows, students), *below, "", *_wrapped(text)])


def _by_series(results: Measurements, note: str) -> list[str]:
    series = results.info.data.series
    if len(series) > MOST_SERIES:
        return ["", f"By series: see the page, or series.csv; there are {len(series)}."]
    return _in_columns("MSE against alone of", *by_series(results), note)


def _in_columns(title: str, head: Sequence[str], cells: Sequence[tuple[str, list[str]]], note: str) -> list[str]:
    text: list[str] = []
    # as many columns beside each other as fit, the rest below
    for first in range(0, len(head), 6):
        part = slice(first, first + 6)
        rows = [[_fit(name, 26), *found[part]] for name, found in cells]
        text += ["", *ruled([title, *(_fit(one, 10) for one in head[part])], rows, len(rows))]
    return [*text, note] if head else []


def study_text(name: str, cases: Mapping[str, Measurements], left_out: Sequence[str]) -> str:
    """Title, a line for each case, and what all of them have found, at most 100 characters wide.

    Args:
        name: of the study.
        cases: by their label.
        left_out: sentences on the cases that have no results.
    """
    found = overview(cases, left_out)
    header = ["", "best arm", "MSE", "net privileged lift", "95 % interval", "verdict"]
    rows = []
    for row in found.rows:
        best = next(((arm, e.mse) for arm, e in zip(found.arms, row.entries, strict=True) if e.best), ("–", ""))
        rows.append([_fit(row.label, 30), _fit(best[0], 14), best[1], row.lift, row.interval, WORDS[row.outcome]])
    text = [found.headline, "", *(f"• {sentence}" for sentence in found.sentences)]
    failed = sum(len(results.failures) for results in cases.values())
    if failed:
        text.append(f"! {failed} fits failed; the page shows why.")
    title = f"{name}: {len(cases)} cases"
    return "\n".join([title, "", *ruled(header, rows, len(rows)), "", *_wrapped(text)])


def ruled(header: Sequence[str], rows: Sequence[Sequence[str]], first: int) -> list[str]:
    """Aligned text with a rule below the header, and one below the first rows where more follow."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    aligned = "  ".join([f"{{:<{widths[0]}}}", *(f"{{:>{width}}}" for width in widths[1:])])
    text = [aligned.format(*row).rstrip() for row in rows]
    rule = "─" * (sum(widths) + 2 * len(widths) - 2)
    return [aligned.format(*header).rstrip(), rule, *text[:first], *([rule] if text[first:] else []), *text[first:]]


def _wrapped(paragraphs: Sequence[str]) -> list[str]:
    wrapper = textwrap.TextWrapper(WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return [wrapper.fill(paragraph) for paragraph in paragraphs]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
