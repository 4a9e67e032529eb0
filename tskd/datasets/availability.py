"""A list of the data sets, which of their files are here, and where a user gets the others."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tskd._core.optional_imports import is_installed
from tskd.datasets.base import DataSet, other_series
from tskd.datasets.catalogue import CATALOGUE, CatalogueEntry
from tskd.datasets.fetching import cache_folder, darts_folder
from tskd.datasets.files import VARIABLE, File
from tskd.datasets.tables import listed, suggestion

WIDTH, LABEL = 110, 20
# from best to worst: a data set is in the state of its worst file
STATES = ("here", "downloaded", "downloaded on use", "needs pyarrow", "missing", "damaged")
HERE, DOWNLOADED, ON_USE, NEEDS_PYARROW, MISSING, DAMAGED = STATES


def listing(verify: bool = False) -> str:
    """Two tables for a terminal of 110 columns: the data sets, and their files with licence and source.

    A file is "here" if the folder TSKD_DATA has it, "downloaded" if it was before, "downloaded on use" if it can be,
    "damaged" if its content is not the expected one, else "missing".

    Args:
        verify: whether to read every file that is there and compare its checksum, which takes seconds; else only its
            presence counts.
    """
    files = sorted({file for entry in CATALOGUE.values() for file in entry.files}, key=lambda file: file.name.lower())
    states = {file: _state(file, verify) for file in files}
    sets = _table(
        ("name", "what is forecast; what is privileged", "rows × targets, step", "state"),
        [(name, entry.about, entry.size, _worst(entry, states)) for name, entry in sorted(CATALOGUE.items())],
    )
    head, *rows = _table(("file", "state", "licence"), [(file.name, states[file], file.licence) for file in files])
    described = [line for row, file in zip(rows, files, strict=True) for line in (row, *_details(file, states[file]))]
    return "\n".join([*sets, "", head, *described, "", *_advice()])


def description(name: str) -> str:
    """What is known of one data set: what is forecast from what, its split and traps, and which of its files are here.

    Raises:
        ValueError: there is none of this name, or a file of it is damaged.
    """
    if name not in CATALOGUE:
        raise ValueError(f"there is no data set {name!r}.{suggestion(name, sorted(CATALOGUE))}")
    entry = CATALOGUE[name]
    states = {file: _state(file, False) for file in entry.files}
    facts = [("forecast", entry.about), ("rows", entry.size), ("state", _worst(entry, states))]
    advice: list[str] = []
    try:
        if _worst(entry, states) != ON_USE:
            facts = [*facts[:-1], *_facts(entry.load()), facts[-1]]
    except (FileNotFoundError, ImportError) as reason:
        advice = ["", *textwrap.wrap(str(reason), WIDTH, break_long_words=False, break_on_hyphens=False)]
    lines = [name]
    for label, text in facts:
        for number, line in enumerate(textwrap.wrap(text, WIDTH - LABEL, break_on_hyphens=False)):
            lines.append(f"{'' if number else label:<{LABEL}}{line}")
    return "\n".join([*lines, *advice])


def _facts(data: DataSet) -> list[tuple[str, str]]:
    """What only the files tell."""
    others = [
        (what.removeprefix("privileged series ").replace("_", " "), series)
        for what, series in other_series(data).items()
    ]
    named = {name.strip("'"): series for name, series in others}
    return [
        ("title", f"{data.title}, {data.unit}"),
        ("target", listed(data.series.components)),
        *((name, f"{listed(series.components)}, every {series.freq_str}") for name, series in named.items()),
        (
            "split",
            f"{data.series.start_time()} train {data.validation_start} validate {data.test_start} test "
            f"{data.series.end_time()}",
        ),
        ("source", data.source),
        ("licence", data.licence),
        ("notes", data.notes),
    ]


def _state(file: File, verify: bool) -> str:
    if file.local is None and file.kept is None:
        return MISSING if file.manual else ON_USE
    if file.name.endswith(".parquet") and not is_installed("pyarrow"):
        return NEEDS_PYARROW
    if verify:
        try:
            file.verify()
        except ValueError:
            return DAMAGED
    return DOWNLOADED if file.local is None else HERE


def _worst(entry: CatalogueEntry, states: dict[File, str]) -> str:
    if entry.package:
        return f"in {entry.package}" if is_installed(entry.package) else f"needs {entry.package}"
    return max((states[file] for file in entry.files), key=STATES.index)


def _details(file: File, state: str) -> list[str]:
    used = ", ".join(name for name, entry in sorted(CATALOGUE.items()) if file in entry.files)
    texts = [f"for {used}", f"from {file.address}"]
    if file.manual and state in (MISSING, DAMAGED):
        texts.append(file.manual)
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _advice() -> list[str]:
    return [
        "A missing file goes into a folder of your choice, a CSV file as it is or with gzip, as .csv.gz.",
        f"Name that folder in {VARIABLE}, for instance: export {VARIABLE}=~/data",
        f"What is downloaded on use is kept in {cache_folder()},",
        f"ETT, which darts downloads, in {darts_folder()}.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return [line.rstrip() for line in lines]
