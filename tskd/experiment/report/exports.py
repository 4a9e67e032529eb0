"""The tables of a page as CSV and as LaTeX, to be taken from it: each a link that holds its own file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

# what may stand in an address as it is: two thirds shorter than its code
UNRESERVED = "/,;:@!$*()+=?~'"
# backslash first: the others put one in
ESCAPES = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"}
ESCAPES |= {sign: f"\\{sign}" for sign in "&%$#_"}
ESCAPES |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--", "·": r"$\cdot$"}
ESCAPES |= {"\u00a0": "~", "\u2009": r"\,", "\n": " "}


@dataclass(frozen=True)
class Export:
    """A table as a file: its `name`, and its content as an address of the scheme `data`."""

    name: str
    address: str


def exports(name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Export]:
    """A table as CSV and as LaTeX.

    Args:
        name: of the files, without their ending.
        header: names of the columns.
        rows: texts, one for each column.
    """
    return [
        Export(f"{name}.csv", f"data:text/csv;charset=utf-8,{quote(csv_text(header, rows), UNRESERVED)}"),
        Export(f"{name}.tex", f"data:text/plain;charset=utf-8,{quote(latex_text(header, rows), UNRESERVED)}"),
    ]


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines with commas, and quotes where they are needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def latex_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A `tabular` with the rules of booktabs; what LaTeX would read as a command is escaped."""
    first, *lines = (" & ".join(map(escaped, row)) + r" \\" for row in (header, *rows))
    begin = rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}"
    return "\n".join([begin, r"\toprule", first, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", ""])


def escaped(text: str) -> str:
    """A text as LaTeX prints it."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)
