"""Electric power of a household near Paris."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tskd.datasets.base import DataSet, benchmark_split
from tskd.datasets.files import File, series_of
from tskd.datasets.transforms import carry_forward

if TYPE_CHECKING:
    import numpy as np


def _file(name: str, checksum: str) -> File:
    return File(
        name,
        "https://archive.ics.uci.edu/static/public/235/individual+household+electric+power+consumption.zip",
        checksum,
        licence="CC BY 4.0",
        manual=f"Unpack that zip file and run: python -m tskd.datasets.build {name} FOLDER",
    )


HOUSEHOLD = _file("household_1min_2007H1.parquet", "0c0720bdfc88dd1d48cef91d92a5679890c34e23158a609c0041fa525d0fb737")
HOURLY = _file("household_hourly.parquet", "89ccc2c05767a3273353ac7857af096d37a41bd68e28568c366ed2d62e36ace8")
POWER = "Global_active_power"
ROOMS = ["Voltage", "Sub_metering_1", "Sub_metering_2", "Sub_metering_3"]


def household() -> DataSet:
    """Hourly power; its ten-minute means, and voltage and three circuits, past and to come, are privileged."""
    import pandas as pd

    table = HOUSEHOLD.parquet().set_index("datetime")
    filled = carry_forward(table)
    hourly, ten = (filled.resample(step).mean()["2007-01-02":"2007-06-30"] for step in ("1h", "10min"))
    gaps = table[POWER].isna().resample("1h").mean()["2007-01-02":"2007-06-30"]
    return DataSet(
        name="household",
        series=series_of(hourly, {POWER: "power"}),
        privileged={"fine": series_of(ten, {POWER: "power"}), "rooms": series_of(hourly, ROOMS)},
        validation_start=pd.Timestamp("2007-04-01"),
        test_start=pd.Timestamp("2007-05-01"),
        filled=frozenset(gaps.index[gaps > 0]),
        title="Power of a household",
        unit="kW",
        source=HOUSEHOLD.address,
        licence=HOUSEHOLD.licence,
        notes="Means of minutes, labelled by their start. January to March 2007 to train, April to validate, May and "
        "June to test. A missing minute is the last one before it; an hour with such a minute is not scored.",
    )


def household_hourly() -> DataSet:
    """Seven readings of the power every hour for four years, with the split of the common benchmark."""
    table = HOURLY.parquet().set_index("Datetime")
    gaps = interpolated(table.to_numpy())
    series = series_of(carry_forward(table[~gaps].reindex(table.index)), list(table.columns))
    validation, test = benchmark_split(series)
    return DataSet(
        name="household-hourly",
        series=series,
        validation_start=validation,
        test_start=test,
        filled=frozenset(table.index[gaps]),
        title="Power of a household, four years",
        unit="mixed",
        source=HOURLY.address,
        licence=HOURLY.licence,
        notes="Means of the minutes that there are, labelled by their start. 70 % to train, 10 % to validate, 20 % to "
        "test. The file bridges its gaps, up to five days long, by straight lines, which hold the future; here an hour "
        "on such a line is the last one before the gap, and is not scored.",
    )


def interpolated(values: np.ndarray) -> np.ndarray:
    """Whether a row of `values` [T, C] lies on a straight line between the rows around it, in every column: [T]."""
    import numpy as np

    straight = np.zeros(len(values), dtype=bool)
    bend = values[2:] - 2 * values[1:-1] + values[:-2]
    straight[1:-1] = (np.abs(bend) < 1e-9).all(axis=1)
    return straight
