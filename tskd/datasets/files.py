"""Reading what a user has downloaded: the folder that TSKD_DATA names, and the checksums of its files."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        address: where it comes from.
        checksum: SHA-256 of its content, of a CSV file that before compression.
    """

    name: str
    address: str
    checksum: str

    def content(self) -> bytes:
        """The file's bytes, decompressed.

        Raises:
            FileNotFoundError: the variable is not set, or there is no such file.
            ValueError: the content is not the one that this data set was made for.
        """
        folder = os.environ.get(VARIABLE)
        wanted = f"{self.name!r} (from {self.address})"
        if not folder:
            raise FileNotFoundError(f"The file {wanted} is needed: put it into a folder and name that in {VARIABLE}.")
        candidates = [Path(folder) / self.name, Path(folder) / f"{self.name}.gz"]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"The file {wanted} is not in the folder {folder!r} that {VARIABLE} names.")
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        found = hashlib.sha256(content).hexdigest()
        if found != self.checksum:
            raise ValueError(
                f"{path} is not the file that this data set was made for: the SHA-256 of its content is {found}, "
                f"expected {self.checksum}. It comes from {self.address}."
            )
        return content

    def csv(self, **options: Any) -> pd.DataFrame:
        """The table in a CSV file; `options` are those of pandas."""
        import pandas as pd

        return pd.read_csv(io.BytesIO(self.content()), **options)

    def parquet(self) -> pd.DataFrame:
        """The table in a parquet file. Raises ImportError, with the line that installs it, without pyarrow."""
        import pandas as pd

        if importlib.util.find_spec("pyarrow") is None:
            raise ImportError(f"{self.name!r} is a parquet file, which pyarrow reads: pip install 'tskd[data]'")
        return pd.read_parquet(io.BytesIO(self.content()))


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
