"""Electric power of a household near Paris."""

from __future__ import annotations

from tskd.datasets.base import DataSet
from tskd.datasets.files import File, series_of
from tskd.datasets.filling import carry_forward

HOUSEHOLD = File(
    "household_1min_2007H1.parquet",
    "https://archive.ics.uci.edu/dataset/235",
    "e7397a14519186af9435c233f00e824c024f32359756577f80f793d1cc18272f",
)
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
        licence="CC BY 4.0",
        notes="Means of minutes, labelled by their start. January to March 2007 to train, April to validate, May and "
        "June to test. A missing minute is the last one before it; an hour with such a minute is not scored.",
    )
