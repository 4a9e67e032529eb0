"""An expected gain as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tskd.distillation.expected.predicted_change import PredictedChange
from tskd.distillation.expected.teacher_gain import TeacherGain

# columns of a line: two less than a terminal has, so that it can be indented
WIDTH = 78
HEAD = ("teacher", "R\u00b2", "r", "n_eff", "trust", "error", "", "best", "error")


def paragraphs(*texts: str) -> Iterator[str]:
    """Lines of at most `WIDTH` columns, of each text in turn."""
    for text in texts:
        yield from textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def lines_of(teachers: Sequence[TeacherGain], together: tuple[float, PredictedChange] | None) -> Iterator[str]:
    """A line for each teacher, and one for all together, in columns.

    Args:
        teachers: one by one.
        together: share of trust in all of them, and the change predicted at it; None for a single one.
    """
    cells = [HEAD, *map(_cells, teachers)]
    if together is not None:
        share, change = together
        cells.append(("together", "", "", "", f"{share:.2f}", *_change(change), "", ""))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[0] = max(len("together"), min(widths[0], WIDTH - sum(widths[1:]) - len(widths) + 1))
    for name, *numbers in cells:
        aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        yield " ".join([_shortened(name, widths[0]), *aligned]).rstrip()


def _cells(one: TeacherGain) -> tuple[str, ...]:
    first = f"{one.correlations[0]:.2f}" if one.correlations else "–"
    best = (f"{one.best_balance:.2f}", percent(one.best_change.change))
    return (
        one.name,
        _of_one(one.explained),
        first,
        f"{one.effective_blocks:.0f}" if one.effective_blocks < 1e4 else "many",
        f"{one.balance:.2f}",
        *_change(one.change),
        *best,
    )


def _of_one(explained: float) -> str:
    if explained != explained:
        return "–"
    return f"{explained:.2f}" if abs(explained) < 100 else f"{explained:.0e}"


def _change(change: PredictedChange) -> tuple[str, str]:
    if change.low != change.low:
        return percent(change.change), ""
    return percent(change.change), f"[{percent(change.low)}, {percent(change.high)}]"


def percent(value: float) -> str:
    """A change in per cent, in at most eight columns."""
    return f"{value:+.1%}" if abs(value) < 10 else f"{value:+.0%}" if abs(value) < 1000 else ">+99999%"


def _shortened(name: str, width: int) -> str:
    return name.ljust(width) if len(name) <= width else f"{name[: width - 1]}\u2026"
