"""Tables of a user's own: CSV files, with gzip or without, and Parquet files, read from the disk and nowhere else."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from tskd._core.optional_imports import check_installed
from tskd._core.suggest import closest

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".csv.gz", ".parquet")
SEPARATORS = ",;\t"
MOST_NAMED = 12
"""Columns, or series, that a message lists."""


def check_ending(name: str) -> None:
    """Raise a ValueError unless a file's name ends as that of a table does."""
    if not name.lower().endswith(ENDINGS):
        raise ValueError(f"{name!r} must be a file whose name ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")


def stem(path: Path) -> str:
    """The name of a table without its ending: 'steel' of 'data/steel.csv.gz'."""
    ending = max((end for end in ENDINGS if path.name.lower().endswith(end)), key=len, default="")
    return path.name[: len(path.name) - len(ending)]


_KEPT: ContextVar[dict[Path, pd.DataFrame] | None] = ContextVar("_KEPT", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Within this, `read_table` reads each file once, and then gives its table again."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def read_table(path: Path) -> pd.DataFrame:
    """The table in a file [T, C], columns in the order of the file, named by texts; not to be changed.

    The separator of a CSV file is the most frequent of comma, semicolon and tab in its first line; with semicolons, a
    decimal comma is known by the first row. Rows without any value are left out.

    Raises:
        FileNotFoundError: there is no such file; the nearest name in its folder is given.
        ImportError: a Parquet file, and pyarrow is not installed.
        ValueError: it is none of these files, is damaged, or names a column twice.
    """
    kept = _KEPT.get()
    if kept is not None and path in kept:
        return kept[path]
    table = _read(path)
    table.columns = table.columns.map(str)
    if kept is not None:
        kept[path] = table
    return table


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    check_ending(path.name)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}.{_near_file(path)}")
    if path.name.lower().endswith(".parquet"):
        check_installed("pyarrow", f"Reading {path.name!r}", "data")
        try:
            table = pd.read_parquet(io.BytesIO(path.read_bytes()), engine="pyarrow")
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as a Parquet file: {error}") from error
        # stamps may be the index
        return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    text = _text(path)
    head = text.split("\n", 2)
    if not head[0].strip():
        raise ValueError(f"{path} is empty, or its first line is: the names of its columns belong there.")
    separator = max(SEPARATORS, key=head[0].count)
    names = next(csv.reader([head[0].strip("\r")], delimiter=separator, skipinitialspace=True))
    for name in names:
        if name and names.count(name) > 1:
            raise ValueError(f"{path}: {names.count(name)} columns are called {name!r}; give each a name of its own.")
    comma = separator == ";" and len(head) > 1 and re.search(r"(^|;)-?\d+,\d+(;|$)", head[1].strip())
    try:
        with warnings.catch_warnings():
            # rows that have more fields than there are names
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                decimal="," if comma else ".",
                skipinitialspace=True,
                low_memory=False,
                index_col=False,
            )
        return table.dropna(how="all")
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{path}: some rows have more fields than the first line has names.") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as a CSV file: {str(error).strip()}") from error


def check_column(name: str, table: pd.DataFrame, path: Path, role: str) -> None:
    """Raise a ValueError, with the nearest column, unless a table has the one that a user gives for `role`."""
    columns = [str(column) for column in table.columns]
    if name not in columns:
        raise ValueError(f"{path.name} has no column {name!r}, given as {role}.{suggestion(name, columns)}")


def suggestion(name: str, known: Sequence[str]) -> str:
    """' Did you mean …?' where a known name is near, or differs in case and blanks only; and the names there are."""
    folded = {other.casefold().strip(): other for other in reversed(known)}
    near = folded.get(name.casefold().strip()) or closest(name, known)
    near = near or folded.get(closest(name.casefold(), folded) or "")
    return f"{f' Did you mean {near!r}?' if near else ''} There are: {listed(known)}."


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return f"{', '.join(map(repr, every[:MOST_NAMED]))}{more}"


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be decompressed: {error}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 (byte {error.start}); save it in this encoding.") from error


def _near_file(path: Path) -> str:
    try:
        others = [other.name for other in path.parent.iterdir() if other.name.lower().endswith(ENDINGS)]
    except OSError:
        return ""
    near = closest(path.name, others)
    return f" Did you mean {near!r}?" if near else ""
