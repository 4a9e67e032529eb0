"""Building the files that no source offers as they are, from those that it offers.

    python -m tskd.datasets.build beijing_multisite_air.parquet FOLDER

reads the unpacked source in FOLDER and writes the file into the folder that TSKD_DATA names, if its checksum is right.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tskd.datasets.beijing import BEIJING
from tskd.datasets.files import VARIABLE, table_checksum
from tskd.datasets.household import HOURLY, HOUSEHOLD

if TYPE_CHECKING:
    import pandas as pd


def beijing(folder: Path) -> pd.DataFrame:
    """The tables of the twelve stations, one below the other."""
    import pandas as pd

    tables = [pd.read_csv(path) for path in sorted(folder.rglob("PRSA_Data_*.csv"))]
    if not tables:
        raise FileNotFoundError(f"{folder} holds no file PRSA_Data_*.csv.")
    whole = pd.concat(tables, ignore_index=True)
    whole.insert(0, "datetime", pd.to_datetime(whole[["year", "month", "day", "hour"]]))
    return whole.drop(columns=["No", "year", "month", "day", "hour"])


def minutes(folder: Path) -> pd.DataFrame:
    """The first half of 2007, minute by minute."""
    table = _power(folder)["2007-01-01":"2007-06-30 23:59"]
    return table.rename_axis("datetime").reset_index()


def hours(folder: Path) -> pd.DataFrame:
    """Means of each hour's minutes; straight lines where an hour has none, as in the copies that are passed around."""
    table = _power(folder).resample("1h").mean().interpolate()
    return table.rename_axis("Datetime").reset_index()


def _power(folder: Path) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(folder / "household_power_consumption.txt", sep=";", na_values="?", low_memory=False)
    table.index = pd.DatetimeIndex(pd.to_datetime(table["Date"] + " " + table["Time"], format="%d/%m/%Y %H:%M:%S"))
    return table.drop(columns=["Date", "Time"])


MAKERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    BEIJING.name: beijing,
    HOUSEHOLD.name: minutes,
    HOURLY.name: hours,
}


def main(arguments: list[str]) -> int:
    """Make a file. Returns 0, or 2 with a message."""
    target = os.environ.get(VARIABLE)
    if len(arguments) != 2 or arguments[0] not in MAKERS or not target:
        print(f"usage: {VARIABLE}=TO python -m tskd.datasets.build {{{','.join(MAKERS)}}} FOLDER", file=sys.stderr)
        return 2
    name, folder = arguments
    file = next(file for file in (BEIJING, HOUSEHOLD, HOURLY) if file.name == name)
    try:
        table = MAKERS[name](Path(folder))
    except OSError as error:
        print(f"making: {error}", file=sys.stderr)
        return 2
    if table_checksum(table) != file.checksum:
        print(f"making: what is in {folder} does not give the {name} that is wanted.", file=sys.stderr)
        return 2
    Path(target).mkdir(parents=True, exist_ok=True)
    table.to_parquet(Path(target) / name, index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
