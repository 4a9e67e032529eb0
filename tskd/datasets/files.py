"""Files of public data: where each is looked for, and the checksum of its content.

First the folder that TSKD_DATA names, then earlier downloads, then the source, if it offers the file without an
account. A file whose checksum is not the expected one is not used.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tskd._core.optional_imports import check_installed
from tskd.datasets import fetching

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from darts import TimeSeries

VARIABLE = "TSKD_DATA"


@dataclass(frozen=True)
class File:
    """A file of public data.

    Attributes:
        name: in the folder TSKD_DATA; a CSV file may be compressed with gzip, and then ends in .csv.gz.
        address: its source.
        checksum: SHA-256 of its content: of a CSV file before compression; of a parquet file its table's, so that any
            parquet file of this table will do (`table_checksum`).
        licence: of the data.
        manual: how a user gets it. Without this text, what is at `address` is downloaded: the file, or a zip file that
            contains it.
        darts: the class in `darts.datasets` that downloads and keeps it.
    """

    name: str
    address: str
    checksum: str
    licence: str
    manual: str = ""
    darts: str = ""

    @property
    def local(self) -> Path | None:
        """Its path in the folder TSKD_DATA, or None."""
        folder = os.environ.get(VARIABLE)
        candidates = [Path(folder) / self.name, Path(folder) / f"{self.name}.gz"] if folder else []
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    @property
    def kept(self) -> Path | None:
        """Its path if it was downloaded before, by us or by darts, or None."""
        if self.manual:
            return None
        path = (fetching.darts_folder() if self.darts else fetching.cache_folder()) / self.name
        return path if path.is_file() else None

    def content(self) -> bytes:
        """The bytes of a CSV file, decompressed.

        Raises:
            FileNotFoundError: it is nowhere, and cannot be downloaded.
            ValueError: the content is not the one that this data set was made for.
        """
        path = self.local
        if path is not None:
            return self._verified(_unpacked(path), path)
        if self.manual:
            raise FileNotFoundError(f"{self._sought()}. {self.manual}")
        try:
            path = fetching.by_darts(self.name, self.darts) if self.darts else self._downloaded()
        except fetching.DownloadError as error:
            raise FileNotFoundError(f"{self._sought()}. It cannot be downloaded: {error}") from error
        return self._verified(path.read_bytes(), path)

    def csv(self, **options: Any) -> pd.DataFrame:
        """The table in a CSV file; `options` are those of pandas. Raises what `content` raises."""
        import pandas as pd

        return pd.read_csv(io.BytesIO(self.content()), **options)

    def parquet(self) -> pd.DataFrame:
        """The table in a parquet file. Raises what `content` raises, and ImportError without pyarrow."""
        import pandas as pd

        check_installed("pyarrow", f"Reading {self.name!r}", "data")
        path = self.local
        if path is None:
            raise FileNotFoundError(f"{self._sought()}. {self.manual}")
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as a parquet file: {error}. Get it anew.") from error
        self._compare(table_checksum(table), path)
        return table

    def verify(self) -> None:
        """Read the file and compare its checksum. Raises what reading it raises."""
        if self.name.endswith(".parquet"):
            self.parquet()
        else:
            self.content()

    def _downloaded(self) -> Path:
        """Where our own download of it is kept; one that was cut short or altered is downloaded again."""
        if self.kept is not None and hashlib.sha256(self.kept.read_bytes()).hexdigest() == self.checksum:
            return self.kept
        content = fetching.download(self.address, self.name)
        return fetching.keep(self._verified(content, self.address), self.name)

    def _verified(self, content: bytes, where: Path | str) -> bytes:
        self._compare(hashlib.sha256(content).hexdigest(), where)
        return content

    def _compare(self, found: str, where: Path | str) -> None:
        if found != self.checksum:
            raise ValueError(
                f"{where} is not the file that this data set was made for: the SHA-256 of its content is {found}, "
                f"expected {self.checksum}. It comes from {self.address}."
            )

    def _sought(self) -> str:
        folder, wanted = os.environ.get(VARIABLE), f"{self.name!r} (from {self.address})"
        if not folder:
            return f"The file {wanted} is needed: put it into a folder and name that in {VARIABLE}"
        return f"The file {wanted} is not in the folder {folder!r} that {VARIABLE} names"


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}. Get it anew.") from error


def table_checksum(table: pd.DataFrame) -> str:
    """SHA-256 of a table's columns, names and values, whatever file and types hold them.

    Numbers count in single precision, as the series have them; dates in seconds; what is missing is NaN or "".
    """
    import numpy as np
    import pandas as pd

    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(f"{name}\n".encode())
        if pd.api.types.is_datetime64_any_dtype(column):
            digest.update(column.to_numpy("datetime64[s]").astype("<i8").tobytes())
        elif pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy("<f4")
            digest.update(np.where(np.isnan(values), np.float32(np.nan), values).astype("<f4").tobytes())
        else:
            digest.update("\n".join(column.astype(object).where(column.notna(), "")).encode())
    return digest.hexdigest()


def series_of(table: pd.DataFrame, columns: dict[str, str] | list[str]) -> TimeSeries:
    """Some columns of `table` [T, C] as a series; a dict gives them other names.

    Raises:
        ValueError: a value is missing.
    """
    import numpy as np
    from darts import TimeSeries

    names = list(columns.values()) if isinstance(columns, dict) else columns
    values: np.ndarray = table[list(columns)].to_numpy("float32")
    rows, at = np.nonzero(np.isnan(values))
    if len(rows):
        raise ValueError(f"column {list(columns)[at[0]]!r} has no value at {table.index[rows[0]]}, nor any before it")
    return TimeSeries.from_times_and_values(table.index, values, columns=names)


def missing(column: pd.Series) -> frozenset[pd.Timestamp]:
    """Time stamps at which a column has no value."""
    return frozenset(column.index[column.isna()])
